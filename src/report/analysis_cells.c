/* What every cell of a group says: its status where files disagree, its statistics, its
 * efficiency; and which cells are the extremes. Called by analysis.c. */
#include <math.h>
#include <string.h>

#include "report/analysis_internal.h"

static size_t index_of(const int64_t *values, size_t count, int64_t value)
{
    size_t low = 0;
    while (count > 1) {
        size_t half = count / 2;
        if (values[low + half] <= value)
            low += half;
        count -= half;
    }
    return low;
}

size_t analysis_cell_index(const struct analysis *analysis, int64_t batch_size,
                           int64_t input_length)
{
    return index_of(analysis->batches, analysis->batch_count, batch_size) * analysis->length_count +
           index_of(analysis->lengths, analysis->length_count, input_length);
}

bool analysis_group_is(const struct analysis_group *group, const char *model_name,
                       const char *device, const char *dtype)
{
    return strcmp(group->model_name, model_name) == 0 && strcmp(group->device, device) == 0 &&
           strcmp(group->dtype, dtype) == 0;
}

/* Which status wins when several files speak of the same cell. */
static int status_weight(enum cell_status status)
{
    static const int weights[] = {
        [CELL_PENDING] = 0, [CELL_SKIPPED] = 1,  [CELL_FAILED] = 2,
        [CELL_PARTIAL] = 3, [CELL_MEASURED] = 4,
    };
    return weights[status];
}

static void set_status(struct analysis_cell *cell, enum cell_status status, const char *reason)
{
    if (cell->present && status_weight(cell->status) >= status_weight(status))
        return;
    cell->present = true;
    cell->status = status;
    cell->reason = reason;
}

bool analysis_record_is_named(const struct cell_record *cell)
{
    return cell->model_name[0] != '\0' || cell->device[0] != '\0' || cell->dtype[0] != '\0';
}

static bool file_has_group(const struct results *file, const struct analysis_group *group)
{
    for (size_t i = 0; i < file->run_count; i++) {
        const struct run_record *run = &file->runs[i];
        if (analysis_group_is(group, run->model_name, run->device, run->dtype))
            return true;
    }
    return file->run_count == 0 && group->file == file;
}

/* A file whose runs of the group are all another file's adds nothing. */
static bool file_adds_to(const struct analysis *analysis, size_t index,
                         const struct analysis_group *group)
{
    const struct results *file = analysis->files[index];
    const bool *repeated = analysis->repeated;
    for (size_t f = 0; f < index; f++)
        repeated += analysis->files[f]->run_count;
    for (size_t i = 0; i < file->run_count; i++) {
        const struct run_record *run = &file->runs[i];
        if (!repeated[i] && analysis_group_is(group, run->model_name, run->device, run->dtype))
            return true;
    }
    return file->run_count == 0 && group->file == file;
}

/* The file that measured a cell also says what it was predicted to take. */
static void set_prediction(struct analysis_cell *cell, const struct cell_record *record)
{
    if (record->prediction.total_mb > 0.0 && (cell->prediction == NULL || cell->record == record))
        cell->prediction = &record->prediction;
}

/* A cell record that names no model holds for every group of its file; what it says of being
 * measured then only holds where there are runs. */
static void set_statuses(struct analysis *analysis, struct analysis_group *group)
{
    for (size_t f = 0; f < analysis->file_count; f++) {
        const struct results *file = analysis->files[f];
        bool has_group = file_has_group(file, group);
        group->file_count += file_adds_to(analysis, f, group);
        for (size_t i = 0; i < file->cell_count; i++) {
            const struct cell_record *record = &file->cells[i];
            bool meant =
                analysis_record_is_named(record)
                    ? analysis_group_is(group, record->model_name, record->device, record->dtype)
                    : has_group;
            if (!meant)
                continue;
            struct analysis_cell *cell = &group->cells[analysis_cell_index(
                analysis, record->batch_size, record->input_length)];
            bool measured = record->status == CELL_MEASURED || record->status == CELL_PARTIAL;
            if (!measured || cell->run_count > 0)
                set_status(cell, record->status, record->reason);
            if (cell->record == NULL && record->verdict.level != VERDICT_NONE) {
                cell->record = record;
                cell->file = file;
            }
            if (cell->breakdown == NULL &&
                breakdown_sum(&record->breakdown.phases[BREAKDOWN_PREFILL]) > 0)
                cell->breakdown = &record->breakdown;
            set_prediction(cell, record);
        }
    }
    for (size_t i = 0; i < analysis->batch_count * analysis->length_count; i++) {
        struct analysis_cell *cell = &group->cells[i];
        if (cell->run_count > 0 && (!cell->present || cell->status == CELL_PENDING))
            set_status(cell, CELL_PARTIAL, "");
    }
}

