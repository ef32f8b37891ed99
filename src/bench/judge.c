/* From numbers to reasons: what the times of the runs show, and what was counted beside them. */
#include "bench/judge.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/device_watch.h"
#include "stats/pattern.h"

/* Below this a disturbance hides in the spread that any machine has. */
static const double visible = 0.05;
static const double trend_minimum = 0.02;
static const double trend_confidence = 0.99;
/* An involuntary switch costs about a scheduler's slice, and never more than others used: threads
 * that spin and yield are switched often by kernel threads that need next to nothing. */
static const double switch_cost_s = 1e-3;
static const double lost_share = 0.02;  /* of the runs' time */
static const double other_share = 0.10; /* of all CPUs */
static const double tick_noise_s = 0.05;
static const double swapped_minimum = 256; /* pages: 1 MB */
static const double bandwidth_change = 0.10;
static const double ceiling_tolerance = 1.05;
/* Of the decode time; what the two ends of it may cost on the host; and how many of the steps that
 * the device's clock moves on in. */
static const double clock_tolerance = 0.01;
static const double clock_noise_s = 1e-4;
static const double clock_steps = 2;
enum { RUNS_MIN = 3 };

static const enum metric_id judged[] = {METRIC_TOTAL_LATENCY, METRIC_PREFILL_TIME,
                                        METRIC_DECODE_TIME_PER_TOKEN};
enum { JUDGED_COUNT = sizeof judged / sizeof judged[0] };

/* The runs of a cell in order of measurement. */
struct series {
    const struct run_record **runs;
    double *values; /* of one metric */
    double *sorted;
    size_t count;
};

static void series_free(struct series *series)
{
    free(series->runs);
    free(series->values);
    free(series->sorted);
    *series = (struct series){0};
}

static int series_collect(struct series *series, const struct results *results,
                          const struct cell_record *cell, struct error *error)
{
    size_t room = results->run_count + 1;
    *series = (struct series){
        .runs = reallocarray(NULL, room, sizeof *series->runs),
        .values = reallocarray(NULL, room, sizeof(double)),
        .sorted = reallocarray(NULL, room, sizeof(double)),
    };
    if (series->runs == NULL || series->values == NULL || series->sorted == NULL) {
        series_free(series);
        return error_set(error, ERROR_MEMORY, "no memory to judge %zu runs", results->run_count);
    }
    for (size_t i = 0; i < results->run_count; i++) {
        if (cell_holds_run(cell, &results->runs[i]))
            series->runs[series->count++] = &results->runs[i];
    }
    return 0;
}

/* False where some run does not have the metric. */
static bool series_take(struct series *series, const struct metric *metric)
{
    for (size_t i = 0; i < series->count; i++) {
        series->values[i] = metric_value(metric, series->runs[i]);
        if (!(series->values[i] > 0.0))
            return false;
    }
    memcpy(series->sorted, series->values, series->count * sizeof(double));
    stats_sort(series->sorted, series->count);
    return series->count > 0;
}

/* The largest finding over the metrics, so that a cause is named once, with its worst. */
struct finding {
    double size;
    const char *title;
    struct stats_modes modes;
};

static void keep_larger(struct finding *finding, double size, const struct metric *metric)
{
    if (size > finding->size) {
        finding->size = size;
        finding->title = metric->title;
    }
}

/* The first run of each visit against the rest of it. */
static double first_excess(const struct series *series)
{
    double largest = 0.0;
    size_t begin = 0;
    for (size_t end = 1; end <= series->count; end++) {
        const struct run_record *first = series->runs[begin];
        if (end < series->count && series->runs[end]->pass == first->pass &&
            series->runs[end]->process == first->process)
            continue;
        double excess = stats_first_excess(series->values + begin, end - begin);
        largest = excess > largest ? excess : largest;
        begin = end;
    }
    return largest;
}

struct findings {
    struct finding spread, outliers, trend, modes, first;
};

static void look_at_metric(struct findings *found, const struct series *series,
                           const struct metric *metric)
{
    size_t count = series->count;
    struct stats_summary summary = stats_summarise(series->values, count, series->sorted);
    keep_larger(&found->spread, summary.std / summary.mean, metric);
    size_t outliers = stats_count_outliers(series->sorted, count, visible);
    keep_larger(&found->outliers, (double)outliers, metric);
    struct stats_trend trend = stats_trend(series->values, count);
    if (count >= 4 && fabs(trend.t) > stats_student_t(trend_confidence, count - 2) &&
        fabs(trend.change) > fabs(found->trend.size)) {
        found->trend.size = trend.change;
        found->trend.title = metric->title;
    }
    struct stats_modes modes = stats_modes(series->sorted, count);
    if (modes.two && modes.high / modes.low - 1.0 > found->modes.size) {
        keep_larger(&found->modes, modes.high / modes.low - 1.0, metric);
        found->modes.modes = modes;
    }
    keep_larger(&found->first, first_excess(series), metric);
}

