/* Asks libcuda, opened at run time, in the order of cost: is there a driver, a device, that
 * device, a plugin of this build, and is the device new enough. See cuda_driver.h. */
#include "engine/cuda_driver.h"

#include <dlfcn.h>
#include <string.h>

#include "base/text.h"
#include "engine/plugin.h"

enum {
    CUDA_NO_DEVICE = 100, /* CUDA_ERROR_NO_DEVICE */
    CAPABILITY_MAJOR = 75,
    CAPABILITY_MINOR = 76, /* CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_... */
    CAPABILITY_MIN = 80,
    NAME_MAX_BYTES = 128
};

/* The driver's functions, by our own prototypes. */
struct driver {
    void *library;
    int (*init)(unsigned flags);
    int (*version)(int *version);
    int (*count)(int *count);
    int (*get)(int *device, int ordinal);
    int (*name)(char *name, int capacity, int device);
    int (*attribute)(int *value, int attribute, int device);
    int (*error_string)(int code, const char **text);
};

static int driver_open(struct driver *driver, struct error *reason)
{
    *driver = (struct driver){.library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL)};
    if (driver->library == NULL) {
        (void)error_set(reason, ERROR_INPUT, "there is no NVIDIA driver (%s)", dlerror());
        return ERROR_INPUT; /* as a constant: clang's analyser does not look into error_set */
    }
    const struct {
        const char *symbol;
        void *to;
    } functions[] = {
        {"cuInit", &driver->init},
        {"cuDriverGetVersion", &driver->version},
        {"cuDeviceGetCount", &driver->count},
        {"cuDeviceGet", &driver->get},
        {"cuDeviceGetName", &driver->name},
        {"cuDeviceGetAttribute", &driver->attribute},
        {"cuGetErrorString", &driver->error_string},
    };
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        void *symbol = dlsym(driver->library, functions[i].symbol);
        if (symbol == NULL) {
            (void)error_set(reason, ERROR_INPUT, "libcuda.so.1 has no %s: not a usable driver",
                            functions[i].symbol);
            return ERROR_INPUT;
        }
        memcpy(functions[i].to, &symbol, sizeof symbol);
    }
    return 0;
}

static int driver_failed(const struct driver *driver, const char *what, int code,
                         struct error *reason)
{
    const char *text = NULL;
    if (driver->error_string(code, &text) != 0 || text == NULL)
        text = "no text for it";
    return error_set(reason, ERROR_INPUT, "the NVIDIA driver's %s fails with %d, %s", what, code,
                     text);
}

/* One device as it is named to a person; its capability as 80 for 8.0. */
static int describe(const struct driver *driver, int index, char name[NAME_MAX_BYTES],
                    int *capability)
{
    int device = 0, major = 0, minor = 0;
    name[0] = '\0';
    int code = driver->get(&device, index);
    if (code == 0)
        code = driver->name(name, NAME_MAX_BYTES, device);
    if (code == 0)
        code = driver->attribute(&major, CAPABILITY_MAJOR, device);
    if (code == 0)
        code = driver->attribute(&minor, CAPABILITY_MINOR, device);
    name[NAME_MAX_BYTES - 1] = '\0';
    *capability = 10 * major + minor;
    return code;
}

static int refuse_index(const struct driver *driver, int index, int count, struct error *reason)
{
    struct text list = {0};
    for (int i = 0; i < count; i++) {
        char name[NAME_MAX_BYTES];
        int capability = 0;
        (void)describe(driver, i, name, &capability);
        text_printf(&list, "%scuda:%d (%s)", i > 0 ? ", " : "", i, name);
    }
    int code = error_set(reason, ERROR_INPUT, "there is no CUDA device %d here, but %s", index,
                         text_string(&list));
    text_free(&list);
    return code;
}

static int check_device(const struct driver *driver, int index, struct error *reason)
{
    int count = 0;
    int code = driver->init(0);
    if (code != 0 && code != CUDA_NO_DEVICE)
        return driver_failed(driver, "cuInit", code, reason);
    if (code == 0)
        code = driver->count(&count);
    if (code == CUDA_NO_DEVICE || (code == 0 && count == 0))
        return error_set(reason, ERROR_INPUT, "the NVIDIA driver finds no GPU");
    if (code != 0)
        return driver_failed(driver, "cuDeviceGetCount", code, reason);
    return index < count ? 0 : refuse_index(driver, index, count, reason);
}

static int check_capability(const struct driver *driver, int index, struct error *reason)
{
    char name[NAME_MAX_BYTES];
    int capability = 0;
    int code = describe(driver, index, name, &capability);
    if (code != 0)
        return driver_failed(driver, "cuDeviceGetAttribute", code, reason);
    if (capability < CAPABILITY_MIN)
        return error_set(reason, ERROR_INPUT,
                         "cuda:%d, %s, has compute capability %d.%d, the engine needs 8.0 "
                         "(Ampere) or newer",
                         index, name, capability / 10, capability % 10);
    return 0;
}

static int check_version(const struct driver *driver, const struct engine_plugin *plugin,
                         struct error *reason)
{
    int version = 0, needed = plugin->driver_version_min;
    int code = driver->version(&version);
    if (code != 0)
        return driver_failed(driver, "cuDriverGetVersion", code, reason);
    if (version < needed)
        return error_set(reason, ERROR_INPUT,
                         "the NVIDIA driver is too old: it serves CUDA %d.%d, the engine needs "
                         "%d.%d",
                         version / 1000, version % 1000 / 10, needed / 1000, needed % 1000 / 10);
    return 0;
}

int cuda_driver_load(const struct engine_ops **out, int device_index, struct error *reason)
{
    struct driver driver;
    const struct engine_plugin *plugin = NULL;
    int code = driver_open(&driver, reason);
    if (code == 0)
        code = check_device(&driver, device_index, reason);
    if (code == 0)
        code = check_capability(&driver, device_index, reason);
    if (code == 0)
        code = plugin_open(&plugin, "tokenmark_cuda.so", reason);
    if (code == 0)
        code = check_version(&driver, plugin, reason);
    if (code == 0)
        *out = plugin->ops;
    if (driver.library != NULL)
        (void)dlclose(driver.library);
    return code;
}
