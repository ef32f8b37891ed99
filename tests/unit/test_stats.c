/* Statistics against numpy (mean, std with ddof 1, quantile) and scipy (linregress), and the
 * properties that hold for any sample. */
#include "test.h"

#include "base/philox.h"
#include "stats/stats.h"

struct golden {
    size_t count;
    double values[11];
    double mean, std, min, max, median;
    double low_quartile, high_quartile, p90, p99;
    double low_whisker, high_whisker;
};

static const struct golden goldens[] = {
    {1, {3.5}, 3.5, NAN, 3.5, 3.5, 3.5, 3.5, 3.5, 3.5, 3.5, 3.5, 3.5},
    {2,
     {9.0, 2.0},
     5.5,
     4.9497474683058327,
     2,
     9,
     5.5,
     3.75,
     7.25,
     8.3000000000000007,
     8.9299999999999997,
     2,
     9},
    {3,
     {0.6239541579989236, 0.5755525840004339, 0.6550383090007017},
     0.61818168366668635,
     0.04005603842920321,
     0.57555258400043385,
     0.6550383090007017,
     0.62395415799892362,
     0.59975337099967874,
     0.63949623349981266,
     0.64882147880034613,
     0.65441662598066619,
     0.57555258400043385,
     0.6550383090007017},
    {8,
     {128, 64, 1, 2, 4, 8, 16, 32},
     31.875,
     44.266845058447203,
     1,
     128,
     12,
     3.5,
     40,
     83.199999999999989,
     123.51999999999998,
     1,
     64},
    {4, {5, 5, 5, 5}, 5, 0, 5, 5, 5, 5, 5, 5, 5, 5, 5},
    {4,
     {1e-9, 1e9, 2e-9, 3.3e-9},
     250000000,
     500000000,
     1e-9,
     1e9,
     2.65e-9,
     1.75e-9,
     250000000,
     700000000.00000024,
     969999999.99999976,
     1e-9,
     250000000},
    {11,
     {1.001231, 1.348167, 0.760227, 0.410413, 0.634657, 0.370965, 1.061989, 3.819866, 0.611276,
      0.537689, 1.632058},
     1.1080489090909091,
     0.98218572684838512,
     0.370965,
     3.819866,
     0.760227,
     0.5744825,
     1.205078,
     1.632058,
     3.6010852000000009,
     0.370965,
     1.632058},
    {10,
     {1, 2, 3, 4, 5, 6, 7, 8, 9, 100},
     14.5,
     30.152390728873666,
     1,
     100,
     5.5,
     3.25,
     7.75,
     18.099999999999966,
     91.810000000000016,
     1,
     9},
};

static void assert_near(double actual, double expected)
{
    if (isnan(expected))
        assert_true(isnan(actual));
    else
        assert_close(actual, expected, 1e-13 * fabs(expected));
}

static void test_summaries_match_numpy(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof goldens / sizeof goldens[0]; i++) {
        const struct golden *golden = &goldens[i];
        double scratch[11];
        struct stats_summary summary = stats_summarise(golden->values, golden->count, scratch);
        assert_int_equal(summary.count, golden->count);
        assert_near(summary.mean, golden->mean);
        assert_near(summary.std, golden->std);
        assert_near(summary.min, golden->min);
        assert_near(summary.max, golden->max);
        assert_near(summary.median, golden->median);
        assert_near(stats_quantile(scratch, golden->count, 0.25), golden->low_quartile);
        assert_near(stats_quantile(scratch, golden->count, 0.9), golden->p90);
        assert_near(stats_quantile(scratch, golden->count, 0.99), golden->p99);
        assert_near(stats_quantile(scratch, golden->count, 0.0), golden->min);
        assert_near(stats_quantile(scratch, golden->count, 1.0), golden->max);
        struct stats_box box = stats_box(scratch, golden->count);
        assert_near(box.low_quartile, golden->low_quartile);
        assert_near(box.median, golden->median);
        assert_near(box.high_quartile, golden->high_quartile);
        assert_near(box.low_whisker, golden->low_whisker);
        assert_near(box.high_whisker, golden->high_whisker);
    }
}

