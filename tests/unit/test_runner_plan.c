/* How the runner goes through the grid: passes, random order, precision, time limit, processes, and
 * that a grid that was interrupted anywhere ends like one that was not. */
#include "bench_fixture.h"

/* Costs without what lies outside the windows. */
static void init_plain(struct fixture *fixture)
{
    fixture_init(fixture);
    fixture->script.open_s = 0;
    fixture->script.memory_usage_s = 0;
    fixture->script.close_s = 0;
}

static int64_t runs_of(const struct fixture *fixture, size_t cell, int64_t process, int64_t pass)
{
    int64_t count = 0;
    for (size_t i = 0; i < fixture->results.run_count; i++) {
        const struct run_record *run = &fixture->results.runs[i];
        count += cell_holds_run(&fixture->results.cells[cell], run) &&
                 (process == 0 || run->process == process) && (pass == 0 || run->pass == pass);
    }
    return count;
}

static void test_passes_share_the_runs(void **state)
{
    (void)state;
    struct fixture fixture;
    init_plain(&fixture);
    schedule_init(&fixture.schedule, 5);
    fixture.schedule.passes = 2;
    fixture.schedule.order = SCHEDULE_RANDOM;
    fixture_open(&fixture);
    assert_int_equal(fixture_run(&fixture), 0);
    assert_int_equal(fixture.results.run_count, 20);
    for (size_t cell = 0; cell < 4; cell++) {
        assert_int_equal(runs_of(&fixture, cell, 1, 1), 3);
        assert_int_equal(runs_of(&fixture, cell, 1, 2), 2);
        assert_int_equal(fixture.results.cells[cell].status, CELL_MEASURED);
        assert_string_equal(fixture.results.cells[cell].stop_reason, "num_runs");
        assert_string_equal(fixture.results.cells[cell].output_check, "passed");
    }
    /* The first pass comes before the second. */
    for (size_t i = 1; i < 20; i++)
        assert_true(fixture.results.runs[i].pass >= fixture.results.runs[i - 1].pass);
    assert_int_equal(fixture.events[RUNNER_CELL_END], 8);
    assert_false(fixture.fraction_went_back);
    assert_true(fixture.last_fraction == 1.0);
    fixture_close(&fixture);
}

/* The cells in the order of their first runs, as one number. */
static unsigned visited_order(const struct fixture *fixture)
{
    unsigned order = 0;
    for (size_t i = 0; i < fixture->results.run_count; i++) {
        const struct run_record *run = &fixture->results.runs[i];
        if (run->run_number == 1)
            order = order * 4 + (run->batch_size == 2 ? 2U : 0U) + (run->input_length == 8);
    }
    return order;
}

static void test_the_order_comes_from_the_seed(void **state)
{
    (void)state;
    unsigned orders[8];
    bool differ = false;
    for (uint64_t i = 0; i < 8; i++) {
        struct fixture fixture;
        init_plain(&fixture);
        schedule_init(&fixture.schedule, 1);
        fixture.schedule.order = SCHEDULE_RANDOM;
        fixture.schedule.seed = i / 2;
        fixture_open(&fixture);
        assert_int_equal(fixture_run(&fixture), 0);
        orders[i] = visited_order(&fixture);
        if (i % 2 == 1)
            assert_int_equal(orders[i], orders[i - 1]);
        differ |= orders[i] != orders[0];
        fixture_close(&fixture);
    }
    assert_true(differ);
}

/* Two warm-ups alike, then runs that take factors[g] times as long. */
static void run_precision(struct fixture *fixture, const double *factors, size_t count)
{
    init_plain(fixture);
    fixture->script.factors = factors;
    fixture->script.factor_count = count;
    fixture->config.batch_sizes = (struct config_list){1, {1}};
    fixture->config.input_lengths = (struct config_list){1, {4}};
    fixture->schedule = (struct schedule){
        .passes = 1,
        .processes = 1,
        .process = 1,
        .precision = 0.02,
        .min_runs = 3,
        .max_runs = 20,
        .max_cell_time_s = 1e9,
    };
}

static void expect_stop(struct fixture *fixture, int64_t runs, const char *reason)
{
    fixture_open(fixture);
    assert_int_equal(fixture_run(fixture), 0);
    assert_int_equal(fixture->results.cells[0].status, CELL_MEASURED);
    assert_string_equal(fixture->results.cells[0].stop_reason, reason);
    assert_int_equal(fixture->results.run_count, runs);
    fixture_close(fixture);
}

