/* See trend.h. */
#include "report/trend.h"

#include <math.h>
#include <stdlib.h>

#include "stats/stats.h"

/* Sum of squared distances between the logarithms; infinite where the trend is not positive. */
static double log_residual(const struct trend *trend, const double *x, const double *y,
                           size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        double value = trend_value(trend, x[i]);
        if (!(value > 0))
            return INFINITY;
        double distance = log(y[i]) - log(value);
        sum += distance * distance;
    }
    return sum;
}

static double log_spread(const double *y, size_t count)
{
    double mean = 0;
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        mean += log(y[i]) / (double)count;
    for (size_t i = 0; i < count; i++)
        sum += (log(y[i]) - mean) * (log(y[i]) - mean);
    return sum;
}

static bool fit_points(struct trend *trend, double *x, double *y, double *log_x, double *log_y,
                       size_t count)
{
    for (size_t i = 0; i < count; i++) {
        log_x[i] = log(x[i]);
        log_y[i] = log(y[i]);
    }
    struct stats_line power = stats_fit_line(log_x, log_y, count);
    struct stats_line linear = stats_fit_line(x, y, count);
    if (!isfinite(power.slope))
        return false;
    struct trend candidates[] = {{true, exp(power.intercept), power.slope, NAN},
                                 {false, linear.intercept, linear.slope, NAN}};
    double residuals[] = {log_residual(&candidates[0], x, y, count),
                          isfinite(linear.slope) ? log_residual(&candidates[1], x, y, count)
                                                 : INFINITY};
    int better = residuals[1] < residuals[0] ? 1 : 0;
    *trend = candidates[better];
    trend->r_squared = 1 - residuals[better] / log_spread(y, count);
    return true;
}

bool trend_fit(struct trend *trend, const double *x, const double *y, size_t count)
{
    double *points = calloc(4 * count + 1, sizeof *points);
    if (points == NULL)
        return false;
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        if (!(x[i] > 0) || !(y[i] > 0) || !isfinite(y[i]))
            continue;
        points[used] = x[i];
        points[count + used++] = y[i];
    }
    bool fitted = used >= 3 && fit_points(trend, points, points + count, points + 2 * count,
                                          points + 3 * count, used);
    free(points);
    return fitted;
}

double trend_value(const struct trend *trend, double x)
{
    if (trend->power)
        return trend->factor * pow(x, trend->exponent);
    return trend->factor + trend->exponent * x;
}
