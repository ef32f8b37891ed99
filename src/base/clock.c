/* The real clocks behind clock.h. */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static double monotonic_now_s(void *context)
{
    (void)context;
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

const struct clock *clock_monotonic(void)
{
    static const struct clock monotonic = {monotonic_now_s, NULL};
    return &monotonic;
}

void clock_timestamp(char out[40])
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    struct tm local;
    (void)localtime_r(&now.tv_sec, &local);
    char day[24];
    (void)strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &local);
    long offset_min = local.tm_gmtoff / 60;
    char sign = offset_min < 0 ? '-' : '+';
    if (offset_min < 0)
        offset_min = -offset_min;
    unsigned microseconds = (unsigned)(now.tv_nsec / 1000) % 1000000U;
    unsigned hours = (unsigned)(offset_min / 60) % 100U;
    unsigned minutes = (unsigned)(offset_min % 60) % 60U;
    (void)snprintf(out, 40, "%.19s.%06u%c%02u:%02u", day, microseconds, sign, hours, minutes);
}
