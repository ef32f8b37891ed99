/* Plugins for the tests of the loader: FAKE_PLUGIN_ABI is what this one says it is; its engine
 * refuses every device by name, or (FAKE_PLUGIN_NO_OPEN) takes it and cannot be opened. */
#include "engine/plugin.h"

#include <stdio.h>

#ifdef FAKE_PLUGIN_ABI
#ifdef FAKE_PLUGIN_NO_OPEN
static int accept(int device_index, struct error *reason)
{
    (void)device_index;
    (void)reason;
    return 0;
}

static int refuse_open(struct engine **out, const struct model *model,
                       const struct engine_options *options, struct error *error)
{
    (void)model;
    (void)options;
    *out = NULL;
    error->code = ERROR_FAILED;
    (void)snprintf(error->text, sizeof error->text, "the scripted plugin is held by another");
    return ERROR_FAILED;
}

static const struct engine_ops ops = {
    .name = "scripted", .device = "cuda", .probe = accept, .open = refuse_open};
#else
static int refuse(int device_index, struct error *reason)
{
    reason->code = ERROR_INPUT;
    (void)snprintf(reason->text, sizeof reason->text, "the scripted plugin refuses device %d",
                   device_index);
    return ERROR_INPUT;
}

static const struct engine_ops ops = {.name = "scripted", .device = "cuda", .probe = refuse};
#endif

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
