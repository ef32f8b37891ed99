/* The readings of watch.h. */
#include "bench/watch.h"

#include <math.h>
#include <string.h>

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

/* GB/s; NaN where it cannot be read, which is an error only where the device is lost. Beside its
 * weights a device may have no room for the buffer that stands for the cell: then a smaller one has
 * to do, for this reading and those that follow. */
static int read_bandwidth(double *rate, struct watch *watch, struct error *error)
{
    struct limit_reading reading;
    struct error found = {0};
    int code = ERROR_MEMORY;
    while (code == ERROR_MEMORY && watch->working_bytes > 0) {
        struct limit_probe probe = {.kind = LIMIT_READ_BANDWIDTH,
                                    .dtype = "float32",
                                    .working_bytes = watch->working_bytes};
        code = limit_measure(&reading, watch->ops, watch->engine, watch->clock, &probe,
                             watch->options->bandwidth_s, &found);
        limit_release(watch->ops, watch->engine);
        if (code == ERROR_MEMORY)
            watch->working_bytes = limit_smaller_bytes(watch->working_bytes);
    }
    *rate = code == 0 ? reading.rate / giga : NAN;
    if (code != ERROR_DEVICE)
        return 0;
    *error = found;
    return code;
}

int watch_visit_begin(struct watch *watch, const struct results *results,
                      const struct cell_record *cell, int64_t output_length, struct error *error)
{
    const struct watch_options *options = watch->options;
    watch->first_run = results->run_count;
    watch->working_bytes = 0;
    if (options->architecture != NULL)
        watch->working_bytes = limit_working_bytes(
            cell_limits_step_bytes(options->architecture, options->types, cell, output_length),
            memory_available_bytes());
    return read_bandwidth(&watch->bandwidth_before, watch, error);
}

/* What a run may have changed of the facts that were written down when the engine was opened. */
static void note_decode_way(const struct watch *watch, const struct results *results)
{
    json_t *written = json_object_get(results->system, "engine");
    if (written == NULL || json_object_get(written, "decode") == NULL)
        return;
    json_t *facts = watch->ops->facts(watch->engine);
    json_t *decode = json_object_get(facts, "decode");
    if (decode != NULL)
        (void)json_object_set(written, "decode", decode);
    json_decref(facts);
}

int watch_visit_end(struct watch *watch, struct results *results, struct cell_record *cell,
                    int64_t output_length, struct error *error)
{
    if (results->run_count > watch->first_run) {
        double after = NAN;
        struct error ignored = {0};
        (void)read_bandwidth(&after, watch, &ignored); /* a lost device is met by the next cell */
        for (size_t i = watch->first_run; i < results->run_count; i++) {
            results->runs[i].conditions.bandwidth_before = watch->bandwidth_before;
            results->runs[i].conditions.bandwidth_after = after;
        }
    }
    note_decode_way(watch, results);
    struct watch_options options = *watch->options;
    int code = cell_limits_fill(cell, results, &options, output_length, error);
    if (code == 0 && cell->limits.mfu > 1.0 && options.read_peak != NULL) {
        options.peak_flops_per_s = options.read_peak(options.peak_context);
        code = cell_limits_fill(cell, results, &options, output_length, error);
    }
    return code != 0 ? code : judge_cell(cell, results, watch->options->cpu_count, error);
}

/* Ticks are coarse and the two sources are read one after the other: a little less than nothing is
 * nothing. */
static double other_cpu_s(const struct counters *between)
{
    double used_s = between->busy_cpu_s - between->own_cpu_s;
    return isnan(used_s) ? NAN : fmax(0.0, used_s);
}

/* What is recorded of a run, of the CPUs and of the device alike: from what the counters and the
 * readings come to over the run. */
static const struct {
    size_t from; /* in struct surroundings */
    size_t to;   /* in struct run_conditions */
} facts[] = {
#define FACT(from, to)                                                                             \
    {                                                                                              \
        offsetof(struct surroundings, from), offsetof(struct run_conditions, to)                   \
    }
    FACT(cpu.involuntary_switches, involuntary_switches),
    FACT(cpu.major_faults, major_faults),
    FACT(cpu.steal_s, steal_s),
    FACT(cpu.swapped_pages, swapped_pages),
    FACT(cpu.throttle_events, throttle_events),
    FACT(cpu.cpu_mhz, cpu_mhz),
    FACT(cpu.energy_j, energy_j),
    FACT(device.power_w, device.power_w),
    FACT(device.energy_j, device.energy_j),
    FACT(device.core_mhz, device.core_mhz),
    FACT(device.memory_mhz, device.memory_mhz),
    FACT(device.temperature_c, device.temperature_c),
    FACT(device.heat_throttled_s, device.heat_throttled_s),
    FACT(device.power_throttled_s, device.power_throttled_s),
    FACT(device.other_processes, device.other_processes),
#undef FACT
};

static void read_device(const struct watch *watch, struct device_reading *reading)
{
    device_reading_init(reading);
    if (watch->ops->read_device != NULL)
        watch->ops->read_device(watch->engine, reading);
}

void watch_run_begin(struct watch *watch)
{
    if (watch->options->read_counters == NULL)
        return;
    read_device(watch, &watch->before.device);
    watch->options->read_counters(watch->options->counters_context, &watch->before.cpu);
}

void watch_run_end(const struct watch *watch, struct run_conditions *conditions)
{
    struct surroundings now, between;
    run_conditions_init(conditions);
    if (watch->options->read_counters == NULL)
        return;
    watch->options->read_counters(watch->options->counters_context, &now.cpu);
    read_device(watch, &now.device);
    between.cpu = counters_difference(&watch->before.cpu, &now.cpu);
    between.device = device_watch_between(&watch->before.device, &now.device);
    for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++)
        memcpy((char *)conditions + facts[i].to, (const char *)&between + facts[i].from,
               sizeof(double));
    conditions->other_cpu_s = other_cpu_s(&between.cpu);
    device_watch_complete(&conditions->device, &between.device);
}
