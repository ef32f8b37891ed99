/* The table of engines and the choice among them by device name. Adding an engine is one
 * line here; nothing else in the program lists them. */
#include "engine/engine.h"

#include <string.h>

#include "base/suggest.h"
#include "engine/cuda_driver.h"
#include "engine/plugin.h"

extern const struct engine_ops engine_cpu;
extern const struct engine_ops engine_fake;

/* The CUDA engine with its kernels emulated on the host: only where the tests were built. */
static int load_emulated(const struct engine_ops **out, int device_index, struct error *reason)
{
    (void)device_index;
    const struct engine_plugin *plugin = NULL;
    int code = plugin_open(&plugin, "tokenmark_cudaemu.so", reason);
    if (code == 0)
        *out = plugin->ops;
    return code;
}

const struct engine_entry engines[] = {
    {"native-cuda", "cuda", NULL, cuda_driver_load, false},
    {"native-cpu", "cpu", &engine_cpu, NULL, false},
    {"fake", "fake", &engine_fake, NULL, true},
    {"emulated-cuda", "emu", NULL, load_emulated, true},
};
const size_t engine_count = sizeof engines / sizeof engines[0];

int engine_entry_probe(const struct engine_entry *entry, int device_index,
                       const struct engine_ops **out, struct error *reason)
{
    *out = NULL;
    const struct engine_ops *ops = entry->ops;
    int code = ops == NULL ? entry->load(&ops, device_index, reason) : 0;
    if (code == 0)
        code = ops->probe(device_index, reason);
    if (code == 0)
        *out = ops;
    return code;
}

/* The first entry that can run, in the table's order (accelerators before the CPU); *reason
 * keeps why those before it cannot. */
static int choose_auto(const struct engine_ops **out, struct error *reason, struct error *error)
{
    for (size_t i = 0; i < engine_count; i++) {
        if (engines[i].hidden)
            continue;
        struct error found = {0};
        if (engine_entry_probe(&engines[i], 0, out, &found) == 0)
            return 0;
        if (reason != NULL && reason->text[0] == '\0') {
            *reason = found;
            error_prefix(reason, "%s", engines[i].device);
        }
    }
    return error_set(error, ERROR_FAILED, "no engine can run on this machine");
}

/* "cuda:2" -> length of "cuda" and 2; -1 where what follows the colon is no index. */
static int split_device(const char *device, size_t *length)
{
    const char *colon = strchr(device, ':');
    if (colon == NULL) {
        *length = strlen(device);
        return 0;
    }
    *length = (size_t)(colon - device);
    size_t digits = strspn(colon + 1, "0123456789");
    if (digits == 0 || digits > 4 || colon[1 + digits] != '\0')
        return -1;
    int index = 0;
    for (size_t i = 1; i <= digits; i++)
        index = index * 10 + (colon[i] - '0');
    return index;
}

static int refuse_name(const char *device, struct error *error)
{
    static const char *const names[] = {"auto", "cpu", "cuda"};
    const char *near = suggest_nearest(device, names, sizeof names / sizeof names[0]);
    if (near != NULL)
        return error_set(error, ERROR_INPUT, "unknown device \"%s\": did you mean \"%s\"?", device,
                         near);
    return error_set(error, ERROR_INPUT,
                     "unknown device \"%s\": use auto, cpu, cuda or cuda:N (N from 0)", device);
}

int engine_choose(const struct engine_ops **out, int *device_index, const char *device,
                  struct error *reason, struct error *error)
{
    *out = NULL;
    *device_index = 0;
    if (reason != NULL)
        *reason = (struct error){0};
    if (strcmp(device, "auto") == 0)
        return choose_auto(out, reason, error);

    size_t length = 0;
    int index = split_device(device, &length);
    if (index < 0)
        return refuse_name(device, error);
    for (size_t i = 0; i < engine_count; i++) {
        const struct engine_entry *entry = &engines[i];
        if (strlen(entry->device) != length || strncmp(entry->device, device, length) != 0)
            continue;
        struct error found = {0};
        if (engine_entry_probe(entry, index, out, &found) != 0)
            return error_set(error, ERROR_INPUT,
                             "device \"%s\" was asked for, but cannot be used: %s", device,
                             found.text);
        *device_index = index;
        return 0;
    }
    return refuse_name(device, error);
}
