/* Time as a value that is passed in: results use the clock that bench was given, so
 * that tests can hand in a scripted one. Nothing else in the program reads time for
 * a result. */
#ifndef TOKENMARK_BASE_CLOCK_H
#define TOKENMARK_BASE_CLOCK_H

struct clock {
    double (*now_s)(void *context); /* seconds since a fixed but arbitrary moment */
    void *context;
};

/* The machine's monotonic clock (CLOCK_MONOTONIC), nanosecond resolution. */
const struct clock *clock_monotonic(void);

static inline double clock_now_s(const struct clock *clock)
{
    return clock->now_s(clock->context);
}

/* Wall time now as ISO 8601 with microseconds and offset:
 * "2026-01-31T23:59:59.123456+01:00". */
void clock_timestamp(char out[40]);

#endif
