/* The arithmetic of stats.h. Sums are compensated (Neumaier 1974), so that a mean does not
 * depend on the order of the values beyond the last bit. */
#include "stats/stats.h"

#include <math.h>
#include <stdlib.h>

struct sum {
    double total;
    double lost; /* low-order parts that `total` could not hold */
};

static void sum_add(struct sum *sum, double value)
{
    double next = sum->total + value;
    if (fabs(sum->total) >= fabs(value))
        sum->lost += (sum->total - next) + value;
    else
        sum->lost += (value - next) + sum->total;
    sum->total = next;
}

static double sum_value(struct sum sum)
{
    return sum.total + sum.lost;
}

static double mean_of(const double *values, size_t count)
{
    struct sum sum = {0};
    for (size_t i = 0; i < count; i++)
        sum_add(&sum, values[i]);
    return sum_value(sum) / (double)count;
}

static double deviation_of(const double *values, size_t count, double mean)
{
    if (count < 2)
        return NAN;
    struct sum squares = {0};
    for (size_t i = 0; i < count; i++)
        sum_add(&squares, (values[i] - mean) * (values[i] - mean));
    return sqrt(sum_value(squares) / (double)(count - 1));
}

static int compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;
    if (isnan(a) || isnan(b))
        return (isnan(a) ? 1 : 0) - (isnan(b) ? 1 : 0); /* NaN last */
    return (a > b) - (a < b);
}

void stats_sort(double *values, size_t count)
{
    if (count > 1)
        qsort(values, count, sizeof *values, compare_doubles);
}

struct stats_summary stats_summarise(const double *values, size_t count, double *scratch)
{
    struct stats_summary summary = {0, NAN, NAN, NAN, NAN, NAN};
    for (size_t i = 0; i < count; i++) {
        if (!isnan(values[i]))
            scratch[summary.count++] = values[i];
    }
    if (summary.count == 0)
        return summary;
    stats_sort(scratch, summary.count);
    summary.mean = mean_of(scratch, summary.count);
    summary.std = deviation_of(scratch, summary.count, summary.mean);
    summary.min = scratch[0];
    summary.max = scratch[summary.count - 1];
    summary.median = stats_quantile(scratch, summary.count, 0.5);
    return summary;
}

double stats_quantile(const double *sorted, size_t count, double probability)
{
    if (count == 0 || !(probability >= 0.0 && probability <= 1.0))
        return NAN;
    double position = probability * (double)(count - 1);
    size_t below = (size_t)position;
    if (below + 1 >= count)
        return sorted[count - 1];
    double fraction = position - (double)below;
    return sorted[below] + fraction * (sorted[below + 1] - sorted[below]);
}

struct stats_box stats_box(const double *sorted, size_t count)
{
    struct stats_box box = {NAN, NAN, NAN, NAN, NAN};
    if (count == 0)
        return box;
    box.low_quartile = stats_quantile(sorted, count, 0.25);
    box.median = stats_quantile(sorted, count, 0.5);
    box.high_quartile = stats_quantile(sorted, count, 0.75);
    double reach = 1.5 * (box.high_quartile - box.low_quartile);
    size_t low = 0;
    while (low + 1 < count && sorted[low] < box.low_quartile - reach)
        low++;
    size_t high = count - 1;
    while (high > 0 && sorted[high] > box.high_quartile + reach)
        high--;
    /* Between far-off samples an interpolated quartile can lie outside every sample left: a
     * whisker then ends at the box. */
    box.low_whisker = fmin(sorted[low], box.low_quartile);
    box.high_whisker = fmax(sorted[high], box.high_quartile);
    return box;
}

struct stats_line stats_fit_line(const double *x, const double *y, size_t count)
{
    struct stats_line line = {NAN, NAN, NAN};
    if (count < 2)
        return line;
    double mean_x = mean_of(x, count);
    double mean_y = mean_of(y, count);
    struct sum sum_xx = {0};
    struct sum sum_xy = {0};
    struct sum sum_yy = {0};
    for (size_t i = 0; i < count; i++) {
        double dx = x[i] - mean_x;
        double dy = y[i] - mean_y;
        sum_add(&sum_xx, dx * dx);
        sum_add(&sum_xy, dx * dy);
        sum_add(&sum_yy, dy * dy);
    }
    if (!(sum_value(sum_xx) > 0.0))
        return line;
    line.slope = sum_value(sum_xy) / sum_value(sum_xx);
    line.intercept = mean_y - line.slope * mean_x;
    if (!(sum_value(sum_yy) > 0.0))
        return line;
    struct sum residual = {0};
    for (size_t i = 0; i < count; i++) {
        double distance = y[i] - mean_y - line.slope * (x[i] - mean_x);
        sum_add(&residual, distance * distance);
    }
    line.r_squared = 1.0 - sum_value(residual) / sum_value(sum_yy);
    return line;
}
