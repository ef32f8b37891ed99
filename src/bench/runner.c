/* The grid's loop of runner.h: goes through the passes, saves after each visit. What is fatal for
 * a cell never ends the grid. */
#include "bench/runner.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/stop_rule.h"
#include "bench/visit.h"

struct runner {
    struct visit_context context;
    struct results_file *file;
    size_t *order; /* of the cells in the pass that is gone through */
    double elapsed_before_s;
    int save_code; /* of the last save */
    struct error save_error;
};

/* Where this process's part of the time limit ends; the time spent before counts. */
static double find_deadline(const struct schedule *schedule, double elapsed_s, double now_s)
{
    if (!(schedule->time_limit_s > 0.0))
        return INFINITY;
    double part = (double)schedule->process / (double)schedule->processes;
    return now_s + schedule->time_limit_s * part - elapsed_s;
}

static int runner_open(struct runner *runner, struct error *error)
{
    struct visit_context *context = &runner->context;
    struct results *results = context->results;
    size_t count = results->cell_count > 0 ? results->cell_count : 1;
    context->states = calloc(count, sizeof *context->states);
    runner->order = calloc(count, sizeof *runner->order);
    if (context->states == NULL || runner->order == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for the plan of %zu cells", count);
    for (size_t i = 0; i < results->run_count; i++) {
        const struct run_record *run = &results->runs[i];
        const struct cell_record *cell =
            results_find_cell(results, run->batch_size, run->input_length);
        if (cell == NULL)
            continue;
        struct cell_state *state = &context->states[cell - results->cells];
        state->runs++;
        state->process_runs += run->process == context->options->schedule->process;
    }
    for (size_t i = 0; i < results->cell_count; i++)
        output_state_restore(&context->states[i].output, results, &results->cells[i]);
    runner->elapsed_before_s = results->elapsed_s;
    context->estimate.start_s = clock_now_s(context->options->clock);
    context->deadline_s =
        find_deadline(context->options->schedule, results->elapsed_s, context->estimate.start_s);
    return 0;
}

/* All that is left from `pass` on, found anew: a cell that failed or needs more runs than planned
 * changes it. */
static void plan_rest(struct runner *runner, int64_t pass)
{
    struct visit_context *context = &runner->context;
    const struct schedule *schedule = context->options->schedule;
    context->estimate.todo = (struct cost_work){0};
    context->visits_left = 0;
    for (size_t i = 0; i < context->results->cell_count; i++) {
        int64_t runs = context->states[i].process_runs;
        if (!visit_is_wanted(&context->results->cells[i]))
            continue;
        for (int64_t later = pass; later <= schedule_pass_count(schedule); later++) {
            int64_t least = schedule_share(schedule, later).least;
            if (least <= runs)
                continue;
            cost_add(&context->estimate, visit_work(context, i, least - runs));
            context->visits_left++;
            runs = least;
        }
    }
}

static void save(struct runner *runner, bool always)
{
    struct results *results = runner->context.results;
    double now_s = clock_now_s(runner->context.options->clock);
    results->elapsed_s = runner->elapsed_before_s + now_s - runner->context.estimate.start_s;
    if (runner->file == NULL)
        return;
    runner->save_error = (struct error){0};
    runner->save_code = results_file_save(runner->file, results, always, &runner->save_error);
}

/* What is larger in both ways needs no less memory than what was not there. */
static void skip_larger(struct runner *runner, const struct cell_record *failed)
{
    struct results *results = runner->context.results;
    for (size_t i = 0; i < results->cell_count; i++) {
        struct cell_record *cell = &results->cells[i];
        if (cell->status != CELL_PENDING || cell->batch_size < failed->batch_size ||
            cell->input_length < failed->input_length)
            continue;
        cell->status = CELL_SKIPPED;
        (void)snprintf(cell->reason, sizeof cell->reason,
                       "batch %lld x length %lld ran out of memory, and this cell needs no less",
                       (long long)failed->batch_size, (long long)failed->input_length);
    }
}

static int visit_cell(struct runner *runner, size_t cell_index, int64_t pass)
{
    struct visit_context *context = &runner->context;
    struct visit visit = {.cell_index = cell_index, .pass = pass};
    int code = visit_run(context, &visit);
    if (visit.out_of_memory)
        skip_larger(runner, &context->results->cells[cell_index]);
    context->visits_done++;
    plan_rest(runner, pass);
    save(runner, false);
    if (runner->save_code != 0)
        visit_send_event(context, RUNNER_SAVE_FAILED, cell_index, 0, NULL, runner->save_error.text);
    visit_send_event(context, RUNNER_CELL_END, cell_index, 0, NULL, NULL);
    return code;
}

/* The seconds that a visit is predicted to take; 0 while nobody knows. */
static double predict_s(const struct runner *runner, size_t cell_index, int64_t pass)
{
    const struct visit_context *context = &runner->context;
    int64_t runs = schedule_share(context->options->schedule, pass).least -
                   context->states[cell_index].process_runs;
    double now_s = clock_now_s(context->options->clock);
    double predicted = cost_predict_s(&context->estimate,
                                      visit_work(context, cell_index, runs > 1 ? runs : 1), now_s);
    return isnan(predicted) ? 0.0 : predicted;
}

/* One cell in its turn: visited, put off, or passed over because it has its share. */
static int take_turn(struct runner *runner, size_t cell_index, int64_t pass, bool may_postpone,
                     struct error *error)
{
    struct visit_context *context = &runner->context;
    const struct runner_options *options = context->options;
    const struct cell_record *cell = &context->results->cells[cell_index];
    const char *enough = NULL;
    if (!visit_is_wanted(cell) || context->states[cell_index].postponed != 0)
        return 0;
    int code = stop_rule_ask(&enough, context->results, cell, options->schedule,
                             options->schedule->process, pass, error);
    if (code != 0 || enough != NULL)
        return code;
    if ((options->stop != NULL && options->stop(options->context)) || visit_time_is_up(context))
        return ERROR_STOPPED;
    double left_s = context->deadline_s - clock_now_s(options->clock);
    if (may_postpone && predict_s(runner, cell_index, pass) > left_s) {
        context->states[cell_index].postponed = pass;
        return 0;
    }
    return visit_cell(runner, cell_index, pass);
}

/* A cell that was put off, in all the passes that it has missed. */
static int take_postponed(struct runner *runner, size_t cell_index, struct error *error)
{
    struct cell_state *state = &runner->context.states[cell_index];
    int64_t first = state->postponed;
    int64_t last = schedule_pass_count(runner->context.options->schedule);
    int code = 0;
    state->postponed = 0;
    for (int64_t pass = first; pass <= last && code == 0; pass++)
        code = take_turn(runner, cell_index, pass, false, error);
    return code;
}

/* Of the cells put off, the one that comes nearest to the time left; false when there is none. */
static bool find_postponed(const struct runner *runner, size_t *cell_index)
{
    double best = INFINITY;
    for (size_t i = 0; i < runner->context.results->cell_count; i++) {
        int64_t pass = runner->context.states[i].postponed;
        if (pass == 0 || !visit_is_wanted(&runner->context.results->cells[i]))
            continue;
        double predicted = predict_s(runner, i, pass);
        if (predicted < best) {
            best = predicted;
            *cell_index = i;
        }
    }
    return best < INFINITY;
}

/* Goes through the passes; ERROR_STOPPED when a person asked for it or the time is up. */
static int go_through(struct runner *runner, struct error *error)
{
    struct visit_context *context = &runner->context;
    const struct runner_options *options = context->options;
    const struct results *results = context->results;
    int code = 0;
    for (int64_t pass = 1; pass <= schedule_pass_count(options->schedule); pass++) {
        schedule_order_cells(options->schedule, pass, results->cells, results->cell_count,
                             runner->order);
        for (size_t i = 0; i < results->cell_count && code == 0; i++)
            code = take_turn(runner, runner->order[i], pass, true, error);
    }
    size_t cell_index = 0;
    while (code == 0 && find_postponed(runner, &cell_index))
        code = take_postponed(runner, cell_index, error);
    return code;
}

/* Words for what the time limit left over; only the last process leaves it for good. */
static void record_left_over(struct runner *runner)
{
    const struct schedule *schedule = runner->context.options->schedule;
    struct results *results = runner->context.results;
    for (size_t i = 0; i < results->cell_count; i++) {
        struct cell_record *cell = &results->cells[i];
        if (!visit_is_wanted(cell) || schedule->process < schedule->processes)
            continue;
        int64_t runs = runner->context.states[i].runs;
        (void)snprintf(cell->stop_reason, sizeof cell->stop_reason, "time_limit");
        if (runs > 0) {
            char event[64];
            (void)snprintf(event, sizeof event, "the time limit of %g s was reached",
                           schedule->time_limit_s);
            visit_describe_runs(cell->reason, sizeof cell->reason, event, runs, schedule);
            continue;
        }
        cell->status = CELL_SKIPPED;
        (void)snprintf(cell->reason, sizeof cell->reason,
                       "the time limit of %g s was reached before its first run",
                       schedule->time_limit_s);
    }
}

static size_t count_cells(const struct results *results, enum cell_status status)
{
    size_t count = 0;
    for (size_t i = 0; i < results->cell_count; i++)
        count += results->cells[i].status == status;
    return count;
}

static size_t count_wrong(const struct results *results)
{
    size_t count = 0;
    for (size_t i = 0; i < results->cell_count; i++)
        count += output_is_wrong(&results->cells[i]) && results->cells[i].status != CELL_FAILED;
    return count;
}

/* One line for the person: the worst thing that happened. */
static int conclude(const struct runner *runner, int code, struct error *error)
{
    const struct results *results = runner->context.results;
    size_t cells = results->cell_count;
    size_t failed = count_cells(results, CELL_FAILED), wrong = count_wrong(results);
    if (runner->save_code != 0)
        return error_set(error, ERROR_FAILED, "the results could not be saved: %s",
                         runner->save_error.text);
    if (code == ERROR_DEVICE)
        return error_set(error, ERROR_DEVICE,
                         "the device serves this process no longer: %zu of %zu cells are measured",
                         count_cells(results, CELL_MEASURED), cells);
    if (code == ERROR_STOPPED)
        return error_set(error, ERROR_STOPPED, "stopped: %zu of %zu cells are measured",
                         count_cells(results, CELL_MEASURED), cells);
    if (code != 0)
        return code;
    if (failed > 0)
        return error_set(error, ERROR_FAILED, "%zu of %zu cells failed", failed, cells);
    if (wrong > 0)
        return error_set(error, ERROR_FAILED, "the tokens of %zu of %zu cells are wrong", wrong,
                         cells);
    if (results->run_count == 0)
        return error_set(error, ERROR_FAILED, "no cell was measured: all %zu are skipped", cells);
    return 0;
}

int runner_run(struct results *results, struct results_file *file,
               const struct runner_options *options, struct error *error)
{
    struct runner runner = {.context = {.results = results, .options = options}, .file = file};
    int code = runner_open(&runner, error);
    if (code != 0)
        goto done;
    plan_rest(&runner, 1);
    save(&runner, true);
    /* A first save that fails has lost nothing yet: better to say so before hours of work. */
    if (runner.save_code == 0) {
        code = go_through(&runner, error);
        if (code == ERROR_STOPPED && visit_time_is_up(&runner.context) &&
            !(options->stop != NULL && options->stop(options->context))) {
            record_left_over(&runner);
            code = 0;
        }
        save(&runner, true);
    }
    code = conclude(&runner, code, error);
done:
    free(runner.context.states);
    free(runner.order);
    return code;
}
