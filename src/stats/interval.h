/* How well a few samples know their mean and median, and whether groups of samples differ;
 * beside stats.h: no input, no output, no allocation. NaN stands for "cannot be said". */
#ifndef TOKENMARK_STATS_INTERVAL_H
#define TOKENMARK_STATS_INTERVAL_H

#include <stddef.h>
#include <stdint.h>

#include "stats/stats.h"

struct stats_interval {
    double low, high;
};

/* The t with P(|T| <= t) = confidence, Student's T with `degrees` degrees of freedom. */
double stats_student_t(double confidence, size_t degrees);

/* Student's interval of the mean; NaN below two samples. */
struct stats_interval stats_mean_interval(const struct stats_summary *summary, double confidence);

/* Bootstrap percentile interval of the median (Efron 1979) of ascending `sorted` values: the
 * same for the same seed. `scratch` has room for count + STATS_RESAMPLES values. NaN below two
 * samples. */
enum { STATS_RESAMPLES = 2000 };
struct stats_interval stats_median_interval(const double *sorted, size_t count, double confidence,
                                            uint64_t seed, double *scratch);

/* Samples that fall into groups (processes, passes). NaN values are left out. */
struct stats_spread {
    size_t groups;
    double between; /* standard deviation of the groups' means; NaN below two groups */
    double within;  /* pooled standard deviation inside the groups; NaN without a degree */
    size_t degrees; /* of `within`: samples less groups */
    /* The groups with the smallest and the largest mean. */
    double low_mean, high_mean;
    size_t low_count, high_count;
};
struct stats_spread stats_spread(const double *values, const int64_t *groups, size_t count);

/* The two extreme groups differ by more than the spread inside the groups explains: a t test at
 * this confidence. 1, 0, or -1 where it cannot be said (one group, or one sample in each). */
int stats_groups_differ(const struct stats_spread *spread, double confidence);

#endif
