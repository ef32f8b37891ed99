/* Number formatting for terminal tables and progress; see readable.h. */
#include "cli/readable.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/terminal.h"

void readable_duration(char out[READABLE_MAX], double seconds)
{
    double minutes = floor(seconds / 60), hours = floor(seconds / 3600);
    if (!isfinite(seconds))
        (void)snprintf(out, READABLE_MAX, "unknown");
    else if (seconds < 9.95)
        (void)snprintf(out, READABLE_MAX, "%.1f s", seconds < 0 ? 0 : seconds);
    else if (seconds < 59.5)
        (void)snprintf(out, READABLE_MAX, "%.0f s", seconds);
    else if (hours < 1)
        (void)snprintf(out, READABLE_MAX, "%.0fm %02.0fs", minutes, floor(seconds - 60 * minutes));
    else if (hours < 48)
        (void)snprintf(out, READABLE_MAX, "%.0fh %02.0fm", hours, minutes - 60 * hours);
    else
        (void)snprintf(out, READABLE_MAX, "%.0fd %02.0fh", floor(hours / 24), fmod(hours, 24));
}

void readable_bytes(char out[READABLE_MAX], double bytes)
{
    double megabytes = bytes / (1 << 20);
    if (megabytes < 1024)
        (void)snprintf(out, READABLE_MAX, megabytes < 10 ? "%.1f MB" : "%.0f MB", megabytes);
    else
        (void)snprintf(out, READABLE_MAX, "%.1f GB", megabytes / 1024);
}

void readable_count(char out[READABLE_MAX], int64_t count)
{
    static const struct {
        double from;
        const char *unit;
    } units[] = {{1e12, " T"}, {1e9, " B"}, {1e6, " M"}, {1e3, " k"}};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if ((double)count >= units[i].from) {
            (void)snprintf(out, READABLE_MAX, "%.1f%s", (double)count / units[i].from,
                           units[i].unit);
            return;
        }
    }
    (void)snprintf(out, READABLE_MAX, "%lld", (long long)count);
}

/* Decimals that leave four significant digits, at most six. */
static int decimals_for(double value)
{
    double size = fabs(value);
    if (size == 0)
        return 0;
    int decimals = 3 - (int)floor(log10(size));
    return decimals < 0 ? 0 : decimals > 6 ? 6 : decimals;
}

void readable_number(char out[READABLE_MAX], double value)
{
    if (isfinite(value))
        (void)snprintf(out, READABLE_MAX, "%.*f", decimals_for(value), value);
    else
        (void)snprintf(out, READABLE_MAX, "-");
}

void readable_mean(char out[READABLE_MAX], double mean, double std)
{
    readable_number(out, mean);
    if (!isfinite(mean) || !isfinite(std))
        return;
    size_t length = strlen(out);
    (void)snprintf(out + length, READABLE_MAX - length, " %s %.*f", terminal_plus_minus(),
                   decimals_for(mean), std);
}
