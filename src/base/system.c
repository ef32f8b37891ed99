/* Collects the facts of system.h. In a container any file may be absent: what cannot be read
 * stays null. */
#include "base/system.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#ifdef __GLIBC__
#include <gnu/libc-version.h>
#endif

#include "base/cgroup.h"
#include "base/system_files.h"

/* Where facts are collected; `failed` is asked once at the end. */
struct collector {
    const char *root;
    json_t *facts;
    bool failed;
};

static void set_value(struct collector *collector, const char *key, json_t *value)
{
    if (value == NULL)
        value = json_null();
    if (json_object_set_new(collector->facts, key, value) != 0)
        collector->failed = true;
}

/* NULL, "" and what is not UTF-8 become null. */
static void set_text(struct collector *collector, const char *key, const char *text)
{
    set_value(collector, key, text != NULL && text[0] != '\0' ? json_string(text) : NULL);
}

/* Negative numbers stand for "not known". */
static void set_count(struct collector *collector, const char *key, long count)
{
    set_value(collector, key, count >= 0 ? json_integer(count) : NULL);
}

static void set_switch(struct collector *collector, const char *key, long value)
{
    set_value(collector, key, value == 0 || value == 1 ? json_boolean(value == 1) : NULL);
}

/* The first of several names for a line of a file; `keys` ends with NULL. */
static void set_key(struct collector *collector, const char *name, const char *path,
                    const char *const *keys, char separator)
{
    char value[SYSTEM_LINE_BYTES];
    for (; *keys != NULL; keys++) {
        if (system_file_key(collector->root, path, *keys, separator, value)) {
            set_text(collector, name, value);
            return;
        }
    }
    set_text(collector, name, NULL);
}

/* Counts the online CPUs that come first in their own list: one per core or per socket. */
static long count_first(const char *root, const bool *online, const char *list_name)
{
    long count = 0;
    for (long cpu = 0; cpu < SYSTEM_CPUS_MAX; cpu++) {
        char path[SYSTEM_LINE_BYTES], line[SYSTEM_LINE_BYTES];
        if (!online[cpu])
            continue;
        (void)snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%ld/topology/%s", cpu,
                       list_name);
        if (!system_file_line(root, path, line))
            return -1;
        count += strtol(line, NULL, 10) == cpu;
    }
    return count > 0 ? count : -1;
}

/* The governor of all online CPUs; "mixed" where they differ. */
static void set_governor(struct collector *collector, const bool *online)
{
    char common[SYSTEM_LINE_BYTES] = "";
    for (long cpu = 0; cpu < SYSTEM_CPUS_MAX; cpu++) {
        char path[SYSTEM_LINE_BYTES], line[SYSTEM_LINE_BYTES];
        if (!online[cpu])
            continue;
        (void)snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%ld/cpufreq/scaling_governor",
                       cpu);
        if (!system_file_line(collector->root, path, line))
            continue;
        if (common[0] == '\0')
            memcpy(common, line, sizeof common);
        else if (strcmp(common, line) != 0)
            memcpy(common, "mixed", sizeof "mixed");
    }
    set_text(collector, "governor", common);
}

static void collect_topology(struct collector *collector)
{
    const char *root = collector->root;
    char line[SYSTEM_LINE_BYTES];
    bool *online = calloc(SYSTEM_CPUS_MAX, sizeof *online);
    if (online == NULL) {
        collector->failed = true;
        return;
    }
    long nodes = -1, logical = -1, cores = -1, sockets = -1;
    if (system_file_line(root, "/sys/devices/system/node/online", line))
        nodes = system_parse_list(line, online);
    memset(online, 0, SYSTEM_CPUS_MAX * sizeof *online);
    if (system_file_line(root, "/sys/devices/system/cpu/online", line))
        logical = system_parse_list(line, online);
    if (logical > 0) {
        cores = count_first(root, online, "thread_siblings_list");
        sockets = count_first(root, online, "core_siblings_list");
    }
    set_count(collector, "logical_cpus", logical);
    set_count(collector, "physical_cores", cores);
    set_count(collector, "sockets", sockets);
    set_count(collector, "numa_nodes", nodes);
    set_switch(collector, "smt", system_file_number(root, "/sys/devices/system/cpu/smt/active"));
    set_governor(collector, online);
    free(online);
}

/* Only x86 tells: the flag stands in the long line of a CPU's flags. */
static long find_hypervisor(const char *root)
{
    FILE *stream = system_file_open(root, "/proc/cpuinfo");
    if (stream == NULL)
        return -1;
    char *line = NULL;
    size_t capacity = 0;
    long answer = -1;
    while (answer < 0 && getline(&line, &capacity, stream) > 0)
        if (strncmp(line, "flags", 5) == 0)
            answer = strstr(line, " hypervisor") != NULL;
    free(line);
    (void)fclose(stream);
    return answer;
}

