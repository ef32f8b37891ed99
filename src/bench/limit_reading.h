/* Ceilings of the machine, measured through the engine's own probes: how fast its threads read
 * memory and multiply. Never while a cell is measured. */
#ifndef TOKENMARK_BENCH_LIMIT_READING_H
#define TOKENMARK_BENCH_LIMIT_READING_H

#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"
#include "engine/engine.h"
#include "stats/interval.h"

struct limit_reading {
    double rate;                    /* bytes or operations per second: the median of the passes */
    struct stats_interval interval; /* 95 %, of that median */
    double best;                    /* the fastest pass */
    size_t passes;
    int threads;
};

/* One pass that is not counted, then passes until `budget_s` is spent, at least three. The probe's
 * memory stays with the engine for the next reading. */
int limit_measure(struct limit_reading *reading, const struct engine_ops *ops,
                  struct engine *engine, const struct clock *clock, const struct limit_probe *probe,
                  double budget_s, struct error *error);

/* Gives the probes' memory back. */
void limit_release(const struct engine_ops *ops, struct engine *engine);

/* The buffer that stands for a cell that reads so many bytes a step, of what is available: with
 * caches, bandwidth depends on it. */
int64_t limit_working_bytes(double step_bytes, int64_t available_bytes);

/* The next smaller buffer to try where there was no memory for this one; 0: there is none. */
int64_t limit_smaller_bytes(int64_t working_bytes);

#endif
