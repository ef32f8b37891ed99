/* Limits that the control groups around this process set (v1 and v2), every enclosing group
 * counted. Used for thread counts, memory that is there, and the facts of a results file. */
#ifndef TOKENMARK_BASE_CGROUP_H
#define TOKENMARK_BASE_CGROUP_H

#include <stdint.h>

/* CPUs that the tightest quota allows (1.5 = one and a half); 0 where there is no quota. */
double cgroup_cpu_quota(void);

/* The tightest memory limit, INT64_MAX where there is none. */
int64_t cgroup_memory_limit_bytes(void);

/* The least that a group still grants: its limit less what is used and cannot be reclaimed;
 * INT64_MAX without limits. */
int64_t cgroup_memory_available_bytes(void);

#endif
