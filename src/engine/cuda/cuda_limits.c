/* What this device can do at most: a pass that reads memory as decode reads weights, and a square
 * matrix product in the compute type, of random numbers both. */
#include "engine/cuda/cuda_engine.h"

#include "base/memory.h"

#ifndef CUDA_LIMIT_SIZE
#define CUDA_LIMIT_SIZE 8192
#endif

enum { BYTES_MIN = 1 << 20, BLOCKS_A_MULTIPROCESSOR = 8, TAIL_BYTES = 256 };

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
    if (engine->limit_bytes == bytes)
        return 0;
    engine_limit_release(engine);
    int code =
        cuda_check(cudaMalloc(&engine->limit_memory, bytes), "taking the probe's memory", error);
    if (code != 0)
        return code;
    engine->limit_bytes = bytes;
    cudaError_t status = kernel_fill(type, engine->limit_memory,
                                     (int64_t)(bytes / type_bytes(type)), engine->stream);
    return cuda_check(status, "filling the probe's memory", error);
}

static int run_read(struct engine *engine, struct limit_probe *probe, struct error *error)
{
    if (probe->working_bytes < BYTES_MIN)
        return error_set(error, ERROR_INPUT, "a bandwidth probe reads at least %d bytes",
                         BYTES_MIN);
    size_t bytes = (size_t)probe->working_bytes / TAIL_BYTES * TAIL_BYTES, total = 0;
    if (!size_add(bytes, TAIL_BYTES, &total))
        return error_set(error, ERROR_MEMORY, "the probe's buffer is larger than any address");
    int code = take_memory(engine, total, DEVICE_F32, error);
    if (code != 0)
        return code;
    uint32_t *sums = (uint32_t *)(void *)((unsigned char *)engine->limit_memory + bytes);
    int blocks = engine->properties.multiProcessorCount * BLOCKS_A_MULTIPROCESSOR;
    cudaError_t status =
        kernel_read(engine->limit_memory, (int64_t)bytes, sums, blocks, engine->stream);
    if (status == cudaSuccess)
        status = cudaStreamSynchronize(engine->stream);
    probe->work = (double)bytes;
    return cuda_check(status, "reading the probe's memory", error);
}

static int run_multiply(struct engine *engine, struct limit_probe *probe, struct error *error)
{
    enum { SIZE = CUDA_LIMIT_SIZE };
    size_t matrix = (size_t)SIZE * SIZE * type_bytes(engine->type);
    size_t output = (size_t)SIZE * SIZE * type_bytes(engine->type);
    int code =
        take_memory(engine, 2 * matrix + output + CUDA_LINEAR_WORKSPACE, engine->type, error);
    if (code != 0)
        return code;
    unsigned char *memory = engine->limit_memory;
    struct cuda_projection projection = {memory, NULL, SIZE, SIZE};
    struct cuda_linear_call call = {
        .projection = &projection,
        .type = engine->type,
        .y_type = engine->type,
        .x = memory + matrix,
        .x_stride = SIZE,
        .y = memory + 2 * matrix,
        .y_stride = SIZE,
        .rows = SIZE,
        .alpha = 1,
        .workspace = memory + 2 * matrix + output,
        .stream = engine->stream,
    };
    cudaError_t status = cuda_linear_run(engine->linear, &call);
    if (status == cudaSuccess)
        status = cudaStreamSynchronize(engine->stream);
    probe->work = 2.0 * SIZE * SIZE * SIZE;
    return cuda_check(status, "multiplying matrices", error);
}

int engine_limit_run(struct engine *engine, struct limit_probe *probe, struct error *error)
{
    probe->threads = 0;
    switch (probe->kind) {
    case LIMIT_READ_BANDWIDTH:
        return run_read(engine, probe, error);
    case LIMIT_MULTIPLY_ADD:
        return run_multiply(engine, probe, error);
    }
    return error_set(error, ERROR_INPUT, "unknown kind of limit %d", (int)probe->kind);
}
