/* A libnvidia-ml.so.1 that plays what TOKENMARK_FAKE_NVML says: words of the form key=value,
 * separated by commas, where a value is what each further call answers, separated by slashes; the
 * last one stays. "E9" answers with error 9 instead, "+5" is 5 more than the call before. What is
 * not named answers as a quiet card would. FAKE_NVML_OLD leaves out what drivers of years ago did
 * not have, FAKE_NVML_EMPTY everything. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef FAKE_NVML_EMPTY
int nvmlSomethingElse(void);

int nvmlSomethingElse(void)
{
    return 0;
}
#else
enum { SUCCESS = 0, NOT_SUPPORTED = 3, NOT_FOUND = 6, INSUFFICIENT_SIZE = 7 };

struct fake_fact {
    const char *key;
    unsigned long long now; /* before anything is scripted, and between relative words */
    int calls;
};

/* Milliwatts, millijoules, megahertz, degrees, bits, nanoseconds, bytes. */
static struct fake_fact facts[] = {
    {"init", 0, 0},        {"bus", 0, 0},    {"power", 350000, 0},    {"energy", 5000000, 0},
    {"sm", 1980, 0},       {"mem", 2619, 0}, {"temp", 55, 0},         {"throttle", 0, 0},
    {"heat", 0, 0},        {"cap", 0, 0},    {"used", 1ull << 30, 0}, {"limit", 700000, 0},
    {"persistence", 1, 0}, {"ecc", 1, 0},    {"mig", 0, 0},           {"others", 0, 0},
};

/* The word of `key` in the script, after its equals sign; NULL where there is none. */
static const char *find_word(const char *key)
{
    const char *at = getenv("TOKENMARK_FAKE_NVML");
    size_t length = strlen(key);
    while (at != NULL && *at != '\0') {
        if (strncmp(at, key, length) == 0 && at[length] == '=')
            return at + length + 1;
        at = strchr(at, ',');
        at += at != NULL ? 1 : 0;
    }
    return NULL;
}

/* The `call`-th of the values, or the last. */
static const char *find_value(const char *word, int call)
{
    while (call-- > 0) {
        size_t length = strcspn(word, "/,");
        if (word[length] != '/')
            break;
        word += length + 1;
    }
    return word;
}

/* What the next call of this fact answers; an error's number, or 0 and *value. */
static int play(const char *key, unsigned long long *value)
{
    struct fake_fact *fact = facts;
    while (strcmp(fact->key, key) != 0)
        fact++;
    const char *word = find_word(key);
    if (word != NULL) {
        word = find_value(word, fact->calls);
        if (*word == 'E')
            return atoi(word + 1);
        fact->now =
            *word == '+' ? fact->now + strtoull(word + 1, NULL, 0) : strtoull(word, NULL, 0);
    }
    fact->calls++;
    *value = fact->now;
    return SUCCESS;
}

static int play_int(const char *key, unsigned *value)
{
    unsigned long long wide = 0;
    int code = play(key, &wide);
    *value = (unsigned)wide;
    return code;
}

struct fake_memory {
    unsigned long long total, free, used;
};
struct fake_violation {
    unsigned long long reference, violation;
};

int nvmlInit(void);
int nvmlShutdown(void);
int nvmlDeviceGetHandleByPciBusId(const char *bus_id, void **device);
const char *nvmlErrorString(int code);
int nvmlSystemGetDriverVersion(char *version, unsigned capacity);
int nvmlDeviceGetPowerUsage(void *device, unsigned *milliwatts);
int nvmlDeviceGetClockInfo(void *device, int type, unsigned *mhz);
int nvmlDeviceGetMaxClockInfo(void *device, int type, unsigned *mhz);
int nvmlDeviceGetTemperature(void *device, int sensor, unsigned *celsius);
int nvmlDeviceGetCurrentClocksThrottleReasons(void *device, unsigned long long *reasons);
int nvmlDeviceGetComputeRunningProcesses(void *device, unsigned *count, void *list);
int nvmlDeviceGetMemoryInfo(void *device, struct fake_memory *memory);

static int open_count;

int nvmlInit(void)
{
    unsigned ignored;
    int code = play_int("init", &ignored);
    open_count += code == SUCCESS;
    return code;
}

int nvmlShutdown(void)
{
    open_count--;
    return SUCCESS;
}

/* Knows the card at the place where the emulated GPU says it is. */
int nvmlDeviceGetHandleByPciBusId(const char *bus_id, void **device)
{
    unsigned ignored;
    if (open_count < 1 || strcmp(bus_id, "00000000:00:01.0") != 0)
        return NOT_FOUND;
    *device = facts;
    return play_int("bus", &ignored);
}

const char *nvmlErrorString(int code)
{
    return code == NOT_FOUND ? "not found, as scripted" : "as scripted";
}

