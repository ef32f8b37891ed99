/* What the CUDA driver says before the CUDA engine's plugin is opened: asking is cheap, and
 * needs neither the plugin nor anything of CUDA at build time. */
#ifndef TOKENMARK_ENGINE_CUDA_DRIVER_H
#define TOKENMARK_ENGINE_CUDA_DRIVER_H

#include "engine/engine.h"

/* The hook `load` of the CUDA engine: driver, devices, plugin, versions, in this order. */
int cuda_driver_load(const struct engine_ops **out, int device_index, struct error *reason);

#endif
