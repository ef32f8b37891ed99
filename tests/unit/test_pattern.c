/* Patterns of disturbance in series that are made to have them, and in quiet ones. */
#include "test.h"

#include "stats/interval.h"
#include "stats/pattern.h"
#include "stats/stats.h"

/* Noise that is the same everywhere: a small linear congruential generator, uniform in [0, 1). */
static double noise(uint32_t *state)
{
    *state = *state * 1664525U + 1013904223U;
    return (double)(*state >> 8) / 16777216.0;
}

static void outliers_lie_beyond_the_fences_and_matter(void **state)
{
    (void)state;
    const double far[] = {0.5, 1.0, 1.0, 1.0, 1.01, 1.02, 2.0};
    assert_int_equal(stats_count_outliers(far, 7, 0.05), 2);
    const double near[] = {1.0, 1.0, 1.0, 1.0, 1.0, 1.001};
    assert_int_equal(stats_count_outliers(near, 6, 0.0), 1);
    assert_int_equal(stats_count_outliers(near, 6, 0.05), 0);
    const double wide[] = {1.0, 1.5, 2.0, 2.5, 3.0};
    assert_int_equal(stats_count_outliers(wide, 5, 0.05), 0);
    assert_int_equal(stats_count_outliers(far, 3, 0.0), 0);
    assert_int_equal(stats_count_outliers(NULL, 0, 0.0), 0);
}

static void a_trend_is_as_large_and_as_sure_as_it_is(void **state)
{
    (void)state;
    const double rising[] = {1.0, 1.1, 1.2, 1.3, 1.4};
    struct stats_trend trend = stats_trend(rising, 5);
    assert_close(trend.change, 0.4 / 1.2, 1e-12);
    assert_true(trend.t > 1e6);
    const double falling[] = {4.0, 3.0, 2.0, 1.0};
    trend = stats_trend(falling, 4);
    assert_close(trend.change, -3.0 / 2.5, 1e-12);
    assert_true(trend.t < -1e6);
    const double flat[] = {2.0, 2.0, 2.0, 2.0};
    assert_true(stats_trend(flat, 4).change == 0.0 && stats_trend(flat, 4).t == 0.0);
    /* scipy.stats.linregress(range(6), values): slope 0.0214286, stderr 0.0366543 */
    const double loose[] = {1.0, 1.2, 0.9, 1.1, 1.3, 1.05};
    trend = stats_trend(loose, 6);
    assert_close(trend.change, 0.0214285714286 * 5.0 / (6.55 / 6.0), 1e-9);
    assert_close(trend.t, 0.584612822215, 1e-9);
    assert_true(isnan(stats_trend(rising, 3).change) && isnan(stats_trend(rising, 3).t));
}

static void two_modes_have_a_gap_between_them(void **state)
{
    (void)state;
    const double two[] = {1.0, 1.01, 1.02, 1.5, 1.51, 1.52, 1.53};
    struct stats_modes modes = stats_modes(two, 7);
    assert_true(modes.two);
    assert_int_equal(modes.low_count, 3);
    assert_close(modes.low, 1.01, 1e-12);
    assert_close(modes.high, 1.515, 1e-12);
    const double outlier[] = {1.0, 1.01, 1.02, 1.03, 1.04, 3.0};
    assert_false(stats_modes(outlier, 6).two);
    const double even[] = {1.0, 2.0, 3.0, 4.0, 5.0, 6.0};
    assert_false(stats_modes(even, 6).two);
    const double same[] = {1.0, 1.0, 1.0, 1.0, 1.0, 1.0};
    assert_false(stats_modes(same, 6).two);
    assert_false(stats_modes(two, 5).two);
}

static void quiet_series_are_rarely_blamed(void **state)
{
    (void)state;
    uint32_t seed = 7;
    size_t modes = 0, trends = 0, series = 2000;
    for (size_t s = 0; s < series; s++) {
        double values[10], sorted[10];
        for (size_t i = 0; i < 10; i++)
            values[i] = 1.0 + noise(&seed);
        trends += fabs(stats_trend(values, 10).t) > stats_student_t(0.99, 8);
        memcpy(sorted, values, sizeof values);
        stats_sort(sorted, 10);
        modes += stats_modes(sorted, 10).two;
    }
    assert_true(modes < series / 50);
    assert_in_range(trends, 4, series / 40); /* a t test at 99 % errs about once in a hundred */
}

static void a_slow_first_value_stands_out(void **state)
{
    (void)state;
    const double slow[] = {1.5, 1.0, 1.2};
    assert_close(stats_first_excess(slow, 3), 0.25, 1e-12);
    const double fast[] = {1.0, 1.1, 1.2};
    assert_true(stats_first_excess(fast, 3) == 0.0);
    assert_true(isnan(stats_first_excess(slow, 2)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outliers_lie_beyond_the_fences_and_matter),
        cmocka_unit_test(a_trend_is_as_large_and_as_sure_as_it_is),
        cmocka_unit_test(two_modes_have_a_gap_between_them),
        cmocka_unit_test(quiet_series_are_rarely_blamed),
        cmocka_unit_test(a_slow_first_value_stands_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
