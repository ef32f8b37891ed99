/* The cells of a configuration in grid order, each with its verdict before anything runs:
 * to be measured, or skipped with the reason. */
#ifndef TOKENMARK_BENCH_GRID_H
#define TOKENMARK_BENCH_GRID_H

#include "base/error.h"
#include "config/config.h"
#include "results/results.h"

/* Adds every cell of `config` to `results`, pending or skipped: product above the limit, or
 * length + output_length - 1 above position_limit (0 = none). Memory is checked by the runner,
 * which can ask the engine. */
int grid_build(struct results *results, const struct config *config, int64_t position_limit,
               struct error *error);

#endif
