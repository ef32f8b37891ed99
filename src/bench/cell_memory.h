/* The memory of a cell as its engine predicts it, and whether it is there: asked before anything
 * is allocated. */
#ifndef TOKENMARK_BENCH_CELL_MEMORY_H
#define TOKENMARK_BENCH_CELL_MEMORY_H

#include <stdbool.h>

#include "base/error.h"
#include "engine/engine.h"
#include "results/record.h"

/* Writes the prediction into the cell, and into *memory. Where the engine cannot predict the cell's
 * prediction stays as it was. */
int cell_memory_predict(struct cell_record *cell, struct session_memory *memory,
                        const struct engine_ops *ops, const struct engine *engine,
                        const struct session_shape *shape, struct error *error);

/* The same; *fits = false makes the cell skipped, with the arithmetic as its reason, or because it
 * is larger than any memory. Fails only when the engine cannot predict. */
int cell_memory_check(struct cell_record *cell, bool *fits, const struct engine_ops *ops,
                      const struct engine *engine, const struct session_shape *shape,
                      struct error *error);

#endif
