/* The emulated devices as the runtime describes them, settings, and the errors of calls. */
#include "cuda_emulator.h"
#include "runtime.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace cuda_emulator
{
namespace
{
constexpr int most_devices = 16;
constexpr int toolkit_version = CUDART_VERSION;

struct failure {
    cudaError_t error;
    int after; /* calls until it is due; negative: none planned */
    bool sticky;
};

failure planned = {cudaSuccess, -1, false};
cudaError_t sticky_error = cudaSuccess;
cudaError_t last_error = cudaSuccess;
int chosen_device;

struct cuda_emulator_settings defaults()
{
    return {CUDA_EMULATOR_ASCENDING, 0, 1, 1, 90, uint64_t{1} << 30, 0, 0, 0, 0, 1000, 1, 1};
}

const char *const schedule_names[CUDA_EMULATOR_SCHEDULES] = {"ascending", "descending", "random",
                                                             "ahead-ascending", "ahead-descending"};

[[noreturn]] void stop_setting(const std::string &text)
{
    std::fprintf(stderr, "cuda emulator: CUDA_EMULATOR: \"%s\" is not a setting\n", text.c_str());
    std::abort();
}

uint64_t *find_quantity(struct cuda_emulator_settings &target, const std::string &key)
{
    const struct {
        const char *name;
        uint64_t *place;
    } quantities[] = {
        {"capacity", &target.capacity},     {"others", &target.others},
        {"hidden", &target.hidden},         {"leak", &target.leak},
        {"faulty", &target.faulty},         {"timer", &target.timer},
        {"resolution", &target.resolution}, {"capture", &target.capture},
    };
    for (const auto &each : quantities)
        if (key == each.name)
            return each.place;
    return nullptr;
}

void apply_setting(struct cuda_emulator_settings &target, const std::string &text)
{
    size_t equals = text.find('=');
    if (equals == std::string::npos)
        stop_setting(text);
    std::string key = text.substr(0, equals);
    std::string value = text.substr(equals + 1);
    if (key == "schedule") {
        auto *found = std::find(schedule_names, std::end(schedule_names), value);
        if (found == std::end(schedule_names))
            stop_setting(text);
        target.schedule = static_cast<cuda_emulator_schedule>(found - schedule_names);
        return;
    }
    char *end = nullptr;
    uint64_t number = std::strtoull(value.c_str(), &end, 10);
    if (value.empty() || *end != '\0')
        stop_setting(text);
    if (key == "seed")
        target.seed = number;
    else if (key == "late")
        target.late = static_cast<int>(number);
    else if (key == "devices")
        target.device_count = static_cast<int>(number);
    else if (key == "capability")
        target.compute_capability = static_cast<int>(number);
    else if (uint64_t *place = find_quantity(target, key))
        *place = place == &target.resolution && number == 0 ? 1 : number;
    else
        stop_setting(text);
}

struct cuda_emulator_settings from_environment()
{
    struct cuda_emulator_settings result = defaults();
    const char *variable = std::getenv("CUDA_EMULATOR");
    std::string text = variable ? variable : "";
    while (!text.empty()) {
        size_t comma = text.find(',');
        apply_setting(result, text.substr(0, comma));
        text = comma == std::string::npos ? "" : text.substr(comma + 1);
    }
    return result;
}
} // namespace

struct cuda_emulator_settings settings = from_environment();

cudaError_t due_failure()
{
    if (sticky_error != cudaSuccess)
        return remember(sticky_error);
    if (planned.after < 0 || planned.after-- > 0)
        return cudaSuccess;
    if (planned.sticky)
        sticky_error = planned.error;
    return remember(planned.error);
}

void strike()
{
    sticky_error = cudaErrorIllegalAddress;
}

cudaError_t after_wait()
{
    return sticky_error == cudaSuccess ? cudaSuccess : remember(sticky_error);
}

cudaError_t remember(cudaError_t status)
{
    if (status != cudaSuccess)
        last_error = status;
    return status;
}

int current_device()
{
    return chosen_device;
}

/* As the CUDA programming guide states per compute capability. */
size_t most_shared_bytes()
{
    switch (settings.compute_capability) {
    case 80:
    case 87:
        return 163 * 1024;
    case 86:
    case 89:
    case 120:
        return 99 * 1024;
    default:
        return 227 * 1024;
    }
}
} // namespace cuda_emulator

