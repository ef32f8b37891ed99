/* The life of a cell's session, in the order that keeps all but the engine's work out of the timed
 * windows; see visit.h. */
#include "bench/visit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench/cell_memory.h"
#include "bench/components.h"
#include "bench/generation.h"
#include "bench/measure.h"
#include "bench/stop_rule.h"
#include "bench/warm_up.h"

struct session_shape visit_shape(const struct runner_options *options,
                                 const struct cell_record *cell)
{
    return (struct session_shape){
        .batch_size = cell->batch_size,
        .input_length = cell->input_length,
        .output_length = options->config->output_length,
        .temperature = options->config->temperature,
        .top_p = options->config->top_p,
        .seed = options->seed,
    };
}

bool visit_is_wanted(const struct cell_record *cell)
{
    return cell->status == CELL_PENDING || cell->status == CELL_PARTIAL;
}

static struct cell_record *visited_cell(const struct visit_context *context,
                                        const struct visit *visit)
{
    return &context->results->cells[visit->cell_index];
}

static struct cost_work warm_up_work(const struct visit_context *context, size_t cell_index,
                                     int64_t count)
{
    const struct cell_record *cell = &context->results->cells[cell_index];
    return cost_work(cell->batch_size, cell->input_length,
                     warm_up_steps(context->options->config->output_length), count);
}

struct cost_work visit_work(const struct visit_context *context, size_t cell_index, int64_t runs)
{
    const struct cell_record *cell = &context->results->cells[cell_index];
    struct cost_work work = cost_work(cell->batch_size, cell->input_length,
                                      context->options->config->output_length - 1, runs);
    struct cost_work warm_up = warm_up_work(context, cell_index, WARM_UPS_EXPECTED);
    work.prompt_units += warm_up.prompt_units;
    work.step_units += warm_up.step_units;
    return work;
}

bool visit_time_is_up(const struct visit_context *context)
{
    return clock_now_s(context->options->clock) >= context->deadline_s;
}

static bool has_to_stop(void *context)
{
    const struct visit_context *visits = context;
    const struct runner_options *options = visits->options;
    return (options->stop != NULL && options->stop(options->context)) || visit_time_is_up(visits);
}

void visit_send_event(struct visit_context *context, enum runner_event_kind kind, size_t cell_index,
                      int64_t run_number, const struct run_record *run, const char *text)
{
    const struct runner_options *options = context->options;
    if (options->event == NULL)
        return;
    struct runner_event event = {
        .kind = kind,
        .cell_index = cell_index,
        .cell = &context->results->cells[cell_index],
        .run_number = run_number,
        .run = run,
        .text = text,
        .visits_done = context->visits_done,
        .visits = context->visits_done + context->visits_left,
    };
    double now_s = clock_now_s(options->clock);
    cost_read(&context->estimate, now_s, &event.fraction, &event.remaining_s);
    event.remaining_s = event.remaining_s > context->deadline_s - now_s
                            ? fmax(0.0, context->deadline_s - now_s)
                            : event.remaining_s;
    options->event(options->context, &event);
}

static int warm_up(struct visit_context *context, struct visit *visit,
                   struct generation *generation, struct error *error)
{
    struct cell_record *cell = visited_cell(context, visit);
    const struct cell_state *state = &context->states[visit->cell_index];
    struct schedule_share share = schedule_share(context->options->schedule, visit->pass);
    int64_t runs = share.least - state->process_runs;
    struct warm_up report;
    visit_send_event(context, RUNNER_WARM_UP, visit->cell_index, 0, NULL, NULL);
    int code = warm_up_run(generation, runs > 1 ? runs : 1, &report, error);
    if (code != 0) {
        output_check_failure(cell, generation, error);
        return code;
    }
    cost_done(&context->estimate, warm_up_work(context, visit->cell_index, report.count),
              report.prefill_s, report.decode_s);
    cell->warm_up_runs += report.count;
    char worse[RECORD_WORD_MAX];
    (void)snprintf(worse, sizeof worse, "%s",
                   warm_up_worse(cell->warm_up_reason, warm_up_end_name(report.end)));
    memcpy(cell->warm_up_reason, worse, sizeof worse);
    return 0;
}

static int warm_up_and_measure(struct visit_context *context, struct visit *visit,
                               struct generation *generation, struct error *error)
{
    const struct schedule *schedule = context->options->schedule;
    const struct cell_record *cell = visited_cell(context, visit);
    int code = warm_up(context, visit, generation, error);
    for (;;) {
        const char *enough = NULL;
        if (code == 0)
            code = stop_rule_ask(&enough, context->results, cell, schedule, schedule->process,
                                 visit->pass, error);
        if (code != 0 || enough != NULL)
            return code;
        if (has_to_stop(context))
            return error_set(error, ERROR_STOPPED, "stopped");
        code = measure_run(context, visit, generation, error);
    }
}

/* Once a cell, when it has all its runs. What goes wrong here costs the cell nothing of what was
 * measured. */
static int break_down(struct visit_context *context, struct visit *visit,
                      const struct generation *generation, struct error *error)
{
    const struct runner_options *options = context->options;
    struct cell_record *cell = visited_cell(context, visit);
    const char *enough = NULL;
    if (!options->breakdown || options->ops->time_components == NULL)
        return 0;
    int code = stop_rule_ask_all(&enough, context->results, cell, options->schedule, error);
    if (code != 0 || enough == NULL)
        return code;
    struct error problem = {0};
    visit_send_event(context, RUNNER_BREAKDOWN, visit->cell_index, 0, NULL, NULL);
    if (components_measure(cell, context->results, generation, &problem) != 0)
        visit_send_event(context, RUNNER_BREAKDOWN_FAILED, visit->cell_index, 0, NULL,
                         problem.text);
    return 0;
}

