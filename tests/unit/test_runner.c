/* The suite measures itself: scripted costs in, exact results out; what is counted and what is
 * not; the order of actions; failures, stops, and cells that go on where they were left. */
#include "bench_fixture.h"

static void test_given_costs_give_exact_results(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    /* The warm-up takes 64 times as long, so one is enough: were it counted, every mean would
     * show it. */
    static const double factors[] = {64.0, 1.0, 2.0, 4.0};
    fixture.script.factors = factors;
    fixture.script.factor_count = 4;
    fixture.config.batch_sizes = (struct config_list){1, {2}};
    fixture.config.input_lengths = (struct config_list){1, {4}};
    fixture.config.num_runs = 3;
    fixture_open(&fixture);
    assert_int_equal(fixture_run(&fixture), 0);

    assert_int_equal(fixture.results.cell_count, 1);
    assert_int_equal(fixture.results.cells[0].status, CELL_MEASURED);
    assert_string_equal(fixture.results.cells[0].reason, "");
    assert_int_equal(fixture.results.run_count, 3);
    for (int i = 0; i < 3; i++) {
        const struct run_record *run = &fixture.results.runs[i];
        double factor = factors[i + 1];
        double prefill = factor * 2 * 4 * 0.0078125, decode = 0;
        assert_int_equal(run->decode_step_count, 4);
        for (int step = 0; step < 4; step++) {
            double cost = factor * (0.25 + 2 * 0.125 + (4 + step) * 0.0009765625);
            assert_true(run->decode_step_times[step] == cost);
            decode += cost;
        }
        assert_int_equal(run->run_number, i + 1);
        assert_int_equal(run->batch_size, 2);
        assert_int_equal(run->input_length, 4);
        assert_int_equal(run->target_output_length, 5);
        assert_int_equal(run->actual_output_length, 5);
        assert_int_equal(run->decode_tokens_count, 4);
        assert_true(run->prefill_time == prefill);
        assert_true(run->decode_time == decode);
        assert_true(run->total_latency == prefill + decode);
        assert_true(run->decode_time_per_token == decode / 4);
        assert_true(run->tokens_per_second == 2 * 5 / (prefill + decode));
        assert_true(run->prefill_tokens_per_second == 2 * 4 / prefill);
        assert_true(run->decode_tokens_per_second == 2 * 4 / decode);
        assert_true(run->cpu_memory_mb == 384.0);
        assert_true(isnan(run->gpu_memory_allocated_mb));
        assert_true(isnan(run->gpu_memory_reserved_mb));
        assert_true(run->temperature == 0.5);
        assert_true(run->top_p == 0.75);
        assert_string_equal(run->model_name, "test/model");
        assert_string_equal(run->device, "fake");
        assert_string_equal(run->dtype, "float32");
        assert_int_equal(run->timestamp[10], 'T');
    }
    fixture_close(&fixture);
}

static void test_memory_of_a_device(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    fixture.script.device_allocated_bytes = (int64_t)3 << 30;
    fixture.script.device_reserved_bytes = (int64_t)5 << 30;
    fixture_open(&fixture);
    assert_int_equal(fixture_run(&fixture), 0);
    assert_true(fixture.results.runs[0].gpu_memory_allocated_mb == 3072.0);
    assert_true(fixture.results.runs[0].gpu_memory_reserved_mb == 5120.0);
    fixture_close(&fixture);
}

static void test_order_of_actions(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    fixture.config.output_length = 20;
    fixture.config.input_lengths = (struct config_list){1, {4}};
    fixture_open(&fixture);
    assert_int_equal(fixture_run(&fixture), 0);
    assert_string_equal(text_string(&fixture.log),
                        "<cell predict(1x4) open touch <warm-up prefill(4) decode(8) "
                        "prefill(4) decode(8) <run prefill(4) decode(19) memory run> "
                        "<run prefill(4) decode(19) memory run> close cell> "
                        "<cell predict(2x4) open touch <warm-up prefill(4) decode(8) "
                        "prefill(4) decode(8) <run prefill(4) decode(19) memory run> "
                        "<run prefill(4) decode(19) memory run> close cell>");
    fixture_close(&fixture);
}