using namespace cuda_emulator;

struct cuda_emulator_settings cuda_emulator_current(void)
{
    return settings;
}

void cuda_emulator_configure(const struct cuda_emulator_settings *wanted)
{
    drain_all();
    settings = *wanted;
    settings.device_count = std::min(settings.device_count, most_devices);
}

void cuda_emulator_fail(int error, int after, int sticky)
{
    planned = {static_cast<cudaError_t>(error), after, sticky != 0};
}

cudaError_t cudaGetDeviceCount(int *count)
{
    if (cudaError_t failed = due_failure())
        return failed;
    *count = settings.device_count;
    return *count > 0 ? cudaSuccess : remember(cudaErrorNoDevice);
}

cudaError_t cudaSetDevice(int wanted)
{
    if (cudaError_t failed = due_failure())
        return failed;
    if (wanted < 0 || wanted >= settings.device_count)
        return remember(cudaErrorInvalidDevice);
    chosen_device = wanted;
    return cudaSuccess;
}

cudaError_t cudaGetDevice(int *result)
{
    *result = chosen_device;
    return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *properties, int wanted)
{
    if (cudaError_t failed = due_failure())
        return failed;
    if (wanted < 0 || wanted >= settings.device_count)
        return remember(cudaErrorInvalidDevice);
    std::memset(properties, 0, sizeof *properties);
    std::snprintf(properties->name, sizeof properties->name, "Emulated GPU");
    properties->uuid.bytes[15] = static_cast<char>(wanted + 1);
    properties->totalGlobalMem = settings.capacity;
    properties->sharedMemPerBlock = 48 * 1024;
    properties->sharedMemPerBlockOptin = most_shared_bytes();
    properties->sharedMemPerMultiprocessor = most_shared_bytes() + 1024;
    properties->regsPerBlock = 65536;
    properties->regsPerMultiprocessor = 65536;
    properties->warpSize = warp_size;
    properties->maxThreadsPerBlock = most_threads;
    properties->maxThreadsPerMultiProcessor = 2048;
    properties->maxThreadsDim[0] = most_threads;
    properties->maxThreadsDim[1] = most_threads;
    properties->maxThreadsDim[2] = 64;
    properties->maxGridSize[0] = 0x7fffffff;
    properties->maxGridSize[1] = 65535;
    properties->maxGridSize[2] = 65535;
    properties->major = settings.compute_capability / 10;
    properties->minor = settings.compute_capability % 10;
    properties->multiProcessorCount = 132;
    properties->l2CacheSize = 50 * 1024 * 1024;
    properties->memoryBusWidth = 5120;
    properties->concurrentKernels = 1;
    properties->asyncEngineCount = 3;
    properties->unifiedAddressing = 1;
    properties->pciDeviceID = wanted + 1;
    return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int *value, enum cudaDeviceAttr attribute, int wanted)
{
    cudaDeviceProp facts;
    if (cudaError_t failed = cudaGetDeviceProperties(&facts, wanted))
        return failed;
    switch (attribute) {
    case cudaDevAttrComputeCapabilityMajor:
        *value = facts.major;
        break;
    case cudaDevAttrComputeCapabilityMinor:
        *value = facts.minor;
        break;
    case cudaDevAttrMultiProcessorCount:
        *value = facts.multiProcessorCount;
        break;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
        *value = static_cast<int>(facts.sharedMemPerBlockOptin);
        break;
    case cudaDevAttrL2CacheSize:
        *value = facts.l2CacheSize;
        break;
    case cudaDevAttrClockRate:
        *value = 1980000;
        break;
    case cudaDevAttrMemoryClockRate:
        *value = 2619000;
        break;
    case cudaDevAttrGlobalMemoryBusWidth:
        *value = facts.memoryBusWidth;
        break;
    default:
        return remember(cudaErrorInvalidValue);
    }
    return cudaSuccess;
}

