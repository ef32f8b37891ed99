/* The emulated memories: device memory with a capacity, pinned host memory, and copies between
 * them. All is host memory; which is which is known by address. */
#include "cuda_emulator.h"
#include "runtime.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <vector>

namespace cuda_emulator
{
namespace
{
struct allocation {
    size_t bytes;
    int device;      /* -1: pinned host memory */
    bool registered; /* not ours to free */
};

constexpr int pinned = -1;
std::map<const unsigned char *, allocation> allocations;
std::map<int, uint64_t> allocated;
std::map<int, uint64_t> peak;
std::map<int, uint64_t> leaked;

/* What this process can still allocate, if the device could give all that it tells as free. */
uint64_t free_bytes(int device)
{
    uint64_t used = allocated[device] + leaked[device] + settings.others;
    return used < settings.capacity ? settings.capacity - used : 0;
}

/* The allocation that holds the whole range. */
const allocation *find(const void *start, size_t bytes)
{
    auto *address = static_cast<const unsigned char *>(start);
    auto next = allocations.upper_bound(address);
    if (next == allocations.begin())
        return nullptr;
    auto &[base, facts] = *std::prev(next);
    size_t offset = static_cast<size_t>(address - base);
    return offset <= facts.bytes && bytes <= facts.bytes - offset ? &facts : nullptr;
}

/* Memory of exactly this size, filled with bytes that are NaN in every format. */
void *new_memory(size_t bytes)
{
    void *memory = nullptr;
    if (posix_memalign(&memory, 256, bytes) != 0)
        return nullptr;
    std::memset(memory, 0xff, bytes);
    return memory;
}

[[noreturn]] void stop_copy(const char *what, const void *address, size_t bytes)
{
    std::fprintf(stderr, "cuda emulator: copy or set of %zu bytes: %s %p\n", bytes, what, address);
    std::abort();
}

bool is_on_device(const void *start, size_t bytes)
{
    const allocation *found = find(start, bytes);
    return found && found->device != pinned;
}

/* Some part of the range belongs to device memory. */
bool touches_device(const void *start, size_t bytes)
{
    auto *address = static_cast<const unsigned char *>(start);
    auto next = allocations.lower_bound(address + bytes);
    if (next == allocations.begin())
        return false;
    auto &[base, facts] = *std::prev(next);
    return facts.device != pinned && base + facts.bytes > address;
}

void check_side(const void *start, size_t bytes, bool device, const char *side)
{
    if (device && !is_on_device(start, bytes))
        stop_copy(side, start, bytes);
    if (!device && touches_device(start, bytes))
        stop_copy("host memory expected, this is the device's:", start, bytes);
}
} // namespace

bool in_device_memory(const void *start, size_t bytes)
{
    return is_on_device(start, bytes);
}

bool in_pinned_memory(const void *start, size_t bytes)
{
    const allocation *found = find(start, bytes);
    return found && found->device == pinned;
}

void check_copy(const void *target, const void *source, size_t bytes, cudaMemcpyKind &kind)
{
    if (kind == cudaMemcpyDefault) {
        bool to = touches_device(target, bytes);
        bool from = touches_device(source, bytes);
        kind = to ? (from ? cudaMemcpyDeviceToDevice : cudaMemcpyHostToDevice)
                  : (from ? cudaMemcpyDeviceToHost : cudaMemcpyHostToHost);
    }
    bool to = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
    bool from = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
    check_side(target, bytes, to, "target is not inside one allocation of device memory:");
    check_side(source, bytes, from, "source is not inside one allocation of device memory:");
}

void release_device_memory()
{
    for (auto each = allocations.begin(); each != allocations.end();) {
        if (each->second.device == current_device()) {
            std::free(const_cast<unsigned char *>(each->first));
            each = allocations.erase(each);
        } else {
            ++each;
        }
    }
    allocated[current_device()] = 0;
    leaked[current_device()] = 0;
}
} // namespace cuda_emulator

using namespace cuda_emulator;

uint64_t cuda_emulator_allocated(void)
{
    return allocated[current_device()];
}

uint64_t cuda_emulator_peak(void)
{
    return peak[current_device()];
}

void cuda_emulator_forget_peak(void)
{
    peak[current_device()] = allocated[current_device()];
}

cudaError_t cudaMalloc(void **result, size_t bytes)
{
    if (cudaError_t failed = due_failure())
        return failed;
    if (cudaError_t failed = refuse_while_capturing())
        return failed;
    *result = nullptr;
    if (bytes == 0)
        return cudaSuccess;
    uint64_t &used = allocated[current_device()];
    uint64_t left = free_bytes(current_device());
    if (left < settings.hidden || bytes > left - settings.hidden)
        return remember(cudaErrorMemoryAllocation);
    *result = new_memory(bytes);
    if (!*result)
        return remember(cudaErrorMemoryAllocation);
    allocations[static_cast<unsigned char *>(*result)] = {bytes, current_device(), false};
    used += bytes;
    peak[current_device()] = std::max(peak[current_device()], used);
    return cudaSuccess;
}