/* A lost device is the cell's failure, what was measured stays, and nothing more is tried. */
static void test_a_lost_device_ends_the_grid_here(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    static const struct fake_fault fault = {FAKE_DEVICE_LOST, 1, 8, -1};
    fixture.script.faults = &fault;
    fixture.script.fault_count = 1;
    fixture_open(&fixture);
    assert_int_equal(fixture_run(&fixture), ERROR_DEVICE);
    assert_contains(fixture.error.text, "1 of 4 cells are measured");
    assert_int_equal(fixture.results.cells[0].status, CELL_MEASURED);
    assert_int_equal(fixture.results.cells[1].status, CELL_FAILED);
    assert_string_equal(fixture.results.cells[1].reason, "scripted: the device is lost");
    assert_int_equal(fixture.results.cells[2].status, CELL_PENDING);
    assert_int_equal(fixture.results.cells[3].status, CELL_PENDING);
    fixture_close(&fixture);
}

/* 100 MB of the device are gone once the third cell has begun. */
static void leak_in_the_third_cell(struct fixture *fixture, const struct runner_event *event)
{
    if (event->kind == RUNNER_CELL_BEGIN && event->cell_index == 2)
        fixture->script.available_bytes -= (int64_t)100 << 20;
}

/* Memory that does not come back is charged to the cell that lost it, also where its session did
 * not even open. */
static void test_memory_lost_by_a_session_that_does_not_open(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    struct engine_ops ops = engine_fake;
    ops.own_device = true;
    static const struct fake_fault fault = {FAKE_OPEN_FAILS, 2, 4, -1};
    fixture.script.faults = &fault;
    fixture.script.fault_count = 1;
    fixture.script.device_allocated_bytes = 1 << 20;
    fixture.script.device_reserved_bytes = 1 << 20;
    fixture.script.available_bytes = (int64_t)1 << 30;
    fixture.watch = leak_in_the_third_cell;
    fixture_open(&fixture);
    fixture.options.ops = &ops;
    assert_int_equal(fixture_run(&fixture), ERROR_FAILED);
    assert_int_equal(fixture.results.cells[2].status, CELL_FAILED);
    for (size_t i = 0; i < 4; i++)
        assert_close(fixture.results.cells[i].memory_missing_mb, i == 2 ? 100 : 0, 1e-9);
    fixture_close(&fixture);
}

static void test_one_token_and_one_run(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    fixture.config.batch_sizes = (struct config_list){1, {2}};
    fixture.config.input_lengths = (struct config_list){1, {4}};
    fixture.config.output_length = 1;
    fixture.config.num_runs = 1;
    fixture_open(&fixture);
    assert_int_equal(fixture_run(&fixture), 0);
    assert_string_equal(text_string(&fixture.log),
                        "<cell predict(2x4) open touch <warm-up prefill(4) "
                        "prefill(4) <run prefill(4) memory run> close cell>");
    assert_int_equal(fixture.results.run_count, 1);
    const struct run_record *run = &fixture.results.runs[0];
    assert_int_equal(run->actual_output_length, 1);
    assert_int_equal(run->decode_tokens_count, 0);
    assert_true(run->prefill_time == 0.0625);
    assert_true(run->decode_time == 0.0);
    assert_true(isnan(run->decode_time_per_token));
    assert_true(run->total_latency == 0.0625);
    assert_true(run->tokens_per_second == 2 / 0.0625);
    assert_null(run->decode_step_times);
    fixture_close(&fixture);
}

/* Cell 2 x 4 is the third of four: it fails, the others are measured. A session's generations 0
 * and 1 warm it up. */
