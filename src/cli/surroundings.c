/* The table of checks of surroundings.h; a fact that the machine does not show is no finding. */
#include "cli/surroundings.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/counters.h"
#include "cli/version.h"

json_t *surroundings_build(void)
{
#ifdef __OPTIMIZE__
    bool optimised = true;
#else
    bool optimised = false;
#endif
    return json_pack("{s:s, s:s, s:s, s:b}", "compiler", version_compiler(), "build_type",
                     TOKENMARK_BUILD_TYPE, "flags", TOKENMARK_BUILD_FLAGS, "optimised", optimised);
}

bool surroundings_complete(json_t *system)
{
    struct counters counters;
    counters_read(&counters);
    return json_object_set_new(system, "build", surroundings_build()) == 0 &&
           json_object_set_new(system, "energy_counters",
                               json_boolean(!isnan(counters.energy_j))) == 0 &&
           json_object_set_new(system, "cpu_frequency_shown",
                               json_boolean(!isnan(counters.cpu_mhz))) == 0;
}

/* NaN where it is not known. */
static double number(const json_t *system, const char *key)
{
    const json_t *value = json_object_get(system, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static const char *word(const json_t *system, const char *key)
{
    const char *text = json_string_value(json_object_get(system, key));
    return text != NULL ? text : "";
}

static bool has_slow_governor(const json_t *system, char *text, size_t capacity)
{
    const char *governor = word(system, "governor");
    (void)snprintf(text, capacity, "the CPU frequency governor is '%s'", governor);
    return governor[0] != '\0' && strcmp(governor, "performance") != 0;
}

static bool has_other_load(const json_t *system, char *text, size_t capacity)
{
    double now = number(system, "other_cpus");
    double load = json_number_value(json_array_get(json_object_get(system, "load_average"), 0));
    double cpus = number(system, "logical_cpus");
    double allowed = isnan(cpus) ? 0.5 : fmax(0.25, 0.05 * cpus);
    if (!isnan(now))
        (void)snprintf(text, capacity, "other processes use %.1f CPUs now", now);
    else
        (void)snprintf(text, capacity, "the load of the last minute is %.1f", load);
    return isnan(now) ? load > 2.0 * allowed : now > allowed;
}

static bool has_threads_above_cores(const json_t *system, char *text, size_t capacity)
{
    double threads = number(system, "threads"), cores = number(system, "physical_cores");
    (void)snprintf(text, capacity, "%.0f threads on %.0f physical cores", threads, cores);
    return threads > cores;
}

static bool has_threads_above_quota(const json_t *system, char *text, size_t capacity)
{
    double threads = number(system, "threads"), quota = number(system, "cgroup_cpus");
    (void)snprintf(text, capacity, "%.0f threads, but the container may use %.2g CPUs", threads,
                   quota);
    return threads > quota;
}

/* How many CPUs a list like "0-3,8" names. */
static long count_list(const char *list)
{
    long count = 0, first, last;
    int used;
    while (sscanf(list, "%ld%n", &first, &used) == 1) {
        list += used;
        last = first;
        if (sscanf(list, "-%ld%n", &last, &used) == 1)
            list += used;
        count += last - first + 1;
        if (*list++ != ',')
            break;
    }
    return count;
}

static bool has_no_pinning(const json_t *system, char *text, size_t capacity)
{
    double threads = number(system, "threads");
    const json_t *pin = json_object_get(system, "pin");
    long cpus = count_list(word(system, "affinity_cpus"));
    bool too_many = cpus > 0 && threads > (double)cpus;
    if (json_is_false(pin))
        (void)snprintf(text, capacity, "threads are not bound to CPUs (--pin off)");
    else
        (void)snprintf(text, capacity, "threads cannot be bound: %.0f threads for %ld CPUs",
                       threads, cpus);
    return json_is_false(pin) || too_many;
}

static bool has_swap(const json_t *system, char *text, size_t capacity)
{
    double swap = number(system, "swap_total_mb");
    (void)snprintf(text, capacity, "swap is on (%.0f MB)", swap);
    return swap > 0.0;
}

static bool has_no_large_pages(const json_t *system, char *text, size_t capacity)
{
    (void)snprintf(text, capacity, "transparent huge pages are off");
    return strcmp(word(system, "transparent_huge_pages"), "never") == 0;
}

static bool has_little_memory(const json_t *system, char *text, size_t capacity)
{
    double total = number(system, "memory_total_mb");
    double available = number(system, "memory_available_mb");
    (void)snprintf(text, capacity, "%.0f of %.0f MB of memory are available", available, total);
    return available < 0.25 * total;
}

static bool is_unoptimised(const json_t *system, char *text, size_t capacity)
{
    (void)snprintf(text, capacity, "this program was built without optimisation");
    return json_is_false(json_object_get(json_object_get(system, "build"), "optimised"));
}

static bool has_turbo(const json_t *system, char *text, size_t capacity)
{
    (void)snprintf(text, capacity, "turbo is on: clocks depend on heat and on other cores");
    return json_is_true(json_object_get(system, "turbo"));
}

static bool is_virtual(const json_t *system, char *text, size_t capacity)
{
    (void)snprintf(text, capacity, "this is a virtual machine: other guests share CPUs and memory");
    return json_is_true(json_object_get(system, "virtual_machine"));
}

static bool has_nodes(const json_t *system, char *text, size_t capacity)
{
    double nodes = number(system, "numa_nodes");
    (void)snprintf(text, capacity, "%.0f NUMA nodes: memory of another node is slower", nodes);
    return nodes > 1.0;
}

static bool has_no_energy(const json_t *system, char *text, size_t capacity)
{
    (void)snprintf(text, capacity, "energy per token: not available, no RAPL counters can be read");
    return json_is_false(json_object_get(system, "energy_counters"));
}

static const json_t *gpu_of(const json_t *system)
{
    return json_object_get(system, "gpu");
}

static bool shares_gpu(const json_t *system, char *text, size_t capacity)
{
    double others = number(gpu_of(system), "other_processes");
    (void)snprintf(text, capacity, "%.0f other process%s on the GPU", others,
                   others == 1.0 ? " computes" : "es compute");
    return others > 0.0;
}

/* Clocks that a person has set are steady, so nothing to warn of. */
static bool has_throttled_gpu(const json_t *system, char *text, size_t capacity)
{
    const char *reasons = word(gpu_of(system), "throttle_reasons");
    (void)snprintf(text, capacity, "the GPU's clocks are held down now: %s", reasons);
    return reasons[0] != '\0' && strcmp(reasons, "none seen") != 0 &&
           strcmp(reasons, "clocks set") != 0;
}

static bool has_no_persistence(const json_t *system, char *text, size_t capacity)
{
    (void)snprintf(text, capacity, "the GPU's persistence mode is off");
    return json_is_false(json_object_get(gpu_of(system), "persistence_mode"));
}

static bool has_no_nvml(const json_t *system, char *text, size_t capacity)
{
    const char *nvml = word(gpu_of(system), "nvml");
    (void)snprintf(text, capacity, "the GPU cannot be looked at beside runs: %s", nvml);
    return nvml[0] != '\0' && strcmp(nvml, "available") != 0;
}

static bool has_no_gpu(const json_t *system, char *text, size_t capacity)
{
    const char *reason = word(system, "gpu_unavailable");
    (void)snprintf(text, capacity, "no GPU would be used: %s", reason);
    return reason[0] != '\0';
}

const struct surroundings_check surroundings_checks[SURROUNDINGS_CHECKS] = {
    {"build", true, is_unoptimised, "build with 'make' (Release) before measuring"},
    {"governor", true, has_slow_governor,
     "set it for the time of the measurement: cpupower frequency-set -g performance"},
    {"other load", true, has_other_load,
     "stop other programs; 'top' shows which; they share caches and memory bandwidth too"},
    {"threads above cores", true, has_threads_above_cores,
     "leave --threads out, or set it to the number of physical cores: two threads of one core "
     "share its units"},
    {"threads above quota", true, has_threads_above_quota,
     "lower --threads or raise the container's quota: threads beyond it are stopped in every "
     "period"},
    {"pinning", true, has_no_pinning,
     "use --pin on and no more threads than the affinity mask has CPUs (taskset, cpuset)"},
    {"memory", true, has_little_memory,
     "stop programs that hold memory: cells that do not fit are skipped"},
    {"huge pages", true, has_no_large_pages,
     "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled: weights then lie on 2 MB pages"},
    {"swap", false, has_swap,
     "swapoff -a keeps pages in memory; a cell that swapped is called NOISY"},
    {"turbo", false, has_turbo,
     "for comparisons turn it off, or let the machine warm up before measuring"},
    {"virtual machine", false, is_virtual,
     "trust differences between runs of the same minutes; cells that lost CPU time are called "
     "NOISY"},
    {"numa", false, has_nodes, "numactl --cpunodebind=0 --membind=0 keeps all on one node"},
    {"energy", false, has_no_energy,
     "reading /sys/class/powercap needs Intel or AMD hardware and usually root"},
    {"gpu shared", true, shares_gpu,
     "'nvidia-smi' shows which: stop it, or measure on another GPU (--device cuda:N)"},
    {"gpu throttled", true, has_throttled_gpu,
     "let it cool down and look at its power limit ('nvidia-smi -q -d PERFORMANCE,POWER')"},
    {"gpu persistence", false, has_no_persistence,
     "nvidia-smi -pm 1 keeps the driver's state and the clocks' settings between programs"},
    {"gpu readings", false, has_no_nvml,
     "power, clocks, heat and other processes stay unknown, and no verdict can name them: install "
     "the driver's libnvidia-ml.so.1 (in a container: the utility capability)"},
    {"gpu", false, has_no_gpu,
     "a machine without a GPU needs nothing: the CPU is measured; where one is there and cannot be "
     "opened, 'bench' ends unless --device cpu is asked for"},
};
