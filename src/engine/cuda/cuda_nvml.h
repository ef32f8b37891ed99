/* What NVIDIA's management library, opened at run time, tells of the card beside runs: power,
 * energy, clocks, heat, who else computes on it. Nothing here fails an engine: a fact that library,
 * driver or card do not show is not known. */
#ifndef TOKENMARK_ENGINE_CUDA_CUDA_NVML_H
#define TOKENMARK_ENGINE_CUDA_CUDA_NVML_H

#include <cuda_runtime_api.h>
#include <jansson.h>

#include "base/error.h"
#include "engine/engine.h"

struct cuda_nvml; /* the library and its handle of one card */

/* The card is found by its place on the PCI bus: CUDA and NVML number cards differently. Fails for
 * want of memory alone. */
int cuda_nvml_open(struct cuda_nvml **out, const struct cudaDeviceProp *properties,
                   struct error *error);
void cuda_nvml_close(struct cuda_nvml *nvml);

/* Facts that stay: name, nvml ("available", or why not), driver_version, memory_total_mb,
 * power_limit_w, max_sm_mhz, max_memory_mhz, persistence_mode, ecc, mig (booleans); null where not
 * shown. New reference; NULL when out of memory. */
json_t *cuda_nvml_facts(const struct cuda_nvml *nvml);

/* Memory of the card that is used, by all processes and the driver; NaN where not shown, and of a
 * card divided by MIG: it is not that of the part. The same holds of other processes. */
double cuda_nvml_used_bytes(const struct cuda_nvml *nvml);

void cuda_nvml_read(struct cuda_nvml *nvml, struct device_reading *reading);

#endif
