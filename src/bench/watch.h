/* What is looked at beside the timed windows of a cell's visit: the counters around every run, the
 * bandwidth before and after, and from all of it, at the end, the cell's limits and verdict. */
#ifndef TOKENMARK_BENCH_WATCH_H
#define TOKENMARK_BENCH_WATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/counters.h"
#include "bench/device_watch.h"
#include "engine/engine.h"
#include "model/cost.h"
#include "results/results.h"

/* Nothing set: nothing is read, and the verdict follows from the times alone. */
struct watch_options {
    /* Reads the counters; NULL: nothing is known, not of the device either. */
    void (*read_counters)(void *context, struct counters *counters);
    void *counters_context;
    int cpu_count; /* of the machine; 0 = not known */
    /* Reads the bandwidth, for which the model's bytes must be known. */
    const struct architecture *architecture; /* NULL: no limits */
    struct model_cost_types types;
    double peak_flops_per_s; /* of the dtype; 0 = not known */
    /* Measures the peak again, asked where a prefill ran faster than it; may be NULL. Returns the
     * highest that is known. */
    double (*read_peak)(void *context);
    void *peak_context;
    double bandwidth_s; /* time for one reading */
};

/* The machine and the engine's device at one moment. */
struct surroundings {
    struct counters cpu;
    struct device_reading device;
};

/* One visit. */
struct watch {
    const struct watch_options *options;
    const struct engine_ops *ops;
    struct engine *engine;
    const struct clock *clock;
    size_t first_run; /* in the results */
    int64_t working_bytes;
    double bandwidth_before;
    struct surroundings before; /* the run */
};

/* Before the session opens and after it is closed. Bandwidth that cannot be read is not known: no
 * reason to measure nothing, but that the device is lost (ERROR_DEVICE, before). */
int watch_visit_begin(struct watch *watch, const struct results *results,
                      const struct cell_record *cell, int64_t output_length, struct error *error);
int watch_visit_end(struct watch *watch, struct results *results, struct cell_record *cell,
                    int64_t output_length, struct error *error);

/* Directly around the timed window. The device takes longer to read than the machine: it is read
 * outside the machine's counters, so that what it costs is in no figure but the device's own. */
void watch_run_begin(struct watch *watch);
void watch_run_end(const struct watch *watch, struct run_conditions *conditions);

/* Reads the counters of this machine: for read_counters. */
void watch_read_counters(void *context, struct counters *counters);

#endif
