/* Conditions of a device; the thresholds stand here and in docs/metrics.md. */
#include "bench/device_watch.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const double megabyte = 1048576;
static const double clock_change = 0.05;
static const double lost_share = 0.02; /* of the runs' time */
static const double noise_s = 0.001;

/* Names are in the records, none a part of another; the cause is what a verdict makes of it. */
static const struct {
    enum device_throttle bit;
    const char *name;
    bool is_reason; /* for a verdict: clocks that a person has set are steady */
    enum verdict_cause cause;
} throttles[] = {
    {DEVICE_THROTTLE_POWER_LIMIT, "power limit", true, VERDICT_GPU_POWER_LIMIT},
    {DEVICE_THROTTLE_HEAT, "heat by driver", true, VERDICT_GPU_THROTTLED},
    {DEVICE_THROTTLE_HARDWARE_HEAT, "heat by hardware", true, VERDICT_GPU_THROTTLED},
    {DEVICE_THROTTLE_HARDWARE, "hardware slowdown", true, VERDICT_GPU_THROTTLED},
    {DEVICE_THROTTLE_POWER_BRAKE, "power brake", true, VERDICT_GPU_THROTTLED},
    {DEVICE_THROTTLE_SETTING, "clocks set", false, VERDICT_CAUSE_COUNT},
    {DEVICE_THROTTLE_SYNC_BOOST, "sync boost", true, VERDICT_GPU_THROTTLED},
};
enum { THROTTLES = sizeof throttles / sizeof throttles[0] };

static double rise(double before, double after)
{
    return after >= before ? after - before : NAN;
}

static double mean_of(double a, double b)
{
    return isnan(a) ? b : isnan(b) ? a : (a + b) / 2.0;
}

static double seen_in_either(double a, double b)
{
    if (isnan(a) || isnan(b))
        return isnan(a) ? b : a;
    return (double)((unsigned)a | (unsigned)b);
}

struct device_reading device_watch_between(const struct device_reading *before,
                                           const struct device_reading *after)
{
    return (struct device_reading){
        .power_w = mean_of(before->power_w, after->power_w),
        .energy_j = rise(before->energy_j, after->energy_j),
        .core_mhz = after->core_mhz,
        .memory_mhz = after->memory_mhz,
        .temperature_c = fmax(before->temperature_c, after->temperature_c),
        .heat_throttled_s = rise(before->heat_throttled_s, after->heat_throttled_s),
        .power_throttled_s = rise(before->power_throttled_s, after->power_throttled_s),
        .other_processes = fmax(before->other_processes, after->other_processes),
        .memory_used_bytes = after->memory_used_bytes,
        .throttle = seen_in_either(before->throttle, after->throttle),
    };
}

void device_watch_name_throttle(char *out, size_t capacity, double throttle)
{
    size_t length = 0;
    (void)snprintf(out, capacity, "%s", isnan(throttle) ? "" : "none seen");
    for (size_t i = 0; throttle > 0.0 && i < THROTTLES; i++) {
        if (((unsigned)throttle & (unsigned)throttles[i].bit) == 0 || length >= capacity)
            continue;
        int written = snprintf(out + length, capacity - length, "%s%s", length > 0 ? ", " : "",
                               throttles[i].name);
        length += written > 0 ? (size_t)written : 0;
    }
}

void device_watch_complete(struct device_conditions *conditions,
                           const struct device_reading *between)
{
    device_watch_name_throttle(conditions->throttle_reasons, sizeof conditions->throttle_reasons,
                               between->throttle);
    conditions->memory_used_mb = between->memory_used_bytes / megabyte;
    (void)snprintf(conditions->energy_source, sizeof conditions->energy_source, "%s",
                   isnan(conditions->energy_j) ? "" : "counter");
}

void device_watch_estimate_energy(struct device_conditions *conditions, double time_s)
{
    if (conditions->energy_j > 0.0 || !(conditions->power_w > 0.0))
        return;
    conditions->energy_j = conditions->power_w * time_s;
    (void)snprintf(conditions->energy_source, sizeof conditions->energy_source, "power");
}

/* The mean of what is known. */
struct mean {
    double sum, count;
};

static void mean_add(struct mean *mean, double value)
{
    if (isfinite(value)) {
        mean->sum += value;
        mean->count += 1.0;
    }
}

static double mean_value(struct mean mean)
{
    return mean.count > 0.0 ? mean.sum / mean.count : 0.0;
}

/* Each reason of the runs once, in the table's order. */
static void join_throttle(char *out, size_t capacity, const struct run_record *const *runs,
                          size_t count)
{
    double throttle = NAN;
    for (size_t r = 0; r < count; r++) {
        const char *words = runs[r]->conditions.device.throttle_reasons;
        if (words[0] == '\0')
            continue;
        throttle = isnan(throttle) ? 0.0 : throttle;
        for (size_t i = 0; i < THROTTLES; i++) {
            if (strstr(words, throttles[i].name) != NULL)
                throttle = seen_in_either(throttle, throttles[i].bit);
        }
    }
    device_watch_name_throttle(out, capacity, throttle);
}

