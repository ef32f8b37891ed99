/* The rule of stop_rule.h. A cell is precise when the 95 % interval (Student's, of the mean) of
 * each time that decides is narrower than asked for; one process's runs only, because the
 * processes' spread is another thing. */
#include "bench/stop_rule.h"

#include <math.h>
#include <stdlib.h>

static const double confidence = 0.95;

static const enum metric_id decisive[] = {METRIC_TOTAL_LATENCY, METRIC_PREFILL_TIME,
                                          METRIC_DECODE_TIME_PER_TOKEN};

struct cell_runs {
    int64_t count;
    double time_s;
};

static bool is_counted(const struct run_record *run, const struct cell_record *cell,
                       int64_t process)
{
    return run->process == process && cell_holds_run(cell, run);
}

static struct cell_runs count_runs(const struct results *results, const struct cell_record *cell,
                                   int64_t process)
{
    struct cell_runs runs = {0};
    for (size_t i = 0; i < results->run_count; i++) {
        if (!is_counted(&results->runs[i], cell, process))
            continue;
        runs.count++;
        runs.time_s += results->runs[i].total_latency;
    }
    return runs;
}

/* A time that is not measured (one token has no decode step) cannot be imprecise. */
static bool is_narrow(const struct stats_summary *summary, double precision)
{
    if (summary->count == 0)
        return true;
    struct stats_interval interval = stats_mean_interval(summary, confidence);
    return interval.high - interval.low <= precision * summary->mean;
}

static int is_precise(bool *precise, const struct results *results, const struct cell_record *cell,
                      int64_t process, double precision, struct error *error)
{
    double *values = reallocarray(NULL, results->run_count + 1, 2 * sizeof *values);
    if (values == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for the values of %zu runs",
                         results->run_count);
    *precise = true;
    for (size_t metric = 0; metric < sizeof decisive / sizeof decisive[0]; metric++) {
        size_t count = 0;
        for (size_t i = 0; i < results->run_count; i++) {
            if (is_counted(&results->runs[i], cell, process))
                values[count++] = metric_value(&metrics[decisive[metric]], &results->runs[i]);
        }
        struct stats_summary summary = stats_summarise(values, count, values + results->run_count);
        *precise = *precise && is_narrow(&summary, precision);
    }
    free(values);
    return 0;
}

int stop_rule_ask(const char **reason, const struct results *results,
                  const struct cell_record *cell, const struct schedule *schedule, int64_t process,
                  int64_t pass, struct error *error)
{
    struct schedule_share share = schedule_share(schedule, pass);
    struct cell_runs runs = count_runs(results, cell, process);
    bool fixed = !(schedule->precision > 0.0), precise = false;
    *reason = NULL;
    if (runs.count < share.least)
        return 0;
    int code = 0;
    if (!fixed)
        code = is_precise(&precise, results, cell, process, schedule->precision, error);
    if (fixed)
        *reason = "num_runs";
    else if (precise)
        *reason = "precise";
    else if (runs.count >= share.most)
        *reason = "max_runs";
    else if (runs.time_s >= share.time_s)
        *reason = "max_cell_time";
    return code;
}

int stop_rule_ask_all(const char **reason, const struct results *results,
                      const struct cell_record *cell, const struct schedule *schedule,
                      struct error *error)
{
    int64_t last = schedule_pass_count(schedule);
    int code = 0;
    *reason = NULL;
    for (int64_t process = 1; code == 0 && process <= schedule->processes; process++) {
        code = stop_rule_ask(reason, results, cell, schedule, process, last, error);
        if (*reason == NULL)
            break;
    }
    return code;
}