static void test_precise_at_once(void **state)
{
    (void)state;
    static const double same[] = {1};
    struct fixture fixture;
    run_precision(&fixture, same, 1);
    expect_stop(&fixture, 3, "precise");
}

static void test_precise_after_a_while(void **state)
{
    (void)state;
    /* One slower run; each run after it narrows the interval. */
    static const double late[] = {1, 1, 1.02, 1};
    struct fixture fixture;
    run_precision(&fixture, late, 4);
    fixture_open(&fixture);
    assert_int_equal(fixture_run(&fixture), 0);
    assert_string_equal(fixture.results.cells[0].stop_reason, "precise");
    /* One run more or fewer decides: with the last one left out it was not precise. */
    double values[20];
    size_t count = fixture.results.run_count;
    assert_in_range(count, 4, 19);
    for (size_t i = 0; i < count; i++)
        values[i] = fixture.results.runs[i].total_latency;
    for (size_t used = count - 1; used <= count; used++) {
        double scratch[20];
        struct stats_summary summary = stats_summarise(values, used, scratch);
        struct stats_interval interval = stats_mean_interval(&summary, 0.95);
        bool narrow = interval.high - interval.low <= 0.02 * summary.mean;
        assert_int_equal(narrow, used == count);
    }
    fixture_close(&fixture);
}

static void test_never_precise(void **state)
{
    (void)state;
    static const double noisy[] = {1,   1,   1,   1.5, 1,   1.5, 1,   1.5, 1,   1.5, 1,  1.5,
                                   1.5, 1.5, 1.5, 1,   1.5, 1,   1.5, 1,   1.5, 1,   1.5};
    struct fixture fixture;
    run_precision(&fixture, noisy, sizeof noisy / sizeof noisy[0]);
    fixture.schedule.max_runs = 9;
    expect_stop(&fixture, 9, "max_runs");

    /* A run takes 1.5 s and more; the fifth ends beyond 7.5 s. */
    run_precision(&fixture, noisy, sizeof noisy / sizeof noisy[0]);
    fixture.schedule.max_cell_time_s = 8;
    expect_stop(&fixture, 5, "max_cell_time");

    /* The least number of runs comes before the time. */
    run_precision(&fixture, noisy, sizeof noisy / sizeof noisy[0]);
    fixture.schedule.max_cell_time_s = 0.1;
    expect_stop(&fixture, 3, "max_cell_time");
}

static void test_one_token_can_be_precise(void **state)
{
    (void)state;
    static const double same[] = {1};
    struct fixture fixture;
    run_precision(&fixture, same, 1);
    fixture.config.output_length = 1;
    expect_stop(&fixture, 3, "precise");
}

static void init_limited(struct fixture *fixture, double limit_s)
{
    init_plain(fixture);
    schedule_init(&fixture->schedule, 4);
    fixture->schedule.passes = 2;
    fixture->schedule.order = SCHEDULE_RANDOM;
    fixture->schedule.time_limit_s = limit_s;
}

static void test_a_time_limit_that_is_long_enough(void **state)
{
    (void)state;
    struct fixture fixture;
    init_limited(&fixture, 1e6);
    fixture_open(&fixture);
    assert_int_equal(fixture_run(&fixture), 0);
    for (size_t cell = 0; cell < 4; cell++) {
        assert_int_equal(fixture.results.cells[cell].status, CELL_MEASURED);
        assert_string_equal(fixture.results.cells[cell].stop_reason, "num_runs");
        /* The first look, then the shares of two passes. */
        assert_int_equal(runs_of(&fixture, cell, 1, 1), 1);
        assert_int_equal(runs_of(&fixture, cell, 1, 2), 1);
        assert_int_equal(runs_of(&fixture, cell, 1, 3), 2);
    }
    fixture_close(&fixture);
}

/* Whatever the limit: it is kept to the length of a chunk, no run is lost, every cell says what
 * became of it, and no second run comes before every cell that fits had its first. */
