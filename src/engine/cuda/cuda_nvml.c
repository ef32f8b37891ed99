/* libnvidia-ml.so.1 by prototypes of our own; names, numbers and units are those of NVIDIA's NVML
 * API reference. See cuda_nvml.h. */
#include "engine/cuda/cuda_nvml.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* nvmlReturn_t */
enum { NVML_SUCCESS = 0, NVML_ERROR_INSUFFICIENT_SIZE = 7 };
/* nvmlClockType_t, nvmlTemperatureSensors_t, nvmlPerfPolicyType_t */
enum { CLOCK_SM = 1, CLOCK_MEMORY = 2 };
enum { SENSOR_GPU = 0 };
enum { POLICY_POWER = 0, POLICY_HEAT = 1 };
enum { PROCESSES_MAX = 64, PROCESS_BYTES = 24, PROCESS_BYTES_V1 = 16, VERSION_BYTES = 80 };

struct nvml_memory {
    unsigned long long total, free, used; /* bytes */
};
struct nvml_violation {
    unsigned long long reference_us, violation_ns;
};

/* What the library offers; NULL where this driver's does not have it. */
struct nvml_functions {
    int (*init)(void);
    int (*shutdown)(void);
    int (*by_bus)(const char *bus_id, void **device);
    const char *(*error_string)(int code);
    int (*driver_version)(char *version, unsigned capacity);
    int (*power)(void *device, unsigned *milliwatts);
    int (*energy)(void *device, unsigned long long *millijoules);
    int (*clock)(void *device, int type, unsigned *mhz);
    int (*max_clock)(void *device, int type, unsigned *mhz);
    int (*temperature)(void *device, int sensor, unsigned *celsius);
    int (*throttle)(void *device, unsigned long long *reasons);
    int (*violation)(void *device, int policy, struct nvml_violation *times);
    int (*processes)(void *device, unsigned *count, void *list);
    int (*processes_v1)(void *device, unsigned *count, void *list);
    int (*memory)(void *device, struct nvml_memory *memory);
    int (*power_limit)(void *device, unsigned *milliwatts);
    int (*persistence)(void *device, unsigned *enabled);
    int (*ecc)(void *device, unsigned *current, unsigned *pending);
    int (*mig)(void *device, unsigned *current, unsigned *pending);
};

struct cuda_nvml {
    void *library;
    struct nvml_functions call;
    bool is_open;    /* init has succeeded */
    bool is_divided; /* by MIG: memory and processes are the card's, not those of the part used */
    void *device;
    char missing[160]; /* why nothing can be read; "" where it can */
    char name[sizeof((struct cudaDeviceProp *)NULL)->name];
    unsigned char processes[PROCESSES_MAX * PROCESS_BYTES];
};

/* Newer names first: a driver keeps its older ones. */
static const struct {
    size_t offset;
    const char *names[2];
    bool needed;
} functions[] = {
    {offsetof(struct nvml_functions, init), {"nvmlInit_v2", "nvmlInit"}, true},
    {offsetof(struct nvml_functions, shutdown), {"nvmlShutdown"}, true},
    {offsetof(struct nvml_functions, by_bus),
     {"nvmlDeviceGetHandleByPciBusId_v2", "nvmlDeviceGetHandleByPciBusId"},
     true},
    {offsetof(struct nvml_functions, error_string), {"nvmlErrorString"}, false},
    {offsetof(struct nvml_functions, driver_version), {"nvmlSystemGetDriverVersion"}, false},
    {offsetof(struct nvml_functions, power), {"nvmlDeviceGetPowerUsage"}, false},
    {offsetof(struct nvml_functions, energy), {"nvmlDeviceGetTotalEnergyConsumption"}, false},
    {offsetof(struct nvml_functions, clock), {"nvmlDeviceGetClockInfo"}, false},
    {offsetof(struct nvml_functions, max_clock), {"nvmlDeviceGetMaxClockInfo"}, false},
    {offsetof(struct nvml_functions, temperature), {"nvmlDeviceGetTemperature"}, false},
    {offsetof(struct nvml_functions, throttle),
     {"nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons"},
     false},
    {offsetof(struct nvml_functions, violation), {"nvmlDeviceGetViolationStatus"}, false},
    {offsetof(struct nvml_functions, processes),
     {"nvmlDeviceGetComputeRunningProcesses_v3", "nvmlDeviceGetComputeRunningProcesses_v2"},
     false},
    {offsetof(struct nvml_functions, processes_v1),
     {"nvmlDeviceGetComputeRunningProcesses"},
     false},
    {offsetof(struct nvml_functions, memory), {"nvmlDeviceGetMemoryInfo"}, false},
    {offsetof(struct nvml_functions, power_limit), {"nvmlDeviceGetEnforcedPowerLimit"}, false},
    {offsetof(struct nvml_functions, persistence), {"nvmlDeviceGetPersistenceMode"}, false},
    {offsetof(struct nvml_functions, ecc), {"nvmlDeviceGetEccMode"}, false},
    {offsetof(struct nvml_functions, mig), {"nvmlDeviceGetMigMode"}, false},
};

