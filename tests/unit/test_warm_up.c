/* Warming up until steady: the rule on its own, and what scripted noise makes of it. */
#include "bench_fixture.h"

#include "bench/warm_up.h"

static void test_the_rule(void **state)
{
    (void)state;
    static const struct {
        double times[6];
        size_t count;
        bool steady;
    } cases[] = {
        {{1.0}, 1, false},
        {{1.0, 1.0}, 2, true},
        {{1.0, 1.02}, 2, true},
        {{1.0, 1.03}, 2, false},
        {{2.0, 1.0}, 2, false},
        {{2.0, 1.0, 1.0}, 3, false},
        {{2.0, 1.0, 1.0, 1.0}, 4, true},
        /* Within 5 %, and no trend. */
        {{1.0, 1.04, 1.0}, 3, true},
        {{1.0, 1.06, 1.0}, 3, false},
        /* Within 5 %, but it still falls. */
        {{1.04, 1.02, 1.00}, 3, false},
        {{1.02, 1.01, 1.00}, 3, true},
        {{0.0, 0.0}, 2, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (warm_up_is_steady(cases[i].times, cases[i].count) != cases[i].steady)
            fail_msg("case %zu", i);
    }
}

static void test_the_worse_end(void **state)
{
    (void)state;
    assert_string_equal(warm_up_worse("", "steady"), "steady");
    assert_string_equal(warm_up_worse("steady", "budget"), "budget");
    assert_string_equal(warm_up_worse("cap", "steady"), "cap");
    assert_string_equal(warm_up_worse("long", "steady"), "long");
}

/* One cell, with generations that take factors[g] times as long. */
static void run_cell(struct fixture *fixture, const double *factors, size_t count, double scale,
                     int64_t runs)
{
    fixture_init(fixture);
    fixture->script.factors = factors;
    fixture->script.factor_count = count;
    fixture->script.prefill_token_s = 0.01 * scale;
    fixture->script.step_s = 0.02 * scale;
    fixture->script.step_row_s = 0;
    fixture->script.step_position_s = 0;
    fixture->config.batch_sizes = (struct config_list){1, {1}};
    fixture->config.input_lengths = (struct config_list){1, {4}};
    fixture->config.output_length = 21;
    fixture->config.num_runs = runs;
    fixture_open(fixture);
    assert_int_equal(fixture_run(fixture), 0);
    assert_int_equal(fixture->results.cells[0].status, CELL_MEASURED);
}

static void test_scripted_noise(void **state)
{
    (void)state;
    /* A warm-up takes 0.2 s times scale and factor, a run 0.44 s. */
    static const struct {
        double factors[16];
        size_t factor_count;
        double scale;
        int64_t runs;
        int64_t warm_ups;
        const char *reason;
    } cases[] = {
        {{1}, 1, 1, 3, 2, "steady"},
        /* Slow at first, as with page faults: three alike are needed. */
        {{9, 1}, 2, 1, 3, 4, "steady"},
        {{9, 2, 1}, 3, 1, 3, 5, "steady"},
        {{9, 4, 2, 1}, 4, 1, 3, 4, "budget"},
        /* A noisy machine: as long as the measurement itself. */
        {{1, 1.3, 1, 1.3, 1, 1.3, 1, 1.3, 1, 1.3, 1, 1.3}, 12, 1, 2, 5, "budget"},
        {{1, 1.3, 1, 1.3, 1, 1.3, 1, 1.3, 1, 1.3, 1, 1.3}, 12, 1, 1, 3, "budget"},
        /* One that is small enough is warmed up as often as is tried. */
        {{1, 1.3, 1, 1.3, 1, 1.3, 1, 1.3, 1, 1.3, 1, 1.3}, 12, 0.01, 1, 10, "cap"},
        /* Half a minute and more. */
        {{1}, 1, 200, 3, 1, "long"},
        {{200, 1}, 2, 1, 3, 1, "long"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture fixture;
        run_cell(&fixture, cases[i].factors, cases[i].factor_count, cases[i].scale, cases[i].runs);
        const struct cell_record *cell = &fixture.results.cells[0];
        if (cell->warm_up_runs != cases[i].warm_ups)
            fail_msg("case %zu: %lld warm-ups", i, (long long)cell->warm_up_runs);
        assert_string_equal(cell->warm_up_reason, cases[i].reason);
        assert_int_equal(fixture.results.run_count, cases[i].runs);
        fixture_close(&fixture);
    }
}

/* Two visits: the counts add up, and the worse end is kept. */
static void test_two_passes(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    fixture.config.num_runs = 4;
    schedule_init(&fixture.schedule, 4);
    fixture.schedule.passes = 2;
    fixture_open(&fixture);
    assert_int_equal(fixture_run(&fixture), 0);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(fixture.results.cells[i].warm_up_runs, 4);
        assert_string_equal(fixture.results.cells[i].warm_up_reason, "steady");
    }
    assert_int_equal(fixture.events[RUNNER_WARM_UP], 8);
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_rule),
        cmocka_unit_test(test_the_worse_end),
        cmocka_unit_test(test_scripted_noise),
        cmocka_unit_test(test_two_passes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
