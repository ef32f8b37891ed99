/* Warm-up of warm_up.h: page faults, clocks, caches and captured graphs settle before runner.h
 * measures. */
#include "bench/warm_up.h"

#include <math.h>
#include <string.h>

#include "stats/stats.h"

enum { WARM_UP_STEPS_MAX = 8, WINDOW = 3 };

static const double long_s = 30.0;
static const double spread_limit = 0.05;
static const double slope_limit = 0.025;
static const double budget_minimum_s = 0.2;

static const char *const end_names[] = {
    [WARM_UP_STEADY] = "steady",
    [WARM_UP_LONG] = "long",
    [WARM_UP_BUDGET] = "budget",
    [WARM_UP_CAP] = "cap",
};

const char *warm_up_end_name(enum warm_up_end end)
{
    return end_names[end];
}

static int end_rank(const char *name)
{
    int rank = sizeof end_names / sizeof end_names[0] - 1;
    while (rank >= 0 && strcmp(name, end_names[rank]) != 0)
        rank--;
    return rank;
}

const char *warm_up_worse(const char *a, const char *b)
{
    return end_rank(a) >= end_rank(b) ? a : b;
}

int64_t warm_up_steps(int64_t output_length)
{
    int64_t steps = output_length - 1;
    return steps < WARM_UP_STEPS_MAX ? steps : WARM_UP_STEPS_MAX;
}

bool warm_up_is_steady(const double *times, size_t count)
{
    static const double positions[WINDOW] = {0, 1, 2};
    if (count < 2)
        return false;
    size_t window = count < WINDOW ? count : WINDOW;
    const double *last = times + count - window;
    double low = last[0], high = last[0], sum = 0;
    for (size_t i = 0; i < window; i++) {
        low = fmin(low, last[i]);
        high = fmax(high, last[i]);
        sum += last[i];
    }
    struct stats_line line = stats_fit_line(positions, last, window);
    double change = fabs(line.slope) * (double)(window - 1);
    return high <= (1.0 + spread_limit) * low && change <= slope_limit * sum / (double)window;
}

/* What the measured runs will take, if a step takes as long as in the last warm-up. */
static double expected_s(const struct generation *generation, const struct generation_times *times,
                         int64_t steps, int64_t runs)
{
    double step_s = steps > 0 ? times->decode_s / (double)steps : 0.0;
    return (double)runs * (times->prefill_s + (double)(generation->output_length - 1) * step_s);
}

int warm_up_run(struct generation *generation, int64_t runs, struct warm_up *report,
                struct error *error)
{
    *report = (struct warm_up){.steps = warm_up_steps(generation->output_length)};
    double totals[WARM_UPS_MAX];
    double spent_s = 0; /* beyond the first, which also pays for what happens once */
    for (;;) {
        struct generation_times times = {0};
        int code = generation_run(generation, report->steps, &times, error);
        if (code != 0)
            return code;
        double total_s = times.prefill_s + times.decode_s;
        spent_s += report->count > 0 ? total_s : 0;
        totals[report->count++] = total_s;
        report->prefill_s += times.prefill_s;
        report->decode_s += times.decode_s;
        double budget_s =
            fmax(budget_minimum_s, expected_s(generation, &times, report->steps, runs));
        if (total_s >= long_s)
            report->end = WARM_UP_LONG;
        else if (warm_up_is_steady(totals, (size_t)report->count))
            report->end = WARM_UP_STEADY;
        else if (report->count == WARM_UPS_MAX)
            report->end = WARM_UP_CAP;
        else if (report->count > 1 && spent_s + total_s > budget_s)
            report->end = WARM_UP_BUDGET;
        else
            continue;
        return 0;
    }
}