/* How the runs' energy is known: the same way for all, or by both. */
static const char *join_source(const char *known, const char *next)
{
    if (known[0] == '\0' || strcmp(known, next) == 0)
        return next;
    return next[0] == '\0' ? known : "counter, power";
}

void device_watch_summarise(struct device_conditions *out, const struct run_record *const *runs,
                            size_t count, double tokens)
{
    struct mean power = {0}, energy = {0}, core = {0}, memory = {0};
    const char *source = "";
    *out = (struct device_conditions){0};
    for (size_t i = 0; i < count; i++) {
        const struct device_conditions *run = &runs[i]->conditions.device;
        mean_add(&power, run->power_w);
        mean_add(&energy, run->energy_j);
        mean_add(&core, run->core_mhz);
        mean_add(&memory, run->memory_mhz);
        out->temperature_c = fmax(out->temperature_c, run->temperature_c);
        out->other_processes = fmax(out->other_processes, run->other_processes);
        out->memory_used_mb = fmax(out->memory_used_mb, run->memory_used_mb);
        out->heat_throttled_s += run->heat_throttled_s > 0.0 ? run->heat_throttled_s : 0.0;
        out->power_throttled_s += run->power_throttled_s > 0.0 ? run->power_throttled_s : 0.0;
        source = join_source(source, run->energy_source);
    }
    out->power_w = mean_value(power);
    out->energy_j = mean_value(energy);
    out->core_mhz = mean_value(core);
    out->memory_mhz = mean_value(memory);
    out->energy_per_token_j = out->energy_j / tokens;
    (void)snprintf(out->energy_source, sizeof out->energy_source, "%s", source);
    join_throttle(out->throttle_reasons, sizeof out->throttle_reasons, runs, count);
}

/* A reason with the names that led to it and in how many runs they were seen. */
static void judge_throttle(struct verdict *verdict, enum verdict_cause cause,
                           const struct run_record *const *runs, size_t count, double throttled_s,
                           double time_s)
{
    size_t seen = 0;
    unsigned found = 0;
    for (size_t r = 0; r < count; r++) {
        bool any = false;
        for (size_t i = 0; i < THROTTLES; i++) {
            if (!throttles[i].is_reason || throttles[i].cause != cause ||
                strstr(runs[r]->conditions.device.throttle_reasons, throttles[i].name) == NULL)
                continue;
            any = true;
            found |= (unsigned)throttles[i].bit;
        }
        seen += any;
    }
    char names[RECORD_THROTTLE_MAX];
    device_watch_name_throttle(names, sizeof names, found);
    if (seen > 0)
        verdict_add(verdict, cause, "beside %zu of %zu runs the GPU's clocks were held down: %s",
                    seen, count, names);
    else if (throttled_s > noise_s && throttled_s > lost_share * time_s)
        verdict_add(verdict, cause, "the GPU's clocks were held down for %.3g of %.3g s",
                    throttled_s, time_s);
}

struct range {
    double low, high;
};

static void range_add(struct range *range, double value)
{
    if (!(value > 0.0))
        return;
    range->low = range->high > 0.0 ? fmin(range->low, value) : value;
    range->high = fmax(range->high, value);
}

static bool range_is_wide(struct range range)
{
    return range.high > 0.0 && range.high / range.low - 1.0 > clock_change;
}

static void judge_clocks(struct verdict *verdict, struct range core, struct range memory)
{
    if (range_is_wide(core))
        verdict_add(verdict, VERDICT_GPU_CLOCKS, "the GPU's SM clock was %.0f to %.0f MHz",
                    core.low, core.high);
    else if (range_is_wide(memory))
        verdict_add(verdict, VERDICT_GPU_CLOCKS, "the GPU's memory clock was %.0f to %.0f MHz",
                    memory.low, memory.high);
}

void device_watch_judge(struct verdict *verdict, const struct run_record *const *runs, size_t count)
{
    double heat_s = 0.0, power_s = 0.0, time_s = 0.0, others = 0.0;
    struct range core = {0}, memory = {0};
    for (size_t i = 0; i < count; i++) {
        const struct device_conditions *run = &runs[i]->conditions.device;
        heat_s += run->heat_throttled_s > 0.0 ? run->heat_throttled_s : 0.0;
        power_s += run->power_throttled_s > 0.0 ? run->power_throttled_s : 0.0;
        time_s += runs[i]->total_latency;
        others = fmax(others, run->other_processes);
        range_add(&core, run->core_mhz);
        range_add(&memory, run->memory_mhz);
    }
    if (others > 0.0)
        verdict_add(verdict, VERDICT_GPU_SHARED, "%.0f other process%s computed on the GPU", others,
                    others > 1.0 ? "es" : "");
    judge_throttle(verdict, VERDICT_GPU_THROTTLED, runs, count, heat_s, time_s);
    judge_throttle(verdict, VERDICT_GPU_POWER_LIMIT, runs, count, power_s, time_s);
    judge_clocks(verdict, core, memory);
}
