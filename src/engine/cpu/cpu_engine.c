/* The CPU engine's life: kernels for this machine's instruction set, a thread pool, packed
 * weights. The hooks of engine.h; sessions are in cpu_session.c and cpu_generate.c. */
#include "engine/cpu/cpu_engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "engine/cpu/cpu_grouped.h"

extern const struct engine_ops engine_cpu;

/* What weights are packed as, and what the cache then holds unless another type is asked for. */
struct dtype {
    const char *name;
    enum kernel_type type;
    enum kernel_type kv_type;
};

/* The first is "auto", unless weights are run as a file has them; the last has no cache. */
static const struct dtype dtypes[] = {
    {"float32", KERNEL_F32, KERNEL_F32},    {"float16", KERNEL_F16, KERNEL_F16},
    {"bfloat16", KERNEL_BF16, KERNEL_BF16}, {"int8", KERNEL_I8, KERNEL_BF16},
    {"int4", KERNEL_Q4_0, KERNEL_BF16},
};
enum { DTYPE_COUNT = sizeof dtypes / sizeof dtypes[0], KV_DTYPE_COUNT = DTYPE_COUNT - 1 };

/* Weights as they lie in a GGUF file. */
static const char stored_name[] = "gguf";

static bool is_auto(const char *name)
{
    return name == NULL || strcmp(name, "auto") == 0;
}

static int find_dtype(const struct dtype **out, const char *name, int count, const char *what,
                      struct error *error)
{
    struct text known = {0};
    *out = NULL;
    for (int i = 0; i < count; i++) {
        if (strcmp(dtypes[i].name, name) == 0)
            *out = &dtypes[i];
        text_printf(&known, ", %s", dtypes[i].name);
    }
    if (count == DTYPE_COUNT)
        text_printf(&known, ", %s", stored_name);
    int code = 0;
    if (*out == NULL)
        code = error_set(error, ERROR_INPUT, "the CPU engine has no %s \"%s\": use auto%s", what,
                         name, text_string(&known));
    text_free(&known);
    return code;
}

static const char *dtype_name(enum kernel_type type)
{
    for (int i = 0; i < DTYPE_COUNT; i++)
        if (dtypes[i].type == type)
            return dtypes[i].name;
    return "";
}

/* Has this CPU kernels of its own for grouped weights? --isa does not matter: a lower set that is
 * forced computes the same type. */
static bool has_grouped_kernels(void)
{
    const struct kernels *best = kernels_choose("auto"), *plain = kernels_choose("c");
    return best->grouped_linear != plain->grouped_linear;
}

/* "gguf", or "auto" for a file with quantised matrices: they run as they are. Plain C would be
 * slower than float32 with the CPU's own kernels, so there it must be asked for. */
static int choose_stored(struct engine *engine, const struct model *model,
                         const struct engine_options *options, struct error *error)
{
    bool is_asked = !is_auto(options->dtype) && strcmp(options->dtype, stored_name) == 0;
    if (!is_asked && (!is_auto(options->dtype) || !has_grouped_kernels()))
        return 0;
    enum kernel_type type = model != NULL ? grouped_main_type(model) : KERNEL_F32;
    if (is_asked && type == KERNEL_F32)
        return error_set(error, ERROR_INPUT,
                         "dtype \"%s\" runs the quantised weights of a GGUF file as they are, and "
                         "this model has none: use auto or int4",
                         stored_name);
    engine->is_stored = type != KERNEL_F32;
    engine->type = type;
    return 0;
}

static int choose_dtypes(struct engine *engine, const struct model *model,
                         const struct engine_options *options, struct error *error)
{
    const struct dtype *compute = &dtypes[0], *cache = NULL;
    int code = choose_stored(engine, model, options, error);
    if (code == 0 && !engine->is_stored && !is_auto(options->dtype))
        code = find_dtype(&compute, options->dtype, DTYPE_COUNT, "dtype", error);
    if (code == 0 && !is_auto(options->kv_dtype))
        code = find_dtype(&cache, options->kv_dtype, KV_DTYPE_COUNT, "KV cache dtype", error);
    if (code != 0)
        return code;
    if (!engine->is_stored)
        engine->type = compute->type;
    engine->widest = engine->type;
    enum kernel_type own = engine->is_stored ? KERNEL_BF16 : compute->kv_type;
    engine->kv_type = cache != NULL ? cache->type : own;
    (void)snprintf(engine->dtype, sizeof engine->dtype, "%s%s%s",
                   engine->is_stored ? stored_name : dtype_name(engine->type),
                   engine->is_stored ? "-" : "",
                   engine->is_stored ? grouped_type_name(engine->type) : "");
    return 0;
}

