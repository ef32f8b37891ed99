/* What disturbs a series of measurements, seen in the numbers alone: outliers, a trend over their
 * order, two modes, a slow beginning. No input, no output, no allocation; NaN = cannot be said. */
#ifndef TOKENMARK_STATS_PATTERN_H
#define TOKENMARK_STATS_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

/* Of ascending `sorted` values, those beyond Tukey's fences (1.5 IQR outside the quartiles) and
 * further than `minimum` of the median from it: with nearly equal values the fences alone would
 * name what nobody can see. 0 below four values. */
size_t stats_count_outliers(const double *sorted, size_t count, double minimum);

/* The least squares line over the order of the values: its rise from the first to the last as a
 * part of the mean, and Student's t of its slope (infinite for a perfect line). NaN below four
 * values. */
struct stats_trend {
    double change;
    double t;
};
struct stats_trend stats_trend(const double *values, size_t count);

/* Two modes: of ascending `sorted` values the largest gap, with at least a fifth of the values (and
 * two of them) on either side, is more than 0.6 of their whole range. False below six values. */
struct stats_modes {
    bool two;
    double low, high; /* the means of the two sides */
    size_t low_count;
};
struct stats_modes stats_modes(const double *sorted, size_t count);

/* How much the first value lies above the largest of the others, as a part of that; 0 where it does
 * not. NaN below three values. */
double stats_first_excess(const double *values, size_t count);

#endif
