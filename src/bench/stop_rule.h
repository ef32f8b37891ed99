/* Has a cell enough runs? Decided from the recorded runs alone: a grid that is continued decides
 * as it would have without the interruption. */
#ifndef TOKENMARK_BENCH_STOP_RULE_H
#define TOKENMARK_BENCH_STOP_RULE_H

#include "base/error.h"
#include "bench/schedule.h"
#include "results/results.h"

/* *reason is NULL while the share of `pass` wants more runs of `process`; else why it has enough:
 * "num_runs", "precise", "max_runs" or "max_cell_time". */
int stop_rule_ask(const char **reason, const struct results *results,
                  const struct cell_record *cell, const struct schedule *schedule, int64_t process,
                  int64_t pass, struct error *error);

/* Whether every process has all runs of the cell; *reason as the last one ended. */
int stop_rule_ask_all(const char **reason, const struct results *results,
                      const struct cell_record *cell, const struct schedule *schedule,
                      struct error *error);

#endif
