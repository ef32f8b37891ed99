/* What happens to this process and around it while something is measured: counters that are read
 * before and after, never inside, a timed window. What the machine does not show is NaN. */
#ifndef TOKENMARK_BASE_COUNTERS_H
#define TOKENMARK_BASE_COUNTERS_H

/* Totals since some start, but for cpu_mhz. */
struct counters {
    double involuntary_switches; /* of this process' threads: another took the CPU */
    double major_faults;         /* of this process: a page came from a disk */
    double own_cpu_s;            /* that this process used, on all CPUs */
    double busy_cpu_s;           /* that anything used, on all CPUs of the machine */
    double steal_s;              /* that the hypervisor gave to other guests, on all CPUs */
    double swapped_pages;        /* in and out, of the machine */
    double throttle_events;      /* for heat, of all CPUs and packages */
    double cpu_mhz;              /* mean over the CPUs, now */
    double energy_j;             /* of all packages; wraps */
    double energy_range_j;       /* at which energy_j wraps */
};

void counters_read(struct counters *counters);

/* The same with the files of /proc and /sys taken from under `root` (no slash at its end); what
 * the system says of this process by calls is still its own. */
void counters_read_under(struct counters *counters, const char *root);

/* later - earlier; cpu_mhz becomes the mean of both, a wrapped energy is mended. */
struct counters counters_difference(const struct counters *earlier, const struct counters *later);

#endif
