/* The life of a cell's session, in the order that keeps all but the engine's work out of the timed
 * windows; see visit.h. */
#include "bench/visit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/cell_memory.h"
#include "bench/generation.h"
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

static struct cell_record *visited_cell(const struct visit_context *context,
                                        const struct visit *visit)
{
    return &context->results->cells[visit->cell_index];
}

static struct cost_work warm_up_work(const struct visit_context *context, const struct visit *visit)
{
    const struct cell_record *cell = visited_cell(context, visit);
    return cost_work(cell->batch_size, cell->input_length,
                     warm_up_steps(context->options->config->output_length), 1);
}

static struct cost_work runs_work(const struct visit_context *context, const struct visit *visit,
                                  int64_t runs)
{
    const struct cell_record *cell = visited_cell(context, visit);
    return cost_work(cell->batch_size, cell->input_length,
                     context->options->config->output_length - 1, runs);
}

struct cost_work visit_work_left(const struct visit_context *context, const struct visit *visit)
{
    struct cost_work left = runs_work(context, visit, visit->runs - visit->measured);
    if (!visit->warmed_up) {
        struct cost_work warm_up = warm_up_work(context, visit);
        left.prompt_units += warm_up.prompt_units;
        left.step_units += warm_up.step_units;
    }
    return left;
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
    };
    cost_read(&context->estimate, clock_now_s(options->clock), &event.fraction, &event.remaining_s);
    options->event(options->context, &event);
}

/* The same rows and the same seed must give the same tokens: else the runs of a cell do
 * different work, or the engine computes something else each time. */
static int check_hash(struct cell_state *state, uint64_t hash, int64_t run_number,
                      struct error *error)
{
    if (state->has_hash && state->hash != hash)
        return error_set(error, ERROR_FAILED,
                         "run %lld gave other tokens than the run before it, from the same prompts "
                         "and the same seed",
                         (long long)run_number);
    state->has_hash = true;
    state->hash = hash;
    return 0;
}

static double megabytes(int64_t bytes)
{
    return bytes < 0 ? NAN : (double)bytes / 1048576.0;
}

static int read_memory(struct run_record *run, const struct generation *generation,
                       struct error *error)
{
    struct memory_usage usage = {-1, -1, -1};
    int code = generation->ops->memory_usage(generation->session, &usage, error);
    run->cpu_memory_mb = megabytes(usage.host_peak_bytes);
    run->gpu_memory_allocated_mb = megabytes(usage.device_allocated_bytes);
    run->gpu_memory_reserved_mb = megabytes(usage.device_reserved_bytes);
    return code;
}

static int copy_step_times(struct run_record *run, const struct generation *generation,
                           struct error *error)
{
    size_t steps = (size_t)run->decode_tokens_count;
    if (steps == 0)
        return 0;
    run->decode_step_times = malloc(steps * sizeof *run->decode_step_times);
    if (run->decode_step_times == NULL)
        return error_set(error, ERROR_MEMORY, "no memory on the host for %zu step times", steps);
    run->decode_step_count = steps;
    for (size_t step = 0; step < steps; step++)
        run->decode_step_times[step] = generation->stamps[step + 1] - generation->stamps[step];
    return 0;
}

static void fill_run(struct run_record *run, const struct runner_options *options,
                     const struct generation *generation, const struct generation_times *times)
{
    (void)snprintf(run->model_name, sizeof run->model_name, "%s", options->model_name);
    (void)snprintf(run->device, sizeof run->device, "%s", options->device);
    (void)snprintf(run->dtype, sizeof run->dtype, "%s", options->dtype);
    run->batch_size = generation->batch_size;
    run->input_length = generation->input_length;
    run->target_output_length = options->config->output_length;
    run->actual_output_length = generation->delivered;
    run->decode_tokens_count = generation->delivered - 1;
    run->prefill_time = times->prefill_s;
    run->decode_time = times->decode_s;
    run->temperature = options->config->temperature;
    run->top_p = options->config->top_p;
    run_record_derive(run);
}

static int measure_run(struct visit_context *context, struct visit *visit,
                       struct generation *generation, struct error *error)
{
    const struct runner_options *options = context->options;
    struct results *results = context->results;
    struct cell_state *state = &context->states[visit->cell_index];
    struct run_record run = {.run_number = state->runs + 1};
    struct generation_times times = {0};
    visit_send_event(context, RUNNER_RUN_BEGIN, visit->cell_index, run.run_number, NULL, NULL);
    clock_timestamp(run.timestamp);
    int code = generation_run(generation, options->config->output_length - 1, &times, error);
    if (code == 0)
        code = check_hash(state, times.hash, run.run_number, error);
    if (code == 0)
        code = read_memory(&run, generation, error);
    if (code != 0)
        return code;
    fill_run(&run, options, generation, &times);
    code = copy_step_times(&run, generation, error);
    if (code == 0)
        code = results_add_run(results, &run, error);
    if (code != 0) {
        free(run.decode_step_times);
        return code;
    }
    state->runs++;
    visit->measured++;
    cost_done(&context->estimate, runs_work(context, visit, 1), times.prefill_s, times.decode_s);
    visit_send_event(context, RUNNER_RUN_END, visit->cell_index, run.run_number,
                     &results->runs[results->run_count - 1], NULL);
    return 0;
}

static int warm_up_and_measure(struct visit_context *context, struct visit *visit,
                               struct generation *generation, struct error *error)
{
    const struct runner_options *options = context->options;
    struct warm_up warm_up;
    visit_send_event(context, RUNNER_WARM_UP, visit->cell_index, 0, NULL, NULL);
    int code = warm_up_run(generation, &warm_up, error);
    if (code != 0)
        return code;
    cost_done(&context->estimate, warm_up_work(context, visit), warm_up.prefill_s,
              warm_up.decode_s);
    visit->warmed_up = true;
    while (code == 0 && visit->measured < visit->runs) {
        if (options->stop != NULL && options->stop(options->context))
            return error_set(error, ERROR_STOPPED, "stopped");
        code = measure_run(context, visit, generation, error);
    }
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
    generation.stop = options->stop;
    generation.stop_context = options->context;
    code = options->ops->session_open(&generation.session, options->engine, shape, error);
    if (code == 0) {
        code = warm_up_and_measure(context, visit, &generation, error);
        options->ops->session_close(generation.session);
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

/* Turns the end of a visit into the cell's status and reason. */
static void settle_cell(const struct visit_context *context, const struct visit *visit, int code,
                        const struct error *error)
{
    struct cell_record *cell = visited_cell(context, visit);
    long long runs = context->states[visit->cell_index].runs;
    long long wanted = context->options->config->num_runs;
    cell->reason[0] = '\0';
    if (code == 0) {
        cell->status = runs < wanted ? CELL_PARTIAL : CELL_MEASURED;
    } else if (code == ERROR_STOPPED) {
        cell->status = runs > 0 ? CELL_PARTIAL : CELL_PENDING;
        if (runs > 0)
            (void)snprintf(cell->reason, sizeof cell->reason, "stopped after %lld of %lld runs",
                           runs, wanted);
    } else {
        struct error reason = *error;
        if (code == ERROR_MEMORY)
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
    if (fits)
        settle_cell(context, visit, code, &error);
    cost_drop(&context->estimate, visit_work_left(context, visit));
    return code == ERROR_STOPPED ? code : 0;
}
