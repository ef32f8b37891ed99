/* One measured run of a visit: the window, what is read around it, the checks of its output and
 * its record. */
#ifndef TOKENMARK_BENCH_MEASURE_H
#define TOKENMARK_BENCH_MEASURE_H

#include "base/error.h"
#include "bench/generation.h"
#include "bench/visit.h"

/* Adds a run record to the results. A failure is the cell's. */
int measure_run(struct visit_context *context, struct visit *visit, struct generation *generation,
                struct error *error);

#endif
