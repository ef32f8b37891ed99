/* See format.h. */
#include "report/format.h"

#include <math.h>
#include <stdio.h>

/* Digits after the point that leave `significant` digits; rounding up to the next power of
 * ten counts as that power. */
static int decimals_for(double value, int significant)
{
    if (!(fabs(value) > 0))
        return significant - 1;
    char rounded[FORMAT_MAX];
    int exponent = 0;
    snprintf(rounded, sizeof rounded, "%.*e", significant - 1, fabs(value));
    for (const char *c = rounded; *c != '\0'; c++) {
        if (*c == 'e')
            sscanf(c + 1, "%d", &exponent);
    }
    int decimals = significant - 1 - exponent;
    return decimals < 0 ? 0 : decimals > 12 ? 12 : decimals;
}

static double round_significant(double value, int significant)
{
    double rounded = value;
    char text[FORMAT_MAX];
    snprintf(text, sizeof text, "%.*e", significant - 1, value);
    sscanf(text, "%lf", &rounded);
    return rounded;
}

void format_number(char out[FORMAT_MAX], double value)
{
    static const struct {
        double from, divisor;
        const char *suffix;
    } scales[] = {{1e15, 0, ""}, {1e11, 1e9, "G"}, {1e8, 1e6, "M"}, {1e5, 1e3, "k"}};
    if (!isfinite(value)) {
        snprintf(out, FORMAT_MAX, "n/a");
        return;
    }
    double rounded = round_significant(value, 3);
    double divisor = 1;
    const char *suffix = "";
    for (size_t i = sizeof scales / sizeof scales[0]; i-- > 0;) {
        if (fabs(rounded) >= scales[i].from) {
            divisor = scales[i].divisor;
            suffix = scales[i].suffix;
        }
    }
    if (divisor == 0 || (fabs(rounded) > 0 && fabs(rounded) < 1e-6))
        snprintf(out, FORMAT_MAX, "%.2e", value);
    else if (rounded == 0)
        snprintf(out, FORMAT_MAX, "0");
    else
        snprintf(out, FORMAT_MAX, "%.*f%s", decimals_for(rounded / divisor, 3), rounded / divisor,
                 suffix);
}

/* Three digits of the mean, up to two more where the spread would be lost. */
static int decimals_with_spread(double mean, double spread)
{
    int decimals = decimals_for(mean, 3);
    int wanted = decimals_for(spread, 1);
    return spread > 0 && wanted > decimals && wanted <= decimals + 2 ? wanted : decimals;
}

void format_mean_std(char out[FORMAT_MAX], double mean, double std)
{
    if (!isfinite(mean) || !isfinite(std) || fabs(mean) >= 1e15 || std >= 1e15) {
        format_number(out, mean);
        return;
    }
    int decimals = decimals_with_spread(mean, std);
    snprintf(out, FORMAT_MAX, "%.*f ± %.*f", decimals, mean, decimals, std);
}

void format_interval(char out[FORMAT_MAX], double mean, double low, double high)
{
    if (!isfinite(mean) || !(low > -1e12) || !(high < 1e12)) {
        format_number(out, mean);
        return;
    }
    int decimals = decimals_with_spread(mean, (high - low) / 2);
    snprintf(out, FORMAT_MAX, "%.*f [%.*f, %.*f]", decimals, mean, decimals, low, decimals, high);
}

void format_duration(char out[FORMAT_MAX], double seconds)
{
    static const struct {
        double from;
        struct format_unit unit;
    } scales[] = {{7200, {"h", 1.0 / 3600}},
                  {120, {"min", 1.0 / 60}},
                  {1, {"s", 1}},
                  {1e-3, {"ms", 1e3}},
                  {0, {"µs", 1e6}}};
    char number[FORMAT_MAX];
    struct format_unit unit = {"s", 1};
    for (size_t i = 0; i < sizeof scales / sizeof scales[0] && seconds > 0; i++) {
        /* 999.6 ms is written 1.00 s. */
        if (round_significant(seconds, 3) >= scales[i].from) {
            unit = scales[i].unit;
            break;
        }
    }
    format_number(number, seconds * unit.per_base);
    snprintf(out, FORMAT_MAX, "%.40s %s", number, unit.name);
}

void format_memory(char out[FORMAT_MAX], double megabytes)
{
    if (!isfinite(megabytes))
        snprintf(out, FORMAT_MAX, "n/a");
    else if (megabytes < 8192)
        snprintf(out, FORMAT_MAX, "%.1f MB", megabytes);
    else
        snprintf(out, FORMAT_MAX, "%.1f GB", megabytes / 1024);
}

struct format_unit format_time_unit(const double *seconds, size_t count)
{
    double log_sum = 0;
    double smallest = INFINITY;
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        if (!(seconds[i] > 0) || !isfinite(seconds[i]))
            continue;
        log_sum += log(seconds[i]);
        smallest = fmin(smallest, seconds[i]);
        used++;
    }
    double typical = used > 0 ? exp(log_sum / (double)used) : 1;
    if (typical >= 1 && smallest >= 0.01)
        return (struct format_unit){"s", 1};
    if (typical >= 1e-3)
        return (struct format_unit){"ms", 1e3};
    return (struct format_unit){"µs", 1e6};
}

struct format_unit format_memory_unit(const double *megabytes, size_t count)
{
    double largest = 0;
    for (size_t i = 0; i < count; i++) {
        if (isfinite(megabytes[i]))
            largest = fmax(largest, megabytes[i]);
    }
    if (largest >= 8192)
        return (struct format_unit){"GB", 1.0 / 1024};
    return (struct format_unit){"MB", 1};
}