static int begin_watching(const struct visit_context *context, struct visit *visit,
                          struct error *error)
{
    const struct runner_options *options = context->options;
    visit->watch = (struct watch){
        .options = &options->watch,
        .ops = options->ops,
        .engine = options->engine,
        .clock = options->clock,
    };
    return watch_visit_begin(&visit->watch, context->results, visited_cell(context, visit),
                             options->config->output_length, error);
}

/* Judges the cell, however its visit ended with `code`. */
static int end_watching(const struct visit_context *context, struct visit *visit, int code,
                        struct error *error)
{
    struct error own = {0};
    int own_code = watch_visit_end(&visit->watch, context->results, visited_cell(context, visit),
                                   context->options->config->output_length, &own);
    if (code != 0 || own_code == 0)
        return code;
    *error = own;
    return own_code;
}

/* A session that does not open can leave memory behind too. */
static int try_session(struct visit_context *context, struct visit *visit,
                       const struct session_shape *shape, struct generation *generation,
                       struct error *error)
{
    const struct engine_ops *ops = context->options->ops;
    struct engine *engine = context->options->engine;
    memory_return_begin(&context->memory_return, ops, engine, shape);
    visit->tried = true;
    int code = ops->session_open(&generation->session, engine, shape, error);
    if (code == 0) {
        code = warm_up_and_measure(context, visit, generation, error);
        if (code == 0)
            code = break_down(context, visit, generation, error);
        ops->session_close(generation->session);
    }
    memory_return_end(&context->memory_return, visited_cell(context, visit), ops, engine, shape);
    return code;
}

/* Allocation, measurement, release: whatever happens, the session is closed. */
static int open_and_measure(struct visit_context *context, struct visit *visit,
                            const struct session_shape *shape, struct error *error)
{
    const struct runner_options *options = context->options;
    struct generation generation;
    int code = generation_open(&generation, shape, options->vocabulary_size, error);
    if (code != 0) {
        visit->refused = code == ERROR_INPUT;
        return code;
    }
    generation.ops = options->ops;
    generation.clock = options->clock;
    generation.stop = has_to_stop;
    generation.stop_context = context;
    code = begin_watching(context, visit, error);
    if (code == 0) {
        code = try_session(context, visit, shape, &generation, error);
        code = end_watching(context, visit, code, error);
    }
    generation_close(&generation);
    return code;
}

/* Cut to what fits, never inside a character: the reason is written as JSON. */
static void copy_reason(struct cell_record *cell, const char *text)
{
    size_t length = strnlen(text, sizeof cell->reason - 1);
    if (text[length] != '\0')
        while (length > 0 && ((unsigned char)text[length] & 0xC0U) == 0x80U)
            length--;
    memcpy(cell->reason, text, length);
    cell->reason[length] = '\0';
}

void visit_describe_runs(char *out, size_t capacity, const char *event, int64_t runs,
                         const struct schedule *schedule)
{
    if (schedule->precision > 0.0)
        (void)snprintf(out, capacity, "%s after %lld run%s", event, (long long)runs,
                       runs == 1 ? "" : "s");
    else
        (void)snprintf(out, capacity, "%s after %lld of %lld runs", event, (long long)runs,
                       (long long)schedule->num_runs * schedule->processes);
}

/* The cell was left with all that its pass wants of it. */
static int settle_whole(const struct visit_context *context, struct cell_record *cell,
                        struct error *error)
{
    const char *enough;
    int code =
        stop_rule_ask_all(&enough, context->results, cell, context->options->schedule, error);
    if (code != 0)
        return code;
    cell->status = enough != NULL ? CELL_MEASURED : CELL_PARTIAL;
    (void)snprintf(cell->stop_reason, sizeof cell->stop_reason, "%s", enough != NULL ? enough : "");
    return 0;
}

/* Turns the end of a visit into the cell's status and reason. */
static void settle_cell(const struct visit_context *context, struct visit *visit, int code,
                        struct error *error)
{
    struct cell_record *cell = visited_cell(context, visit);
    int64_t runs = context->states[visit->cell_index].runs;
    cell->reason[0] = '\0';
    cell->stop_reason[0] = '\0';
    if (code == 0)
        code = settle_whole(context, cell, error);
    if (code == ERROR_STOPPED) {
        cell->status = runs > 0 ? CELL_PARTIAL : CELL_PENDING;
        if (runs > 0)
            visit_describe_runs(cell->reason, sizeof cell->reason, "stopped", runs,
                                context->options->schedule);
    } else if (code != 0) {
        struct error reason = *error;
        visit->out_of_memory = code == ERROR_MEMORY;
        if (visit->out_of_memory)
            error_prefix(&reason, "out of memory");
        cell->status = visit->refused ? CELL_SKIPPED : CELL_FAILED;
        copy_reason(cell, reason.text);
    }
}

int visit_run(struct visit_context *context, struct visit *visit)
{
    struct cell_record *cell = visited_cell(context, visit);
    struct session_shape shape = visit_shape(context->options, cell);
    struct error error = {0};
    bool fits = true;
    visit_send_event(context, RUNNER_CELL_BEGIN, visit->cell_index, 0, NULL, NULL);
    int code = cell_memory_check(cell, &fits, context->options->ops, context->options->engine,
                                 &shape, &error);
    if (code == 0 && fits)
        code = open_and_measure(context, visit, &shape, &error);
    if (code == ERROR_DEVICE && !visit->tried)
        return code; /* lost before: no fault of this cell */
    if (fits)
        settle_cell(context, visit, code, &error);
    else if (context->states[visit->cell_index].runs > 0)
        cell->status = CELL_PARTIAL; /* its runs fitted: memory has gone since */
    return code == ERROR_STOPPED || code == ERROR_DEVICE ? code : 0;
}