static void test_any_time_limit(void **state)
{
    (void)state;
    for (int limit = 1; limit < 200; limit += 3) {
        struct fixture fixture;
        init_limited(&fixture, limit);
        fixture_open(&fixture);
        int code = fixture_run(&fixture);
        assert_int_equal(code, fixture.results.run_count > 0 ? 0 : ERROR_FAILED);
        assert_true(fixture.script.now_s - 1024.0 <= limit + 1.0);
        assert_true(fixture.results.elapsed_s == fixture.script.now_s - 1024.0);
        for (size_t cell = 0; cell < 4; cell++) {
            const struct cell_record *record = &fixture.results.cells[cell];
            int64_t runs = runs_of(&fixture, cell, 0, 0);
            assert_int_equal(record->status, runs == 4  ? CELL_MEASURED
                                             : runs > 0 ? CELL_PARTIAL
                                                        : CELL_SKIPPED);
            if (runs == 4)
                continue;
            assert_string_equal(record->stop_reason, "time_limit");
            assert_contains(record->reason, "the time limit of ");
            assert_contains(record->reason, runs > 0 ? " of 4 runs" : "before its first run");
        }
        fixture_close(&fixture);
    }
}

/* A prefill of 900 tokens takes 7 s, a visit of a small cell 1.5 s: in 18 s the small ones get all
 * their runs, and the large one is tried with what is left. */
static void test_what_does_not_fit_comes_last(void **state)
{
    (void)state;
    struct fixture fixture;
    init_limited(&fixture, 18);
    fixture.schedule.order = SCHEDULE_GRID;
    fixture.config.batch_sizes = (struct config_list){1, {1}};
    fixture.config.input_lengths = (struct config_list){4, {4, 900, 8, 16}};
    fixture.config.output_length = 2;
    fixture_open(&fixture);
    assert_int_equal(fixture_run(&fixture), 0);
    for (size_t cell = 0; cell < 4; cell++)
        assert_int_equal(fixture.results.cells[cell].status,
                         cell == 1 ? CELL_SKIPPED : CELL_MEASURED);
    assert_contains(fixture.results.cells[1].reason, "before its first run");
    const char *tried = strstr(text_string(&fixture.log), "predict(1x900)");
    assert_non_null(tried);
    assert_null(strstr(tried, "run>"));
    fixture_close(&fixture);
}

/* Opening takes longer than a small run, so the large cell's time is predicted too long: it is put
 * off, and measured once everything else is done. */
static void test_what_was_put_off_is_measured(void **state)
{
    (void)state;
    struct fixture fixture;
    init_limited(&fixture, 54);
    fixture.schedule.order = SCHEDULE_GRID;
    fixture.script.open_s = 1.5;
    fixture.config.batch_sizes = (struct config_list){1, {1}};
    fixture.config.input_lengths = (struct config_list){4, {4, 900, 8, 16}};
    fixture.config.output_length = 2;
    fixture_open(&fixture);
    assert_int_equal(fixture_run(&fixture), 0);
    for (size_t cell = 0; cell < 4; cell++)
        assert_int_equal(fixture.results.cells[cell].status,
                         cell == 1 ? CELL_PARTIAL : CELL_MEASURED);
    assert_string_equal(fixture.results.cells[1].reason,
                        "the time limit of 54 s was reached after 1 of 4 runs");
    assert_int_equal(fixture.results.runs[fixture.results.run_count - 1].input_length, 900);
    assert_int_equal(fixture.results.runs[fixture.results.run_count - 1].pass, 1);
    fixture_close(&fixture);
}

/* A limit's time goes on where it was left. */
static void test_a_time_limit_over_two_starts(void **state)
{
    (void)state;
    struct fixture fixture;
    init_limited(&fixture, 60);
    fixture.stop_after_runs = 2;
    fixture_open(&fixture);
    assert_int_equal(fixture_run(&fixture), ERROR_STOPPED);
    double before = fixture.results.elapsed_s;
    assert_true(before > 0);
    fixture.stop_after_runs = INT32_MAX;
    fixture.script.now_s += 1e6; /* nobody measured meanwhile */
    double start = fixture.script.now_s;
    assert_int_equal(fixture_run(&fixture), 0);
    assert_true(fixture.script.now_s - start <= 60 - before + 1.0);
    int64_t process = -1;
    assert_int_equal(
        runner_next_process(&process, &fixture.results, &fixture.schedule, &fixture.error), 0);
    assert_int_equal(process, 0);
    fixture_close(&fixture);
}

