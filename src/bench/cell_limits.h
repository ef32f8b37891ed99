/* How far a cell is from what the machine allows: bytes and operations over measured ceilings. */
#ifndef TOKENMARK_BENCH_CELL_LIMITS_H
#define TOKENMARK_BENCH_CELL_LIMITS_H

#include "base/error.h"
#include "bench/watch.h"
#include "results/results.h"

/* Bytes that a decode step of the cell reads; of the prefill where there is no step. */
double cell_limits_step_bytes(const struct architecture *architecture,
                              struct model_cost_types types, const struct cell_record *cell,
                              int64_t output_length);

/* Fills cell->limits from the runs of the cell; what cannot be known stays 0. */
int cell_limits_fill(struct cell_record *cell, const struct results *results,
                     const struct watch_options *options, int64_t output_length,
                     struct error *error);

#endif
