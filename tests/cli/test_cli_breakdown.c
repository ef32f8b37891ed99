/* tokenmark bench --breakdown: asked for once, kept with the results, and in force again when they
 * are continued. */
#include "program.h"

#include "results/results.h"

#define ONE_CELL " --batch-sizes 1 --input-lengths 8 --output-length 3 --num-runs 1 "

static void load(struct results *results, const char *path)
{
    struct error error = {0};
    results_init(results);
    if (results_load(results, path, &error) != 0)
        fail_msg("%s", error.text);
}

static void is_written_where_asked_for(void **state)
{
    (void)state;
    static struct outcome outcome;
    struct results with, without;
    program_expect(&outcome, "$T bench --output-file with --breakdown" ONE_CELL FAKE, 0);
    program_expect(&outcome, "$T bench --output-file without" ONE_CELL FAKE, 0);
    load(&with, "with.json");
    load(&without, "without.json");
    assert_true(json_is_true(json_object_get(with.options, "breakdown")));
    assert_true(json_is_null(json_object_get(without.options, "breakdown")));
    for (int i = 0; i < BREAKDOWN_PHASE_COUNT; i++) {
        assert_true(breakdown_sum(&with.cells[0].breakdown.phases[i]) > 0.0);
        assert_true(with.cells[0].breakdown.phases[i].undisturbed_s > 0.0);
        assert_true(!(breakdown_sum(&without.cells[0].breakdown.phases[i]) > 0.0));
    }
    assert_int_equal(with.run_count, 1);
    results_free(&with);
    results_free(&without);
}

static void goes_on_with_what_was_asked(void **state)
{
    (void)state;
    static struct outcome outcome;
    struct results results;
    /* The second process goes on with the file, and with nothing else. */
    program_expect(&outcome, "$T bench --output-file two --breakdown --processes 2" ONE_CELL FAKE,
                   0);
    load(&results, "two.json");
    assert_int_equal(results.run_count, 2);
    assert_true(breakdown_sum(&results.cells[0].breakdown.phases[BREAKDOWN_PREFILL]) > 0.0);
    results_free(&results);

    program_expect(&outcome, "$T bench --resume two.json --breakdown", 0);
    program_expect(&outcome, "$T bench --output-file plain" ONE_CELL FAKE, 0);
    program_expect(&outcome, "$T bench --resume plain.json --breakdown", 2);
    assert_contains(outcome.err, "--breakdown: is true, but the file says null");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_written_where_asked_for),
        cmocka_unit_test(goes_on_with_what_was_asked),
    };
    return cmocka_run_group_tests(tests, program_setup, program_teardown);
}