static void test_a_cell_that_fails(void **state)
{
    (void)state;
    static const struct {
        enum fake_fault_kind kind;
        int64_t generation;
        int64_t runs_kept;
        const char *reason;
    } cases[] = {
        {FAKE_PREDICT_FAILS, -1, 0, "scripted: predict fails"},
        {FAKE_OPEN_FAILS, -1, 0, "scripted: session_open fails"},
        {FAKE_PREFILL_FAILS, 0, 0, "scripted: prefill fails"},
        {FAKE_PREFILL_FAILS, 3, 1, "scripted: prefill fails"},
        {FAKE_DECODE_FAILS, 0, 0, "scripted: decode fails"},
        {FAKE_DECODE_FAILS, 3, 1, "scripted: decode fails"},
        {FAKE_NOT_FINITE, 2, 0, "not finite"},
        {FAKE_MEMORY_USAGE_FAILS, 2, 0, "scripted: memory_usage fails"},
        {FAKE_STEP_LOST, 2, 0, "delivered 4 steps in order, 5 were asked for"},
        {FAKE_STEP_LOST, 0, 0, "delivered 4 steps in order, 5 were asked for"},
        {FAKE_STEP_TWICE, 2, 0, "delivered 5 steps in order and one out of order"},
        {FAKE_TOKEN_OUTSIDE, 2, 0, "step 1: token 50257 is outside the vocabulary of 50257"},
        {FAKE_CLOCK_GOES_BACK, 2, 0, "time stamp of step 1 lies before"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture fixture;
        fixture_init(&fixture);
        struct fake_fault fault = {cases[i].kind, 2, 4, cases[i].generation};
        fixture.script.faults = &fault;
        fixture.script.fault_count = 1;
        fixture_open(&fixture);
        assert_int_equal(fixture_run(&fixture), ERROR_FAILED);
        assert_string_equal(fixture.error.text, "1 of 4 cells failed");
        for (size_t cell = 0; cell < 4; cell++) {
            assert_int_equal(fixture.results.cells[cell].status,
                             cell == 2 ? CELL_FAILED : CELL_MEASURED);
            if (cell != 2)
                assert_string_equal(fixture.results.cells[cell].reason, "");
        }
        assert_contains(fixture.results.cells[2].reason, cases[i].reason);
        assert_int_equal(fixture.results.run_count, 6 + cases[i].runs_kept);
        assert_int_equal(fixture.events[RUNNER_CELL_END], 4);
        assert_true(fixture.last_fraction == 1.0);
        /* Every session that was opened is closed. */
        int opened = 0, closed = 0;
        for (const char *at = text_string(&fixture.log); (at = strstr(at, "touch")) != NULL; at++)
            opened++;
        for (const char *at = text_string(&fixture.log); (at = strstr(at, "close")) != NULL; at++)
            closed++;
        assert_int_equal(opened, closed);
        fixture_close(&fixture);
    }
}

static void test_a_reason_too_long_is_cut_between_characters(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    struct fake_fault fault = {FAKE_PREFILL_FAILS, 2, 4, -1};
    fixture.script.faults = &fault;
    fixture.script.fault_count = 1;
    char text[1024] = "x";
    for (size_t i = 1; i + 2 < 900; i += 2)
        memcpy(text + i, "\xc3\xa9", 3);
    fixture.script.fault_text = text;
    fixture_open(&fixture);
    assert_int_equal(fixture_run(&fixture), ERROR_FAILED);
    const char *reason = fixture.results.cells[2].reason;
    assert_true(strlen(reason) >= RECORD_REASON_MAX - 2);
    assert_int_equal(strlen(reason) % 2, 1);
    assert_memory_equal(reason, text, strlen(reason));
    fixture_close(&fixture);
}

static void test_memory_that_is_not_there(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    /* 1 MB a position and row: the cells need 8, 12, 16 and 24 MB. */
    fixture.script.available_bytes = (int64_t)20 << 20;
    fixture_open(&fixture);
    assert_int_equal(runner_check_memory(&fixture.results, &fixture.options, &fixture.error), 0);
    assert_int_equal(fixture.results.cells[2].status, CELL_PENDING);
    assert_int_equal(fixture.results.cells[3].status, CELL_SKIPPED);
    assert_contains(fixture.results.cells[3].reason,
                    "needs 24.0 MB of host memory (KV cache 24.0 + workspace 0.0), available are "
                    "19.0 MB");
    /* What is there can change between the check and the visit. */
    fixture.script.available_bytes = (int64_t)10 << 20;
    assert_int_equal(fixture_run(&fixture), 0);
    assert_int_equal(fixture.results.cells[0].status, CELL_MEASURED);
    assert_int_equal(fixture.results.cells[1].status, CELL_SKIPPED);
    assert_int_equal(fixture.results.cells[2].status, CELL_SKIPPED);
    assert_int_equal(fixture.results.run_count, 2);
    assert_true(fixture.last_fraction == 1.0);
    fixture_close(&fixture);
}

/* Every cell has its prediction on record, whatever becomes of it; what is on record stays. */
static void test_predictions_are_recorded(void **state)
{
    (void)state;
    static const double totals_mb[] = {64 + 8 + 2, 64 + 12 + 2, 64 + 16 + 2, 64 + 24 + 2};
    struct fixture fixture;
    fixture_init(&fixture);
    struct fake_fault fault = {FAKE_PREFILL_FAILS, 1, 8, 0};
    fixture.script.faults = &fault;
    fixture.script.fault_count = 1;
    fixture.script.weight_bytes = (int64_t)64 << 20;
    fixture.script.workspace_bytes = (int64_t)2 << 20;
    fixture.script.available_bytes = (int64_t)20 << 20;
    fixture.config.max_batch_input_product = 15;
    fixture_open(&fixture);
    assert_int_equal(runner_check_memory(&fixture.results, &fixture.options, &fixture.error), 0);
    assert_int_equal(fixture_run(&fixture), ERROR_FAILED);
    const struct cell_record *cells = fixture.results.cells;
    assert_int_equal(cells[0].status, CELL_MEASURED);
    assert_int_equal(cells[1].status, CELL_FAILED);
    assert_int_equal(cells[2].status, CELL_MEASURED);
    assert_int_equal(cells[3].status, CELL_SKIPPED);
    for (size_t i = 0; i < 4; i++) {
        const struct cell_prediction *prediction = &cells[i].prediction;
        assert_close(prediction->weights_mb, 64, 1e-12);
        assert_close(prediction->workspace_mb, 2, 1e-12);
        assert_close(prediction->kv_cache_mb, totals_mb[i] - 66, 1e-12);
        assert_close(prediction->total_mb, totals_mb[i], 1e-12);
        assert_string_equal(prediction->place, "host");
    }
    /* On another machine the measured and the skipped keep theirs. */
    fixture.script.workspace_bytes = 0;
    assert_int_equal(runner_check_memory(&fixture.results, &fixture.options, &fixture.error), 0);
    assert_close(cells[0].prediction.workspace_mb, 2, 1e-12);
    fixture_close(&fixture);
}

static void test_larger_than_any_memory(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    struct fake_fault fault = {FAKE_PREDICT_OVERFLOWS, 2, 8, -1};
    fixture.script.faults = &fault;
    fixture.script.fault_count = 1;
    fixture_open(&fixture);
    assert_int_equal(runner_check_memory(&fixture.results, &fixture.options, &fixture.error), 0);
    assert_int_equal(fixture.results.cells[2].status, CELL_PENDING);
    assert_int_equal(fixture.results.cells[3].status, CELL_SKIPPED);
    assert_contains(fixture.results.cells[3].reason, "no memory holds it: scripted");
    assert_true(fixture.results.cells[3].prediction.total_mb == 0.0);
    fixture_close(&fixture);
}

static void test_a_prediction_that_fails_before_the_grid(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    struct fake_fault fault = {FAKE_PREDICT_FAILS, 1, 8, -1};
    fixture.script.faults = &fault;
    fixture.script.fault_count = 1;
    fixture_open(&fixture);
    assert_int_equal(runner_check_memory(&fixture.results, &fixture.options, &fixture.error),
                     ERROR_FAILED);
    assert_string_equal(fixture.error.text, "batch 1 x length 8: scripted: predict fails");
    fixture_close(&fixture);
}

static void test_everything_skipped(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    fixture.config.max_batch_input_product = 3;
    fixture_open(&fixture);
    assert_int_equal(fixture_run(&fixture), ERROR_FAILED);
    assert_string_equal(fixture.error.text, "no cell was measured: all 4 are skipped");
    assert_string_equal(text_string(&fixture.log), "");
    fixture_close(&fixture);
}

static void test_a_vocabulary_too_small_for_the_batch(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    fixture.script.vocabulary_size = 1;
    fixture_open(&fixture);
    assert_int_equal(fixture_run(&fixture), 0);
    assert_int_equal(fixture.results.cells[0].status, CELL_MEASURED);
    assert_int_equal(fixture.results.cells[3].status, CELL_SKIPPED);
    assert_contains(fixture.results.cells[3].reason, "a vocabulary of 1 ids gives only 1");
    fixture_close(&fixture);
}

static void test_stop_between_runs_and_going_on(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    fixture.stop_after_runs = 3;
    fixture_open(&fixture);
    assert_int_equal(fixture_run(&fixture), ERROR_STOPPED);
    assert_string_equal(fixture.error.text, "stopped: 1 of 4 cells are measured");
    assert_int_equal(fixture.results.run_count, 3);
    assert_int_equal(fixture.results.cells[0].status, CELL_MEASURED);
    assert_int_equal(fixture.results.cells[1].status, CELL_PARTIAL);
    assert_string_equal(fixture.results.cells[1].reason, "stopped after 1 of 2 runs");
    assert_int_equal(fixture.results.cells[2].status, CELL_PENDING);
    assert_int_equal(fixture.results.cells[3].status, CELL_PENDING);

    /* The same results again: what was measured stays, what is missing is added. */
    fixture.stop_after_runs = INT32_MAX;
    assert_int_equal(fixture_run(&fixture), 0);
    assert_int_equal(fixture.results.run_count, 8);
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(fixture.results.runs[i].batch_size, i < 4 ? 1 : 2);
        assert_int_equal(fixture.results.runs[i].input_length, i / 2 % 2 == 0 ? 4 : 8);
        assert_int_equal(fixture.results.runs[i].run_number, i % 2 + 1);
    }
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(fixture.results.cells[i].status, CELL_MEASURED);
    assert_string_equal(fixture.results.cells[1].reason, "");
    /* All is there: nothing more happens. */
    text_free(&fixture.log);
    assert_int_equal(fixture_run(&fixture), 0);
    assert_string_equal(text_string(&fixture.log), "");
    fixture_close(&fixture);
}

