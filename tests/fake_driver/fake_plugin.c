/* Plugins for the tests of the loader: FAKE_PLUGIN_ABI is what this one says it is; its engine
 * refuses every device by name. */
#include "engine/plugin.h"

#include <stdio.h>

#ifdef FAKE_PLUGIN_ABI
static int refuse(int device_index, struct error *reason)
{
    reason->code = ERROR_INPUT;
    (void)snprintf(reason->text, sizeof reason->text, "the scripted plugin refuses device %d",
                   device_index);
    return ERROR_INPUT;
}

static const struct engine_ops ops = {.name = "scripted", .device = "cuda", .probe = refuse};

static const struct engine_plugin plugin = {
    .abi = FAKE_PLUGIN_ABI,
    .ops_bytes = sizeof(struct engine_ops),
    .architecture_bytes = sizeof(struct architecture),
    .driver_version_min = 13000,
    .ops = &ops,
};

const struct engine_plugin *tokenmark_engine_plugin(void);

const struct engine_plugin *tokenmark_engine_plugin(void)
{
    return &plugin;
}
#endif
