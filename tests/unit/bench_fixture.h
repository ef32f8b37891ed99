/* A grid, a fake engine on a test clock and a log of what happened, for tests of the runner. */
#ifndef TOKENMARK_TESTS_BENCH_FIXTURE_H
#define TOKENMARK_TESTS_BENCH_FIXTURE_H

#include "test.h"

#include "bench/grid.h"
#include "bench/runner.h"
#include "engine/fake/fake.h"

struct fixture {
    struct config config;
    struct schedule schedule; /* made from the config where a test does not fill it */
    struct fake_script script;
    struct clock clock;
    struct text log;
    struct engine *engine;
    struct results results;
    struct runner_options options;
    struct error error;
    /* Events, counted by kind. */
    int events[RUNNER_SAVE_FAILED + 1];
    double last_fraction;
    double last_remaining_s;
    double first_remaining_s;
    bool fraction_went_back;
    /* Stops when this many runs have ended, or this many times the question was asked. */
    int stop_after_runs;
    int stop_after_questions;
    int questions;
    /* Called at each event before it is counted; may be NULL. */
    void (*watch)(struct fixture *fixture, const struct runner_event *event);
};

static inline void fixture_event(void *context, const struct runner_event *event)
{
    struct fixture *fixture = context;
    static const char *const words[] = {
        [RUNNER_CELL_BEGIN] = "<cell",     [RUNNER_WARM_UP] = "<warm-up",
        [RUNNER_RUN_BEGIN] = "<run",       [RUNNER_RUN_END] = "run>",
        [RUNNER_BREAKDOWN] = "<breakdown", [RUNNER_BREAKDOWN_FAILED] = "breakdown-failed",
        [RUNNER_CELL_END] = "cell>",       [RUNNER_SAVE_FAILED] = "save-failed",
    };
    if (fixture->watch != NULL)
        fixture->watch(fixture, event);
    if (fixture->events[RUNNER_CELL_BEGIN] == 0)
        fixture->first_remaining_s = event->remaining_s;
    fixture->events[event->kind]++;
    text_printf(&fixture->log, "%s%s", fixture->log.length > 0 ? " " : "", words[event->kind]);
    fixture->fraction_went_back |= event->fraction < fixture->last_fraction;
    fixture->last_fraction = event->fraction;
    fixture->last_remaining_s = event->remaining_s;
}

static inline bool fixture_stop(void *context)
{
    struct fixture *fixture = context;
    fixture->questions++;
    return fixture->events[RUNNER_RUN_END] >= fixture->stop_after_runs ||
           fixture->questions >= fixture->stop_after_questions;
}

/* Costs are sums of powers of two: every expected time is exact. */
static inline void fixture_init(struct fixture *fixture)
{
    *fixture = (struct fixture){
        .config =
            {
                .batch_sizes = {2, {1, 2}},
                .input_lengths = {2, {4, 8}},
                .output_length = 5,
                .num_runs = 2,
                .temperature = 0.5,
                .top_p = 0.75,
                .max_batch_input_product = 131072,
                .device = "auto",
            },
        .stop_after_runs = INT32_MAX,
        .stop_after_questions = INT32_MAX,
    };
    fake_script_init(&fixture->script);
    fixture->script.now_s = 1024.0;
    fixture->script.prefill_token_s = 0.0078125;
    fixture->script.step_s = 0.25;
    fixture->script.step_row_s = 0.125;
    fixture->script.step_position_s = 0.0009765625;
    fixture->script.open_s = 256.0;
    fixture->script.memory_usage_s = 512.0;
    fixture->script.close_s = 128.0;
    fixture->script.kv_bytes_per_position = 1 << 20;
    fixture->script.host_peak_bytes = (int64_t)384 << 20;
    fixture->script.log = &fixture->log;
    fixture->clock = fake_clock(&fixture->script);
    results_init(&fixture->results);
}

/* Lays out the grid and opens the engine: after the test has changed config and script. */
static inline void fixture_open(struct fixture *fixture)
{
    const struct engine_options engine_options = {
        .dtype = "auto",
        .kv_dtype = "auto",
        .isa = "auto",
        .clock = &fixture->clock,
    };
    assert_int_equal(fake_engine_open(&fixture->engine, &fixture->script, NULL, &engine_options,
                                      &fixture->error),
                     0);
    assert_int_equal(grid_build(&fixture->results, &fixture->config, 1024, &fixture->error), 0);
    if (fixture->schedule.passes == 0)
        schedule_init(&fixture->schedule, fixture->config.num_runs);
    fixture->options = (struct runner_options){
        .config = &fixture->config,
        .schedule = &fixture->schedule,
        .ops = &engine_fake,
        .engine = fixture->engine,
        .model_name = "test/model",
        .vocabulary_size = fixture->script.vocabulary_size,
        .device = "fake",
        .dtype = "float32",
        .seed = 42,
        .clock = &fixture->clock,
        .event = fixture_event,
        .stop = fixture_stop,
        .context = fixture,
    };
}

static inline int fixture_run(struct fixture *fixture)
{
    return runner_run(&fixture->results, NULL, &fixture->options, &fixture->error);
}

static inline void fixture_close(struct fixture *fixture)
{
    engine_fake.close(fixture->engine);
    results_free(&fixture->results);
    text_free(&fixture->log);
}

#endif