static void test_missing_values_are_left_out(void **state)
{
    (void)state;
    const double values[] = {NAN, 4, NAN, 2, NAN};
    double scratch[5];
    struct stats_summary summary = stats_summarise(values, 5, scratch);
    assert_int_equal(summary.count, 2);
    assert_close(summary.mean, 3, 0);
    assert_close(summary.std, sqrt(2), 1e-15);
    summary = stats_summarise(values, 1, scratch);
    assert_int_equal(summary.count, 0);
    assert_true(isnan(summary.mean) && isnan(summary.std) && isnan(summary.min));
    assert_true(isnan(summary.max) && isnan(summary.median));
    summary = stats_summarise(NULL, 0, NULL);
    assert_int_equal(summary.count, 0);
    assert_true(isnan(stats_quantile(scratch, 0, 0.5)));
    assert_true(isnan(stats_quantile(scratch, 2, 1.5)));
    assert_true(isnan(stats_box(scratch, 0).median));
}

static void test_sums_lose_nothing(void **state)
{
    (void)state;
    /* Plain summation in any order gives 0 for these. */
    const double values[] = {1e16, 1.0, -1e16, 1.0};
    double scratch[4];
    assert_close(stats_summarise(values, 4, scratch).mean, 0.5, 0);
    /* A spread of 1e-6 on top of 1e6: the one-pass formula gives noise. */
    const double offset[] = {1e6 + 1e-6, 1e6, 1e6 - 1e-6};
    assert_close(stats_summarise(offset, 3, scratch).std, 1e-6, 1e-9);
}

static void test_order_does_not_matter(void **state)
{
    (void)state;
    double values[64];
    double scratch[64];
    for (uint32_t i = 0; i < 64; i++) {
        struct philox_block block = philox4x32((struct philox_block){{i, 0, 0, 0}}, 3);
        values[i] = (double)block.word[0] / 4294967296.0;
    }
    struct stats_summary first = stats_summarise(values, 64, scratch);
    for (size_t i = 1; i < 64; i++)
        assert_true(scratch[i - 1] <= scratch[i]);
    for (size_t turn = 1; turn < 64; turn++) {
        double rotated[64];
        for (size_t i = 0; i < 64; i++)
            rotated[i] = values[(i * 5 + turn) % 64];
        struct stats_summary summary = stats_summarise(rotated, 64, scratch);
        assert_memory_equal(&summary, &first, sizeof first);
    }
}

static void test_sort_puts_missing_last(void **state)
{
    (void)state;
    double values[] = {3, NAN, -INFINITY, 1, NAN, INFINITY};
    stats_sort(values, 6);
    assert_true(values[0] < -1e300 && values[1] == 1 && values[2] == 3 && values[3] > 1e300);
    assert_true(isnan(values[4]) && isnan(values[5]));
    stats_sort(NULL, 0);
}

static void test_lines_match_scipy(void **state)
{
    (void)state;
    const double x[] = {32, 64, 128, 256, 512};
    const double y[] = {0.021, 0.037, 0.071, 0.139, 0.281};
    struct stats_line line = stats_fit_line(x, y, 5);
    assert_close(line.intercept, 0.0021666666666666778, 1e-15);
    assert_close(line.slope, 0.0005425067204301075, 1e-17);
    assert_close(line.r_squared, 0.9998240361110502, 1e-13);
    /* Far from zero the textbook formula with sums of squares breaks down. */
    const double far_x[] = {1e9, 1e9 + 1, 1e9 + 2, 1e9 + 3, 1e9 + 4};
    const double far_y[] = {2.0, 1.5, 3.0, 2.5, 4.0};
    line = stats_fit_line(far_x, far_y, 5);
    assert_close(line.slope, 0.5, 1e-12);
    assert_close(line.intercept, -499999998.4, 1e-4);
    assert_close(line.r_squared, 0.67567567567567555, 1e-12);
}

static void test_lines_that_are_none(void **state)
{
    (void)state;
    const double x[] = {2, 2, 2};
    const double rising[] = {1, 2, 3};
    assert_true(isnan(stats_fit_line(x, rising, 3).slope));
    assert_true(isnan(stats_fit_line(rising, x, 1).slope));
    struct stats_line flat = stats_fit_line(rising, x, 3);
    assert_close(flat.slope, 0, 0);
    assert_close(flat.intercept, 2, 0);
    assert_true(isnan(flat.r_squared));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_summaries_match_numpy),
        cmocka_unit_test(test_missing_values_are_left_out),
        cmocka_unit_test(test_sums_lose_nothing),
        cmocka_unit_test(test_order_does_not_matter),
        cmocka_unit_test(test_sort_puts_missing_last),
        cmocka_unit_test(test_lines_match_scipy),
        cmocka_unit_test(test_lines_that_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
