/* Runs that several files hold, as the JSON and the CSV of one measurement do, are counted once:
 * the same series, cell, number and time stamp. Called by analysis.c. */
#include <stdlib.h>
#include <string.h>

#include "report/analysis_internal.h"

struct reference {
    const struct run_record *run;
    size_t file;
    size_t index; /* in a row of all files' runs */
};

static int compare_counts(int64_t left, int64_t right)
{
    return (left > right) - (left < right);
}

static int compare_runs(const struct run_record *a, const struct run_record *b)
{
    int order = strcmp(a->timestamp, b->timestamp);
    if (order == 0)
        order = strcmp(a->model_name, b->model_name);
    if (order == 0)
        order = strcmp(a->device, b->device);
    if (order == 0)
        order = strcmp(a->dtype, b->dtype);
    if (order == 0)
        order = compare_counts(a->batch_size, b->batch_size);
    if (order == 0)
        order = compare_counts(a->input_length, b->input_length);
    return order != 0 ? order : compare_counts(a->run_number, b->run_number);
}

/* Equal runs lie together, first the one that knows most: a CSV has no step times. */
static int compare_references(const void *a, const void *b)
{
    const struct reference *left = a, *right = b;
    int order = compare_runs(left->run, right->run);
    if (order == 0)
        order = compare_counts((int64_t)right->run->decode_step_count,
                               (int64_t)left->run->decode_step_count);
    return order != 0 ? order : compare_counts((int64_t)left->index, (int64_t)right->index);
}

int analysis_find_repeats(struct analysis *analysis, struct error *error)
{
    size_t count = 0;
    for (size_t f = 0; f < analysis->file_count; f++)
        count += analysis->files[f]->run_count;
    struct reference *references = calloc(count + 1, sizeof *references);
    analysis->repeated = calloc(count + 1, sizeof *analysis->repeated);
    if (references == NULL || analysis->repeated == NULL) {
        free(references);
        return error_set(error, ERROR_MEMORY, "out of memory while comparing %zu runs", count);
    }
    size_t filled = 0;
    for (size_t f = 0; f < analysis->file_count; f++) {
        for (size_t i = 0; i < analysis->files[f]->run_count; i++, filled++)
            references[filled] = (struct reference){&analysis->files[f]->runs[i], f, filled};
    }
    qsort(references, count, sizeof *references, compare_references);
    /* Within one file equal ones are as they were measured. */
    for (size_t i = 0, first = 0; i < count; i++) {
        if (compare_runs(references[first].run, references[i].run) != 0)
            first = i;
        analysis->repeated[references[i].index] =
            references[i].run->timestamp[0] != '\0' && references[i].file != references[first].file;
    }
    free(references);
    return 0;
}

size_t analysis_repeated_count(const struct analysis *analysis, size_t file)
{
    const bool *repeated = analysis->repeated;
    size_t count = 0;
    for (size_t f = 0; f < file; f++)
        repeated += analysis->files[f]->run_count;
    for (size_t i = 0; i < analysis->files[file]->run_count; i++)
        count += repeated[i];
    return count;
}