static void test_processes_one_after_the_other(void **state)
{
    (void)state;
    struct fixture fixture;
    init_plain(&fixture);
    schedule_init(&fixture.schedule, 2);
    fixture.schedule.processes = 3;
    fixture.schedule.order = SCHEDULE_RANDOM;
    fixture_open(&fixture);
    for (int64_t process = 1; process <= 3; process++) {
        int64_t next = 0;
        assert_int_equal(
            runner_next_process(&next, &fixture.results, &fixture.schedule, &fixture.error), 0);
        assert_int_equal(next, process);
        fixture.schedule.process = next;
        assert_int_equal(fixture_run(&fixture), 0);
        for (size_t cell = 0; cell < 4; cell++) {
            assert_int_equal(runs_of(&fixture, cell, process, 0), 2);
            assert_int_equal(runs_of(&fixture, cell, 0, 0), 2 * process);
            assert_int_equal(fixture.results.cells[cell].status,
                             process == 3 ? CELL_MEASURED : CELL_PARTIAL);
        }
    }
    int64_t next = -1;
    assert_int_equal(
        runner_next_process(&next, &fixture.results, &fixture.schedule, &fixture.error), 0);
    assert_int_equal(next, 0);
    /* Run numbers count on. */
    for (size_t cell = 0; cell < 4; cell++) {
        int64_t number = 0;
        for (size_t i = 0; i < fixture.results.run_count; i++)
            if (cell_holds_run(&fixture.results.cells[cell], &fixture.results.runs[i]))
                assert_int_equal(fixture.results.runs[i].run_number, ++number);
    }
    fixture_close(&fixture);
}

/* A grid is stopped after every possible number of questions, and started again until it is
 * whole: no run is lost or twice, whatever the settings. */
static void go_on_until_whole(struct fixture *fixture, int moment)
{
    for (int start = 0; start < 2000; start++) {
        fixture->questions = 0;
        fixture->stop_after_questions = moment;
        int code = fixture_run(fixture);
        if (code == 0)
            return;
        assert_int_equal(code, ERROR_STOPPED);
        /* A stop that is too soon for one run would never end. */
        moment++;
    }
    fail_msg("the grid is never whole");
}

static void test_an_interrupted_grid_ends_like_another(void **state)
{
    (void)state;
    for (int moment = 1; moment < 60; moment++) {
        struct fixture fixture;
        init_plain(&fixture);
        schedule_init(&fixture.schedule, 4);
        fixture.schedule.passes = 2;
        fixture.schedule.order = SCHEDULE_RANDOM;
        fixture_open(&fixture);
        go_on_until_whole(&fixture, moment);
        for (size_t cell = 0; cell < 4; cell++) {
            assert_int_equal(fixture.results.cells[cell].status, CELL_MEASURED);
            assert_string_equal(fixture.results.cells[cell].reason, "");
            assert_int_equal(runs_of(&fixture, cell, 1, 1), 2);
            assert_int_equal(runs_of(&fixture, cell, 1, 2), 2);
            for (int64_t number = 1; number <= 4; number++) {
                size_t found = 0;
                for (size_t i = 0; i < fixture.results.run_count; i++)
                    found += fixture.results.runs[i].run_number == number &&
                             cell_holds_run(&fixture.results.cells[cell], &fixture.results.runs[i]);
                assert_int_equal(found, 1);
            }
        }
        fixture_close(&fixture);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_passes_share_the_runs),
        cmocka_unit_test(test_the_order_comes_from_the_seed),
        cmocka_unit_test(test_precise_at_once),
        cmocka_unit_test(test_precise_after_a_while),
        cmocka_unit_test(test_never_precise),
        cmocka_unit_test(test_one_token_can_be_precise),
        cmocka_unit_test(test_a_time_limit_that_is_long_enough),
        cmocka_unit_test(test_any_time_limit),
        cmocka_unit_test(test_what_does_not_fit_comes_last),
        cmocka_unit_test(test_what_was_put_off_is_measured),
        cmocka_unit_test(test_a_time_limit_over_two_starts),
        cmocka_unit_test(test_processes_one_after_the_other),
        cmocka_unit_test(test_an_interrupted_grid_ends_like_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
