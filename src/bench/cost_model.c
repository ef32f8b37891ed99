/* The cost model of cost_model.h. */
#include "bench/cost_model.h"

#include <math.h>

/* Attention's share of a prompt grows with its length and equals the rest near this one
 * (24 d^2 against 4 d n multiply-adds a layer, at d of about 700). */
static const double attention_length = 4096.0;

/* A step reads the weights once for all rows: a row more costs little until about this many. */
static const double batch_of_double_cost = 64.0;

/* Until a rate is known, one decode step counts as this many prompt tokens. */
static const double step_prior = 20.0;

struct cost_work cost_work(int64_t batch_size, int64_t input_length, int64_t steps,
                           int64_t generations)
{
    double batch = (double)batch_size, length = (double)input_length, count = (double)generations;
    return (struct cost_work){
        .prompt_units = count * batch * length * (1.0 + length / attention_length),
        .step_units = count * (double)steps * (1.0 + batch / batch_of_double_cost),
    };
}

void cost_add(struct cost_model *cost, struct cost_work work)
{
    cost->todo.prompt_units += work.prompt_units;
    cost->todo.step_units += work.step_units;
}

void cost_drop(struct cost_model *cost, struct cost_work work)
{
    cost->todo.prompt_units = fmax(0.0, cost->todo.prompt_units - work.prompt_units);
    cost->todo.step_units = fmax(0.0, cost->todo.step_units - work.step_units);
}

void cost_done(struct cost_model *cost, struct cost_work work, double prefill_s, double decode_s)
{
    cost_drop(cost, work);
    cost->done.prompt_units += work.prompt_units;
    cost->done.step_units += work.step_units;
    cost->prefill_s += prefill_s;
    cost->decode_s += decode_s;
}

/* Seconds inside windows, at the rates measured so far. */
static double window_s(const struct cost_model *cost, struct cost_work work)
{
    const struct cost_work *done = &cost->done;
    double prompt_cost = 1.0;
    if (done->prompt_units > 0.0 && cost->prefill_s > 0.0)
        prompt_cost = cost->prefill_s / done->prompt_units;
    double step_cost = step_prior * prompt_cost;
    if (done->step_units > 0.0 && cost->decode_s > 0.0)
        step_cost = cost->decode_s / done->step_units;
    return work.prompt_units * prompt_cost + work.step_units * step_cost;
}

double cost_predict_s(const struct cost_model *cost, struct cost_work work, double now_s)
{
    double finished = window_s(cost, cost->done);
    /* Time spent outside the windows (opening, saving) is scaled with the rest. */
    return finished > 0.0 ? (now_s - cost->start_s) * window_s(cost, work) / finished : NAN;
}

void cost_read(struct cost_model *cost, double now_s, double *fraction, double *remaining_s)
{
    double left = window_s(cost, cost->todo);
    double finished = window_s(cost, cost->done);
    double part = left > 0.0 ? finished / (finished + left) : 1.0;
    cost->fraction = fmax(cost->fraction, part);
    *fraction = cost->fraction;
    *remaining_s = cost_predict_s(cost, cost->todo, now_s);
}
