/* The CUDA engine's life and its way out of the plugin: device, stream, cuBLASLt, weights. The
 * hooks of engine.h; sessions are in cuda_session.c and cuda_generate.c. */
#include "engine/cuda/cuda_engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/plugin.h"

#ifndef CUDA_ENGINE_NAME
#define CUDA_ENGINE_NAME "native-cuda"
#define CUDA_ENGINE_DEVICE "cuda"
#define CUDA_ENGINE_HIDDEN false
#endif

/* The first is "auto". */
static const struct {
    const char *name;
    enum device_type type;
} dtypes[] = {
    {"float16", DEVICE_F16},
    {"bfloat16", DEVICE_BF16},
    {"float32", DEVICE_F32},
};
enum { DTYPE_COUNT = sizeof dtypes / sizeof dtypes[0] };

enum { CAPABILITY_MAJOR_MIN = 8 }; /* cp.async and the tensor cores' bfloat16 */

int cuda_check(cudaError_t status, const char *what, struct error *error)
{
    if (status == cudaSuccess)
        return 0;
    (void)cudaGetLastError(); /* a failed allocation must not fail the next call */
    /* What a kernel did wrong sticks: every later call fails too, until the process ends. */
    cudaError_t later = cudaDeviceSynchronize();
    if (later != cudaSuccess)
        return error_set(error, ERROR_DEVICE,
                         "%s: %s (%s); the device serves this process no longer", what,
                         cudaGetErrorString(status), cudaGetErrorName(status));
    if (status == cudaErrorMemoryAllocation)
        return error_set(error, ERROR_MEMORY, "%s: the device has not enough free memory", what);
    return error_set(error, ERROR_FAILED, "%s: %s (%s)", what, cudaGetErrorString(status),
                     cudaGetErrorName(status));
}

cudaError_t engine_upload(const struct engine *engine, void *to, const void *from, size_t bytes)
{
    cudaError_t status = cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, engine->stream);
    cudaError_t arrived = cudaStreamSynchronize(engine->stream);
    return status != cudaSuccess ? status : arrived;
}

static int probe(int device_index, struct error *reason)
{
    int count = 0;
    cudaError_t status = cudaGetDeviceCount(&count);
    if (status != cudaSuccess)
        return error_set(reason, ERROR_INPUT, "the CUDA runtime cannot use the driver: %s",
                         cudaGetErrorString(status));
    if (device_index >= count)
        return error_set(reason, ERROR_INPUT, "there is no device %d, but %d of them", device_index,
                         count);
    struct cudaDeviceProp properties;
    status = cudaGetDeviceProperties(&properties, device_index);
    if (status != cudaSuccess)
        return error_set(reason, ERROR_INPUT, "device %d does not say what it is: %s", device_index,
                         cudaGetErrorString(status));
    if (properties.major < CAPABILITY_MAJOR_MIN)
        return error_set(reason, ERROR_INPUT,
                         "device %d, %s, has compute capability %d.%d, the engine needs %d.0",
                         device_index, properties.name, properties.major, properties.minor,
                         CAPABILITY_MAJOR_MIN);
    return 0;
}

static bool is_auto(const char *name)
{
    return name == NULL || strcmp(name, "auto") == 0;
}

static int find_dtype(const char *name, const char *what, enum device_type *out,
                      struct error *error)
{
    for (int i = 0; i < DTYPE_COUNT; i++)
        if (is_auto(name) || strcmp(dtypes[i].name, name) == 0) {
            *out = dtypes[i].type;
            return 0;
        }
    return error_set(error, ERROR_INPUT,
                     "the CUDA engine has no %s \"%s\": use auto, float16, bfloat16 or float32",
                     what, name);
}

static int choose_dtypes(struct engine *engine, const struct engine_options *options,
                         struct error *error)
{
    int code = find_dtype(options->dtype, "dtype", &engine->type, error);
    enum device_type cache = engine->type;
    if (code == 0 && !is_auto(options->kv_dtype))
        code = find_dtype(options->kv_dtype, "KV cache dtype", &cache, error);
    if (code == 0 && cache != engine->type)
        code = error_set(error, ERROR_INPUT,
                         "the CUDA engine keeps the KV cache in the compute type: leave "
                         "--kv-dtype out");
    return code;
}

static const char *dtype_name(enum device_type type)
{
    for (int i = 0; i < DTYPE_COUNT; i++)
        if (dtypes[i].type == type)
            return dtypes[i].name;
    return "";
}

static int check_architecture(const struct architecture *a, struct error *error)
{
    enum { HEAD_DIM_MAX = 512 };
    if (a->head_dim > HEAD_DIM_MAX)
        return error_set(error, ERROR_INPUT,
                         "the CUDA engine serves heads of up to %d dimensions, this model has %lld",
                         HEAD_DIM_MAX, (long long)a->head_dim);
    return 0;
}

/* Only the management library sees the device before this process has its context there. */
static int open_device(struct engine *engine, int index, struct error *error)
{
    engine->device = index;
    int code = cuda_check(cudaGetDeviceProperties(&engine->properties, index),
                          "asking the device what it is", error);
    if (code == 0)
        code = cuda_nvml_open(&engine->nvml, &engine->properties, error);
    if (code != 0)
        return code;
    double before = cuda_nvml_used_bytes(engine->nvml);
    code = cuda_check(cudaSetDevice(index), "opening the device", error);
    if (code == 0)
        code = cuda_check(cudaStreamCreateWithFlags(&engine->stream, cudaStreamNonBlocking),
                          "opening a stream", error);
    size_t free_bytes = 0, total_bytes = 0;
    if (code == 0)
        code =
            cuda_check(cudaMemGetInfo(&free_bytes, &total_bytes), "asking for free memory", error);
    engine->free_at_opening = (int64_t)free_bytes;
    double context = cuda_nvml_used_bytes(engine->nvml) - before;
    engine->context_bytes = context > 0 ? (int64_t)context : 0;
    return code;
}