static struct stats_summary summarise(const struct run_record *runs, size_t count,
                                      const struct metric *metric, bool per_sequence,
                                      double *scratch)
{
    double *values = scratch;
    for (size_t i = 0; i < count; i++) {
        values[i] = metric_value(metric, &runs[i]);
        if (per_sequence)
            values[i] /= (double)runs[i].batch_size;
        if (!isfinite(values[i]))
            values[i] = NAN;
    }
    return stats_summarise(values, count, scratch + count);
}

static void summarise_cells(struct analysis *analysis, struct analysis_group *group,
                            double *scratch)
{
    for (size_t i = 0; i < analysis->batch_count * analysis->length_count; i++) {
        struct analysis_cell *cell = &group->cells[i];
        if (cell->status == CELL_FAILED)
            cell->run_count = 0;
        for (size_t m = 0; m < METRIC_COUNT; m++)
            cell->metrics[m] = summarise(cell->runs, cell->run_count, &metrics[m], false, scratch);
        cell->sequence_rate = summarise(cell->runs, cell->run_count,
                                        &metrics[METRIC_TOKENS_PER_SECOND], true, scratch);
        cell->prefill_share =
            cell->metrics[METRIC_PREFILL_TIME].mean / cell->metrics[METRIC_TOTAL_LATENCY].mean;
        if (cell->present) {
            group->cell_count++;
            group->status_count[cell->status]++;
        }
    }
    for (size_t m = 0; m < METRIC_COUNT; m++)
        group->totals[m] = summarise(group->runs, group->run_count, &metrics[m], false, scratch);
    for (size_t i = 0; i < group->run_count; i++) {
        if (isfinite(group->runs[i].total_latency))
            group->measured_s += group->runs[i].total_latency;
    }
}

static void compute_efficiency(struct analysis *analysis, struct analysis_group *group)
{
    for (size_t l = 0; l < analysis->length_count; l++) {
        const struct analysis_cell *base = NULL;
        for (size_t b = 0; b < analysis->batch_count; b++) {
            struct analysis_cell *cell = &group->cells[b * analysis->length_count + l];
            double rate = cell->metrics[METRIC_TOKENS_PER_SECOND].mean;
            if (base == NULL && rate > 0)
                base = cell;
            cell->efficiency = NAN;
            if (base != NULL)
                cell->efficiency = rate / ((double)cell->batch_size / (double)base->batch_size *
                                           base->metrics[METRIC_TOKENS_PER_SECOND].mean);
        }
    }
}

static void find_extremes(const struct analysis *analysis, struct analysis_group *group)
{
    for (size_t i = 0; i < analysis->batch_count * analysis->length_count; i++) {
        const struct analysis_cell *cell = &group->cells[i];
        if (!analysis_cell_has_values(cell))
            continue;
        double latency = analysis_latency(cell).mean;
        double rate = analysis_throughput(cell).mean;
        const struct analysis_cell *best = group->best_throughput;
        if (rate > 0 && (best == NULL || rate > analysis_throughput(best).mean))
            group->best_throughput = cell;
        if (group->best_latency == NULL || latency < analysis_latency(group->best_latency).mean)
            group->best_latency = cell;
        if (group->worst_latency == NULL || latency > analysis_latency(group->worst_latency).mean)
            group->worst_latency = cell;
    }
}

void analysis_fill_cells(struct analysis *analysis, struct analysis_group *group, double *scratch)
{
    set_statuses(analysis, group);
    summarise_cells(analysis, group, scratch);
    compute_efficiency(analysis, group);
    find_extremes(analysis, group);
}
