/* What comes before a cell's first measured run and is not counted. */
#ifndef TOKENMARK_BENCH_WARM_UP_H
#define TOKENMARK_BENCH_WARM_UP_H

#include <stdint.h>

#include "base/error.h"
#include "bench/generation.h"

/* What a warm-up did. */
struct warm_up {
    int64_t count;    /* generations */
    int64_t steps;    /* decode steps of each */
    double prefill_s; /* of all of them together */
    double decode_s;
};

/* Decode steps of one warm-up generation of this output length. */
int64_t warm_up_steps(int64_t output_length);

/* Runs the cell's own shape: the whole prefill and at most eight decode steps. */
int warm_up_run(struct generation *generation, struct warm_up *report, struct error *error);

#endif
