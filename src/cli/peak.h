/* The peak multiply-add rate of this machine for an engine: a property of the machine, measured
 * once and kept in a file ($XDG_CACHE_HOME or ~/.cache, tokenmark/peaks.json). */
#ifndef TOKENMARK_CLI_PEAK_H
#define TOKENMARK_CLI_PEAK_H

#include <jansson.h>

#include "bench/limit_reading.h"
#include "cli/setup.h"

/* Measures the open engine for about 0.3 s and keeps the fastest pass in place of what was kept;
 * `system` names the CPU. */
int peak_measure(struct limit_reading *reading, const struct setup *setup, const json_t *system,
                 struct error *error);

/* The kept peak, or that of a short reading if that is higher, in operations per second; 0 where it
 * cannot be known. */
double peak_find(const struct setup *setup, const json_t *system);

#endif
