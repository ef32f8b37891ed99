/* The grid's loop of runner.h: plans the visits, goes through them, saves after each. What is
 * fatal for a cell never ends the grid. */
#include "bench/runner.h"

#include <stdlib.h>

#include "bench/cell_memory.h"
#include "bench/visit.h"

struct runner {
    struct visit_context context;
    struct results_file *file;
    struct visit *visits;
    size_t visit_count;
    int save_code; /* of the last save */
    struct error save_error;
};

static bool wants_visit(const struct cell_record *cell)
{
    return cell->status == CELL_PENDING || cell->status == CELL_PARTIAL;
}

/* Every cell that lacks runs, in grid order, in one visit each. */
static int plan_visits(struct runner *runner, struct error *error)
{
    struct visit_context *context = &runner->context;
    struct results *results = context->results;
    size_t count = results->cell_count > 0 ? results->cell_count : 1;
    context->states = calloc(count, sizeof *context->states);
    runner->visits = calloc(count, sizeof *runner->visits);
    if (context->states == NULL || runner->visits == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for the plan of %zu cells", count);
    for (size_t i = 0; i < results->run_count; i++) {
        const struct run_record *run = &results->runs[i];
        const struct cell_record *cell =
            results_find_cell(results, run->batch_size, run->input_length);
        if (cell != NULL)
            context->states[cell - results->cells].runs++;
    }
    for (size_t i = 0; i < results->cell_count; i++) {
        int64_t missing = context->options->config->num_runs - context->states[i].runs;
        if (!wants_visit(&results->cells[i]) || missing < 1)
            continue;
        struct visit *visit = &runner->visits[runner->visit_count++];
        *visit = (struct visit){.cell_index = i, .runs = missing};
        cost_add(&context->estimate, visit_work_left(context, visit));
    }
    return 0;
}

static void save(struct runner *runner, bool always)
{
    if (runner->file == NULL)
        return;
    runner->save_error = (struct error){0};
    runner->save_code =
        results_file_save(runner->file, runner->context.results, always, &runner->save_error);
}

/* Goes through the visits; ERROR_STOPPED when a person asked for it. */
static int go_through(struct runner *runner)
{
    struct visit_context *context = &runner->context;
    const struct runner_options *options = context->options;
    int code = 0;
    for (size_t i = 0; i < runner->visit_count && code == 0; i++) {
        struct visit *visit = &runner->visits[i];
        if (options->stop != NULL && options->stop(options->context))
            return ERROR_STOPPED;
        code = visit_run(context, visit);
        save(runner, false);
        if (runner->save_code != 0)
            visit_send_event(context, RUNNER_SAVE_FAILED, visit->cell_index, 0, NULL,
                             runner->save_error.text);
        visit_send_event(context, RUNNER_CELL_END, visit->cell_index, 0, NULL, NULL);
    }
    return code;
}

static size_t count_cells(const struct results *results, enum cell_status status)
{
    size_t count = 0;
    for (size_t i = 0; i < results->cell_count; i++)
        count += results->cells[i].status == status;
    return count;
}

/* One line for the person: the worst thing that happened. */
static int conclude(const struct runner *runner, int code, struct error *error)
{
    const struct results *results = runner->context.results;
    size_t cells = results->cell_count;
    size_t failed = count_cells(results, CELL_FAILED);
    if (runner->save_code != 0)
        return error_set(error, ERROR_FAILED, "the results could not be saved: %s",
                         runner->save_error.text);
    if (code == ERROR_STOPPED)
        return error_set(error, ERROR_STOPPED, "stopped: %zu of %zu cells are measured",
                         count_cells(results, CELL_MEASURED), cells);
    if (failed > 0)
        return error_set(error, ERROR_FAILED, "%zu of %zu cells failed", failed, cells);
    if (results->run_count == 0)
        return error_set(error, ERROR_FAILED, "no cell was measured: all %zu are skipped", cells);
    return 0;
}

int runner_run(struct results *results, struct results_file *file,
               const struct runner_options *options, struct error *error)
{
    struct runner runner = {.context = {.results = results, .options = options}, .file = file};
    runner.context.estimate.start_s = clock_now_s(options->clock);
    int code = plan_visits(&runner, error);
    if (code != 0)
        goto done;
    save(&runner, true);
    /* A first save that fails has lost nothing yet: better to say so before hours of work. */
    if (runner.save_code == 0) {
        code = go_through(&runner);
        save(&runner, true);
    }
    code = conclude(&runner, code, error);
done:
    free(runner.context.states);
    free(runner.visits);
    return code;
}

int runner_check_memory(struct results *results, const struct runner_options *options,
                        struct error *error)
{
    for (size_t i = 0; i < results->cell_count; i++) {
        struct cell_record *cell = &results->cells[i];
        if (!wants_visit(cell))
            continue;
        struct session_shape shape = visit_shape(options, cell);
        bool fits = true;
        if (cell_memory_check(cell, &fits, options->ops, options->engine, &shape, error) != 0)
            return error_prefix(error, "batch %lld x length %lld", (long long)cell->batch_size,
                                (long long)cell->input_length);
    }
    return 0;
}
