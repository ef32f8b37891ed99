/* See plot_axis.h. */
#include "report/plot_axis.h"

#include <math.h>
#include <stdio.h>

#include "report/format.h"

/* Beyond this ratio of the largest value to the smallest, the small ones cannot be told apart
 * on a linear axis; colours need help sooner than places. */
static const double logarithmic_ratio[] = {[PLOT_FIT_NICE] = 15, [PLOT_FIT_EXACT] = 8};

/* Between the outermost points and the frame. */
static const double headroom = 1.04;

static void add_tick(struct plot_axis *axis, double value, bool major)
{
    if (axis->tick_count == PLOT_TICKS_MAX)
        return;
    struct plot_tick *tick = &axis->ticks[axis->tick_count++];
    char label[FORMAT_MAX];
    tick->value = value;
    tick->major = major;
    format_number(label, value);
    /* 2.00 and 0.500 are for measured values; a tick is exact. */
    snprintf(tick->label, sizeof tick->label, "%.23s", label);
    if (fabs(value) < 1e5 && fabs(value) >= 1e-4)
        snprintf(tick->label, sizeof tick->label, "%.10g", value);
}

/* 1, 2 or 5 times a power of ten. */
static double nice_step(double rough)
{
    double power = pow(10, floor(log10(rough)));
    double part = rough / power;
    return power * (part <= 1.0001 ? 1 : part <= 2.0001 ? 2 : part <= 5.0001 ? 5 : 10);
}

static void linear_ticks(struct plot_axis *axis, enum plot_fit fit)
{
    double step = nice_step((axis->maximum - axis->minimum) / 6);
    if (fit == PLOT_FIT_NICE) {
        axis->minimum = step * floor(axis->minimum / step + 1e-9);
        axis->maximum = step * ceil(headroom * axis->maximum / step - 1e-9);
    }
    double first = ceil(axis->minimum / step - 1e-9);
    for (double k = first; k * step <= axis->maximum + 1e-9 * step; k++)
        add_tick(axis, k == 0 ? 0 : k * step, false);
}

static void logarithmic_ticks(struct plot_axis *axis, enum plot_fit fit)
{
    static const double steps[] = {1, 2, 5};
    bool wide = axis->maximum / axis->minimum > 3000;
    double lowest = floor(log10(axis->minimum / headroom));
    double highest = ceil(log10(axis->maximum * headroom));
    double low = pow(10, lowest);
    double high = pow(10, highest);
    for (double exponent = lowest; exponent <= highest; exponent++) {
        for (size_t i = 0; i < 3; i++) {
            double value = steps[i] * pow(10, exponent);
            if (value * headroom <= axis->minimum)
                low = fmax(low, value);
            if (value >= axis->maximum * headroom)
                high = fmin(high, value);
        }
    }
    if (fit == PLOT_FIT_NICE) {
        axis->minimum = low;
        axis->maximum = high;
    }
    for (double exponent = lowest; exponent <= highest; exponent++) {
        for (size_t i = 0; i < (wide ? 1 : 3); i++) {
            double value = steps[i] * pow(10, exponent);
            if (value >= axis->minimum * (1 - 1e-9) && value <= axis->maximum * (1 + 1e-9))
                add_tick(axis, value, i == 0);
        }
    }
}

void plot_axis_fit(struct plot_axis *axis, const double *values, size_t count, enum plot_fit fit)
{
    *axis = (struct plot_axis){.minimum = INFINITY, .maximum = -INFINITY};
    double positive = INFINITY;
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(values[i]))
            continue;
        axis->minimum = fmin(axis->minimum, values[i]);
        axis->maximum = fmax(axis->maximum, values[i]);
        if (values[i] > 0)
            positive = fmin(positive, values[i]);
    }
    if (axis->minimum > axis->maximum || axis->maximum > 1e290) {
        axis->minimum = 0;
        axis->maximum = 1;
    }
    axis->logarithmic = axis->maximum / positive > logarithmic_ratio[fit];
    if (axis->logarithmic) {
        axis->minimum = positive;
        logarithmic_ticks(axis, fit);
        return;
    }
    if (fit == PLOT_FIT_NICE)
        axis->minimum = fmin(axis->minimum, 0);
    if (axis->minimum == axis->maximum) {
        double half = axis->minimum != 0 ? 0.05 * fabs(axis->minimum) : 0.5;
        axis->minimum -= half;
        axis->maximum += half;
    }
    linear_ticks(axis, fit);
}

void plot_axis_sizes(struct plot_axis *axis, const int64_t *sizes, size_t count)
{
    *axis = (struct plot_axis){.minimum = (double)sizes[0], .maximum = (double)sizes[count - 1]};
    double narrowest = INFINITY;
    for (size_t i = 0; i + 1 < count; i++)
        narrowest = fmin(narrowest, (double)(sizes[i + 1] - sizes[i]));
    double range = axis->maximum - axis->minimum;
    /* Sizes that double crowd together at the low end of a linear axis. */
    axis->logarithmic =
        count > 2 && axis->minimum > 0 && narrowest < 0.6 * range / (double)(count - 1);
    size_t every = (count + PLOT_TICKS_MAX - 1) / PLOT_TICKS_MAX;
    for (size_t i = 0; i < count; i += every) {
        struct plot_tick *tick = &axis->ticks[axis->tick_count++];
        tick->value = (double)sizes[i];
        snprintf(tick->label, sizeof tick->label, "%lld", (long long)sizes[i]);
    }
    /* Room at both sides, so that no point sits on the frame. */
    if (axis->logarithmic) {
        double margin = pow(axis->maximum / axis->minimum, 0.06);
        axis->minimum /= margin;
        axis->maximum *= margin;
    } else {
        double margin = range > 0 ? 0.06 * range : 1;
        axis->minimum -= margin;
        axis->maximum += margin;
    }
}

double plot_axis_place(const struct plot_axis *axis, double value)
{
    if (!isfinite(value) || (axis->logarithmic && !(value > 0)))
        return NAN;
    double place = axis->logarithmic
                       ? log(value / axis->minimum) / log(axis->maximum / axis->minimum)
                       : (value - axis->minimum) / (axis->maximum - axis->minimum);
    return fmin(fmax(place, 0), 1);
}
