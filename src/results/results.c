/* The document in memory: lists that grow, cells found. summary.c has the statistics. */
#include "results/results.h"

#include <stdlib.h>
#include <string.h>

void results_init(struct results *results)
{
    memset(results, 0, sizeof *results);
    results->origin = RESULTS_TOKENMARK_JSON;
}

void results_free(struct results *results)
{
    if (results == NULL)
        return;
    for (size_t i = 0; i < results->run_count; i++)
        free(results->runs[i].decode_step_times);
    free(results->runs);
    free(results->cells);
    free(results->source_path);
    json_decref(results->tool);
    json_decref(results->config);
    json_decref(results->options);
    json_decref(results->system);
    json_decref(results->model);
    results_init(results);
}

int results_add_run(struct results *results, const struct run_record *run, struct error *error)
{
    if (results->run_count == results->run_capacity) {
        size_t capacity = results->run_capacity < 16 ? 16 : results->run_capacity * 2;
        struct run_record *runs = reallocarray(results->runs, capacity, sizeof *runs);
        if (runs == NULL)
            return error_set(error, ERROR_MEMORY, "no memory for %zu run records", capacity);
        results->runs = runs;
        results->run_capacity = capacity;
    }
    results->runs[results->run_count++] = *run;
    return 0;
}

int results_add_cell(struct results *results, const struct cell_record *cell, struct error *error)
{
    if (results->cell_count == results->cell_capacity) {
        size_t capacity = results->cell_capacity < 16 ? 16 : results->cell_capacity * 2;
        struct cell_record *cells = reallocarray(results->cells, capacity, sizeof *cells);
        if (cells == NULL)
            return error_set(error, ERROR_MEMORY, "no memory for %zu cell records", capacity);
        results->cells = cells;
        results->cell_capacity = capacity;
    }
    results->cells[results->cell_count++] = *cell;
    return 0;
}

struct cell_record *results_find_cell(struct results *results, int64_t batch_size,
                                      int64_t input_length)
{
    for (size_t i = 0; i < results->cell_count; i++) {
        struct cell_record *cell = &results->cells[i];
        if (cell->batch_size == batch_size && cell->input_length == input_length)
            return cell;
    }
    return NULL;
}
