/* How much of the grid is done and how long the rest will take: a model of cost whose two rates
 * are learnt from every generation, warm-ups too. */
#ifndef TOKENMARK_BENCH_ESTIMATE_H
#define TOKENMARK_BENCH_ESTIMATE_H

#include <stdint.h>

/* Work in units that take about the same time within one kind. */
struct estimate_work {
    double prompt_units; /* prompt tokens, more for long prompts */
    double step_units;   /* decode steps, more for large batches */
};

struct estimate {
    struct estimate_work todo;
    struct estimate_work done;
    double start_s;
    double prefill_s; /* measured for all of done.prompt_units */
    double decode_s;  /* measured for all of done.step_units */
    double fraction;  /* as last shown: it never goes back */
};

/* `generations` generations of a cell, each a prefill and `steps` decode steps. */
struct estimate_work estimate_work(int64_t batch_size, int64_t input_length, int64_t steps,
                                   int64_t generations);

void estimate_add(struct estimate *estimate, struct estimate_work work);  /* to do */
void estimate_drop(struct estimate *estimate, struct estimate_work work); /* will not be done */
void estimate_done(struct estimate *estimate, struct estimate_work work, double prefill_s,
                   double decode_s);

/* The part done (0 to 1, never less than before) and the seconds left at `now_s`: NaN while
 * nothing was measured. */
void estimate_read(struct estimate *estimate, double now_s, double *fraction, double *remaining_s);

#endif
