/* Is the memory of a cell there? Asked of the engine before anything is allocated. */
#ifndef TOKENMARK_BENCH_CELL_MEMORY_H
#define TOKENMARK_BENCH_CELL_MEMORY_H

#include <stdbool.h>

#include "base/error.h"
#include "engine/engine.h"
#include "results/record.h"

/* *fits = false makes the cell skipped, with the arithmetic as its reason. Fails only when the
 * engine cannot predict. */
int cell_memory_check(struct cell_record *cell, bool *fits, const struct engine_ops *ops,
                      const struct engine *engine, const struct session_shape *shape,
                      struct error *error);

#endif
