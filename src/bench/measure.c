/* A run from before its window to its record; see measure.h. */
#include "bench/measure.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

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

static void read_device_time(struct run_record *run, const struct generation *generation)
{
    const struct engine_ops *ops = generation->ops;
    run->device_decode_time = NAN;
    if (ops->device_decode_s != NULL && generation->delivered > 1)
        run->device_decode_time = ops->device_decode_s(generation->session);
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
    device_watch_estimate_energy(&run->conditions.device, run->total_latency);
}

/* The window, and around it what is read of the surroundings: right before it opens and right
 * after it has closed, never inside. */
static int run_window(struct run_record *run, struct watch *watch, struct generation *generation,
                      int64_t steps, struct generation_times *times, struct error *error)
{
    clock_timestamp(run->timestamp);
    watch_run_begin(watch);
    int code = generation_run(generation, steps, times, error);
    watch_run_end(watch, &run->conditions);
    read_device_time(run, generation);
    return code != 0 ? code : read_memory(run, generation, error);
}

/* On success the record belongs to the results. */
static int record_run(struct results *results, struct run_record *run,
                      const struct generation *generation, struct error *error)
{
    int code = copy_step_times(run, generation, error);
    if (code == 0)
        code = results_add_run(results, run, error);
    if (code != 0)
        free(run->decode_step_times);
    return code;
}

int measure_run(struct visit_context *context, struct visit *visit, struct generation *generation,
                struct error *error)
{
    const struct runner_options *options = context->options;
    struct results *results = context->results;
    struct cell_record *cell = &results->cells[visit->cell_index];
    struct cell_state *state = &context->states[visit->cell_index];
    struct generation_times times = {0};
    struct run_record run = {
        .run_number = state->runs + 1,
        .pass = visit->pass,
        .process = options->schedule->process,
    };
    visit_send_event(context, RUNNER_RUN_BEGIN, visit->cell_index, run.run_number, NULL, NULL);
    int code = run_window(&run, &visit->watch, generation, options->config->output_length - 1,
                          &times, error);
    if (code != 0) {
        output_check_failure(cell, generation, error);
        return code;
    }
    fill_run(&run, options, generation, &times);
    output_check_run(&state->output, cell, &run, generation, &times);
    code = record_run(results, &run, generation, error);
    if (code != 0)
        return code;
    state->runs++;
    state->process_runs++;
    visit->measured++;
    cost_done(&context->estimate,
              cost_work(run.batch_size, run.input_length, run.decode_tokens_count, 1),
              times.prefill_s, times.decode_s);
    visit_send_event(context, RUNNER_RUN_END, visit->cell_index, run.run_number,
                     &results->runs[results->run_count - 1], NULL);
    return 0;
}
