/* How much of the grid is done and how long the rest will take: a model of cost whose two rates
 * are learnt from every generation, warm-ups too. */
#ifndef TOKENMARK_BENCH_COST_MODEL_H
#define TOKENMARK_BENCH_COST_MODEL_H

#include <stdint.h>

/* Work in units that take about the same time within one kind. */
struct cost_work {
    double prompt_units; /* prompt tokens, more for long prompts */
    double step_units;   /* decode steps, more for large batches */
};

struct cost_model {
    struct cost_work todo;
    struct cost_work done;
    double start_s;
    double prefill_s; /* measured for all of done.prompt_units */
    double decode_s;  /* measured for all of done.step_units */
    double fraction;  /* as last shown: it never goes back */
};

/* `generations` generations of a cell, each a prefill and `steps` decode steps. */
struct cost_work cost_work(int64_t batch_size, int64_t input_length, int64_t steps,
                           int64_t generations);

void cost_add(struct cost_model *cost, struct cost_work work);  /* to do */
void cost_drop(struct cost_model *cost, struct cost_work work); /* will not be done */
void cost_done(struct cost_model *cost, struct cost_work work, double prefill_s, double decode_s);

/* Seconds that `work` will take, with what lies outside the windows; NaN while nothing was
 * measured. */
double cost_predict_s(const struct cost_model *cost, struct cost_work work, double now_s);

/* The part done (0 to 1, never less than before) and the seconds left at `now_s`: NaN while
 * nothing was measured. */
void cost_read(struct cost_model *cost, double now_s, double *fraction, double *remaining_s);

#endif
