/* What around the program changes a measurement, and what to do about it: the checks behind
 * 'tokenmark doctor' and the line of bench's header. */
#ifndef TOKENMARK_CLI_SURROUNDINGS_H
#define TOKENMARK_CLI_SURROUNDINGS_H

#include <jansson.h>
#include <stdbool.h>

/* How this program was built: {compiler, build_type, flags, optimised}; NULL when out of memory. */
json_t *surroundings_build(void);

/* Adds to the facts of system.h what this program knows beside them: build, energy_counters and
 * cpu_frequency_shown (booleans). */
bool surroundings_complete(json_t *system);

struct surroundings_check {
    const char *name;
    bool warns; /* else it is only worth knowing */
    /* True where there is something to say, in `text`. `system` as above, with the engine's
     * `threads` and `pin`, other_cpus (CPUs that others use now) where it is known, and `gpu` or
     * `gpu_unavailable` where a GPU was looked for. */
    bool (*applies)(const json_t *system, char *text, size_t capacity);
    const char *advice;
};
enum { SURROUNDINGS_CHECKS = 18, SURROUNDINGS_TEXT_MAX = 256 };
extern const struct surroundings_check surroundings_checks[SURROUNDINGS_CHECKS];

#endif
