/* The pass that asks where a cell's time goes: after the last measured run, outside every timed
 * window, in the session of the visit that took it. */
#ifndef TOKENMARK_BENCH_COMPONENTS_H
#define TOKENMARK_BENCH_COMPONENTS_H

#include "base/error.h"
#include "bench/generation.h"
#include "results/results.h"

/* Fills the cell's breakdown from up to three passes of a prefill and at most 8 decode steps (of
 * each phase the one with the middle sum), beside the same work in the cell's runs. The engine must
 * have time_components. On a failure the breakdown is empty. */
int components_measure(struct cell_record *cell, const struct results *results,
                       const struct generation *generation, struct error *error);

#endif