static void judge_times(struct verdict *verdict, struct series *series)
{
    struct findings found = {0};
    for (size_t i = 0; i < JUDGED_COUNT; i++) {
        if (series_take(series, &metrics[judged[i]]))
            look_at_metric(&found, series, &metrics[judged[i]]);
    }
    if (series->count < RUNS_MIN)
        verdict_add(verdict, VERDICT_TOO_FEW_RUNS, "%s: spread unknown",
                    series->count == 1 ? "single run" : "two runs");
    if (series->count >= RUNS_MIN && found.spread.size > visible)
        verdict_add(verdict, VERDICT_SPREAD, "%s: standard deviation %.1f %% of the mean",
                    found.spread.title, 100.0 * found.spread.size);
    if (found.outliers.size > 0.0)
        verdict_add(verdict, VERDICT_OUTLIERS, "%s: %.0f of %zu runs far from the others",
                    found.outliers.title, found.outliers.size, series->count);
    if (fabs(found.trend.size) > trend_minimum)
        verdict_add(verdict, VERDICT_TREND, "%s: %+.1f %% from the first run to the last",
                    found.trend.title, 100.0 * found.trend.size);
    if (found.modes.size > visible)
        verdict_add(verdict, VERDICT_TWO_MODES, "%s: %zu runs near %.4g s, %zu near %.4g s",
                    found.modes.title, found.modes.modes.low_count, found.modes.modes.low,
                    series->count - found.modes.modes.low_count, found.modes.modes.high);
    if (found.first.size > visible)
        verdict_add(verdict, VERDICT_SLOW_FIRST_RUN,
                    "%s: the first run is %.1f %% above the slowest of the rest", found.first.title,
                    100.0 * found.first.size);
}

/* Sums over the runs; what no run knows stays 0. */
static struct run_conditions sum_conditions(const struct series *series, double *time_s)
{
    struct run_conditions sum = {0};
    *time_s = 0.0;
    for (size_t i = 0; i < series->count; i++) {
        const struct run_conditions *run = &series->runs[i]->conditions;
        const struct {
            double *total, value;
        } parts[] = {
            {&sum.involuntary_switches, run->involuntary_switches},
            {&sum.major_faults, run->major_faults},
            {&sum.other_cpu_s, run->other_cpu_s},
            {&sum.steal_s, run->steal_s},
            {&sum.swapped_pages, run->swapped_pages},
            {&sum.throttle_events, run->throttle_events},
        };
        for (size_t k = 0; k < sizeof parts / sizeof parts[0]; k++)
            *parts[k].total += isfinite(parts[k].value) ? parts[k].value : 0.0;
        *time_s += series->runs[i]->total_latency;
    }
    return sum;
}

static bool load_known(const struct series *series)
{
    for (size_t i = 0; i < series->count; i++) {
        if (isnan(series->runs[i]->conditions.other_cpu_s))
            return false;
    }
    return true;
}

static void judge_conditions(struct verdict *verdict, const struct series *series, int cpu_count)
{
    double time_s;
    struct run_conditions sum = sum_conditions(series, &time_s);
    double lost_s = sum.involuntary_switches * switch_cost_s;
    if (load_known(series))
        lost_s = fmin(lost_s, sum.other_cpu_s);
    if (sum.involuntary_switches > 1.0 && lost_s > lost_share * time_s)
        verdict_add(verdict, VERDICT_PREEMPTED, "%.0f involuntary context switches in %.3g s",
                    sum.involuntary_switches, time_s);
    if (sum.steal_s > tick_noise_s && sum.steal_s > lost_share * time_s)
        verdict_add(verdict, VERDICT_STEAL, "%.2f s of CPU time in %.3g s went to other guests",
                    sum.steal_s, time_s);
    if (cpu_count > 0 && sum.other_cpu_s > tick_noise_s &&
        sum.other_cpu_s > other_share * time_s * (double)cpu_count)
        verdict_add(verdict, VERDICT_OTHER_LOAD, "others used %.2f of %d CPUs on average",
                    sum.other_cpu_s / time_s, cpu_count);
    if (sum.throttle_events > 0.0)
        verdict_add(verdict, VERDICT_THROTTLED, "%.0f throttling events", sum.throttle_events);
    if (sum.major_faults > 0.0)
        verdict_add(verdict, VERDICT_MAJOR_FAULTS, "%.0f major page faults", sum.major_faults);
    if (sum.swapped_pages >= swapped_minimum)
        verdict_add(verdict, VERDICT_SWAP, "%.0f pages swapped", sum.swapped_pages);
}

