/* Engines in shared objects of their own, opened at run time, so that what they are linked with
 * need not be there. A plugin is built from the same sources as the program and no other: the
 * numbers below differ where it was not. */
#ifndef TOKENMARK_ENGINE_PLUGIN_H
#define TOKENMARK_ENGINE_PLUGIN_H

#include "engine/engine.h"

/* Raised with every change to engine.h, model.h or weights.h that a plugin would notice. */
enum { ENGINE_PLUGIN_ABI = 5 };

struct engine_plugin {
    uint32_t abi;                /* ENGINE_PLUGIN_ABI */
    uint32_t ops_bytes;          /* sizeof(struct engine_ops) */
    uint32_t architecture_bytes; /* sizeof(struct architecture) */
    int driver_version_min;      /* CUDA driver that it needs: 13000 = 13.0 */
    const struct engine_ops *ops;
};

/* The one function that a plugin exports, by this name. */
typedef const struct engine_plugin *engine_plugin_get(void);
#define ENGINE_PLUGIN_SYMBOL "tokenmark_engine_plugin"

/* Opens `file` beside the running program or in ../lib/tokenmark from there. */
int plugin_open(const struct engine_plugin **out, const char *file, struct error *error);

#endif
