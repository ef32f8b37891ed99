/* A trend line through positive points: a power law or a straight line, whichever lies nearer
 * to them on a log scale. */
#ifndef TOKENMARK_REPORT_TREND_H
#define TOKENMARK_REPORT_TREND_H

#include <stdbool.h>
#include <stddef.h>

struct trend {
    bool power;       /* y = factor * x^exponent, else y = factor + exponent * x */
    double factor;    /* or the intercept */
    double exponent;  /* or the slope */
    double r_squared; /* of the logarithms */
};

/* Points that are not positive are left out. False with fewer than three points or fewer than
 * two different x: a line through two points says nothing. */
bool trend_fit(struct trend *trend, const double *x, const double *y, size_t count);
double trend_value(const struct trend *trend, double x);

#endif
