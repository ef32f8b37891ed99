/* The GPU's part of `system`: what its engine tells of card and driver, and what the card shows
 * now. */
#ifndef TOKENMARK_CLI_GPU_FACTS_H
#define TOKENMARK_CLI_GPU_FACTS_H

#include "cli/setup.h"

/* Moves `gpu` from the engine's facts into `system` and adds a reading of this moment: power_w,
 * sm_mhz, memory_mhz, temperature_c, throttle_reasons, other_processes, memory_used_mb. Nothing
 * happens where the engine has no such facts. False when out of memory. */
bool gpu_facts_add(json_t *system, json_t *engine, const struct setup *setup);

#endif
