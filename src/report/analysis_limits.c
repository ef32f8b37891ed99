/* What a cell's record says beside its runs: verdict, limits, predicted memory. Limits are in
 * percent; 100 % of a floor is as fast as the machine allows. */
#include <math.h>
#include <string.h>

#include "report/analysis.h"

static struct stats_summary one_value(double value)
{
    size_t count = isfinite(value) ? 1 : 0;
    return (struct stats_summary){count, value, NAN, value, value, value};
}

static double percent(double part, double whole)
{
    return part > 0.0 && whole > 0.0 ? 100.0 * part / whole : NAN;
}

struct stats_summary analysis_mbu(const struct analysis_cell *cell)
{
    return one_value(cell->record != NULL ? percent(cell->record->limits.mbu, 1.0) : NAN);
}

struct stats_summary analysis_mfu(const struct analysis_cell *cell)
{
    return one_value(cell->record != NULL ? percent(cell->record->limits.mfu, 1.0) : NAN);
}

struct stats_summary analysis_prefill_of_floor(const struct analysis_cell *cell)
{
    if (cell->record == NULL)
        return one_value(NAN);
    return one_value(
        percent(cell->record->limits.prefill_floor_s, cell->metrics[METRIC_PREFILL_TIME].median));
}

struct stats_summary analysis_step_of_floor(const struct analysis_cell *cell)
{
    if (cell->record == NULL)
        return one_value(NAN);
    return one_value(percent(cell->record->limits.decode_step_floor_s,
                             cell->metrics[METRIC_DECODE_TIME_PER_TOKEN].median));
}

/* In operations a second, for the roofline. */
struct stats_summary analysis_prefill_rate(const struct analysis_cell *cell)
{
    if (cell->record == NULL || !(cell->record->limits.prefill_bytes > 0.0))
        return one_value(NAN);
    return one_value(cell->record->limits.prefill_flops /
                     cell->metrics[METRIC_PREFILL_TIME].median);
}

struct stats_summary analysis_step_rate(const struct analysis_cell *cell)
{
    if (cell->record == NULL || !(cell->record->limits.decode_step_bytes > 0.0))
        return one_value(NAN);
    return one_value(cell->record->limits.decode_step_flops /
                     cell->metrics[METRIC_DECODE_TIME_PER_TOKEN].median);
}

static bool is_on_device(const struct cell_prediction *prediction)
{
    return strcmp(prediction->place, "device") == 0;
}

struct stats_summary analysis_predicted_host(const struct analysis_cell *cell)
{
    const struct cell_prediction *prediction = cell->prediction;
    bool meant = prediction != NULL && !is_on_device(prediction);
    return one_value(meant ? prediction->total_mb : NAN);
}

struct stats_summary analysis_predicted_device(const struct analysis_cell *cell)
{
    const struct cell_prediction *prediction = cell->prediction;
    bool meant = prediction != NULL && is_on_device(prediction);
    return one_value(meant ? prediction->total_mb : NAN);
}

struct stats_summary analysis_predicted_measured(const struct analysis_cell *cell)
{
    if (cell->prediction == NULL)
        return one_value(NAN);
    return is_on_device(cell->prediction) ? analysis_gpu_allocated(cell)
                                          : analysis_cpu_memory(cell);
}

size_t analysis_step_count(const struct analysis_cell *cell)
{
    size_t steps = 0;
    for (size_t r = 0; r < cell->run_count; r++) {
        size_t count = cell->runs[r].decode_step_count;
        if (count == 0)
            return 0;
        steps = r == 0 || count < steps ? count : steps;
    }
    return steps;
}

struct stats_summary analysis_steps(const struct analysis_cell *cell)
{
    size_t steps = analysis_step_count(cell);
    return one_value(steps > 1 ? (double)steps : NAN);
}
