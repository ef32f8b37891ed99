/* Statistics over the runs of one cell: what results.h promises, from stats/. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "results/results.h"

static const double confidence = 0.95;
/* Of drift: a quiet machine must not be blamed once in twenty cells. */
static const double drift_confidence = 0.99;
static const double drift_minimum = 0.01;

/* The seed of every bootstrap: a file analysed twice says the same twice. */
enum { BOOTSTRAP_SEED = 1979 };

/* A metric's values over a cell's runs, with room for the arithmetic on them. */
struct samples {
    double *values;
    int64_t *groups;
    double *scratch; /* room for the values and STATS_RESAMPLES more */
    size_t count;
};

static void samples_free(struct samples *samples)
{
    free(samples->values);
    free(samples->groups);
    free(samples->scratch);
    *samples = (struct samples){0};
}

static size_t count_runs(const struct results *results, const struct cell_record *cell)
{
    size_t count = 0;
    for (size_t i = 0; i < results->run_count; i++)
        count += cell_holds_run(cell, &results->runs[i]);
    return count;
}

static int samples_collect(struct samples *samples, const struct results *results,
                           const struct cell_record *cell, const struct metric *metric,
                           struct error *error)
{
    size_t count = count_runs(results, cell);
    *samples = (struct samples){
        .values = reallocarray(NULL, count + 1, sizeof(double)),
        .groups = reallocarray(NULL, count + 1, sizeof(int64_t)),
        .scratch = reallocarray(NULL, count + STATS_RESAMPLES, sizeof(double)),
    };
    if (samples->values == NULL || samples->groups == NULL || samples->scratch == NULL) {
        samples_free(samples);
        return error_set(error, ERROR_MEMORY, "no memory to summarise %zu runs", count);
    }
    for (size_t i = 0; i < results->run_count; i++) {
        const struct run_record *run = &results->runs[i];
        if (!cell_holds_run(cell, run))
            continue;
        samples->values[samples->count] = metric_value(metric, run);
        samples->groups[samples->count++] = run->process;
    }
    return 0;
}

int results_summarise(const struct results *results, const struct cell_record *cell,
                      const struct metric *metric, struct stats_summary *summary,
                      struct error *error)
{
    struct samples samples;
    *summary = stats_summarise(NULL, 0, NULL);
    int code = samples_collect(&samples, results, cell, metric, error);
    if (code != 0)
        return code;
    *summary = stats_summarise(samples.values, samples.count, samples.scratch);
    samples_free(&samples);
    return 0;
}

int results_find_intervals(const struct results *results, const struct cell_record *cell,
                           const struct metric *metric, struct results_intervals *intervals,
                           struct error *error)
{
    struct samples samples;
    int code = samples_collect(&samples, results, cell, metric, error);
    if (code != 0)
        return code;
    struct stats_summary summary = stats_summarise(samples.values, samples.count, samples.scratch);
    /* The summary leaves its sorted values in the scratch: they become the values. */
    memcpy(samples.values, samples.scratch, summary.count * sizeof *samples.values);
    intervals->mean = stats_mean_interval(&summary, confidence);
    intervals->median = stats_median_interval(samples.values, summary.count, confidence,
                                              BOOTSTRAP_SEED, samples.scratch);
    samples_free(&samples);
    return 0;
}

int results_summarise_steps(const struct results *results, const struct cell_record *cell,
                            struct results_steps *steps, struct error *error)
{
    *steps = (struct results_steps){0, NAN, NAN, NAN, NAN};
    size_t count = 0;
    for (size_t i = 0; i < results->run_count; i++) {
        if (cell_holds_run(cell, &results->runs[i]))
            count += results->runs[i].decode_step_count;
    }
    if (count == 0)
        return 0;
    double *times = reallocarray(NULL, count, sizeof *times);
    if (times == NULL)
        return error_set(error, ERROR_MEMORY, "no memory to summarise %zu steps", count);
    for (size_t i = 0; i < results->run_count; i++) {
        const struct run_record *run = &results->runs[i];
        if (!cell_holds_run(cell, run) || run->decode_step_count == 0)
            continue;
        memcpy(times + steps->count, run->decode_step_times,
               run->decode_step_count * sizeof *times);
        steps->count += run->decode_step_count;
    }
    stats_sort(times, count);
    steps->p50 = stats_quantile(times, count, 0.5);
    steps->p90 = stats_quantile(times, count, 0.9);
    steps->p99 = stats_quantile(times, count, 0.99);
    steps->max = times[count - 1];
    free(times);
    return 0;
}

/* One number for a pass of a process. */
static void group_by_visit(struct samples *samples, const struct results *results,
                           const struct cell_record *cell)
{
    size_t at = 0;
    for (size_t i = 0; i < results->run_count; i++) {
        const struct run_record *run = &results->runs[i];
        if (cell_holds_run(cell, run))
            samples->groups[at++] = (int64_t)((uint64_t)run->process << 32 | (uint64_t)run->pass);
    }
}

int results_find_spread(const struct results *results, const struct cell_record *cell,
                        const struct metric *metric, struct results_spread *spread,
                        struct error *error)
{
    struct samples samples;
    int code = samples_collect(&samples, results, cell, metric, error);
    if (code != 0)
        return code;
    spread->processes = stats_spread(samples.values, samples.groups, samples.count);
    group_by_visit(&samples, results, cell);
    spread->visits = stats_spread(samples.values, samples.groups, samples.count);
    samples_free(&samples);
    return 0;
}

/* A cell's drift over all its processes. */
struct drift {
    int found;   /* as results_find_drift says */
    double size; /* of the process where it is largest; NaN where nothing drifts */
};

/* Adds one process, whose runs `values` and `groups` hold. */
static void add_process(struct drift *drift, const double *values, const int64_t *groups,
                        size_t count)
{
    struct stats_spread spread = stats_spread(values, groups, count);
    int differ = stats_groups_differ(&spread, drift_confidence);
    if (differ == 1 && spread.high_mean - spread.low_mean <= drift_minimum * spread.low_mean)
        differ = 0;
    if (differ == 1)
        drift->size = fmax(drift->size, spread.high_mean / spread.low_mean - 1.0);
    drift->found = differ > drift->found ? differ : drift->found;
}

static int find_drift(const struct results *results, const struct cell_record *cell,
                      struct drift *drift, struct error *error)
{
    struct samples samples;
    *drift = (struct drift){-1, NAN};
    int code = samples_collect(&samples, results, cell, &metrics[METRIC_TOTAL_LATENCY], error);
    if (code != 0)
        return code;
    group_by_visit(&samples, results, cell);
    /* The runs of a process follow each other: one process at a time writes a file. */
    size_t begin = 0;
    for (size_t end = 1; end <= samples.count; end++) {
        if (end < samples.count && samples.groups[end] >> 32 == samples.groups[begin] >> 32)
            continue;
        add_process(drift, samples.values + begin, samples.groups + begin, end - begin);
        begin = end;
    }
    samples_free(&samples);
    return 0;
}

int results_find_drift(const struct results *results, const struct cell_record *cell, int *drift,
                       struct error *error)
{
    struct drift all;
    int code = find_drift(results, cell, &all, error);
    *drift = all.found;
    return code;
}

int results_find_drift_size(const struct results *results, const struct cell_record *cell,
                            double *size, struct error *error)
{
    struct drift all;
    int code = find_drift(results, cell, &all, error);
    *size = all.size;
    return code;
}
