/* Arithmetic on samples; no input, no output, no allocation. NaN stands for "no value". */
#ifndef TOKENMARK_STATS_STATS_H
#define TOKENMARK_STATS_STATS_H

#include <stddef.h>

struct stats_summary {
    size_t count; /* of values that are not NaN */
    double mean;  /* NaN when count is 0 */
    double std;   /* sample standard deviation (n - 1); NaN when count < 2 */
    double min;
    double max;
    double median;
};

/* NaNs are left out. `scratch` has room for `count` values (sorted copies). */
struct stats_summary stats_summarise(const double *values, size_t count, double *scratch);

/* Quantile of ascending `sorted` values, linear between order statistics (Hyndman and Fan
 * 1996, type 7, as numpy's default); NaN when count is 0. */
double stats_quantile(const double *sorted, size_t count, double probability);

void stats_sort(double *values, size_t count);

/* Box plot after Tukey: whiskers reach the furthest values within 1.5 IQR of the box. */
struct stats_box {
    double low_whisker, low_quartile, median, high_quartile, high_whisker;
};
struct stats_box stats_box(const double *sorted, size_t count);

/* Least squares y = intercept + slope * x; NaN where fewer than two different x.
 * r_squared is 1 - residual / total, NaN where y is constant. */
struct stats_line {
    double intercept, slope, r_squared;
};
struct stats_line stats_fit_line(const double *x, const double *y, size_t count);

#endif
