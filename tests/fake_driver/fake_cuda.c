/* A libcuda.so.1 that plays what TOKENMARK_FAKE_DRIVER says: the words below, separated by
 * commas. Found by LD_LIBRARY_PATH in the tests of the command line alone. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int cuInit(unsigned flags);
int cuDriverGetVersion(int *version);
int cuDeviceGetCount(int *count);
int cuDeviceGet(int *device, int ordinal);
int cuDeviceGetName(char *name, int capacity, int device);
int cuDeviceGetAttribute(int *value, int attribute, int device);
int cuGetErrorString(int code, const char **text);

static int plays(const char *word)
{
    const char *script = getenv("TOKENMARK_FAKE_DRIVER");
    return script != NULL && strstr(script, word) != NULL;
}

int cuInit(unsigned flags)
{
    (void)flags;
    if (plays("no-device"))
        return 100;
    return plays("mismatch") ? 803 : 0;
}

int cuDriverGetVersion(int *version)
{
    *version = plays("old") ? 11040 : 99000;
    return 0;
}

int cuDeviceGetCount(int *count)
{
    *count = plays("two") ? 2 : plays("none") ? 0 : 1;
    return 0;
}

int cuDeviceGet(int *device, int ordinal)
{
    *device = 100 + ordinal;
    return 0;
}

int cuDeviceGetName(char *name, int capacity, int device)
{
    (void)snprintf(name, (size_t)capacity, "Fake %s %d", plays("turing") ? "T4" : "H100",
                   device - 100);
    return 0;
}

int cuDeviceGetAttribute(int *value, int attribute, int device)
{
    (void)device;
    *value = attribute == 75 ? (plays("turing") ? 7 : 9) : plays("turing") ? 5 : 0;
    return 0;
}

int cuGetErrorString(int code, const char **text)
{
    *text = "as scripted";
    return code == 803 ? 0 : 1;
}
