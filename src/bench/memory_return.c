/* What an engine tells as available, before and after; see memory_return.h. */
#include "bench/memory_return.h"

static const double megabyte = 1048576.0;

/* Drivers load code at its first use and keep some memory for themselves: so much, over all cells
 * since the last report, is not called a loss. docs/metrics.md states it. */
static const double kept_mb_max = 32.0;

static bool read_available(int64_t *bytes, const struct engine_ops *ops,
                           const struct engine *engine, const struct session_shape *shape)
{
    struct session_memory memory = {0};
    struct error ignored = {0};
    if (ops->predict(engine, shape, &memory, &ignored) != 0 || !memory.on_device)
        return false;
    *bytes = memory.available_bytes;
    return true;
}

void memory_return_begin(struct memory_return *memory, const struct engine_ops *ops,
                         const struct engine *engine, const struct session_shape *shape)
{
    if (ops->own_device && !memory->known)
        memory->known = read_available(&memory->expected_bytes, ops, engine, shape);
}

void memory_return_end(struct memory_return *memory, struct cell_record *cell,
                       const struct engine_ops *ops, const struct engine *engine,
                       const struct session_shape *shape)
{
    int64_t available;
    if (!memory->known || !read_available(&available, ops, engine, shape))
        return;
    double missing_mb = (double)(memory->expected_bytes - available) / megabyte;
    if (missing_mb > kept_mb_max)
        cell->memory_missing_mb += missing_mb;
    if (missing_mb > kept_mb_max || missing_mb < 0.0)
        memory->expected_bytes = available;
}