/* nvmlClocksEventReasons; an idle device (bit 0) and a display's clocks are no throttling. */
static const struct {
    unsigned long long bit;
    enum device_throttle throttle;
} throttles[] = {
    {0x02, DEVICE_THROTTLE_SETTING},     {0x04, DEVICE_THROTTLE_POWER_LIMIT},
    {0x08, DEVICE_THROTTLE_HARDWARE},    {0x10, DEVICE_THROTTLE_SYNC_BOOST},
    {0x20, DEVICE_THROTTLE_HEAT},        {0x40, DEVICE_THROTTLE_HARDWARE_HEAT},
    {0x80, DEVICE_THROTTLE_POWER_BRAKE},
};

static bool load(struct cuda_nvml *nvml)
{
    nvml->library = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
    if (nvml->library == NULL) {
        (void)snprintf(nvml->missing, sizeof nvml->missing, "libnvidia-ml.so.1 cannot be opened");
        return false;
    }
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        void *symbol = dlsym(nvml->library, functions[i].names[0]);
        if (symbol == NULL && functions[i].names[1] != NULL)
            symbol = dlsym(nvml->library, functions[i].names[1]);
        memcpy((char *)&nvml->call + functions[i].offset, &symbol, sizeof symbol);
        if (symbol == NULL && functions[i].needed) {
            (void)snprintf(nvml->missing, sizeof nvml->missing, "libnvidia-ml.so.1 has no %s",
                           functions[i].names[0]);
            return false;
        }
    }
    return true;
}

static void note_failure(struct cuda_nvml *nvml, const char *what, int code)
{
    const char *text = nvml->call.error_string != NULL ? nvml->call.error_string(code) : NULL;
    (void)snprintf(nvml->missing, sizeof nvml->missing, "%s fails with %d, %s", what, code,
                   text != NULL ? text : "no text for it");
}

/* A mode that is now, beside the one after the next reset. */
static double ask_mode(int (*function)(void *device, unsigned *current, unsigned *pending),
                       void *device)
{
    unsigned current = 0, pending = 0;
    return function != NULL && function(device, &current, &pending) == NVML_SUCCESS
               ? (double)current
               : NAN;
}

static void find_device(struct cuda_nvml *nvml, const struct cudaDeviceProp *properties)
{
    char bus_id[32];
    int code = nvml->call.init();
    if (code != NVML_SUCCESS) {
        note_failure(nvml, "nvmlInit", code);
        return;
    }
    nvml->is_open = true;
    (void)snprintf(bus_id, sizeof bus_id, "%08x:%02x:%02x.0", (unsigned)properties->pciDomainID,
                   (unsigned)properties->pciBusID, (unsigned)properties->pciDeviceID);
    code = nvml->call.by_bus(bus_id, &nvml->device);
    if (code != NVML_SUCCESS)
        note_failure(nvml, "finding the card by its PCI address", code);
    else
        nvml->is_divided = ask_mode(nvml->call.mig, nvml->device) > 0;
}

int cuda_nvml_open(struct cuda_nvml **out, const struct cudaDeviceProp *properties,
                   struct error *error)
{
    struct cuda_nvml *nvml = calloc(1, sizeof *nvml);
    *out = nvml;
    if (nvml == NULL)
        return error_set(error, ERROR_MEMORY, "no memory to read the card with");
    memcpy(nvml->name, properties->name, sizeof nvml->name);
    nvml->name[sizeof nvml->name - 1] = '\0';
    if (load(nvml))
        find_device(nvml, properties);
    return 0;
}

void cuda_nvml_close(struct cuda_nvml *nvml)
{
    if (nvml == NULL)
        return;
    if (nvml->is_open)
        (void)nvml->call.shutdown();
    if (nvml->library != NULL)
        (void)dlclose(nvml->library);
    free(nvml);
}

static bool can_read(const struct cuda_nvml *nvml)
{
    return nvml->missing[0] == '\0';
}

/* Milliwatts, megahertz, ... as `scale` times that; NaN where the function is not there or the card
 * refuses. */
static double ask(int (*function)(void *device, unsigned *value), void *device, double scale)
{
    unsigned value = 0;
    return function != NULL && function(device, &value) == NVML_SUCCESS ? scale * value : NAN;
}

static double ask_kind(int (*function)(void *device, int kind, unsigned *value), void *device,
                       int kind)
{
    unsigned value = 0;
    return function != NULL && function(device, kind, &value) == NVML_SUCCESS ? (double)value : NAN;
}

static double read_energy(const struct cuda_nvml *nvml)
{
    unsigned long long millijoules = 0;
    bool known =
        nvml->call.energy != NULL && nvml->call.energy(nvml->device, &millijoules) == NVML_SUCCESS;
    return known ? (double)millijoules * 1e-3 : NAN;
}

static double read_violation(const struct cuda_nvml *nvml, int policy)
{
    struct nvml_violation times = {0};
    bool known = nvml->call.violation != NULL &&
                 nvml->call.violation(nvml->device, policy, &times) == NVML_SUCCESS;
    return known ? (double)times.violation_ns * 1e-9 : NAN;
}

