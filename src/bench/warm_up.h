/* What comes before a cell's first measured run and is not counted: generations of the cell's own
 * shape until their times are steady. */
#ifndef TOKENMARK_BENCH_WARM_UP_H
#define TOKENMARK_BENCH_WARM_UP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "bench/generation.h"

/* Why warming up ended, the best first. */
enum warm_up_end {
    WARM_UP_STEADY,
    WARM_UP_LONG,   /* one that takes this long has warmed everything */
    WARM_UP_BUDGET, /* not steady, but it would take longer than what is to be measured */
    WARM_UP_CAP,    /* not steady after the most that are tried */
};
const char *warm_up_end_name(enum warm_up_end end); /* "steady", ... */

/* Of two names the worse; "" is better than any. */
const char *warm_up_worse(const char *a, const char *b);

/* What a warm-up did. */
struct warm_up {
    int64_t count;    /* generations */
    int64_t steps;    /* decode steps of each */
    double prefill_s; /* of all of them together */
    double decode_s;
    enum warm_up_end end;
};

enum { WARM_UPS_EXPECTED = 2, WARM_UPS_MAX = 10 };

/* Decode steps of one warm-up generation of this output length. */
int64_t warm_up_steps(int64_t output_length);

/* At least two times; of the last three (or two): the largest is at most 5 % above the smallest,
 * and their line rises or falls by at most 2.5 % of the mean. */
bool warm_up_is_steady(const double *times, size_t count);

/* Warms up for `runs` measured runs: at least twice (once where that takes 30 s), until steady,
 * at most WARM_UPS_MAX times, and, beyond the first, not longer than the runs will take (or
 * 0.2 s). */
int warm_up_run(struct generation *generation, int64_t runs, struct warm_up *report,
                struct error *error);

#endif
