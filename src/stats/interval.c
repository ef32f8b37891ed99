/* Intervals and groups of interval.h. */
#include "stats/interval.h"

#include <math.h>
#include <stdbool.h>

static const double half_pi = 1.57079632679489661923;

/* P(|T| <= sqrt(degrees) * tan(angle)): the finite sums for whole degrees of freedom
 * (Abramowitz and Stegun 26.7.3 and 26.7.4). */
static double student_probability(double angle, size_t degrees)
{
    double sine = sin(angle), cosine = cos(angle), squared = cosine * cosine;
    double sum = 0.0;
    if (degrees % 2 == 0) {
        double term = 1.0;
        for (size_t power = 0; power + 2 <= degrees && term > 0.0; power += 2) {
            sum += term;
            term *= squared * (double)(power + 1) / (double)(power + 2);
        }
        return sine * sum;
    }
    double term = cosine;
    for (size_t power = 1; power + 2 <= degrees && term > 0.0; power += 2) {
        sum += term;
        term *= squared * (double)(power + 1) / (double)(power + 2);
    }
    return (angle + sine * sum) / half_pi;
}

double stats_student_t(double confidence, size_t degrees)
{
    if (degrees == 0 || !(confidence >= 0.0 && confidence < 1.0))
        return NAN;
    double low = 0.0, high = half_pi;
    for (;;) {
        double middle = low + (high - low) / 2;
        if (middle <= low || middle >= high)
            break;
        if (student_probability(middle, degrees) < confidence)
            low = middle;
        else
            high = middle;
    }
    return sqrt((double)degrees) * tan(low);
}

struct stats_interval stats_mean_interval(const struct stats_summary *summary, double confidence)
{
    struct stats_interval interval = {NAN, NAN};
    if (summary->count < 2)
        return interval;
    double reach = stats_student_t(confidence, summary->count - 1) * summary->std /
                   sqrt((double)summary->count);
    interval.low = summary->mean - reach;
    interval.high = summary->mean + reach;
    return interval;
}

/* SplitMix64 (Steele, Lea, Flood 2014): enough for choosing samples. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t mixed = *state += 0x9E3779B97F4A7C15U;
    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9U;
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EBU;
    return mixed ^ mixed >> 31;
}

/* The value at `rank` of a resample that holds sorted[i] times[i] times. */
static double value_at(const double *sorted, const double *times, size_t rank)
{
    size_t i = 0;
    double seen = times[0];
    while (seen <= (double)rank)
        seen += times[++i];
    return sorted[i];
}

static double resampled_median(const double *sorted, size_t count, uint64_t *state, double *times)
{
    for (size_t i = 0; i < count; i++)
        times[i] = 0.0;
    for (size_t i = 0; i < count; i++)
        times[(next_random(state) >> 32) * count >> 32] += 1.0;
    double upper = value_at(sorted, times, count / 2);
    return count % 2 == 1 ? upper : (value_at(sorted, times, count / 2 - 1) + upper) / 2;
}

struct stats_interval stats_median_interval(const double *sorted, size_t count, double confidence,
                                            uint64_t seed, double *scratch)
{
    struct stats_interval interval = {NAN, NAN};
    if (count < 2 || count > UINT32_MAX || !(confidence > 0.0 && confidence < 1.0))
        return interval;
    if (sorted[0] == sorted[count - 1])
        return (struct stats_interval){sorted[0], sorted[0]};
    double *medians = scratch + count;
    for (size_t i = 0; i < STATS_RESAMPLES; i++)
        medians[i] = resampled_median(sorted, count, &seed, scratch);
    stats_sort(medians, STATS_RESAMPLES);
    double tail = (1.0 - confidence) / 2;
    interval.low = stats_quantile(medians, STATS_RESAMPLES, tail);
    interval.high = stats_quantile(medians, STATS_RESAMPLES, 1.0 - tail);
    return interval;
}

static bool opens_group(const double *values, const int64_t *groups, size_t at)
{
    if (isnan(values[at]))
        return false;
    for (size_t i = 0; i < at; i++) {
        if (groups[i] == groups[at] && !isnan(values[i]))
            return false;
    }
    return true;
}

struct group {
    size_t count;
    double mean;
    double squares; /* of the distances from the mean */
};

static struct group read_group(const double *values, const int64_t *groups, size_t count,
                               int64_t label)
{
    struct group group = {0};
    for (size_t i = 0; i < count; i++) {
        if (groups[i] != label || isnan(values[i]))
            continue;
        /* Welford 1962. */
        double distance = values[i] - group.mean;
        group.count++;
        group.mean += distance / (double)group.count;
        group.squares += distance * (values[i] - group.mean);
    }
    return group;
}

struct stats_spread stats_spread(const double *values, const int64_t *groups, size_t count)
{
    struct stats_spread spread = {.between = NAN, .within = NAN, .low_mean = NAN, .high_mean = NAN};
    struct group means = {0};
    double squares = 0.0;
    for (size_t i = 0; i < count; i++) {
        if (!opens_group(values, groups, i))
            continue;
        struct group group = read_group(values, groups, count, groups[i]);
        double distance = group.mean - means.mean;
        means.count++;
        means.mean += distance / (double)means.count;
        means.squares += distance * (group.mean - means.mean);
        squares += group.squares;
        spread.degrees += group.count - 1;
        if (!(group.mean >= spread.low_mean)) {
            spread.low_mean = group.mean;
            spread.low_count = group.count;
        }
        if (!(group.mean <= spread.high_mean)) {
            spread.high_mean = group.mean;
            spread.high_count = group.count;
        }
    }
    spread.groups = means.count;
    if (means.count > 1)
        spread.between = sqrt(means.squares / (double)(means.count - 1));
    if (spread.degrees > 0)
        spread.within = sqrt(squares / (double)spread.degrees);
    return spread;
}

int stats_groups_differ(const struct stats_spread *spread, double confidence)
{
    if (spread->groups < 2 || spread->degrees == 0)
        return -1;
    double reach = stats_student_t(confidence, spread->degrees) * spread->within *
                   sqrt(1.0 / (double)spread->low_count + 1.0 / (double)spread->high_count);
    return spread->high_mean - spread->low_mean > reach ? 1 : 0;
}
