/* Prediction, and the prediction against what is available; see cell_memory.h. */
#include "bench/cell_memory.h"

#include <stdio.h>

/* Of a host's memory this part is left alone: an allocation that fails costs one cell, but a
 * host that runs full kills the whole process. */
enum { HOST_RESERVE_PERCENT = 5 };

static double megabytes(int64_t bytes)
{
    return (double)bytes / 1048576.0;
}

static const char *place_of(const struct session_memory *memory)
{
    return memory->on_device ? "device" : "host";
}

int cell_memory_predict(struct cell_record *cell, struct session_memory *memory,
                        const struct engine_ops *ops, const struct engine *engine,
                        const struct session_shape *shape, struct error *error)
{
    *memory = (struct session_memory){0};
    int code = ops->predict(engine, shape, memory, error);
    if (code != 0)
        return code;
    struct cell_prediction *prediction = &cell->prediction;
    *prediction = (struct cell_prediction){
        .weights_mb = megabytes(memory->weight_bytes),
        .kv_cache_mb = megabytes(memory->kv_bytes),
        .workspace_mb = megabytes(memory->workspace_bytes),
    };
    prediction->total_mb =
        prediction->weights_mb + prediction->kv_cache_mb + prediction->workspace_mb;
    (void)snprintf(prediction->place, sizeof prediction->place, "%s", place_of(memory));
    return 0;
}

int cell_memory_check(struct cell_record *cell, bool *fits, const struct engine_ops *ops,
                      const struct engine *engine, const struct session_shape *shape,
                      struct error *error)
{
    struct session_memory memory;
    *fits = true;
    int code = cell_memory_predict(cell, &memory, ops, engine, shape, error);
    if (code == ERROR_MEMORY) {
        *fits = false;
        cell->status = CELL_SKIPPED;
        (void)snprintf(cell->reason, sizeof cell->reason, "no memory holds it: %.400s",
                       error->text);
        return 0;
    }
    if (code != 0)
        return code;
    int64_t needed = 0;
    if (__builtin_add_overflow(memory.kv_bytes, memory.workspace_bytes, &needed))
        needed = INT64_MAX;
    int64_t usable = memory.available_bytes;
    if (!memory.on_device)
        usable -= usable / 100 * HOST_RESERVE_PERCENT;
    if (needed <= usable)
        return 0;
    *fits = false;
    cell->status = CELL_SKIPPED;
    (void)snprintf(cell->reason, sizeof cell->reason,
                   "needs %.1f MB of %s memory (KV cache %.1f + workspace %.1f), available are "
                   "%.1f MB%s",
                   megabytes(needed), place_of(&memory), megabytes(memory.kv_bytes),
                   megabytes(memory.workspace_bytes), megabytes(usable),
                   memory.on_device ? "" : " (5 % of the free memory is kept)");
    return 0;
}
