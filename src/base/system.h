/* Facts about the machine and its surroundings that change a measurement. */
#ifndef TOKENMARK_BASE_SYSTEM_H
#define TOKENMARK_BASE_SYSTEM_H

#include <jansson.h>

#include "base/error.h"

/* A new JSON object (caller: json_decref), NULL when out of memory: cpu_model, architecture,
 * physical_cores, logical_cpus, affinity_cpus, sockets, numa_nodes, smt, governor, turbo,
 * memory_total_mb, memory_available_mb, swap_total_mb, os, kernel, libc, hostname is NOT
 * recorded, load_average, cgroup limits, transparent_huge_pages. A fact that the machine does
 * not show is null. */
json_t *system_facts(void);

#endif
