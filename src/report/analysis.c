/* Sorts the runs and cells of all files into groups. What a cell then says is analysis_cells.c,
 * what cells say together analysis_scaling.c. */
#include "report/analysis.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/analysis_internal.h"

static int out_of_memory(struct error *error)
{
    return error_set(error, ERROR_MEMORY, "out of memory while analysing the results");
}

static int compare_integers(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a;
    int64_t right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

static size_t sort_unique(int64_t *values, size_t count)
{
    qsort(values, count, sizeof *values, compare_integers);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || values[kept - 1] != values[i])
            values[kept++] = values[i];
    }
    return kept;
}

static int collect_axes(struct analysis *analysis, struct error *error)
{
    size_t count = 0;
    for (size_t f = 0; f < analysis->file_count; f++)
        count += analysis->files[f]->run_count + analysis->files[f]->cell_count;
    if (count == 0)
        return error_set(error, ERROR_INPUT, "there is nothing to analyse: no runs and no cells");
    analysis->batches = calloc(count, sizeof *analysis->batches);
    analysis->lengths = calloc(count, sizeof *analysis->lengths);
    if (analysis->batches == NULL || analysis->lengths == NULL)
        return out_of_memory(error);
    size_t filled = 0;
    for (size_t f = 0; f < analysis->file_count; f++) {
        const struct results *file = analysis->files[f];
        for (size_t i = 0; i < file->run_count; i++, filled++) {
            analysis->batches[filled] = file->runs[i].batch_size;
            analysis->lengths[filled] = file->runs[i].input_length;
        }
        for (size_t i = 0; i < file->cell_count; i++, filled++) {
            analysis->batches[filled] = file->cells[i].batch_size;
            analysis->lengths[filled] = file->cells[i].input_length;
        }
    }
    analysis->batch_count = sort_unique(analysis->batches, count);
    analysis->length_count = sort_unique(analysis->lengths, count);
    if (analysis->batch_count > ANALYSIS_CELLS_MAX / analysis->length_count)
        return error_set(error, ERROR_INPUT,
                         "%zu batch sizes × %zu input lengths are too many cells for one analysis "
                         "(at most %d); analyse the files one by one",
                         analysis->batch_count, analysis->length_count, ANALYSIS_CELLS_MAX);
    return 0;
}

static struct analysis_group *find_group(struct analysis *analysis, const char *model_name,
                                         const char *device, const char *dtype)
{
    for (size_t g = 0; g < analysis->group_count; g++) {
        struct analysis_group *group = &analysis->groups[g];
        if (analysis_group_is(group, model_name, device, dtype))
            return group;
    }
    return NULL;
}

static int add_group(struct analysis *analysis, const struct results *file, const char *model_name,
                     const char *device, const char *dtype, struct error *error)
{
    if (find_group(analysis, model_name, device, dtype) != NULL)
        return 0;
    size_t cell_count = analysis->batch_count * analysis->length_count;
    if (analysis->group_count + 1 > 4 * (size_t)ANALYSIS_CELLS_MAX / cell_count)
        return error_set(error, ERROR_INPUT,
                         "too many models in one analysis (%zu and more, with %zu cells each)",
                         analysis->group_count, cell_count);
    struct analysis_group *groups =
        realloc(analysis->groups, (analysis->group_count + 1) * sizeof *groups);
    if (groups == NULL)
        return out_of_memory(error);
    analysis->groups = groups;
    struct analysis_group *group = &groups[analysis->group_count];
    *group = (struct analysis_group){.file = file};
    snprintf(group->model_name, sizeof group->model_name, "%s", model_name);
    snprintf(group->device, sizeof group->device, "%s", device);
    snprintf(group->dtype, sizeof group->dtype, "%s", dtype);
    group->cells = calloc(cell_count, sizeof *group->cells);
    if (group->cells == NULL)
        return out_of_memory(error);
    analysis->group_count++;
    for (size_t i = 0; i < cell_count; i++) {
        group->cells[i].batch_size = analysis->batches[i / analysis->length_count];
        group->cells[i].input_length = analysis->lengths[i % analysis->length_count];
        group->cells[i].reason = "";
    }
    return 0;
}

static const char *block_string(const json_t *block, const char *key, const char *otherwise)
{
    const char *value = json_string_value(json_object_get(block, key));
    return value != NULL ? value : otherwise;
}