static double read_throttle(const struct cuda_nvml *nvml)
{
    unsigned long long reasons = 0;
    unsigned found = 0;
    if (nvml->call.throttle == NULL || nvml->call.throttle(nvml->device, &reasons) != NVML_SUCCESS)
        return NAN;
    for (size_t i = 0; i < sizeof throttles / sizeof throttles[0]; i++)
        found |= (reasons & throttles[i].bit) != 0 ? (unsigned)throttles[i].throttle : 0;
    return found;
}

/* How many different processes the first `count` entries name: one may have several parts. */
static unsigned count_different(const unsigned char *list, unsigned count, size_t stride)
{
    unsigned different = 0;
    for (unsigned i = 0; i < count; i++) {
        bool seen = false;
        for (unsigned k = 0; k < i && !seen; k++)
            seen = memcmp(list + i * stride, list + k * stride, sizeof(unsigned)) == 0;
        different += !seen;
    }
    return different;
}

/* One of those in the list is this process, whatever number a container gives it. A list without
 * anybody does not show even this one, so it tells nothing. */
static double count_others(struct cuda_nvml *nvml)
{
    if (nvml->is_divided)
        return NAN;
    bool is_old = nvml->call.processes == NULL;
    int (*list)(void *device, unsigned *count, void *list) =
        is_old ? nvml->call.processes_v1 : nvml->call.processes;
    unsigned count = PROCESSES_MAX;
    int code = list != NULL ? list(nvml->device, &count, nvml->processes) : -1;
    if (code == NVML_SUCCESS && count > 0 && count <= PROCESSES_MAX)
        count = count_different(nvml->processes, count, is_old ? PROCESS_BYTES_V1 : PROCESS_BYTES);
    else if (code != NVML_ERROR_INSUFFICIENT_SIZE || count == 0)
        return NAN;
    return count - 1;
}

static bool read_memory(const struct cuda_nvml *nvml, struct nvml_memory *memory)
{
    return nvml->call.memory != NULL && nvml->call.memory(nvml->device, memory) == NVML_SUCCESS;
}

double cuda_nvml_used_bytes(const struct cuda_nvml *nvml)
{
    struct nvml_memory memory = {0};
    bool known = can_read(nvml) && !nvml->is_divided && read_memory(nvml, &memory);
    return known ? (double)memory.used : NAN;
}

/* Clocks first: they fall soon after the work has ended. */
void cuda_nvml_read(struct cuda_nvml *nvml, struct device_reading *reading)
{
    const struct nvml_functions *call = &nvml->call;
    device_reading_init(reading);
    if (!can_read(nvml))
        return;
    reading->core_mhz = ask_kind(call->clock, nvml->device, CLOCK_SM);
    reading->memory_mhz = ask_kind(call->clock, nvml->device, CLOCK_MEMORY);
    reading->throttle = read_throttle(nvml);
    reading->energy_j = read_energy(nvml);
    reading->power_w = ask(call->power, nvml->device, 1e-3);
    reading->temperature_c = ask_kind(call->temperature, nvml->device, SENSOR_GPU);
    reading->heat_throttled_s = read_violation(nvml, POLICY_HEAT);
    reading->power_throttled_s = read_violation(nvml, POLICY_POWER);
    reading->other_processes = count_others(nvml);
    reading->memory_used_bytes = cuda_nvml_used_bytes(nvml);
}

static json_t *number_or_null(double value)
{
    return isnan(value) ? json_null() : json_real(value);
}

static json_t *switch_or_null(double value)
{
    return isnan(value) ? json_null() : json_boolean(value != 0);
}

json_t *cuda_nvml_facts(const struct cuda_nvml *nvml)
{
    static const double megabyte = 1048576;
    if (!can_read(nvml))
        return json_pack("{s:s, s:s}", "name", nvml->name, "nvml", nvml->missing);
    const struct nvml_functions *call = &nvml->call;
    struct nvml_memory memory = {0};
    char version[VERSION_BYTES] = "";
    bool versioned = call->driver_version != NULL &&
                     call->driver_version(version, sizeof version) == NVML_SUCCESS;
    version[sizeof version - 1] = '\0';
    double total = read_memory(nvml, &memory) ? (double)memory.total / megabyte : NAN;
    return json_pack(
        "{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "name", nvml->name, "nvml",
        "available", "driver_version", versioned ? json_string(version) : json_null(),
        "memory_total_mb", number_or_null(total), "power_limit_w",
        number_or_null(ask(call->power_limit, nvml->device, 1e-3)), "max_sm_mhz",
        number_or_null(ask_kind(call->max_clock, nvml->device, CLOCK_SM)), "max_memory_mhz",
        number_or_null(ask_kind(call->max_clock, nvml->device, CLOCK_MEMORY)), "persistence_mode",
        switch_or_null(ask(call->persistence, nvml->device, 1)), "ecc",
        switch_or_null(ask_mode(call->ecc, nvml->device)), "mig",
        switch_or_null(ask_mode(call->mig, nvml->device)));
}
