/* The model of cost: learns both rates, never goes back, ends at one and zero. */
#include "test.h"

#include "bench/cost_model.h"

static void test_nothing_known(void **state)
{
    (void)state;
    struct cost_model estimate = {0};
    double fraction = -1, remaining_s = -1;
    cost_add(&estimate, cost_work(2, 32, 19, 3));
    cost_read(&estimate, 10.0, &fraction, &remaining_s);
    assert_true(fraction == 0.0);
    assert_true(isnan(remaining_s));
}

/* Whatever the two rates are: once a cell is measured, the rest of the same kind is exact. */
static void test_rates_are_learnt(void **state)
{
    (void)state;
    static const double rates[][2] = {{1e-3, 1e-2}, {1e-6, 1e-2}, {1.0, 1e-3}};
    for (size_t i = 0; i < 3; i++) {
        struct cost_model estimate = {.start_s = 100.0};
        struct cost_work first = cost_work(1, 16, 9, 2);
        struct cost_work second = cost_work(8, 256, 9, 3);
        cost_add(&estimate, first);
        cost_add(&estimate, second);
        double prefill_s = first.prompt_units * rates[i][0];
        double decode_s = first.step_units * rates[i][1];
        cost_done(&estimate, first, prefill_s, decode_s);
        double rest_s = second.prompt_units * rates[i][0] + second.step_units * rates[i][1];
        double fraction = 0, remaining_s = 0;
        cost_read(&estimate, 100.0 + prefill_s + decode_s, &fraction, &remaining_s);
        assert_close(remaining_s, rest_s, 1e-9 * rest_s);
        assert_close(fraction, (prefill_s + decode_s) / (prefill_s + decode_s + rest_s), 1e-12);
        /* Time lost between the windows is expected of the rest too. */
        cost_read(&estimate, 100.0 + 2 * (prefill_s + decode_s), &fraction, &remaining_s);
        assert_close(remaining_s, 2 * rest_s, 1e-9 * rest_s);
    }
}

static void test_work_that_is_dropped(void **state)
{
    (void)state;
    struct cost_model estimate = {0};
    struct cost_work small = cost_work(1, 32, 19, 1), large = cost_work(64, 512, 19, 1);
    double fraction = 0, before = 0, remaining_s = 0;
    cost_add(&estimate, small);
    cost_add(&estimate, small);
    cost_add(&estimate, large);
    cost_done(&estimate, small, 1.0, 2.0);
    cost_read(&estimate, 3.0, &before, &remaining_s);
    cost_drop(&estimate, large);
    cost_read(&estimate, 3.0, &fraction, &remaining_s);
    assert_true(fraction > before);
    assert_close(fraction, 0.5, 1e-12);
    assert_close(remaining_s, 3.0, 1e-9);
    /* More work does not set the bar back. */
    cost_add(&estimate, large);
    cost_read(&estimate, 3.0, &before, &remaining_s);
    assert_true(before == fraction);
    cost_drop(&estimate, large);
    cost_done(&estimate, small, 1.0, 2.0);
    cost_read(&estimate, 6.0, &fraction, &remaining_s);
    assert_close(fraction, 1.0, 1e-12);
    assert_close(remaining_s, 0.0, 1e-9);
}

static void test_output_of_one_token(void **state)
{
    (void)state;
    struct cost_model estimate = {0};
    struct cost_work work = cost_work(4, 64, 0, 1);
    assert_true(work.step_units == 0.0);
    cost_add(&estimate, work);
    cost_add(&estimate, work);
    cost_done(&estimate, work, 0.5, 0.0);
    double fraction = 0, remaining_s = 0;
    cost_read(&estimate, 0.5, &fraction, &remaining_s);
    assert_close(fraction, 0.5, 1e-12);
    assert_close(remaining_s, 0.5, 1e-12);
}

static void test_empty_grid(void **state)
{
    (void)state;
    struct cost_model estimate = {0};
    double fraction = 0, remaining_s = 0;
    cost_read(&estimate, 1.0, &fraction, &remaining_s);
    assert_true(fraction == 1.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_known),        cmocka_unit_test(test_rates_are_learnt),
        cmocka_unit_test(test_work_that_is_dropped), cmocka_unit_test(test_output_of_one_token),
        cmocka_unit_test(test_empty_grid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