/* The kernel writes to host memory: nothing of the device is taken. */
static int measure_clock(struct engine *engine, struct error *error)
{
    uint64_t *resolution_ns = NULL;
    int code = cuda_check(cudaMallocHost((void **)&resolution_ns, sizeof *resolution_ns),
                          "taking host memory for the device's clock", error);
    if (code != 0)
        return code;
    cudaError_t status = kernel_clock_resolution(resolution_ns, engine->stream);
    cudaError_t done = cudaStreamSynchronize(engine->stream);
    code = cuda_check(status != cudaSuccess ? status : done, "reading the device's clock", error);
    engine->clock_resolution_ns = code == 0 ? *resolution_ns : 0;
    (void)cudaFreeHost(resolution_ns);
    return code;
}

static void engine_close(struct engine *engine)
{
    if (engine == NULL)
        return;
    engine_limit_release(engine);
    engine_weights_free(engine);
    cuda_nvml_close(engine->nvml);
    cuda_linear_close(engine->linear);
    if (engine->stream != NULL)
        (void)cudaStreamDestroy(engine->stream);
    thread_pool_destroy(engine->pool);
    free(engine);
}

static int engine_open(struct engine **out, const struct model *model,
                       const struct engine_options *options, struct error *error)
{
    *out = NULL;
    struct engine *engine = calloc(1, sizeof *engine);
    if (engine == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for an engine");
    engine->architecture = model != NULL ? model_architecture(model) : NULL;
    engine->clock = options->clock;
    engine->use_graph = !options->no_graph;
    engine->sync_steps = options->sync_steps;
    int threads = options->threads > 0 ? options->threads : thread_pool_default_threads();
    int code = choose_dtypes(engine, options, error);
    if (code == 0 && model != NULL)
        code = check_architecture(engine->architecture, error);
    if (code == 0)
        code = open_device(engine, options->device_index, error);
    if (code == 0)
        code = measure_clock(engine, error);
    if (code == 0)
        code = thread_pool_create(&engine->pool, threads, false, error);
    if (code == 0)
        code = cuda_linear_open(&engine->linear, &engine->properties, error);
    engine->overlaps = code == 0 && cuda_linear_overlaps(engine->linear);
    if (code == 0 && model != NULL)
        code = engine_weights_load(engine, model, options, error);
    if (code != 0) {
        engine_close(engine);
        return code;
    }
    *out = engine;
    return 0;
}

static json_t *facts(const struct engine *engine)
{
    char device[32], capability[16];
    (void)snprintf(device, sizeof device, "%s:%d", CUDA_ENGINE_DEVICE, engine->device);
    (void)snprintf(capability, sizeof capability, "%d.%d", engine->properties.major,
                   engine->properties.minor);
    int driver = 0, runtime = 0;
    (void)cudaDriverGetVersion(&driver);
    (void)cudaRuntimeGetVersion(&runtime);
    json_t *resolution = engine->clock_resolution_ns > 0
                             ? json_integer((json_int_t)engine->clock_resolution_ns)
                             : json_null();
    json_t *weights =
        engine->architecture != NULL ? json_integer((json_int_t)engine->memory_bytes) : NULL;
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:I, s:o*, s:s, s:s, s:o, s:o}",
                     "device", device, "device_name", engine->properties.name, "dtype",
                     dtype_name(engine->type), "kv_dtype", dtype_name(engine->type),
                     "compute_capability", capability, "multiprocessors",
                     engine->properties.multiProcessorCount, "cuda_driver_version", driver,
                     "cuda_runtime_version", runtime, "device_memory_bytes",
                     (json_int_t)engine->properties.totalGlobalMem, "weight_bytes", weights,
                     "decode", engine->use_graph ? "graph" : "launches", "decode_stamps",
                     engine->sync_steps ? "host" : "device", "device_clock_resolution_ns",
                     resolution, "gpu", cuda_nvml_facts(engine->nvml));
}

static void read_device(struct engine *engine, struct device_reading *reading)
{
    cuda_nvml_read(engine->nvml, reading);
}

static const struct engine_ops ops = {
    .name = CUDA_ENGINE_NAME,
    .device = CUDA_ENGINE_DEVICE,
    .hidden = CUDA_ENGINE_HIDDEN,
    .own_device = true,
    .probe = probe,
    .open = engine_open,
    .close = engine_close,
    .facts = facts,
    .predict = session_predict,
    .session_open = session_open,
    .session_close = session_close,
    .prefill = session_prefill,
    .decode = session_decode,
    .memory_usage = session_memory_usage,
    .limit_run = engine_limit_run,
    .device_decode_s = session_device_decode_s,
    .read_device = read_device,
};

static const struct engine_plugin plugin = {
    .abi = ENGINE_PLUGIN_ABI,
    .ops_bytes = sizeof(struct engine_ops),
    .architecture_bytes = sizeof(struct architecture),
    .driver_version_min = CUDART_VERSION / 1000 * 1000, /* any driver of the same major version */
    .ops = &ops,
};

__attribute__((visibility("default"))) const struct engine_plugin *tokenmark_engine_plugin(void);

const struct engine_plugin *tokenmark_engine_plugin(void)
{
    return &plugin;
}
