/* Times the passes of limit_reading.h. */
#include "bench/limit_reading.h"

#include <math.h>

#include "stats/stats.h"

enum { PASSES_MIN = 3, PASSES_MAX = 64, SEED = 1 };

/* Above this no cache holds a part worth speaking of; below that, chunks are too few for many
 * threads. */
static const int64_t working_maximum = (int64_t)512 << 20;
static const int64_t working_minimum = (int64_t)16 << 20;
static const int64_t working_step = (int64_t)1 << 20;

static int one_pass(double *rate, const struct engine_ops *ops, struct engine *engine,
                    const struct clock *clock, struct limit_probe *probe, struct error *error)
{
    double begin_s = clock_now_s(clock);
    int code = ops->limit_run(engine, probe, error);
    double time_s = clock_now_s(clock) - begin_s;
    *rate = time_s > 0.0 ? probe->work / time_s : NAN;
    return code;
}

int limit_measure(struct limit_reading *reading, const struct engine_ops *ops,
                  struct engine *engine, const struct clock *clock, const struct limit_probe *probe,
                  double budget_s, struct error *error)
{
    double rates[PASSES_MAX], scratch[PASSES_MAX + STATS_RESAMPLES], ignored;
    struct limit_probe pass = *probe;
    size_t count = 0;
    int code = one_pass(&ignored, ops, engine, clock, &pass, error);
    double end_s = clock_now_s(clock) + budget_s;
    while (code == 0 && count < PASSES_MAX && (count < PASSES_MIN || clock_now_s(clock) < end_s)) {
        pass = *probe;
        code = one_pass(&rates[count], ops, engine, clock, &pass, error);
        if (code == 0 && !(rates[count] > 0.0))
            code = error_set(error, ERROR_FAILED, "a pass of a probe took no time");
        count++;
    }
    if (code != 0)
        return code;
    stats_sort(rates, count);
    *reading = (struct limit_reading){
        .rate = stats_quantile(rates, count, 0.5),
        .interval = stats_median_interval(rates, count, 0.95, SEED, scratch),
        .best = rates[count - 1],
        .passes = count,
        .threads = pass.threads,
    };
    return 0;
}

void limit_release(const struct engine_ops *ops, struct engine *engine)
{
    struct limit_probe none = {.kind = LIMIT_READ_BANDWIDTH, .working_bytes = 0};
    struct error ignored;
    (void)ops->limit_run(engine, &none, &ignored);
}

int64_t limit_working_bytes(double step_bytes, int64_t available_bytes)
{
    int64_t bytes = working_maximum;
    if (step_bytes < (double)working_maximum)
        bytes = (int64_t)fmax(step_bytes, (double)working_minimum);
    if (bytes > available_bytes / 4)
        bytes = available_bytes / 4;
    return bytes / working_step * working_step;
}

int64_t limit_smaller_bytes(int64_t working_bytes)
{
    int64_t bytes = working_bytes / 2 / working_step * working_step;
    return bytes >= working_minimum ? bytes : 0;
}
