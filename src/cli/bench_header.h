/* What bench says before it measures, and what --dry-run says instead of measuring. */
#ifndef TOKENMARK_CLI_BENCH_HEADER_H
#define TOKENMARK_CLI_BENCH_HEADER_H

#include "bench/schedule.h"
#include "cli/setup.h"
#include "config/config.h"
#include "results/results.h"

struct bench_plan {
    const struct setup *setup;
    const struct setup_flags *flags;
    const struct config *config;
    const struct schedule *schedule;
    const struct results *results;
};

/* Model, device, engine, grid, what is skipped and why. */
void bench_print_header(const struct bench_plan *plan);

/* Every cell with the memory it is predicted to take. */
void bench_print_plan(const struct bench_plan *plan);

/* Every engine of this build, and why it cannot run here. */
void bench_print_engines(void);

#endif
