/* Big memory and what the process uses of it: pages for weights and caches, the peak
 * between two moments, what the machine still has. Counts are checked, never wrapped. */
#ifndef TOKENMARK_BASE_MEMORY_H
#define TOKENMARK_BASE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* False when a * b (or a + b) does not fit size_t; *out is then untouched. */
static inline bool size_multiply(size_t a, size_t b, size_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

static inline bool size_add(size_t a, size_t b, size_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}

/* Zeroed anonymous memory, 2 MB aligned, on 2 MB pages where the machine grants them
 * (madvise). Not touched yet: the thread that will read a part should write it first.
 * ERROR_MEMORY with the size in the text when there is none. */
int memory_map(void **out, size_t bytes, struct error *error);

/* Gives pages back to the system; NULL is fine. `bytes` as asked of memory_map. */
void memory_unmap(void *address, size_t bytes);

/* Resident bytes now, and the peak since the last reset (since the start where the
 * system cannot reset: memory_peak_reset then returns false). Linux: clear_refs 5, VmHWM. */
int64_t memory_resident_bytes(void);
int64_t memory_peak_bytes(void);
bool memory_peak_reset(void);

/* What a new allocation may use without being killed for it: MemAvailable, lowered by
 * the limits of every enclosing cgroup (v1 and v2). */
int64_t memory_available_bytes(void);

/* All memory of the machine, lowered by cgroup limits. */
int64_t memory_total_bytes(void);

#endif
