/* The breakdown pass: exact components of scripted costs, beside the same work undisturbed; where
 * in a cell's life it comes; what is left when it cannot be had. */
#include "bench_fixture.h"

#include "bench/components.h"

/* The parts of the fake engine's script, in the results' order. */
static const double parts[BREAKDOWN_COMPONENT_COUNT] = {0.0625,  0.25,  0.125,  0.375,
                                                        0.03125, 0.125, 0.03125};

static void init_one_cell(struct fixture *fixture)
{
    fixture_init(fixture);
    fixture->config.batch_sizes = (struct config_list){1, {2}};
    fixture->config.input_lengths = (struct config_list){1, {4}};
}

static void test_components_are_exact(void **state)
{
    (void)state;
    /* Generations: two warm up, two are measured, the passes take 2, 8 and 4 times as long: the
     * middle one is kept. */
    static const double factors[] = {1, 1, 1, 1, 2, 8, 4};
    struct fixture fixture;
    init_one_cell(&fixture);
    fixture.config.output_length = 20;
    fixture.script.factors = factors;
    fixture.script.factor_count = sizeof factors / sizeof factors[0];
    /* Below the second that passes are repeated within. */
    fixture.script.prefill_token_s = 0x1p-10;
    fixture.script.step_s = 0x1p-8;
    fixture.script.step_row_s = 0x1p-9;
    fixture.script.step_position_s = 0x1p-15;
    fixture_open(&fixture);
    fixture.options.breakdown = true;
    assert_int_equal(fixture_run(&fixture), 0);

    const struct breakdown *breakdown = &fixture.results.cells[0].breakdown;
    double prefill = 2 * 4 * 0x1p-10, step = 0;
    for (int i = 0; i < 8; i++)
        step += (0x1p-8 + 2 * 0x1p-9 + (4 + i) * 0x1p-15) / 8;
    const double undisturbed[BREAKDOWN_PHASE_COUNT] = {prefill, step};
    assert_int_equal(breakdown->decode_steps, 8);
    for (int phase = 0; phase < BREAKDOWN_PHASE_COUNT; phase++) {
        const struct breakdown_times *times = &breakdown->phases[phase];
        for (int i = 0; i < BREAKDOWN_COMPONENT_COUNT; i++) {
            assert_true(times->component_s[i] == 4 * undisturbed[phase] * parts[i]);
            assert_true(breakdown_share(times, (enum breakdown_component)i) == parts[i]);
        }
        assert_true(times->undisturbed_s == undisturbed[phase]);
        assert_true(breakdown_sum(times) == 4 * undisturbed[phase]);
        assert_true(breakdown_difference_percent(times) == 300.0);
    }
    fixture_close(&fixture);
}

static void test_it_comes_after_the_last_run(void **state)
{
    (void)state;
    struct fixture fixture;
    init_one_cell(&fixture);
    fixture.script.prefill_token_s = 0.25; /* one pass takes more than a second */
    schedule_init(&fixture.schedule, 2);
    fixture.schedule.passes = 2;
    fixture_open(&fixture);
    fixture.options.breakdown = true;
    assert_int_equal(fixture_run(&fixture), 0);
    assert_string_equal(text_string(&fixture.log),
                        "<cell predict(2x4) open touch <warm-up prefill(4) decode(4) prefill(4) "
                        "decode(4) <run prefill(4) decode(4) memory run> close cell> "
                        "<cell predict(2x4) open touch <warm-up prefill(4) decode(4) prefill(4) "
                        "decode(4) <run prefill(4) decode(4) memory run> "
                        "<breakdown components prefill(4) decode(4) whole close cell>");
    assert_int_equal(fixture.results.run_count, 2);
    fixture_close(&fixture);
}

static void test_one_token_has_no_step(void **state)
{
    (void)state;
    struct fixture fixture;
    init_one_cell(&fixture);
    fixture.config.output_length = 1;
    fixture_open(&fixture);
    fixture.options.breakdown = true;
    assert_int_equal(fixture_run(&fixture), 0);
    const struct breakdown *breakdown = &fixture.results.cells[0].breakdown;
    assert_true(breakdown_sum(&breakdown->phases[BREAKDOWN_PREFILL]) == 0.0625);
    assert_true(breakdown_sum(&breakdown->phases[BREAKDOWN_DECODE_STEP]) == 0.0);
    assert_true(isnan(breakdown_share(&breakdown->phases[BREAKDOWN_DECODE_STEP], BREAKDOWN_MLP)));
    assert_int_equal(breakdown->decode_steps, 0);
    fixture_close(&fixture);
}

/* Not asked for, not to be had, failed, stopped: the cell keeps what was measured. */
static void test_a_cell_without(void **state)
{
    (void)state;
    enum { NOT_ASKED, NO_HOOK, FAILS, STOPPED, CASES };
    static const struct fake_fault fault = {FAKE_DECODE_FAILS, 2, 4, 4};
    for (int i = 0; i < CASES; i++) {
        struct fixture fixture;
        struct engine_ops ops = engine_fake;
        init_one_cell(&fixture);
        fixture.script.faults = &fault;
        fixture.script.fault_count = i == FAILS;
        fixture_open(&fixture);
        fixture.options.breakdown = i != NOT_ASKED;
        if (i == NO_HOOK)
            ops.time_components = NULL;
        fixture.options.ops = &ops;
        if (i == STOPPED)
            fixture.stop_after_runs = 2;
        assert_int_equal(fixture_run(&fixture), 0);
        const struct cell_record *cell = &fixture.results.cells[0];
        assert_int_equal(cell->status, CELL_MEASURED);
        assert_int_equal(fixture.results.run_count, 2);
        assert_true(breakdown_sum(&cell->breakdown.phases[BREAKDOWN_PREFILL]) == 0.0);
        assert_int_equal(fixture.events[RUNNER_BREAKDOWN], i == FAILS || i == STOPPED);
        assert_int_equal(fixture.events[RUNNER_BREAKDOWN_FAILED], i == FAILS || i == STOPPED);
        fixture_close(&fixture);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_components_are_exact),
        cmocka_unit_test(test_it_comes_after_the_last_run),
        cmocka_unit_test(test_one_token_has_no_step),
        cmocka_unit_test(test_a_cell_without),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
