/* Orders the CPUs of the affinity mask by Linux's /sys topology, so that two threads share a
 * core only when every core has one. */
#include "base/cpu_order.h"

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/* The lowest CPU of `mask` that shares a core with `cpu`; `cpu` itself where unknown. */
static int first_sibling(int cpu, const cpu_set_t *mask)
{
    char path[96];
    (void)snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list",
                   cpu);
    FILE *stream = fopen(path, "re");
    if (stream == NULL)
        return cpu;
    char line[256] = "";
    const char *cursor = fgets(line, sizeof line, stream);
    (void)fclose(stream);
    /* "0,64" or "0-1" */
    while (cursor != NULL && *cursor >= '0' && *cursor <= '9') {
        char *end = NULL;
        long low = strtol(cursor, &end, 10);
        long high = *end == '-' ? strtol(end + 1, &end, 10) : low;
        for (long each = low; each <= high && each < CPU_SETSIZE; each++)
            if (CPU_ISSET((size_t)each, mask))
                return (int)each;
        cursor = *end == ',' ? end + 1 : NULL;
    }
    return cpu;
}

void cpu_order_read(struct cpu_order *order)
{
    cpu_set_t mask;
    CPU_ZERO(&mask);
    order->cpu_count = 0;
    order->core_count = 0;
    if (sched_getaffinity(0, sizeof mask, &mask) != 0)
        return;
    bool first[CPU_SETSIZE] = {false};
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET((size_t)cpu, &mask) && first_sibling(cpu, &mask) == cpu) {
            first[cpu] = true;
            order->cpus[order->core_count++] = cpu;
        }
    order->cpu_count = order->core_count;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET((size_t)cpu, &mask) && !first[cpu])
            order->cpus[order->cpu_count++] = cpu;
}
