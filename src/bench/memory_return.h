/* Is a device's memory free again once a cell's session is closed? Asked between cells, beside all
 * timed windows. */
#ifndef TOKENMARK_BENCH_MEMORY_RETURN_H
#define TOKENMARK_BENCH_MEMORY_RETURN_H

#include "engine/engine.h"
#include "results/record.h"

struct memory_return {
    bool known;             /* of a device whose memory is its own */
    int64_t expected_bytes; /* available while no session is open */
};

/* Before a session is opened: notes what is available, the first time. */
void memory_return_begin(struct memory_return *memory, const struct engine_ops *ops,
                         const struct engine *engine, const struct session_shape *shape);

/* After it is closed: where more is missing than the driver takes for its own use at first uses,
 * notes it in the cell, and expects that much less from then on. */
void memory_return_end(struct memory_return *memory, struct cell_record *cell,
                       const struct engine_ops *ops, const struct engine *engine,
                       const struct session_shape *shape);

#endif