/* Wherever the stop falls, also inside a timed window, only whole runs are kept. */
static void test_stop_at_every_moment(void **state)
{
    (void)state;
    for (int moment = 1;; moment++) {
        struct fixture fixture;
        fixture_init(&fixture);
        fixture.stop_after_questions = moment;
        fixture_open(&fixture);
        int code = fixture_run(&fixture);
        bool ended = fixture.questions < moment;
        assert_int_equal(code, ended ? 0 : ERROR_STOPPED);
        assert_int_equal(fixture.results.run_count, fixture.events[RUNNER_RUN_END]);
        size_t runs = 0;
        for (size_t i = 0; i < 4; i++) {
            const struct cell_record *cell = &fixture.results.cells[i];
            size_t here = 0;
            for (size_t j = 0; j < fixture.results.run_count; j++)
                here += cell_holds_run(cell, &fixture.results.runs[j]);
            assert_int_equal(cell->status, here == 2   ? CELL_MEASURED
                                           : here == 1 ? CELL_PARTIAL
                                                       : CELL_PENDING);
            runs += here;
        }
        assert_int_equal(runs, fixture.results.run_count);
        fixture_close(&fixture);
        if (ended)
            break;
        assert_true(moment < 1000);
    }
}

static void test_progress(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    fixture_open(&fixture);
    assert_int_equal(fixture_run(&fixture), 0);
    assert_true(isnan(fixture.first_remaining_s));
    assert_false(fixture.fraction_went_back);
    assert_true(fixture.last_fraction == 1.0);
    assert_true(fixture.last_remaining_s == 0.0);
    assert_int_equal(fixture.events[RUNNER_CELL_BEGIN], 4);
    assert_int_equal(fixture.events[RUNNER_WARM_UP], 4);
    assert_int_equal(fixture.events[RUNNER_RUN_BEGIN], 8);
    assert_int_equal(fixture.events[RUNNER_RUN_END], 8);
    assert_int_equal(fixture.events[RUNNER_CELL_END], 4);
    assert_int_equal(fixture.events[RUNNER_SAVE_FAILED], 0);
    fixture_close(&fixture);
}

