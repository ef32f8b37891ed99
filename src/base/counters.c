/* Reads the counters of counters.h from getrusage, /proc and /sys. */
#include "base/counters.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/system_files.h"

/* Packages that are looked for; each has its own energy counter. */
enum { PACKAGES_MAX = 16 };

static double seconds(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec * 1e-6;
}

static void read_process(struct counters *counters)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0)
        return;
    counters->involuntary_switches = (double)usage.ru_nivcsw;
    counters->major_faults = (double)usage.ru_majflt;
    counters->own_cpu_s = seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/* "cpu user nice system idle iowait irq softirq steal ...": time in ticks. Guests are part of
 * user. */
static void read_cpu_time(struct counters *counters, const char *root)
{
    char line[SYSTEM_LINE_BYTES];
    double user, nice, kernel, idle, wait, irq, soft_irq, steal;
    double tick_s = 1.0 / (double)sysconf(_SC_CLK_TCK);
    if (!system_file_line(root, "/proc/stat", line) ||
        sscanf(line, "cpu %lf %lf %lf %lf %lf %lf %lf %lf", &user, &nice, &kernel, &idle, &wait,
               &irq, &soft_irq, &steal) != 8)
        return;
    counters->busy_cpu_s = (user + nice + kernel + irq + soft_irq) * tick_s;
    counters->steal_s = steal * tick_s;
}

static void read_swap(struct counters *counters, const char *root)
{
    FILE *stream = system_file_open(root, "/proc/vmstat");
    if (stream == NULL)
        return;
    char line[SYSTEM_LINE_BYTES];
    double pages;
    while (fgets(line, sizeof line, stream) != NULL) {
        if (sscanf(line, "pswpin %lf", &pages) == 1 || sscanf(line, "pswpout %lf", &pages) == 1)
            counters->swapped_pages =
                pages + (isnan(counters->swapped_pages) ? 0.0 : counters->swapped_pages);
    }
    (void)fclose(stream);
}

/* NaN stands for "nothing seen yet". */
static void add_known(double *sum, long value)
{
    if (value >= 0)
        *sum = (isnan(*sum) ? 0.0 : *sum) + (double)value;
}

/* Where one CPU shows neither file (a virtual machine), the others are not asked. */
static void read_cpus(struct counters *counters, const char *root)
{
    char line[SYSTEM_LINE_BYTES], path[SYSTEM_LINE_BYTES];
    bool members[SYSTEM_CPUS_MAX];
    if (!system_file_line(root, "/sys/devices/system/cpu/online", line) ||
        system_parse_list(line, members) < 1)
        return;
    double khz = NAN;
    long frequencies = 0;
    for (int cpu = 0; cpu < SYSTEM_CPUS_MAX; cpu++) {
        if (!members[cpu])
            continue;
        static const char folder[] = "/sys/devices/system/cpu/cpu";
        (void)snprintf(path, sizeof path, "%s%d/cpufreq/scaling_cur_freq", folder, cpu);
        long frequency = system_file_number(root, path);
        add_known(&khz, frequency);
        frequencies += frequency >= 0;
        (void)snprintf(path, sizeof path, "%s%d/thermal_throttle/core_throttle_count", folder, cpu);
        long events = system_file_number(root, path);
        add_known(&counters->throttle_events, events);
        if (frequency < 0 && events < 0)
            break;
    }
    if (frequencies > 0)
        counters->cpu_mhz = khz / (double)frequencies / 1000.0;
}

/* Packages of the running average power limit; the counters of their parts are inside them. */
static void read_energy(struct counters *counters, const char *root)
{
    double total = NAN, range = NAN;
    for (int package = 0; package < PACKAGES_MAX; package++) {
        char path[SYSTEM_LINE_BYTES];
        static const char folder[] = "/sys/class/powercap/intel-rapl:";
        (void)snprintf(path, sizeof path, "%s%d/energy_uj", folder, package);
        long energy_uj = system_file_number(root, path);
        if (energy_uj < 0)
            break;
        add_known(&total, energy_uj);
        (void)snprintf(path, sizeof path, "%s%d/max_energy_range_uj", folder, package);
        add_known(&range, system_file_number(root, path));
    }
    counters->energy_j = total * 1e-6;
    counters->energy_range_j = range * 1e-6;
}

void counters_read_under(struct counters *counters, const char *root)
{
    *counters = (struct counters){NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN};
    read_process(counters);
    read_cpu_time(counters, root);
    read_swap(counters, root);
    read_cpus(counters, root);
    read_energy(counters, root);
}

void counters_read(struct counters *counters)
{
    counters_read_under(counters, "");
}

struct counters counters_difference(const struct counters *earlier, const struct counters *later)
{
    double energy_j = later->energy_j - earlier->energy_j;
    return (struct counters){
        .involuntary_switches = later->involuntary_switches - earlier->involuntary_switches,
        .major_faults = later->major_faults - earlier->major_faults,
        .own_cpu_s = later->own_cpu_s - earlier->own_cpu_s,
        .busy_cpu_s = later->busy_cpu_s - earlier->busy_cpu_s,
        .steal_s = later->steal_s - earlier->steal_s,
        .swapped_pages = later->swapped_pages - earlier->swapped_pages,
        .throttle_events = later->throttle_events - earlier->throttle_events,
        .cpu_mhz = (earlier->cpu_mhz + later->cpu_mhz) / 2.0,
        .energy_j = energy_j < 0.0 ? energy_j + later->energy_range_j : energy_j,
        .energy_range_j = later->energy_range_j,
    };
}