static int choose_kernels(const struct kernels **out, const char *isa, struct error *error)
{
    *out = kernels_choose(isa);
    if (*out != NULL)
        return 0;
    struct text known = {0};
    for (size_t i = 0; i < kernels_count(); i++)
        if (kernels_runnable(i))
            text_printf(&known, "%s%s", known.length > 0 ? ", " : "", kernels_name(i));
    int code = error_set(error, ERROR_INPUT,
                         "instruction set \"%s\" is unknown or this CPU does not have it: use %s",
                         isa, text_string(&known));
    text_free(&known);
    return code;
}

static int probe(int device_index, struct error *reason)
{
    if (device_index != 0)
        return error_set(reason, ERROR_INPUT, "the CPU is one device: cpu or cpu:0");
    return 0;
}

static void engine_close(struct engine *engine)
{
    if (engine == NULL)
        return;
    engine_weights_free(engine);
    engine_limit_release(engine);
    free(engine->alibi_slopes);
    thread_pool_destroy(engine->pool);
    free(engine);
}

static int fill_slopes(struct engine *engine, struct error *error)
{
    const struct architecture *a = engine->architecture;
    if (a->position != POSITION_ALIBI)
        return 0;
    engine->alibi_slopes = calloc((size_t)a->head_count, sizeof(float));
    if (engine->alibi_slopes == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for %lld ALiBi slopes",
                         (long long)a->head_count);
    architecture_alibi_slopes(a->head_count, engine->alibi_slopes);
    return 0;
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
    int threads = options->threads > 0 ? options->threads : thread_pool_default_threads();
    int code = choose_dtypes(engine, model, options, error);
    if (code == 0)
        code = choose_kernels(&engine->kernels, options->isa, error);
    if (code == 0)
        code = thread_pool_create(&engine->pool, threads, options->pin, error);
    if (code == 0 && model != NULL)
        code = fill_slopes(engine, error);
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
    json_t *weights =
        engine->architecture != NULL ? json_integer((json_int_t)engine->memory_bytes) : NULL;
    json_t *facts =
        json_pack("{s:s, s:s, s:s, s:s, s:i, s:o*}", "device", "cpu", "dtype", engine->dtype,
                  "kv_dtype", dtype_name(engine->kv_type), "isa", engine->kernels->isa, "threads",
                  thread_pool_thread_count(engine->pool), "weight_bytes", weights);
    if (facts != NULL && kernel_type_is_grouped(engine->type) && engine->element_bytes > 0)
        (void)json_object_set_new(facts, "weight_element_bytes", json_real(engine->element_bytes));
    return facts;
}

static int memory_usage(const struct session *session, struct memory_usage *usage,
                        struct error *error)
{
    (void)session;
    int64_t peak = memory_peak_bytes();
    if (peak < 0)
        return error_set(error, ERROR_FAILED, "the system does not tell the peak of memory");
    *usage = (struct memory_usage){peak, -1, -1};
    return 0;
}

struct rows_call {
    row_task *task;
    void *context;
    int64_t rows;
    int64_t rows_a_chunk;
};

static void run_chunk(void *context, int64_t chunk, int thread)
{
    const struct rows_call *call = context;
    int64_t first = chunk * call->rows_a_chunk;
    int64_t left = call->rows - first;
    call->task(call->context, first, left < call->rows_a_chunk ? left : call->rows_a_chunk, thread);
}

void engine_run_rows(struct engine *engine, row_task *task, void *context, int64_t rows,
                     int64_t row_floats)
{
    enum { INLINE_FLOATS = 4096, CHUNK_FLOATS = 16384, CHUNKS_A_THREAD = 4 };
    int threads = thread_pool_thread_count(engine->pool);
    if (threads == 1 || rows == 1 || rows * row_floats <= INLINE_FLOATS) {
        task(context, 0, rows, 0);
        return;
    }
    int64_t most = (rows + threads - 1) / threads;
    int64_t wanted = (CHUNK_FLOATS + row_floats - 1) / row_floats;
    int64_t least = (rows + CHUNKS_A_THREAD * threads - 1) / (CHUNKS_A_THREAD * threads);
    if (wanted < least)
        wanted = least;
    struct rows_call call = {task, context, rows, wanted < most ? wanted : most};
    thread_pool_run(engine->pool, run_chunk, &call,
                    (rows + call.rows_a_chunk - 1) / call.rows_a_chunk);
}

const struct engine_ops engine_cpu = {
    .name = "native-cpu",
    .device = "cpu",
    .hidden = false,
    .probe = probe,
    .open = engine_open,
    .close = engine_close,
    .facts = facts,
    .predict = session_predict,
    .session_open = session_open,
    .session_close = session_close,
    .prefill = session_prefill,
    .decode = session_decode,
    .memory_usage = memory_usage,
    .limit_run = engine_limit_run,
    .time_components = session_time_components,
};
