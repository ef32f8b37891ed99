/* What was timed is also right: the tokens of every run are looked at, in the same pass, in later
 * ones and in continued files. */
#include "bench_fixture.h"

#include "bench/output_check.h"

static void run_with_fault(struct fixture *fixture, const struct fake_fault *fault)
{
    fixture_init(fixture);
    fixture->config.output_length = 8;
    fixture->script.faults = fault;
    fixture->script.fault_count = fault != NULL ? 1 : 0;
    fixture_open(fixture);
}

static void test_right_output(void **state)
{
    (void)state;
    struct fixture fixture;
    run_with_fault(&fixture, NULL);
    assert_int_equal(fixture_run(&fixture), 0);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(fixture.results.cells[i].output_check, "passed");
        assert_false(output_is_wrong(&fixture.results.cells[i]));
    }
    /* Two runs of a cell agree, two cells do not. */
    const struct run_record *runs = fixture.results.runs;
    assert_int_equal(strlen(runs[0].output_hash), 16);
    assert_string_equal(runs[0].output_hash, runs[1].output_hash);
    assert_string_not_equal(runs[0].output_hash, runs[2].output_hash);
    fixture_close(&fixture);
}

static void test_wrong_output(void **state)
{
    (void)state;
    static const struct {
        struct fake_fault fault;
        enum cell_status status;
        size_t runs;
        const char *check, *error;
    } cases[] = {
        /* Generations 0 and 1 warm up; 2 is the first run. */
        {{FAKE_OTHER_TOKENS, 2, 4, 3},
         CELL_MEASURED,
         8,
         "run 2 gave other tokens than run 1, from the same prompts and the same seed",
         "the tokens of 1 of 4 cells are wrong"},
        {{FAKE_ROWS_EQUAL, 2, 4, -1},
         CELL_MEASURED,
         8,
         "all 2 rows gave the same tokens, from different prompts",
         "the tokens of 1 of 4 cells are wrong"},
        {{FAKE_TOKEN_OUTSIDE, 2, 4, 3},
         CELL_FAILED,
         7,
         "is outside the vocabulary of 50257",
         "1 of 4 cells failed"},
        {{FAKE_TOKEN_OUTSIDE, 2, 4, 0},
         CELL_FAILED,
         6,
         "is outside the vocabulary of 50257",
         "1 of 4 cells failed"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture fixture;
        run_with_fault(&fixture, &cases[i].fault);
        assert_int_equal(fixture_run(&fixture), ERROR_FAILED);
        assert_string_equal(fixture.error.text, cases[i].error);
        assert_int_equal(fixture.results.cells[2].status, cases[i].status);
        assert_contains(fixture.results.cells[2].output_check, cases[i].check);
        assert_true(output_is_wrong(&fixture.results.cells[2]));
        assert_int_equal(fixture.results.run_count, cases[i].runs);
        fixture_close(&fixture);
    }
}

/* A few tokens, or one row, or one id to choose from, can be equal by chance. */
static void test_rows_that_may_be_equal(void **state)
{
    (void)state;
    static const struct fake_fault fault = {FAKE_ROWS_EQUAL, 2, 4, -1};
    struct fixture fixture;
    run_with_fault(&fixture, &fault);
    fixture.config.output_length = 7;
    assert_int_equal(fixture_run(&fixture), 0);
    assert_string_equal(fixture.results.cells[2].output_check, "passed");
    fixture_close(&fixture);

    static const struct fake_fault one_row = {FAKE_ROWS_EQUAL, 1, 4, -1};
    run_with_fault(&fixture, &one_row);
    assert_int_equal(fixture_run(&fixture), 0);
    fixture_close(&fixture);
}

/* The second pass, and a start that knows the first runs only from their records. */
static void test_other_tokens_after_an_interruption(void **state)
{
    (void)state;
    struct fixture fixture;
    run_with_fault(&fixture, NULL);
    fixture.stop_after_runs = 1;
    assert_int_equal(fixture_run(&fixture), ERROR_STOPPED);
    static const struct fake_fault fault = {FAKE_OTHER_TOKENS, 1, 4, -1};
    fixture.script.faults = &fault;
    fixture.script.fault_count = 1;
    fixture.stop_after_runs = INT32_MAX;
    assert_int_equal(fixture_run(&fixture), ERROR_FAILED);
    assert_contains(fixture.results.cells[0].output_check, "run 2 gave other tokens than run 1");
    fixture_close(&fixture);
}

/* A cell larger in both ways needs no less memory; a smaller one, or one measured, is left alone.
 */
static void test_larger_cells_after_an_out_of_memory(void **state)
{
    (void)state;
    static const struct fake_fault fault = {FAKE_OUT_OF_MEMORY, 2, 4, -1};
    struct fixture fixture;
    run_with_fault(&fixture, &fault);
    fixture.results.cell_count = 0;
    fixture.config.batch_sizes = (struct config_list){3, {1, 4, 2}};
    fixture.config.input_lengths = (struct config_list){3, {2, 4, 8}};
    assert_int_equal(grid_build(&fixture.results, &fixture.config, 1024, &fixture.error), 0);
    assert_int_equal(fixture_run(&fixture), ERROR_FAILED);
    for (size_t i = 0; i < 9; i++) {
        const struct cell_record *cell = &fixture.results.cells[i];
        bool failed = cell->batch_size == 2 && cell->input_length == 4;
        bool after = cell->batch_size == 2 && cell->input_length == 8;
        assert_int_equal(cell->status, failed ? CELL_FAILED : after ? CELL_SKIPPED : CELL_MEASURED);
        if (failed)
            assert_string_equal(cell->reason, "out of memory: scripted: no memory for the cache");
        if (after)
            assert_string_equal(cell->reason, "batch 2 x length 4 ran out of memory, and this "
                                              "cell needs no less");
    }
    assert_true(fixture.last_fraction == 1.0);
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_right_output),
        cmocka_unit_test(test_wrong_output),
        cmocka_unit_test(test_rows_that_may_be_equal),
        cmocka_unit_test(test_other_tokens_after_an_interruption),
        cmocka_unit_test(test_larger_cells_after_an_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
