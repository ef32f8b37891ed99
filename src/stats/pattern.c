/* The arithmetic of pattern.h. */
#include "stats/pattern.h"

#include <math.h>
#include <stdint.h>

#include "stats/stats.h"

size_t stats_count_outliers(const double *sorted, size_t count, double minimum)
{
    if (count < 4)
        return 0;
    double low = stats_quantile(sorted, count, 0.25);
    double high = stats_quantile(sorted, count, 0.75);
    double median = stats_quantile(sorted, count, 0.5);
    double reach = 1.5 * (high - low);
    size_t outliers = 0;
    for (size_t i = 0; i < count; i++) {
        bool outside = sorted[i] < low - reach || sorted[i] > high + reach;
        outliers += outside && fabs(sorted[i] - median) > minimum * fabs(median);
    }
    return outliers;
}

struct stats_trend stats_trend(const double *values, size_t count)
{
    struct stats_trend trend = {NAN, NAN};
    if (count < 4)
        return trend;
    double n = (double)count, mean_x = (n - 1.0) / 2.0, mean = 0.0;
    for (size_t i = 0; i < count; i++)
        mean += values[i] / n;
    double xx = 0.0, xy = 0.0, yy = 0.0;
    for (size_t i = 0; i < count; i++) {
        double x = (double)i - mean_x, y = values[i] - mean;
        xx += x * x;
        xy += x * y;
        yy += y * y;
    }
    double slope = xy / xx;
    double residual = yy - slope * xy;
    trend.change = slope * (n - 1.0) / mean;
    if (slope == 0.0)
        trend.t = 0.0;
    else if (residual <= 0.0)
        trend.t = copysign(INFINITY, slope);
    else
        trend.t = slope / sqrt(residual / (n - 2.0) / xx);
    return trend;
}

static double mean_of(const double *values, size_t count)
{
    double sum = 0.0;
    for (size_t i = 0; i < count; i++)
        sum += values[i];
    return sum / (double)count;
}

struct stats_modes stats_modes(const double *sorted, size_t count)
{
    struct stats_modes modes = {false, NAN, NAN, 0};
    if (count < 6)
        return modes;
    size_t side = count / 5 > 2 ? count / 5 : 2, cut = side;
    for (size_t i = side; i <= count - side; i++) {
        if (sorted[i] - sorted[i - 1] > sorted[cut] - sorted[cut - 1])
            cut = i;
    }
    modes.two = sorted[cut] - sorted[cut - 1] > 0.6 * (sorted[count - 1] - sorted[0]);
    modes.low = mean_of(sorted, cut);
    modes.high = mean_of(sorted + cut, count - cut);
    modes.low_count = cut;
    return modes;
}

double stats_first_excess(const double *values, size_t count)
{
    if (count < 3)
        return NAN;
    double largest = values[1];
    for (size_t i = 2; i < count; i++)
        largest = fmax(largest, values[i]);
    return values[0] > largest && largest > 0.0 ? values[0] / largest - 1.0 : 0.0;
}
