/* Facts about the machine and its surroundings that change a measurement. */
#ifndef TOKENMARK_BASE_SYSTEM_H
#define TOKENMARK_BASE_SYSTEM_H

#include <jansson.h>

/* A new JSON object (caller: json_decref), NULL when out of memory:
 *   cpu_model, architecture, microcode, virtual_machine (boolean), logical_cpus (online),
 *   physical_cores, sockets, numa_nodes, smt (boolean), affinity_cpus (a list like "0-3,8" of
 *   those this process may use), governor, turbo (boolean), cpu_max_mhz, memory_total_mb,
 *   memory_available_mb, swap_total_mb, transparent_huge_pages, cgroup_cpus (quota),
 *   cgroup_memory_limit_mb, load_average [1, 5, 15 minutes], os, kernel, libc.
 * A fact that the machine does not show is null. Nothing that names the machine or its owner. */
json_t *system_facts(void);

/* The same with the files of /proc, /sys and /etc taken from under `root` (no slash at its end);
 * only architecture, libc and the cgroup limits are still those of this process. */
json_t *system_facts_under(const char *root);

#endif
