/* Finds, opens and checks a plugin; see plugin.h. */
#include "engine/plugin.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The folder of the running program, with the last slash. */
static int program_folder(char *out, size_t capacity, struct error *error)
{
    ssize_t length = readlink("/proc/self/exe", out, capacity - 1);
    if (length <= 0)
        return error_set(error, ERROR_FAILED, "the system does not tell where this program lies");
    out[length] = '\0';
    char *slash = strrchr(out, '/');
    if (slash != NULL)
        slash[1] = '\0';
    return 0;
}

static int check(const struct engine_plugin *plugin, const char *path, struct error *error)
{
    if (plugin != NULL && plugin->abi == ENGINE_PLUGIN_ABI &&
        plugin->ops_bytes == sizeof(struct engine_ops) &&
        plugin->architecture_bytes == sizeof(struct architecture))
        return 0;
    return error_set(error, ERROR_INPUT,
                     "%s belongs to another build of tokenmark (its interface is %u, this "
                     "program's %d): build or install both together",
                     path, plugin != NULL ? plugin->abi : 0, ENGINE_PLUGIN_ABI);
}

static int open_file(const struct engine_plugin **out, const char *path, struct error *error)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (library == NULL)
        return error_set(error, ERROR_INPUT, "its plugin cannot be loaded: %s", dlerror());
    engine_plugin_get *get = NULL;
    void *symbol = dlsym(library, ENGINE_PLUGIN_SYMBOL);
    memcpy(&get, &symbol, sizeof get);
    const struct engine_plugin *plugin = get != NULL ? get() : NULL;
    int code = check(plugin, path, error);
    /* What was opened stays (RTLD_NODELETE): only the count of openings goes down again. */
    (void)dlclose(library);
    if (code == 0)
        *out = plugin;
    return code;
}

int plugin_open(const struct engine_plugin **out, const char *file, struct error *error)
{
    static const char *const places[] = {"", "../lib/tokenmark/"};
    *out = NULL;
    char folder[PATH_MAX], path[2 * PATH_MAX];
    int code = program_folder(folder, sizeof folder, error);
    if (code != 0)
        return code;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        (void)snprintf(path, sizeof path, "%s%s%s", folder, places[i], file);
        if (access(path, F_OK) == 0)
            return open_file(out, path, error);
    }
    return error_set(error, ERROR_INPUT,
                     "this build has no %s (it is made where nvcc is found), neither in %s nor in "
                     "../lib/tokenmark from there",
                     file, folder);
}
