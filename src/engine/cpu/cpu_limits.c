/* What this machine can do at most with these threads and kernels: a pass that reads a buffer
 * like decode reads weights, and one that multiplies like prefill does, from the nearest cache. */
#include "engine/cpu/cpu_engine.h"

#include <string.h>

#include "base/memory.h"

enum {
    READ_CHUNK_BYTES = 1 << 20,
    PROBE_ROWS = 112, /* a tile's working set stays in the second cache */
    PROBE_INPUTS = 256,
    PROBE_OUTPUTS = 2 * KERNEL_PANEL,
    PROBE_REPEATS = 64,
    PROBE_CHUNKS_A_THREAD = 8
};

struct read_call {
    const struct kernels *kernels;
    unsigned char *memory; /* whole chunks */
    uint64_t *sums;        /* one a chunk: what is read must be used */
};

static void read_chunk(void *context, int64_t chunk, int thread)
{
    (void)thread;
    enum { LINE_BYTES = 64 };
    const struct read_call *call = context;
    call->sums[chunk] = call->kernels->read_lines(call->memory + chunk * READ_CHUNK_BYTES,
                                                  READ_CHUNK_BYTES / LINE_BYTES);
}

static void touch_chunk(void *context, int64_t chunk, int thread)
{
    (void)thread;
    const struct read_call *call = context;
    memset(call->memory + chunk * READ_CHUNK_BYTES, 0, READ_CHUNK_BYTES);
}

/* The buffer of the last probe of this size, or a new one that is touched. */
static int take_buffer(struct engine *engine, size_t bytes, struct error *error)
{
    if (engine->limit_bytes == bytes)
        return 0;
    engine_limit_release(engine);
    int code = memory_map(&engine->limit_buffer, bytes, error);
    if (code == 0)
        engine->limit_bytes = bytes;
    return code;
}

void engine_limit_release(struct engine *engine)
{
    memory_unmap(engine->limit_buffer, engine->limit_bytes);
    engine->limit_buffer = NULL;
    engine->limit_bytes = 0;
}

static int run_read(struct engine *engine, struct limit_probe *probe, struct error *error)
{
    if (probe->working_bytes == 0) {
        engine_limit_release(engine);
        probe->work = 0.0;
        return 0;
    }
    if (probe->working_bytes < READ_CHUNK_BYTES)
        return error_set(error, ERROR_INPUT, "a bandwidth probe reads at least %d bytes",
                         READ_CHUNK_BYTES);
    int64_t chunks = probe->working_bytes / READ_CHUNK_BYTES;
    size_t bytes = (size_t)chunks * READ_CHUNK_BYTES, total = 0;
    if (!size_add(bytes, (size_t)chunks * sizeof(uint64_t), &total))
        return error_set(error, ERROR_MEMORY, "the probe's buffer is larger than any address");
    bool is_new = engine->limit_bytes != total;
    int code = take_buffer(engine, total, error);
    if (code != 0)
        return code;
    unsigned char *memory = engine->limit_buffer;
    struct read_call call = {engine->kernels, memory, (uint64_t *)(void *)(memory + bytes)};
    if (is_new)
        thread_pool_run_static(engine->pool, touch_chunk, &call, chunks);
    thread_pool_run_near(engine->pool, read_chunk, &call, chunks);
    probe->work = (double)bytes;
    return 0;
}

struct multiply_call {
    const struct engine *engine;
    unsigned char *memory;
    size_t stride; /* bytes of one thread's operands */
    size_t weight_bytes, x_bytes;
};

static void multiply_chunk(void *context, int64_t chunk, int thread)
{
    (void)chunk;
    const struct multiply_call *call = context;
    unsigned char *own = call->memory + (size_t)thread * call->stride;
    struct linear_call linear = {
        .type = call->engine->type,
        .x = own + call->weight_bytes,
        .x_stride = PROBE_INPUTS,
        .inputs = PROBE_INPUTS,
        .outputs = PROBE_OUTPUTS,
        .weight = own,
        .y = (float *)(void *)(own + call->weight_bytes + call->x_bytes),
        .y_stride = PROBE_OUTPUTS,
        .scale = 1,
    };
    for (int i = 0; i < PROBE_REPEATS; i++)
        kernel_linear(call->engine->kernels, &linear, 0, PROBE_ROWS, 0,
                      PROBE_OUTPUTS / KERNEL_PANEL);
}

/* All-zero operands are valid in every type: this counts time, not values. */
static int run_multiply(struct engine *engine, struct limit_probe *probe, struct error *error)
{
    int threads = thread_pool_thread_count(engine->pool);
    struct multiply_call call = {.engine = engine};
    enum { PAGE = 4096 };
    call.weight_bytes =
        (kernel_packed_bytes(engine->type, PROBE_OUTPUTS, PROBE_INPUTS) + PAGE - 1) / PAGE * PAGE;
    call.x_bytes =
        (kernel_prepared_bytes(engine->type, PROBE_ROWS, PROBE_INPUTS) + PAGE - 1) / PAGE * PAGE;
    call.stride = call.weight_bytes + call.x_bytes +
                  (PROBE_ROWS * PROBE_OUTPUTS * sizeof(float) + PAGE - 1) / PAGE * PAGE;
    bool is_new = engine->limit_bytes != call.stride * (size_t)threads;
    int code = take_buffer(engine, call.stride * (size_t)threads, error);
    if (code != 0)
        return code;
    call.memory = engine->limit_buffer;
    if (is_new)
        memset(call.memory, 0, call.stride * (size_t)threads);
    int64_t chunks = (int64_t)threads * PROBE_CHUNKS_A_THREAD;
    thread_pool_run(engine->pool, multiply_chunk, &call, chunks);
    probe->work = 2.0 * PROBE_ROWS * PROBE_INPUTS * PROBE_OUTPUTS * PROBE_REPEATS * (double)chunks;
    return 0;
}

int engine_limit_run(struct engine *engine, struct limit_probe *probe, struct error *error)
{
    probe->threads = thread_pool_thread_count(engine->pool);
    switch (probe->kind) {
    case LIMIT_READ_BANDWIDTH:
        return run_read(engine, probe, error);
    case LIMIT_COPY_BANDWIDTH:
        return error_set(error, ERROR_INPUT, "the CPU engine measures reading, not copying");
    case LIMIT_MULTIPLY_ADD:
        return run_multiply(engine, probe, error);
    }
    return error_set(error, ERROR_INPUT, "unknown kind of limit %d", (int)probe->kind);
}
