/* What this device can do at most: memory read as decode reads weights, memory copied, and a square
 * matrix product in the compute type by way of cuda_linear.c, of random numbers all: zeros are
 * multiplied at less power and faster. */
#include "engine/cuda/cuda_engine.h"

#include "base/memory.h"

/* One call moves so many bytes and makes so many products that its launch and its wait, some 10 us,
 * are lost in it. */
#ifndef CUDA_LIMIT_TRAFFIC_MB
#define CUDA_LIMIT_TRAFFIC_MB 4096
#endif
#ifndef CUDA_LIMIT_SIZE
#define CUDA_LIMIT_SIZE 8192
#endif

enum {
    BYTES_MIN = 1 << 20,
    BLOCKS_A_MULTIPROCESSOR = 8,
    TAIL_BYTES = 256, /* sums of the read pass; also what buffers are rounded to */
    PRODUCTS = 4,
    SIZE_MIN = CUDA_LIMIT_SIZE / 4
};

void engine_limit_release(struct engine *engine)
{
    (void)cudaFree(engine->limit_memory);
    engine->limit_memory = NULL;
    engine->limit_bytes = 0;
}

/* Memory for a probe, filled with random numbers of `type` when it is new. */
static int take_memory(struct engine *engine, size_t bytes, enum device_type type,
                       struct error *error)
{
    if (engine->limit_bytes == bytes && engine->limit_type == type)
        return 0;
    engine_limit_release(engine);
    int code =
        cuda_check(cudaMalloc(&engine->limit_memory, bytes), "taking the probe's memory", error);
    if (code != 0)
        return code;
    cudaError_t status = kernel_fill(type, engine->limit_memory,
                                     (int64_t)(bytes / type_bytes(type)), engine->stream);
    code = cuda_check(status, "filling the probe's memory", error);
    if (code != 0) {
        engine_limit_release(engine);
        return code;
    }
    engine->limit_bytes = bytes;
    engine->limit_type = type;
    return 0;
}

/* Whole passes over `bytes` that together come near the traffic of one call. */
static int64_t count_passes(size_t bytes)
{
    int64_t traffic = (int64_t)CUDA_LIMIT_TRAFFIC_MB << 20;
    int64_t passes = traffic / (int64_t)bytes;
    return passes > 1 ? passes : 1;
}

static int run_read(struct engine *engine, size_t bytes, double *work, struct error *error)
{
    size_t total = 0;
    if (!size_add(bytes, TAIL_BYTES, &total))
        return error_set(error, ERROR_MEMORY, "the probe's buffer is larger than any address");
    int code = take_memory(engine, total, DEVICE_F32, error);
    if (code != 0)
        return code;
    uint32_t *sums = (uint32_t *)(void *)((unsigned char *)engine->limit_memory + bytes);
    int blocks = engine->properties.multiProcessorCount * BLOCKS_A_MULTIPROCESSOR;
    int64_t passes = count_passes(bytes);
    cudaError_t status =
        kernel_read(engine->limit_memory, (int64_t)bytes, passes, sums, blocks, engine->stream);
    if (status == cudaSuccess)
        status = cudaStreamSynchronize(engine->stream);
    *work = (double)bytes * (double)passes;
    return cuda_check(status, "reading the probe's memory", error);
}

/* Half of the buffer onto the other half: every byte of it is moved, the one half in, the other
 * out. */
static int run_copy(struct engine *engine, size_t bytes, double *work, struct error *error)
{
    int code = take_memory(engine, bytes, DEVICE_F32, error);
    if (code != 0)
        return code;
    unsigned char *memory = engine->limit_memory;
    int64_t passes = count_passes(bytes);
    cudaError_t status = cudaSuccess;
    for (int64_t i = 0; status == cudaSuccess && i < passes; i++)
        status = cudaMemcpyAsync(memory + bytes / 2, memory, bytes / 2, cudaMemcpyDeviceToDevice,
                                 engine->stream);
    if (status == cudaSuccess)
        status = cudaStreamSynchronize(engine->stream);
    *work = (double)(bytes / 2 * 2) * (double)passes;
    return cuda_check(status, "copying the probe's memory", error);
}

static int run_bandwidth(struct engine *engine, struct limit_probe *probe, struct error *error)
{
    if (probe->working_bytes == 0) {
        engine_limit_release(engine);
        probe->work = 0;
        return 0;
    }
    if (probe->working_bytes < BYTES_MIN)
        return error_set(error, ERROR_INPUT, "a bandwidth probe moves at least %d bytes",
                         BYTES_MIN);
    size_t bytes = (size_t)probe->working_bytes / TAIL_BYTES * TAIL_BYTES;
    return probe->kind == LIMIT_COPY_BANDWIDTH ? run_copy(engine, bytes, &probe->work, error)
                                               : run_read(engine, bytes, &probe->work, error);
}

/* The largest product, up to CUDA_LIMIT_SIZE, whose matrices fit beside the weights. */
static int take_matrices(struct engine *engine, int64_t *size, struct error *error)
{
    int code = 0;
    for (*size = CUDA_LIMIT_SIZE; *size >= SIZE_MIN; *size /= 2) {
        size_t matrix = (size_t)*size * (size_t)*size * type_bytes(engine->type);
        code = take_memory(engine, 3 * matrix + CUDA_LINEAR_WORKSPACE, engine->type, error);
        if (code != ERROR_MEMORY)
            return code;
    }
    return code;
}

static int run_multiply(struct engine *engine, struct limit_probe *probe, struct error *error)
{
    int64_t size = 0;
    int code = take_matrices(engine, &size, error);
    if (code != 0)
        return code;
    size_t matrix = (size_t)size * (size_t)size * type_bytes(engine->type);
    unsigned char *memory = engine->limit_memory;
    struct cuda_projection projection = {memory, NULL, size, size};
    struct cuda_linear_call call = {
        .projection = &projection,
        .type = engine->type,
        .y_type = engine->type,
        .x = memory + matrix,
        .x_stride = size,
        .y = memory + 2 * matrix,
        .y_stride = size,
        .rows = size,
        .alpha = 1,
        .workspace = memory + 3 * matrix,
        .stream = engine->stream,
    };
    cudaError_t status = cudaSuccess;
    for (int i = 0; status == cudaSuccess && i < PRODUCTS; i++)
        status = cuda_linear_run(engine->linear, &call);
    if (status == cudaSuccess)
        status = cudaStreamSynchronize(engine->stream);
    probe->work = 2.0 * (double)size * (double)size * (double)size * PRODUCTS;
    return cuda_check(status, "multiplying matrices", error);
}

int engine_limit_run(struct engine *engine, struct limit_probe *probe, struct error *error)
{
    probe->threads = 0;
    switch (probe->kind) {
    case LIMIT_READ_BANDWIDTH:
    case LIMIT_COPY_BANDWIDTH:
        return run_bandwidth(engine, probe, error);
    case LIMIT_MULTIPLY_ADD:
        return run_multiply(engine, probe, error);
    }
    return error_set(error, ERROR_INPUT, "unknown kind of limit %d", (int)probe->kind);
}