/* A file whose cells were all skipped has no run that names its group. */
static int add_groups_of_file(struct analysis *analysis, const struct results *file,
                              struct error *error)
{
    int code = 0;
    bool named = file->run_count > 0;
    for (size_t i = 0; i < file->run_count && code == 0; i++) {
        const struct run_record *run = &file->runs[i];
        code = add_group(analysis, file, run->model_name, run->device, run->dtype, error);
    }
    for (size_t i = 0; i < file->cell_count && code == 0; i++) {
        const struct cell_record *cell = &file->cells[i];
        if (!analysis_record_is_named(cell))
            continue;
        named = true;
        code = add_group(analysis, file, cell->model_name, cell->device, cell->dtype, error);
    }
    if (named || code < 0 || file->cell_count == 0)
        return code;
    const json_t *engine = json_object_get(file->system, "engine");
    const char *asked = block_string(file->config, "device", "unknown device");
    return add_group(analysis, file, block_string(file->model, "name", "unknown model"),
                     block_string(engine, "device", asked), block_string(file->model, "dtype", ""),
                     error);
}

/* Rates follow from batch, lengths and times, whatever the file says of them. */
static struct run_record recomputed(const struct run_record *run)
{
    struct run_record copy = *run;
    double total = run->total_latency;
    run_record_derive(&copy);
    if (isnan(copy.total_latency) && total > 0) {
        copy.total_latency = total;
        copy.tokens_per_second =
            (double)copy.batch_size * (double)copy.actual_output_length / total;
    }
    return copy;
}

/* A counting sort: runs of one cell lie side by side, in order of measurement. */
static int collect_runs(struct analysis *analysis, struct error *error)
{
    size_t cell_count = analysis->batch_count * analysis->length_count;
    for (int pass = 0; pass < 2; pass++) {
        const bool *repeated = analysis->repeated;
        for (size_t f = 0; f < analysis->file_count; f++) {
            const struct results *file = analysis->files[f];
            for (size_t i = 0; i < file->run_count; i++) {
                const struct run_record *run = &file->runs[i];
                if (*repeated++)
                    continue;
                struct analysis_group *group =
                    find_group(analysis, run->model_name, run->device, run->dtype);
                struct analysis_cell *cell =
                    &group
                         ->cells[analysis_cell_index(analysis, run->batch_size, run->input_length)];
                if (pass == 0)
                    group->run_count++;
                else
                    group->runs[(size_t)(cell->runs - group->runs) + cell->run_count] =
                        recomputed(run);
                cell->run_count++;
            }
        }
        if (pass == 1)
            break;
        for (size_t g = 0; g < analysis->group_count; g++) {
            struct analysis_group *group = &analysis->groups[g];
            group->runs = calloc(group->run_count + 1, sizeof *group->runs);
            if (group->runs == NULL)
                return out_of_memory(error);
            size_t next = 0;
            for (size_t i = 0; i < cell_count; i++) {
                group->cells[i].runs = group->runs + next;
                next += group->cells[i].run_count;
                group->cells[i].run_count = 0;
            }
        }
    }
    return 0;
}

int analysis_build(struct analysis *analysis, const struct results *const *files, size_t count,
                   struct error *error)
{
    *analysis = (struct analysis){.files = files, .file_count = count};
    size_t most_runs = 0;
    double *scratch = NULL;
    int code = collect_axes(analysis, error);
    if (code == 0)
        code = analysis_find_repeats(analysis, error);
    for (size_t f = 0; f < count && code == 0; f++)
        code = add_groups_of_file(analysis, files[f], error);
    if (code == 0)
        code = collect_runs(analysis, error);
    if (code < 0)
        goto fail;
    for (size_t g = 0; g < analysis->group_count; g++) {
        if (analysis->groups[g].run_count > most_runs)
            most_runs = analysis->groups[g].run_count;
    }
    scratch = calloc(2 * most_runs + 1, sizeof *scratch);
    if (scratch == NULL) {
        code = out_of_memory(error);
        goto fail;
    }
    for (size_t g = 0; g < analysis->group_count; g++) {
        struct analysis_group *group = &analysis->groups[g];
        analysis_fill_cells(analysis, group, scratch);
    }
    free(scratch);
    return 0;
fail:
    free(scratch);
    analysis_free(analysis);
    return code;
}

void analysis_free(struct analysis *analysis)
{
    if (analysis == NULL)
        return;
    for (size_t g = 0; g < analysis->group_count; g++) {
        free(analysis->groups[g].cells);
        free(analysis->groups[g].runs);
    }
    free(analysis->groups);
    free(analysis->repeated);
    free(analysis->batches);
    free(analysis->lengths);
    *analysis = (struct analysis){0};
}

const struct analysis_cell *analysis_cell_at(const struct analysis *analysis,
                                             const struct analysis_group *group, size_t batch_index,
                                             size_t length_index)
{
    return &group->cells[batch_index * analysis->length_count + length_index];
}
