/* What a device shows beside the runs: two readings become a run's conditions, the runs' a cell's,
 * and all of a cell's its reasons for a verdict. */
#ifndef TOKENMARK_BENCH_DEVICE_WATCH_H
#define TOKENMARK_BENCH_DEVICE_WATCH_H

#include <stddef.h>

#include "engine/engine.h"
#include "results/results.h"

/* What the readings before and after a run come to: power is the mean of both, energy and throttled
 * time what they rose by, clocks and memory those after, heat and other processes the larger,
 * throttle what was seen in either. */
struct device_reading device_watch_between(const struct device_reading *before,
                                           const struct device_reading *after);

/* Adds what is no plain number: reasons, memory, and which energy it is. */
void device_watch_complete(struct device_conditions *conditions,
                           const struct device_reading *between);

/* Where the counter did not move or is not there, energy is mean power times the run's time. */
void device_watch_estimate_energy(struct device_conditions *conditions, double time_s);

/* The names of a reading's throttle reasons, "none seen", or "" where they are not shown. */
void device_watch_name_throttle(char *out, size_t capacity, double throttle);

/* Over the runs of the cell; `tokens` are those that a run generates, of the whole batch. */
void device_watch_summarise(struct device_conditions *out, const struct run_record *const *runs,
                            size_t count, double tokens);

/* `runs` [count] of one cell, in order of measurement. */
void device_watch_judge(struct verdict *verdict, const struct run_record *const *runs,
                        size_t count);

#endif