cudaError_t cudaFree(void *memory)
{
    if (!memory)
        return cudaSuccess;
    auto found = allocations.find(static_cast<unsigned char *>(memory));
    if (found == allocations.end() || found->second.device == pinned)
        return remember(cudaErrorInvalidValue);
    if (cudaError_t failed = refuse_while_capturing())
        return failed;
    drain_all();
    allocated[found->second.device] -= found->second.bytes;
    leaked[found->second.device] += settings.leak;
    std::memset(memory, 0xff, found->second.bytes);
    std::free(memory);
    allocations.erase(found);
    return cudaSuccess;
}

cudaError_t cudaHostAlloc(void **result, size_t bytes, unsigned int)
{
    if (cudaError_t failed = due_failure())
        return failed;
    *result = bytes ? new_memory(bytes) : nullptr;
    if (bytes && !*result)
        return remember(cudaErrorMemoryAllocation);
    if (bytes)
        allocations[static_cast<unsigned char *>(*result)] = {bytes, pinned, false};
    return cudaSuccess;
}

cudaError_t cudaMallocHost(void **result, size_t bytes)
{
    return cudaHostAlloc(result, bytes, 0);
}

cudaError_t cudaFreeHost(void *memory)
{
    if (!memory)
        return cudaSuccess;
    auto found = allocations.find(static_cast<unsigned char *>(memory));
    if (found == allocations.end() || found->second.device != pinned || found->second.registered)
        return remember(cudaErrorInvalidValue);
    drain_all();
    std::free(memory);
    allocations.erase(found);
    return cudaSuccess;
}

cudaError_t cudaHostRegister(void *memory, size_t bytes, unsigned int)
{
    if (cudaError_t failed = due_failure())
        return failed;
    if (!memory || bytes == 0 || find(memory, bytes))
        return remember(cudaErrorInvalidValue);
    allocations[static_cast<unsigned char *>(memory)] = {bytes, pinned, true};
    return cudaSuccess;
}

cudaError_t cudaHostUnregister(void *memory)
{
    auto found = allocations.find(static_cast<unsigned char *>(memory));
    if (found == allocations.end() || !found->second.registered)
        return remember(cudaErrorInvalidValue);
    drain_all();
    allocations.erase(found);
    return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t *available, size_t *total)
{
    if (cudaError_t failed = due_failure())
        return failed;
    *total = settings.capacity;
    *available = free_bytes(current_device());
    return cudaSuccess;
}

/* Pageable memory is copied before the call returns; pinned memory when the stream comes to it. */
cudaError_t cudaMemcpyAsync(void *target, const void *source, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream)
{
    if (cudaError_t failed = due_failure())
        return failed;
    if (bytes == 0)
        return cudaSuccess;
    check_copy(target, source, bytes, kind);
    enqueue(stream, [=] { std::memcpy(target, source, bytes); });
    bool pageable = (kind == cudaMemcpyHostToDevice && !in_pinned_memory(source, bytes)) ||
                    (kind == cudaMemcpyDeviceToHost && !in_pinned_memory(target, bytes)) ||
                    kind == cudaMemcpyHostToHost;
    if (pageable && !stream_of(stream).capture)
        drain(stream_of(stream));
    return cudaSuccess;
}

/* From pageable memory to the device it may return when the bytes are staged. */
cudaError_t cudaMemcpy(void *target, const void *source, size_t bytes, cudaMemcpyKind kind)
{
    if (cudaError_t failed = refuse_while_capturing())
        return failed;
    if (bytes > 0)
        check_copy(target, source, bytes, kind);
    if (bytes > 0 && kind == cudaMemcpyHostToDevice && !in_pinned_memory(source, bytes)) {
        if (cudaError_t failed = due_failure())
            return failed;
        auto *first = static_cast<const unsigned char *>(source);
        std::vector<unsigned char> staged(first, first + bytes);
        enqueue_unwaited([=] { std::memcpy(target, staged.data(), staged.size()); });
        return cudaSuccess;
    }
    return cudaMemcpyAsync(target, source, bytes, kind, nullptr);
}

cudaError_t cudaMemcpy2DAsync(void *target, size_t target_pitch, const void *source,
                              size_t source_pitch, size_t width, size_t height, cudaMemcpyKind kind,
                              cudaStream_t stream)
{
    if (width > target_pitch || width > source_pitch)
        return remember(cudaErrorInvalidPitchValue);
    for (size_t row = 0; row < height; row++) {
        cudaError_t status = cudaMemcpyAsync(
            static_cast<unsigned char *>(target) + row * target_pitch,
            static_cast<const unsigned char *>(source) + row * source_pitch, width, kind, stream);
        if (status != cudaSuccess)
            return status;
    }
    return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void *target, int value, size_t bytes, cudaStream_t stream)
{
    if (cudaError_t failed = due_failure())
        return failed;
    if (bytes == 0)
        return cudaSuccess;
    check_side(target, bytes, true, "target is not inside one allocation of device memory:");
    enqueue(stream, [=] { std::memset(target, value, bytes); });
    return cudaSuccess;
}

cudaError_t cudaMemset(void *target, int value, size_t bytes)
{
    if (cudaError_t failed = refuse_while_capturing())
        return failed;
    return cudaMemsetAsync(target, value, bytes, nullptr);
}
