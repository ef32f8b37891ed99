/* The readings of watch.h. */
#include "bench/watch.h"

#include <math.h>

#include "base/memory.h"
#include "bench/cell_limits.h"
#include "bench/judge.h"
#include "bench/limit_reading.h"

static const double giga = 1e9;

void watch_read_counters(void *context, struct counters *counters)
{
    (void)context;
    counters_read(counters);
}

/* GB/s; NaN where it cannot be read. */
static double read_bandwidth(const struct watch *watch)
{
    struct limit_probe probe = {
        .kind = LIMIT_READ_BANDWIDTH, .dtype = "float32", .working_bytes = watch->working_bytes};
    struct limit_reading reading;
    struct error ignored = {0};
    if (watch->working_bytes <= 0)
        return NAN;
    int code = limit_measure(&reading, watch->ops, watch->engine, watch->clock, &probe,
                             watch->options->bandwidth_s, &ignored);
    limit_release(watch->ops, watch->engine);
    return code == 0 ? reading.rate / giga : NAN;
}

void watch_visit_begin(struct watch *watch, const struct results *results,
                       const struct cell_record *cell, int64_t output_length)
{
    const struct watch_options *options = watch->options;
    watch->first_run = results->run_count;
    watch->working_bytes = 0;
    if (options->architecture != NULL)
        watch->working_bytes = limit_working_bytes(
            cell_limits_step_bytes(options->architecture, options->types, cell, output_length),
            memory_available_bytes());
    watch->bandwidth_before = read_bandwidth(watch);
}

int watch_visit_end(struct watch *watch, struct results *results, struct cell_record *cell,
                    int64_t output_length, struct error *error)
{
    if (results->run_count > watch->first_run) {
        double after = read_bandwidth(watch);
        for (size_t i = watch->first_run; i < results->run_count; i++) {
            results->runs[i].conditions.bandwidth_before = watch->bandwidth_before;
            results->runs[i].conditions.bandwidth_after = after;
        }
    }
    struct watch_options options = *watch->options;
    int code = cell_limits_fill(cell, results, &options, output_length, error);
    if (code == 0 && cell->limits.mfu > 1.0 && options.read_peak != NULL) {
        options.peak_flops_per_s = options.read_peak(options.peak_context);
        code = cell_limits_fill(cell, results, &options, output_length, error);
    }
    return code != 0 ? code : judge_cell(cell, results, watch->options->cpu_count, error);
}

void watch_run_begin(struct watch *watch)
{
    if (watch->options->read_counters != NULL)
        watch->options->read_counters(watch->options->counters_context, &watch->counters);
}

void watch_run_end(const struct watch *watch, struct run_conditions *conditions)
{
    struct counters now;
    run_conditions_init(conditions);
    if (watch->options->read_counters == NULL)
        return;
    watch->options->read_counters(watch->options->counters_context, &now);
    struct counters between = counters_difference(&watch->counters, &now);
    /* Ticks are coarse and the two sources are read one after the other: a little less than
     * nothing is nothing. */
    double other_cpu_s = between.busy_cpu_s - between.own_cpu_s;
    *conditions = (struct run_conditions){
        .involuntary_switches = between.involuntary_switches,
        .major_faults = between.major_faults,
        .other_cpu_s = isnan(other_cpu_s) ? NAN : fmax(0.0, other_cpu_s),
        .steal_s = between.steal_s,
        .swapped_pages = between.swapped_pages,
        .throttle_events = between.throttle_events,
        .cpu_mhz = between.cpu_mhz,
        .energy_j = between.energy_j,
        .bandwidth_before = NAN,
        .bandwidth_after = NAN,
    };
}