static void judge_clocks(struct verdict *verdict, const struct series *series)
{
    double lowest = INFINITY, highest = 0.0, change = 0.0;
    for (size_t i = 0; i < series->count; i++) {
        const struct run_conditions *run = &series->runs[i]->conditions;
        if (run->cpu_mhz > 0.0) {
            lowest = fmin(lowest, run->cpu_mhz);
            highest = fmax(highest, run->cpu_mhz);
        }
        double mean = (run->bandwidth_before + run->bandwidth_after) / 2.0;
        if (mean > 0.0)
            change = fmax(change, fabs(run->bandwidth_after - run->bandwidth_before) / mean);
    }
    if (highest > 0.0 && highest / lowest - 1.0 > visible)
        verdict_add(verdict, VERDICT_FREQUENCY, "the CPUs ran at %.0f to %.0f MHz", lowest,
                    highest);
    if (change > bandwidth_change)
        verdict_add(verdict, VERDICT_BANDWIDTH_CHANGED,
                    "the read bandwidth differed by %.0f %% before and after", 100.0 * change);
}

/* By how much at once the device's clock moves on; 0 where nobody knows. */
static double clock_resolution_s(const struct results *results)
{
    const json_t *engine = json_object_get(results->system, "engine");
    return 1e-9 * json_number_value(json_object_get(engine, "device_clock_resolution_ns"));
}

/* The device's clock and the host's around the same steps, and memory that did not come back. */
static void judge_device(struct verdict *verdict, const struct series *series,
                         const struct cell_record *cell, const struct results *results)
{
    double noise_s = clock_noise_s + clock_steps * clock_resolution_s(results);
    const struct run_record *worst = NULL;
    double largest = 0.0;
    for (size_t i = 0; i < series->count; i++) {
        const struct run_record *run = series->runs[i];
        double difference = fabs(run->device_decode_time - run->decode_time);
        double excess = difference - noise_s - clock_tolerance * run->decode_time;
        if (excess > largest) {
            largest = excess;
            worst = run;
        }
    }
    if (worst != NULL)
        verdict_add(verdict, VERDICT_CLOCKS_DIFFER,
                    "run %lld: decode took %.4g s by the host's clock, %.4g s by the device's",
                    (long long)worst->run_number, worst->decode_time, worst->device_decode_time);
    if (cell->memory_missing_mb > 0.0)
        verdict_add(verdict, VERDICT_MEMORY_MISSING,
                    "%.1f MB of device memory were not free again after the cell",
                    cell->memory_missing_mb);
}

static void judge_ceilings(struct verdict *verdict, const struct cell_limits *limits)
{
    if (limits->mbu > ceiling_tolerance)
        verdict_add(verdict, VERDICT_BANDWIDTH_EXCEEDED,
                    "MBU %.2f: decode read faster than the measured ceiling", limits->mbu);
    if (limits->mfu > ceiling_tolerance)
        verdict_add(verdict, VERDICT_PEAK_EXCEEDED,
                    "MFU %.2f: the prefill ran faster than the stored peak", limits->mfu);
}

/* Generated by a run, of the whole batch: the runs of a cell do the same work. */
static double tokens_of(const struct series *series)
{
    return (double)series->runs[0]->batch_size * (double)series->runs[0]->actual_output_length;
}

int judge_cell(struct cell_record *cell, const struct results *results, int cpu_count,
               struct error *error)
{
    struct series series;
    int drift;
    bool wrong = cell->output_check[0] != '\0' && strcmp(cell->output_check, "passed") != 0;
    cell->verdict = (struct verdict){0};
    int code = results_find_drift(results, cell, &drift, error);
    if (code == 0)
        code = series_collect(&series, results, cell, error);
    if (code != 0)
        return code;
    if (series.count > 0 || wrong)
        verdict_clear(&cell->verdict);
    if (wrong)
        verdict_add(&cell->verdict, VERDICT_OUTPUT_CHECK, "%.*s", VERDICT_TEXT_MAX - 1,
                    cell->output_check);
    if (series.count > 0) {
        judge_times(&cell->verdict, &series);
        judge_conditions(&cell->verdict, &series, cpu_count);
        judge_clocks(&cell->verdict, &series);
        judge_ceilings(&cell->verdict, &cell->limits);
        judge_device(&cell->verdict, &series, cell, results);
        device_watch_judge(&cell->verdict, series.runs, series.count);
        device_watch_summarise(&cell->conditions, series.runs, series.count, tokens_of(&series));
    }
    if (drift == 1)
        verdict_add(&cell->verdict, VERDICT_PASSES_DIFFER,
                    "the passes differ by more than their own spread");
    series_free(&series);
    return 0;
}
