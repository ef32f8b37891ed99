/* The model of cost: learns both rates, never goes back, ends at one and zero. */
#include "test.h"

#include "bench/estimate.h"

static void test_nothing_known(void **state)
{
    (void)state;
    struct estimate estimate = {0};
    double fraction = -1, remaining_s = -1;
    estimate_add(&estimate, estimate_work(2, 32, 19, 3));
    estimate_read(&estimate, 10.0, &fraction, &remaining_s);
    assert_true(fraction == 0.0);
    assert_true(isnan(remaining_s));
}

/* Whatever the two rates are: once a cell is measured, the rest of the same kind is exact. */
static void test_rates_are_learnt(void **state)
{
    (void)state;
    static const double rates[][2] = {{1e-3, 1e-2}, {1e-6, 1e-2}, {1.0, 1e-3}};
    for (size_t i = 0; i < 3; i++) {
        struct estimate estimate = {.start_s = 100.0};
        struct estimate_work first = estimate_work(1, 16, 9, 2);
        struct estimate_work second = estimate_work(8, 256, 9, 3);
        estimate_add(&estimate, first);
        estimate_add(&estimate, second);
        double prefill_s = first.prompt_units * rates[i][0];
        double decode_s = first.step_units * rates[i][1];
        estimate_done(&estimate, first, prefill_s, decode_s);
        double rest_s = second.prompt_units * rates[i][0] + second.step_units * rates[i][1];
        double fraction = 0, remaining_s = 0;
        estimate_read(&estimate, 100.0 + prefill_s + decode_s, &fraction, &remaining_s);
        assert_close(remaining_s, rest_s, 1e-9 * rest_s);
        assert_close(fraction, (prefill_s + decode_s) / (prefill_s + decode_s + rest_s), 1e-12);
        /* Time lost between the windows is expected of the rest too. */
        estimate_read(&estimate, 100.0 + 2 * (prefill_s + decode_s), &fraction, &remaining_s);
        assert_close(remaining_s, 2 * rest_s, 1e-9 * rest_s);
    }
}

static void test_work_that_is_dropped(void **state)
{
    (void)state;
    struct estimate estimate = {0};
    struct estimate_work small = estimate_work(1, 32, 19, 1), large = estimate_work(64, 512, 19, 1);
    double fraction = 0, before = 0, remaining_s = 0;
    estimate_add(&estimate, small);
    estimate_add(&estimate, small);
    estimate_add(&estimate, large);
    estimate_done(&estimate, small, 1.0, 2.0);
    estimate_read(&estimate, 3.0, &before, &remaining_s);
    estimate_drop(&estimate, large);
    estimate_read(&estimate, 3.0, &fraction, &remaining_s);
    assert_true(fraction > before);
    assert_close(fraction, 0.5, 1e-12);
    assert_close(remaining_s, 3.0, 1e-9);
    /* More work does not set the bar back. */
    estimate_add(&estimate, large);
    estimate_read(&estimate, 3.0, &before, &remaining_s);
    assert_true(before == fraction);
    estimate_drop(&estimate, large);
    estimate_done(&estimate, small, 1.0, 2.0);
    estimate_read(&estimate, 6.0, &fraction, &remaining_s);
    assert_close(fraction, 1.0, 1e-12);
    assert_close(remaining_s, 0.0, 1e-9);
}

static void test_output_of_one_token(void **state)
{
    (void)state;
    struct estimate estimate = {0};
    struct estimate_work work = estimate_work(4, 64, 0, 1);
    assert_true(work.step_units == 0.0);
    estimate_add(&estimate, work);
    estimate_add(&estimate, work);
    estimate_done(&estimate, work, 0.5, 0.0);
    double fraction = 0, remaining_s = 0;
    estimate_read(&estimate, 0.5, &fraction, &remaining_s);
    assert_close(fraction, 0.5, 1e-12);
    assert_close(remaining_s, 0.5, 1e-12);
}

static void test_empty_grid(void **state)
{
    (void)state;
    struct estimate estimate = {0};
    double fraction = 0, remaining_s = 0;
    estimate_read(&estimate, 1.0, &fraction, &remaining_s);
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
