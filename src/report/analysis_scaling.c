/* What the cells of one group say together: growth with the batch, where it ends, growth
 * with the length. Also the named values that tables and plots point at. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/analysis.h"

/* A batch that reaches this part of the best throughput is the knee. */
static const double knee_fraction = 0.90;

bool analysis_cell_has_values(const struct analysis_cell *cell)
{
    return cell->run_count > 0 && isfinite(cell->metrics[METRIC_TOTAL_LATENCY].mean);
}

enum analysis_cause analysis_cell_cause(const struct analysis_cell *cell)
{
    if (analysis_cell_has_values(cell))
        return CAUSE_NONE;
    if (!cell->present)
        return CAUSE_ABSENT;
    bool memory = strstr(cell->reason, "memory") != NULL;
    switch (cell->status) {
    case CELL_FAILED:
        return memory ? CAUSE_FAILED_MEMORY : CAUSE_FAILED;
    case CELL_SKIPPED:
        if (strstr(cell->reason, "max_batch_input_product") != NULL)
            return CAUSE_PRODUCT;
        if (memory)
            return CAUSE_MEMORY;
        return strstr(cell->reason, "position") != NULL ? CAUSE_POSITIONS : CAUSE_SKIPPED;
    case CELL_PENDING:
    case CELL_PARTIAL:
    case CELL_MEASURED:
        break;
    }
    return CAUSE_PENDING;
}

struct stats_summary analysis_latency(const struct analysis_cell *cell)
{
    return cell->metrics[METRIC_TOTAL_LATENCY];
}

struct stats_summary analysis_prefill(const struct analysis_cell *cell)
{
    return cell->metrics[METRIC_PREFILL_TIME];
}

struct stats_summary analysis_decode(const struct analysis_cell *cell)
{
    return cell->metrics[METRIC_DECODE_TIME];
}

struct stats_summary analysis_decode_per_token(const struct analysis_cell *cell)
{
    return cell->metrics[METRIC_DECODE_TIME_PER_TOKEN];
}

struct stats_summary analysis_throughput(const struct analysis_cell *cell)
{
    return cell->metrics[METRIC_TOKENS_PER_SECOND];
}

struct stats_summary analysis_sequence_rate(const struct analysis_cell *cell)
{
    return cell->sequence_rate;
}

struct stats_summary analysis_efficiency(const struct analysis_cell *cell)
{
    double value = 100 * cell->efficiency;
    return (struct stats_summary){isfinite(value) ? 1 : 0, value, NAN, value, value, value};
}

struct stats_summary analysis_cpu_memory(const struct analysis_cell *cell)
{
    return cell->metrics[METRIC_CPU_MEMORY_MB];
}

struct stats_summary analysis_gpu_allocated(const struct analysis_cell *cell)
{
    return cell->metrics[METRIC_GPU_MEMORY_ALLOCATED_MB];
}

struct stats_summary analysis_gpu_reserved(const struct analysis_cell *cell)
{
    return cell->metrics[METRIC_GPU_MEMORY_RESERVED_MB];
}

static struct stats_summary component_sum(const struct analysis_cell *cell,
                                          enum breakdown_phase phase)
{
    double sum = cell->breakdown != NULL ? breakdown_sum(&cell->breakdown->phases[phase]) : 0;
    if (!(sum > 0))
        return (struct stats_summary){0, NAN, NAN, NAN, NAN, NAN};
    return (struct stats_summary){1, sum, NAN, sum, sum, sum};
}

struct stats_summary analysis_prefill_components(const struct analysis_cell *cell)
{
    return component_sum(cell, BREAKDOWN_PREFILL);
}

struct stats_summary analysis_decode_components(const struct analysis_cell *cell)
{
    return component_sum(cell, BREAKDOWN_DECODE_STEP);
}

bool analysis_group_has(const struct analysis *analysis, const struct analysis_group *group,
                        analysis_value *value)
{
    for (size_t i = 0; i < analysis->batch_count * analysis->length_count; i++) {
        if (group->cells[i].run_count > 0 && isfinite(value(&group->cells[i]).mean))
            return true;
    }
    return false;
}

bool analysis_has(const struct analysis *analysis, analysis_value *value)
{
    for (size_t g = 0; g < analysis->group_count; g++) {
        if (analysis_group_has(analysis, &analysis->groups[g], value))
            return true;
    }
    return false;
}

bool analysis_batch_scaling(const struct analysis *analysis, const struct analysis_group *group,
                            size_t length_index, struct batch_scaling *scaling)
{
    *scaling = (struct batch_scaling){.last_gain = NAN};
    const struct analysis_cell *previous = NULL;
    for (size_t b = 0; b < analysis->batch_count; b++) {
        const struct analysis_cell *cell = analysis_cell_at(analysis, group, b, length_index);
        double rate = analysis_throughput(cell).mean;
        if (!(rate > 0))
            continue;
        previous = scaling->last;
        scaling->last = cell;
        if (scaling->first == NULL)
            scaling->first = cell;
        if (scaling->best == NULL || rate > analysis_throughput(scaling->best).mean)
            scaling->best = cell;
    }
    if (scaling->first == scaling->last)
        return false;
    for (size_t b = 0; b < analysis->batch_count && scaling->knee == NULL; b++) {
        const struct analysis_cell *cell = analysis_cell_at(analysis, group, b, length_index);
        if (analysis_throughput(cell).mean >=
            knee_fraction * analysis_throughput(scaling->best).mean)
            scaling->knee = cell;
    }
    double last_rate = analysis_throughput(scaling->last).mean;
    double batches = (double)scaling->last->batch_size / (double)scaling->first->batch_size;
    double doublings = log2((double)scaling->last->batch_size / (double)previous->batch_size);
    scaling->growth = last_rate / analysis_throughput(scaling->first).mean;
    scaling->efficiency = scaling->growth / batches;
    scaling->last_gain = pow(last_rate / analysis_throughput(previous).mean, 1 / doublings);
    return true;
}

bool analysis_length_scaling(const struct analysis *analysis, const struct analysis_group *group,
                             size_t batch_index, analysis_value *value,
                             struct length_scaling *scaling)
{
    *scaling = (struct length_scaling){.exponent = NAN, .r_squared = NAN, .last_exponent = NAN};
    double *points = calloc(2 * analysis->length_count, sizeof *points);
    if (points == NULL)
        return false;
    double *x = points;
    double *y = points + analysis->length_count;
    size_t count = 0;
    for (size_t l = 0; l < analysis->length_count; l++) {
        const struct analysis_cell *cell = analysis_cell_at(analysis, group, batch_index, l);
        double mean = value(cell).mean;
        if (!(mean > 0))
            continue;
        if (count == 0)
            scaling->first = cell;
        scaling->last = cell;
        x[count] = log((double)cell->input_length);
        y[count++] = log(mean);
    }
    if (count >= 2) {
        struct stats_line line = stats_fit_line(x, y, count);
        scaling->exponent = line.slope;
        scaling->r_squared = line.r_squared;
        scaling->last_exponent = (y[count - 1] - y[count - 2]) / (x[count - 1] - x[count - 2]);
        scaling->growth = exp(y[count - 1] - y[0]);
    }
    free(points);
    return count >= 2;
}