/* What --device fake does: real time, and one batch for each way a cell can end. */
static void test_the_built_in_script(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    fixture.config.batch_sizes = (struct config_list){5, {1, 13, 19, 23, 17}};
    fixture.config.input_lengths = (struct config_list){1, {4}};
    fixture.config.output_length = 3;
    fixture.config.num_runs = 1;
    fixture_open(&fixture);
    engine_fake.close(fixture.engine);
    const struct engine_options engine_options = {
        .dtype = "auto",
        .kv_dtype = "auto",
        .isa = "auto",
        .clock = clock_monotonic(),
    };
    assert_int_equal(engine_fake.open(&fixture.engine, NULL, &engine_options, &fixture.error), 0);
    fixture.options.engine = fixture.engine;
    fixture.options.clock = clock_monotonic();
    assert_int_equal(fixture_run(&fixture), ERROR_FAILED);
    const struct cell_record *cells = fixture.results.cells;
    assert_int_equal(cells[0].status, CELL_MEASURED);
    assert_int_equal(cells[1].status, CELL_FAILED);
    assert_contains(cells[1].reason, "prefill fails");
    assert_int_equal(cells[2].status, CELL_SKIPPED);
    assert_contains(cells[2].reason, "MB");
    assert_int_equal(cells[3].status, CELL_FAILED);
    assert_contains(cells[3].reason, "not finite");
    assert_int_equal(cells[4].status, CELL_FAILED);
    assert_contains(cells[4].reason, "out of memory");
    assert_int_equal(fixture.results.run_count, 1);
    assert_true(fixture.results.runs[0].decode_time >= 2 * 2e-3);
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_given_costs_give_exact_results),
        cmocka_unit_test(test_memory_of_a_device),
        cmocka_unit_test(test_order_of_actions),
        cmocka_unit_test(test_a_lost_device_ends_the_grid_here),
        cmocka_unit_test(test_memory_lost_by_a_session_that_does_not_open),
        cmocka_unit_test(test_one_token_and_one_run),
        cmocka_unit_test(test_a_cell_that_fails),
        cmocka_unit_test(test_a_reason_too_long_is_cut_between_characters),
        cmocka_unit_test(test_memory_that_is_not_there),
        cmocka_unit_test(test_predictions_are_recorded),
        cmocka_unit_test(test_larger_than_any_memory),
        cmocka_unit_test(test_a_prediction_that_fails_before_the_grid),
        cmocka_unit_test(test_everything_skipped),
        cmocka_unit_test(test_a_vocabulary_too_small_for_the_batch),
        cmocka_unit_test(test_stop_between_runs_and_going_on),
        cmocka_unit_test(test_stop_at_every_moment),
        cmocka_unit_test(test_progress),
        cmocka_unit_test(test_the_built_in_script),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