cudaError_t cudaDeviceGetPCIBusId(char *text, int size, int wanted)
{
    if (cudaError_t failed = due_failure())
        return failed;
    if (wanted < 0 || wanted >= settings.device_count || size < 13)
        return remember(cudaErrorInvalidValue);
    std::snprintf(text, static_cast<size_t>(size), "0000:%02X:00.0",
                  static_cast<unsigned>(wanted) + 1);
    return cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int *version)
{
    *version = settings.device_count > 0 ? toolkit_version : 0;
    return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int *version)
{
    *version = toolkit_version;
    return cudaSuccess;
}

cudaError_t cudaInitDevice(int wanted, unsigned int, unsigned int)
{
    if (cudaError_t failed = due_failure())
        return failed;
    return wanted >= 0 && wanted < settings.device_count ? cudaSuccess
                                                         : remember(cudaErrorInvalidDevice);
}

cudaError_t cudaDeviceReset(void)
{
    sticky_error = cudaSuccess;
    drain_all();
    release_device_memory();
    last_error = cudaSuccess;
    return cudaSuccess;
}

cudaError_t cudaDeviceGraphMemTrim(int wanted)
{
    return wanted == chosen_device ? due_failure() : remember(cudaErrorInvalidDevice);
}

cudaError_t cudaGetLastError(void)
{
    cudaError_t result = last_error;
    last_error = sticky_error;
    return result;
}

cudaError_t cudaPeekAtLastError(void)
{
    return last_error;
}

namespace
{
struct error_words {
    cudaError_t code;
    const char *name;
    const char *text;
};

const error_words words[] = {
    {cudaSuccess, "cudaSuccess", "no error"},
    {cudaErrorInvalidValue, "cudaErrorInvalidValue", "invalid argument"},
    {cudaErrorMemoryAllocation, "cudaErrorMemoryAllocation", "out of memory"},
    {cudaErrorInitializationError, "cudaErrorInitializationError", "initialization error"},
    {cudaErrorInvalidConfiguration, "cudaErrorInvalidConfiguration",
     "invalid configuration argument"},
    {cudaErrorInsufficientDriver, "cudaErrorInsufficientDriver",
     "CUDA driver version is insufficient for CUDA runtime version"},
    {cudaErrorNoDevice, "cudaErrorNoDevice", "no CUDA-capable device is detected"},
    {cudaErrorInvalidDevice, "cudaErrorInvalidDevice", "invalid device ordinal"},
    {cudaErrorInvalidResourceHandle, "cudaErrorInvalidResourceHandle", "invalid resource handle"},
    {cudaErrorNotReady, "cudaErrorNotReady", "device not ready"},
    {cudaErrorIllegalAddress, "cudaErrorIllegalAddress",
     "an illegal memory access was encountered"},
    {cudaErrorLaunchFailure, "cudaErrorLaunchFailure", "unspecified launch failure"},
    {cudaErrorNotSupported, "cudaErrorNotSupported", "operation not supported"},
    {cudaErrorStreamCaptureUnsupported, "cudaErrorStreamCaptureUnsupported",
     "operation not permitted when stream is capturing"},
    {cudaErrorStreamCaptureInvalidated, "cudaErrorStreamCaptureInvalidated",
     "operation failed due to a previous error during capture"},
    {cudaErrorIllegalState, "cudaErrorIllegalState",
     "the operation cannot be performed in the present state"},
};

const error_words *find_words(cudaError_t code)
{
    for (const error_words &each : words)
        if (each.code == code)
            return &each;
    return nullptr;
}
} // namespace

const char *cudaGetErrorName(cudaError_t code)
{
    const error_words *found = find_words(code);
    return found ? found->name : "unrecognized error code";
}

const char *cudaGetErrorString(cudaError_t code)
{
    const error_words *found = find_words(code);
    return found ? found->text : "unrecognized error code";
}
