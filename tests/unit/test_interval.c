/* Intervals and spreads against scipy 1.17 (t.ppf, t.interval, bootstrap with 200000 resamples,
 * ttest_ind), and what no samples can tell. */
#include "test.h"

#include "stats/interval.h"

static void test_student_t(void **state)
{
    (void)state;
    static const struct {
        double confidence;
        size_t degrees;
        double expected;
    } cases[] = {
        {0.5, 1, 1.0},
        {0.5, 2, 0.816496580927726},
        {0.5, 1000, 0.674735164607009},
        {0.8, 1, 3.07768353717525},
        {0.8, 30, 1.3104150253914},
        {0.95, 1, 12.7062047361747},
        {0.95, 2, 4.30265272974946},
        {0.95, 3, 3.18244630528371},
        {0.95, 4, 2.77644510519779},
        {0.95, 5, 2.57058183563631},
        {0.95, 10, 2.22813885198627},
        {0.95, 29, 2.0452296421327},
        {0.95, 30, 2.04227245630124},
        {0.95, 99, 1.98421695158642},
        {0.95, 1000, 1.96233908082641},
        {0.99, 2, 9.92484320091829},
        {0.99, 5, 4.03214298355523},
        {0.999, 1, 636.61924876879},
        {0.999, 30, 3.64595863504206},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_close(stats_student_t(cases[i].confidence, cases[i].degrees), cases[i].expected,
                     2e-12 * cases[i].expected);
    assert_true(stats_student_t(0.0, 4) == 0.0);
    assert_true(isnan(stats_student_t(0.95, 0)));
    assert_true(isnan(stats_student_t(1.0, 4)));
    assert_true(isnan(stats_student_t(-0.1, 4)));
    assert_true(isnan(stats_student_t(NAN, 4)));
}

static const double five[] = {1.02, 0.98, 1.00, 1.10, 0.99};
static const double two[] = {2.0, 3.0};
static const double six[] = {5.0, 1.0, 4.0, 2.0, 8.0, 3.0};
static const double seven[] = {10.1, 10.3, 9.9, 10.0, 12.5, 10.2, 9.8};

static void test_intervals(void **state)
{
    (void)state;
    static const struct {
        const double *values;
        size_t count;
        struct stats_interval mean, median;
    } cases[] = {
        {five, 5, {0.958193542122192, 1.07780645787781}, {0.98, 1.1}},
        {two, 2, {-3.85310236808735, 8.85310236808735}, {2.0, 3.0}},
        {six, 6, {1.22729352152103, 6.43937314514563}, {1.5, 6.5}},
        {seven, 7, {9.52913768965008, 11.2708623103499}, {9.9, 10.3}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double sorted[16], scratch[16 + STATS_RESAMPLES];
        struct stats_summary summary = stats_summarise(cases[i].values, cases[i].count, sorted);
        struct stats_interval mean = stats_mean_interval(&summary, 0.95);
        assert_close(mean.low, cases[i].mean.low, 1e-12);
        assert_close(mean.high, cases[i].mean.high, 1e-12);
        for (uint64_t seed = 0; seed < 5; seed++) {
            struct stats_interval median =
                stats_median_interval(sorted, cases[i].count, 0.95, seed, scratch);
            struct stats_interval again =
                stats_median_interval(sorted, cases[i].count, 0.95, seed, scratch);
            assert_true(median.low == again.low && median.high == again.high);
            assert_close(median.low, cases[i].median.low, 1e-12);
            assert_close(median.high, cases[i].median.high, 1e-12);
            struct stats_interval half =
                stats_median_interval(sorted, cases[i].count, 0.5, seed, scratch);
            assert_true(half.low >= median.low && half.high <= median.high);
        }
    }
}

static void test_intervals_of_too_little(void **state)
{
    (void)state;
    double one[] = {3.0}, same[] = {2.5, 2.5, 2.5}, scratch[3 + STATS_RESAMPLES];
    struct stats_summary summary = stats_summarise(one, 1, scratch);
    assert_true(isnan(stats_mean_interval(&summary, 0.95).low));
    assert_true(isnan(stats_median_interval(one, 1, 0.95, 1, scratch).high));
    assert_true(isnan(stats_median_interval(two, 2, 1.0, 1, scratch).low));
    struct stats_interval interval = stats_median_interval(same, 3, 0.95, 1, scratch);
    assert_true(interval.low == 2.5 && interval.high == 2.5);
    summary = stats_summarise(same, 3, scratch);
    interval = stats_mean_interval(&summary, 0.95);
    assert_true(interval.low == 2.5 && interval.high == 2.5);
}

static void test_spread(void **state)
{
    (void)state;
    static const double values[] = {1.0, 1.3, NAN, 1.1, 1.2, 1.0, 0.9, 1.25, 1.05};
    static const int64_t groups[] = {7, 2, 2, 7, 2, 9, 7, 2, 9};
    struct stats_spread spread = stats_spread(values, groups, 9);
    assert_int_equal(spread.groups, 3);
    assert_int_equal(spread.degrees, 5);
    assert_close(spread.between, 0.137689263682153, 1e-14);
    assert_close(spread.within, 0.0724568837309472, 1e-14);
    assert_close(spread.low_mean, 1.0, 1e-14);
    assert_close(spread.high_mean, 1.25, 1e-14);
    assert_int_equal(spread.low_count, 3);
    assert_int_equal(spread.high_count, 3);

    spread = stats_spread(values, groups, 1);
    assert_int_equal(spread.groups, 1);
    assert_true(isnan(spread.between) && isnan(spread.within));
    assert_int_equal(stats_groups_differ(&spread, 0.95), -1);
    spread = stats_spread(NULL, NULL, 0);
    assert_int_equal(spread.groups, 0);
    assert_true(isnan(spread.low_mean));
    /* One sample in each group: nothing is known of the spread inside them. */
    spread = stats_spread(values, groups, 2);
    assert_true(isnan(spread.within));
    assert_close(spread.between, 0.3 / sqrt(2), 1e-14);
    assert_int_equal(stats_groups_differ(&spread, 0.95), -1);
}

/* ttest_ind gives p = 0.01795 for these two. */
static void test_groups_differ(void **state)
{
    (void)state;
    static const double values[] = {1.0, 1.1, 0.9, 1.3, 1.2, 1.25};
    static const int64_t groups[] = {1, 1, 1, 2, 2, 2};
    struct stats_spread spread = stats_spread(values, groups, 6);
    assert_int_equal(stats_groups_differ(&spread, 1.0 - 0.0180), 1);
    assert_int_equal(stats_groups_differ(&spread, 1.0 - 0.0179), 0);
    static const double equal[] = {1.5, 1.5, 1.5, 1.5, 1.5, 1.5};
    spread = stats_spread(equal, groups, 6);
    assert_int_equal(stats_groups_differ(&spread, 0.99), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_student_t),
        cmocka_unit_test(test_intervals),
        cmocka_unit_test(test_intervals_of_too_little),
        cmocka_unit_test(test_spread),
        cmocka_unit_test(test_groups_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
