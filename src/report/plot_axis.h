/* From values to places on a line: range, linear or logarithmic, and ticks with labels. */
#ifndef TOKENMARK_REPORT_PLOT_AXIS_H
#define TOKENMARK_REPORT_PLOT_AXIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PLOT_TICKS_MAX = 64 };

struct plot_tick {
    double value;
    bool major; /* a power of ten on a logarithmic axis: stays when labels must go */
    char label[24];
};

struct plot_axis {
    double minimum, maximum;
    bool logarithmic;
    struct plot_tick ticks[PLOT_TICKS_MAX];
    size_t tick_count;
};

enum plot_fit {
    PLOT_FIT_NICE,  /* for lines and points: whole ticks at both ends, from zero where linear */
    PLOT_FIT_EXACT, /* for colours: from the smallest to the largest value */
};

/* Logarithmic when the largest value is many times the smallest positive one. Values that are not
 * finite are left out; without any the axis goes from 0 to 1. */
void plot_axis_fit(struct plot_axis *axis, const double *values, size_t count, enum plot_fit fit);

/* Ticks at the given ascending sizes (batches, lengths); logarithmic when they are spread like
 * powers. */
void plot_axis_sizes(struct plot_axis *axis, const int64_t *sizes, size_t count);

/* 0 at the minimum, 1 at the maximum; values outside are held at the ends. NaN for what has
 * no place: NaN, and zero or less on a logarithmic axis. */
double plot_axis_place(const struct plot_axis *axis, double value);

#endif
