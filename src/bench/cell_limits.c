/* The roofline of a cell: docs/metrics.md explains the formulas. */
#include "bench/cell_limits.h"

#include <math.h>
#include <stdio.h>

static const double giga = 1e9;

double cell_limits_step_bytes(const struct architecture *architecture,
                              struct model_cost_types types, const struct cell_record *cell,
                              int64_t output_length)
{
    struct model_cost cost =
        output_length > 1
            ? model_cost_decode_step(architecture, cell->batch_size, cell->input_length,
                                     output_length - 1, types)
            : model_cost_prefill(architecture, cell->batch_size, cell->input_length, types);
    return cost.weight_bytes + cost.kv_bytes;
}

/* Means over the runs that know the value; 0 where none does. */
struct condition_means {
    double bandwidth_before, bandwidth_after; /* GB/s */
    double energy_j;
};

static void add(double *sum, double *count, double value)
{
    if (isfinite(value)) {
        *sum += value;
        *count += 1.0;
    }
}

static struct condition_means find_means(const struct results *results,
                                         const struct cell_record *cell)
{
    struct condition_means sum = {0}, count = {0};
    for (size_t i = 0; i < results->run_count; i++) {
        const struct run_conditions *conditions = &results->runs[i].conditions;
        if (!cell_holds_run(cell, &results->runs[i]))
            continue;
        add(&sum.bandwidth_before, &count.bandwidth_before, conditions->bandwidth_before);
        add(&sum.bandwidth_after, &count.bandwidth_after, conditions->bandwidth_after);
        add(&sum.energy_j, &count.energy_j, conditions->energy_j);
    }
    return (struct condition_means){
        count.bandwidth_before > 0.0 ? sum.bandwidth_before / count.bandwidth_before : 0.0,
        count.bandwidth_after > 0.0 ? sum.bandwidth_after / count.bandwidth_after : 0.0,
        count.energy_j > 0.0 ? sum.energy_j / count.energy_j : 0.0,
    };
}

static const char *bound_name(double memory_s, double compute_s)
{
    if (memory_s <= 0.0 || compute_s <= 0.0)
        return "";
    return memory_s >= compute_s ? "memory" : "compute";
}

static void fill_floors(struct cell_limits *limits)
{
    double bandwidth = (limits->bandwidth_before + limits->bandwidth_after) / 2.0 * giga;
    double peak = limits->peak_flops_per_s;
    double prefill_memory_s = bandwidth > 0.0 ? limits->prefill_bytes / bandwidth : 0.0;
    double prefill_compute_s = peak > 0.0 ? limits->prefill_flops / peak : 0.0;
    double step_memory_s = bandwidth > 0.0 ? limits->decode_step_bytes / bandwidth : 0.0;
    double step_compute_s = peak > 0.0 ? limits->decode_step_flops / peak : 0.0;
    const char *prefill = bound_name(prefill_memory_s, prefill_compute_s);
    const char *step = bound_name(step_memory_s, step_compute_s);
    (void)snprintf(limits->prefill_bound, sizeof limits->prefill_bound, "%s", prefill);
    (void)snprintf(limits->bound, sizeof limits->bound, "%s",
                   limits->decode_step_bytes > 0.0 ? step : prefill);
    limits->prefill_floor_s = fmax(prefill_memory_s, prefill_compute_s);
    limits->decode_step_floor_s = fmax(step_memory_s, step_compute_s);
}

/* The median over the runs; 0 where there is none. */
static int find_median(double *median, const struct results *results,
                       const struct cell_record *cell, enum metric_id metric, struct error *error)
{
    struct stats_summary summary;
    int code = results_summarise(results, cell, &metrics[metric], &summary, error);
    *median = code == 0 && summary.count > 0 ? summary.median : 0.0;
    return code;
}

static int fill_shares(struct cell_limits *limits, const struct results *results,
                       const struct cell_record *cell, struct error *error)
{
    double prefill_s, step_s;
    int code = find_median(&prefill_s, results, cell, METRIC_PREFILL_TIME, error);
    if (code == 0)
        code = find_median(&step_s, results, cell, METRIC_DECODE_TIME_PER_TOKEN, error);
    if (code != 0)
        return code;
    double bandwidth = (limits->bandwidth_before + limits->bandwidth_after) / 2.0 * giga;
    if (step_s > 0.0 && bandwidth > 0.0)
        limits->mbu = limits->decode_step_bytes / step_s / bandwidth;
    if (prefill_s > 0.0 && limits->peak_flops_per_s > 0.0)
        limits->mfu = limits->prefill_flops / prefill_s / limits->peak_flops_per_s;
    return 0;
}

int cell_limits_fill(struct cell_record *cell, const struct results *results,
                     const struct watch_options *options, int64_t output_length,
                     struct error *error)
{
    struct cell_limits *limits = &cell->limits;
    struct condition_means means = find_means(results, cell);
    *limits = (struct cell_limits){0};
    if (means.energy_j > 0.0)
        limits->energy_per_token_j =
            means.energy_j / ((double)cell->batch_size * (double)output_length);
    if (options->architecture == NULL)
        return 0;
    struct model_cost prefill = model_cost_prefill(options->architecture, cell->batch_size,
                                                   cell->input_length, options->types);
    struct model_cost step =
        model_cost_decode_step(options->architecture, cell->batch_size, cell->input_length,
                               output_length - 1, options->types);
    limits->peak_flops_per_s = options->peak_flops_per_s;
    limits->prefill_flops = prefill.flops;
    limits->prefill_bytes = prefill.weight_bytes + prefill.kv_bytes;
    limits->decode_step_flops = step.flops;
    limits->decode_step_bytes = step.weight_bytes + step.kv_bytes;
    if (means.bandwidth_before > 0.0 && means.bandwidth_after > 0.0) {
        limits->bandwidth_before = means.bandwidth_before;
        limits->bandwidth_after = means.bandwidth_after;
    }
    fill_floors(limits);
    return fill_shares(limits, results, cell, error);
}
