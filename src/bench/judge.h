/* Can a cell's numbers be trusted? The thresholds stand in judge.c and in docs/metrics.md. */
#ifndef TOKENMARK_BENCH_JUDGE_H
#define TOKENMARK_BENCH_JUDGE_H

#include "base/error.h"
#include "results/results.h"

/* Sets cell->verdict, and cell->conditions, from the cell's runs, their conditions, its limits and
 * its output check; a cell without any of them gets none. `cpu_count`: of the machine, 0 = not
 * known. */
int judge_cell(struct cell_record *cell, const struct results *results, int cpu_count,
               struct error *error);

#endif