int nvmlSystemGetDriverVersion(char *version, unsigned capacity)
{
#ifdef FAKE_NVML_OLD
    (void)snprintf(version, capacity, "390.157");
#else
    (void)snprintf(version, capacity, "580.65.06");
#endif
    return SUCCESS;
}

int nvmlDeviceGetPowerUsage(void *device, unsigned *milliwatts)
{
    return device == facts ? play_int("power", milliwatts) : NOT_FOUND;
}

int nvmlDeviceGetClockInfo(void *device, int type, unsigned *mhz)
{
    (void)device;
    return type == 1 ? play_int("sm", mhz) : type == 2 ? play_int("mem", mhz) : NOT_SUPPORTED;
}

int nvmlDeviceGetMaxClockInfo(void *device, int type, unsigned *mhz)
{
    (void)device;
    *mhz = type == 1 ? 1980 : 2619;
    return SUCCESS;
}

int nvmlDeviceGetTemperature(void *device, int sensor, unsigned *celsius)
{
    (void)device;
    return sensor == 0 ? play_int("temp", celsius) : NOT_SUPPORTED;
}

int nvmlDeviceGetCurrentClocksThrottleReasons(void *device, unsigned long long *reasons)
{
    (void)device;
    return play("throttle", reasons);
}

/* This process under its own number, and then the others. */
static int list_processes(unsigned *count, void *list, size_t stride)
{
    unsigned others = 0, capacity = *count;
    int code = play_int("others", &others);
    if (code != SUCCESS)
        return code;
    *count = others == 99 ? 0 : others + 1; /* 99: a container that shows nobody */
    if (*count > capacity)
        return INSUFFICIENT_SIZE;
    for (unsigned i = 0; i < *count; i++) {
        unsigned pid = i == 0 ? (unsigned)getpid() : 900000 + i;
        memset((char *)list + i * stride, 0xAB, stride);
        memcpy((char *)list + i * stride, &pid, sizeof pid);
    }
    return SUCCESS;
}

int nvmlDeviceGetComputeRunningProcesses(void *device, unsigned *count, void *list)
{
    (void)device;
    return list_processes(count, list, 16);
}

int nvmlDeviceGetMemoryInfo(void *device, struct fake_memory *memory)
{
    (void)device;
    memory->total = 80ull << 30;
    int code = play("used", &memory->used);
    memory->free = memory->total - memory->used;
    return code;
}

#ifndef FAKE_NVML_OLD
int nvmlInit_v2(void);
int nvmlDeviceGetHandleByPciBusId_v2(const char *bus_id, void **device);
int nvmlDeviceGetTotalEnergyConsumption(void *device, unsigned long long *millijoules);
int nvmlDeviceGetCurrentClocksEventReasons(void *device, unsigned long long *reasons);
int nvmlDeviceGetViolationStatus(void *device, int policy, struct fake_violation *times);
int nvmlDeviceGetComputeRunningProcesses_v3(void *device, unsigned *count, void *list);
int nvmlDeviceGetEnforcedPowerLimit(void *device, unsigned *milliwatts);
int nvmlDeviceGetPersistenceMode(void *device, unsigned *enabled);
int nvmlDeviceGetEccMode(void *device, unsigned *current, unsigned *pending);
int nvmlDeviceGetMigMode(void *device, unsigned *current, unsigned *pending);

int nvmlInit_v2(void)
{
    return nvmlInit();
}

int nvmlDeviceGetHandleByPciBusId_v2(const char *bus_id, void **device)
{
    return nvmlDeviceGetHandleByPciBusId(bus_id, device);
}

int nvmlDeviceGetTotalEnergyConsumption(void *device, unsigned long long *millijoules)
{
    (void)device;
    return play("energy", millijoules);
}

int nvmlDeviceGetCurrentClocksEventReasons(void *device, unsigned long long *reasons)
{
    return nvmlDeviceGetCurrentClocksThrottleReasons(device, reasons);
}

int nvmlDeviceGetViolationStatus(void *device, int policy, struct fake_violation *times)
{
    (void)device;
    times->reference = 0;
    return play(policy == 0 ? "cap" : "heat", &times->violation);
}

int nvmlDeviceGetComputeRunningProcesses_v3(void *device, unsigned *count, void *list)
{
    (void)device;
    return list_processes(count, list, 24);
}

int nvmlDeviceGetEnforcedPowerLimit(void *device, unsigned *milliwatts)
{
    (void)device;
    return play_int("limit", milliwatts);
}

int nvmlDeviceGetPersistenceMode(void *device, unsigned *enabled)
{
    (void)device;
    return play_int("persistence", enabled);
}

int nvmlDeviceGetEccMode(void *device, unsigned *current, unsigned *pending)
{
    (void)device;
    *pending = 0;
    return play_int("ecc", current);
}

int nvmlDeviceGetMigMode(void *device, unsigned *current, unsigned *pending)
{
    (void)device;
    *pending = 0;
    return play_int("mig", current);
}
#endif
#endif