static void collect_cpu(struct collector *collector)
{
    static const char *const model_keys[] = {"model name", "Model", "Hardware", NULL};
    static const char *const microcode_keys[] = {"microcode", NULL};
    static const char *const affinity_keys[] = {"Cpus_allowed_list", NULL};
    const char *root = collector->root;
    struct utsname names;
    set_key(collector, "cpu_model", "/proc/cpuinfo", model_keys, ':');
    set_text(collector, "architecture", uname(&names) == 0 ? names.machine : NULL);
    set_key(collector, "microcode", "/proc/cpuinfo", microcode_keys, ':');
    set_switch(collector, "virtual_machine", find_hypervisor(root));
    collect_topology(collector);
    set_key(collector, "affinity_cpus", "/proc/self/status", affinity_keys, ':');
    /* Intel's driver says when turbo is off, the others when it is on. */
    long no_turbo = system_file_number(root, "/sys/devices/system/cpu/intel_pstate/no_turbo");
    long boost = system_file_number(root, "/sys/devices/system/cpu/cpufreq/boost");
    set_switch(collector, "turbo", no_turbo == 0 || no_turbo == 1 ? 1 - no_turbo : boost);
    long max_khz =
        system_file_number(root, "/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq");
    set_count(collector, "cpu_max_mhz", max_khz >= 0 ? max_khz / 1000 : -1);
}

/* /proc/meminfo counts in kB of 1024 bytes. */
static void set_memory(struct collector *collector, const char *name, const char *key)
{
    char value[SYSTEM_LINE_BYTES];
    json_t *megabytes = NULL;
    if (system_file_key(collector->root, "/proc/meminfo", key, ':', value)) {
        char *end = NULL;
        double kilobytes = strtod(value, &end);
        if (strcmp(end, " kB") == 0)
            megabytes = json_real(kilobytes / 1024.0);
    }
    set_value(collector, name, megabytes);
}

/* "always [madvise] never": the word in brackets. */
static void set_chosen_word(struct collector *collector, const char *name, const char *path)
{
    char line[SYSTEM_LINE_BYTES];
    char *word = NULL;
    if (system_file_line(collector->root, path, line)) {
        char *open = strchr(line, '[');
        char *close = open != NULL ? strchr(open, ']') : NULL;
        if (close != NULL) {
            *close = '\0';
            word = open + 1;
        }
    }
    set_text(collector, name, word);
}

static void collect_memory(struct collector *collector)
{
    set_memory(collector, "memory_total_mb", "MemTotal");
    set_memory(collector, "memory_available_mb", "MemAvailable");
    set_memory(collector, "swap_total_mb", "SwapTotal");
    set_chosen_word(collector, "transparent_huge_pages",
                    "/sys/kernel/mm/transparent_hugepage/enabled");
    double quota = cgroup_cpu_quota();
    set_value(collector, "cgroup_cpus", quota > 0.0 ? json_real(quota) : NULL);
    int64_t limit = cgroup_memory_limit_bytes();
    set_value(collector, "cgroup_memory_limit_mb",
              limit < INT64_MAX ? json_real((double)limit / 1048576.0) : NULL);
}

static void collect_software(struct collector *collector)
{
    static const char *const os_keys[] = {"PRETTY_NAME", "NAME", NULL};
    char line[SYSTEM_LINE_BYTES];
    double load[3];
    json_t *loads = NULL;
    if (system_file_line(collector->root, "/proc/loadavg", line) &&
        sscanf(line, "%lf %lf %lf", &load[0], &load[1], &load[2]) == 3)
        loads = json_pack("[f, f, f]", load[0], load[1], load[2]);
    set_value(collector, "load_average", loads);
    set_key(collector, "os", "/etc/os-release", os_keys, '=');
    bool known = system_file_line(collector->root, "/proc/sys/kernel/osrelease", line);
    set_text(collector, "kernel", known ? line : NULL);
#ifdef __GLIBC__
    (void)snprintf(line, sizeof line, "glibc %s", gnu_get_libc_version());
    set_text(collector, "libc", line);
#else
    set_text(collector, "libc", NULL);
#endif
}

json_t *system_facts_under(const char *root)
{
    struct collector collector = {.root = root, .facts = json_object()};
    if (collector.facts == NULL)
        return NULL;
    collect_cpu(&collector);
    collect_memory(&collector);
    collect_software(&collector);
    if (collector.failed) {
        json_decref(collector.facts);
        return NULL;
    }
    return collector.facts;
}

json_t *system_facts(void)
{
    return system_facts_under("");
}
