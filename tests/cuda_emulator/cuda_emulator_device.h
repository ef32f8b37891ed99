/* The words of engine/cuda/device.h where kernels run on the host: calls into the emulator.
 * Included by device.h alone, which says what each means. Everything here is compiled with the
 * kernel, and so instrumented with it: what a sanitizer must see happens here. */
#ifndef CUDA_EMULATOR_DEVICE_H
#define CUDA_EMULATOR_DEVICE_H

#include "cuda_emulator.h"

#include <cmath>
#include <cstring>
#include <functional>
#include <math.h> /* its names without std:: */
#include <type_traits>

#undef __launch_bounds__
#define __launch_bounds__(...)

/* Set whenever a thread goes on. */
extern uint3 threadIdx;
extern uint3 blockIdx;
extern dim3 blockDim;
extern dim3 gridDim;

namespace cuda_emulator
{
enum class source_lane { exclusive_or, above, below, given };

void block_barrier(call_site site);
unsigned char *shared_memory();
int lane();
void warp_barrier(uint32_t mask, call_site site);
uint64_t shuffle(source_lane source, uint64_t value, int parameter, uint32_t mask, call_site site);
uint32_t ballot(bool predicate, uint32_t mask, call_site site);
void check_alignment(const void *address, call_site site);
void copy_async(void *shared, const void *global, int valid_bytes, call_site site);
void commit_copies();
void wait_for_copies(int pending, call_site site);
void load_matrices(uint32_t *registers, int count, bool transposed, const void *row,
                   call_site site);
void multiply_add(float *sums, const uint32_t *a, const uint32_t *b, bool bfloat16, call_site site);
void yield(call_site site);
uint64_t time_ns();
cudaError_t launch(const char *caller, const launch_shape &shape, std::function<void()> body);

template <typename T>
__forceinline__ T shuffle(source_lane source, T value, int parameter, uint32_t mask, call_site site)
{
    static_assert(std::is_trivially_copyable_v<T> && (sizeof(T) == 4 || sizeof(T) == 8));
    uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof value);
    bits = shuffle(source, bits, parameter, mask, site);
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

template <typename... Parameters>
std::function<void()> bind_arguments(void (*kernel)(Parameters...),
                                     std::common_type_t<Parameters>... values)
{
    return [=] { kernel(values...); };
}
} // namespace cuda_emulator

__forceinline__ void block_barrier(call_site site)
{
    cuda_emulator::block_barrier(site);
}

__forceinline__ unsigned char *dynamic_shared_memory()
{
    return cuda_emulator::shared_memory();
}

__forceinline__ int lane_index()
{
    return cuda_emulator::lane();
}

__forceinline__ void warp_barrier(uint32_t mask, call_site site)
{
    cuda_emulator::warp_barrier(mask, site);
}

template <typename T>
__forceinline__ T warp_shuffle_xor(T value, int lane_mask, uint32_t mask, call_site site)
{
    return cuda_emulator::shuffle(cuda_emulator::source_lane::exclusive_or, value, lane_mask, mask,
                                  site);
}

template <typename T>
__forceinline__ T warp_shuffle_down(T value, int delta, uint32_t mask, call_site site)
{
    return cuda_emulator::shuffle(cuda_emulator::source_lane::above, value, delta, mask, site);
}

template <typename T>
__forceinline__ T warp_shuffle_up(T value, int delta, uint32_t mask, call_site site)
{
    return cuda_emulator::shuffle(cuda_emulator::source_lane::below, value, delta, mask, site);
}

template <typename T>
__forceinline__ T warp_shuffle(T value, int source, uint32_t mask, call_site site)
{
    return cuda_emulator::shuffle(cuda_emulator::source_lane::given, value, source, mask, site);
}

__forceinline__ uint32_t warp_ballot(bool predicate, uint32_t mask, call_site site)
{
    return cuda_emulator::ballot(predicate, mask, site);
}

__forceinline__ uint4 load_16(const void *source, call_site site)
{
    cuda_emulator::check_alignment(source, site);
    return *static_cast<const uint4 *>(source);
}

__forceinline__ void store_16(void *target, uint4 value, call_site site)
{
    cuda_emulator::check_alignment(target, site);
    *static_cast<uint4 *>(target) = value;
}

__forceinline__ uint4 load_16_once(const void *global, call_site site)
{
    return load_16(global, site);
}

__forceinline__ void copy_async_16(void *shared, const void *global, int valid_bytes,
                                   call_site site)
{
    cuda_emulator::copy_async(shared, global, valid_bytes, site);
}

__forceinline__ void copy_async_commit(call_site)
{
    cuda_emulator::commit_copies();
}

template <int pending> __forceinline__ void copy_async_wait(call_site site)
{
    cuda_emulator::wait_for_copies(pending, site);
}

__forceinline__ void load_matrices_x4(uint32_t (&registers)[4], const void *shared_row,
                                      call_site site)
{
    cuda_emulator::load_matrices(registers, 4, false, shared_row, site);
}

__forceinline__ void load_matrices_x4_transposed(uint32_t (&registers)[4], const void *shared_row,
                                                 call_site site)
{
    cuda_emulator::load_matrices(registers, 4, true, shared_row, site);
}

__forceinline__ void load_matrices_x2(uint32_t (&registers)[2], const void *shared_row,
                                      call_site site)
{
    cuda_emulator::load_matrices(registers, 2, false, shared_row, site);
}

__forceinline__ void load_matrices_x2_transposed(uint32_t (&registers)[2], const void *shared_row,
                                                 call_site site)
{
    cuda_emulator::load_matrices(registers, 2, true, shared_row, site);
}

template <typename T>
__forceinline__ void multiply_add_16x8x16(float (&sums)[4], const uint32_t (&a)[4],
                                          const uint32_t (&b)[2], call_site site)
{
    constexpr bool bfloat16 = std::is_same_v<T, __nv_bfloat16>;
    static_assert(bfloat16 || std::is_same_v<T, __half>);
    cuda_emulator::multiply_add(sums, a, b, bfloat16, site);
}

__forceinline__ uint32_t atomic_add_acquire_release(uint32_t *target, uint32_t value)
{
    return __atomic_fetch_add(target, value, __ATOMIC_ACQ_REL);
}

__forceinline__ uint32_t atomic_add_relaxed(uint32_t *target, uint32_t value)
{
    return __atomic_fetch_add(target, value, __ATOMIC_RELAXED);
}

__forceinline__ uint64_t atomic_max_relaxed(uint64_t *target, uint64_t value)
{
    uint64_t before = __atomic_load_n(target, __ATOMIC_RELAXED);
    while (before < value && !__atomic_compare_exchange_n(target, &before, value, false,
                                                          __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
    }
    return before;
}

__forceinline__ float atomic_add_relaxed(float *target, float value)
{
    float before;
    float after;
    __atomic_load(target, &before, __ATOMIC_RELAXED);
    do {
        after = before + value;
    } while (!__atomic_compare_exchange(target, &before, &after, false, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED));
    return before;
}

/* Others go on first, so that a thread that waits for a flag does not wait for ever. */
__forceinline__ uint32_t load_acquire(const uint32_t *source, call_site site)
{
    cuda_emulator::yield(site);
    return __atomic_load_n(source, __ATOMIC_ACQUIRE);
}

__forceinline__ void store_release(uint32_t *target, uint32_t value)
{
    __atomic_store_n(target, value, __ATOMIC_RELEASE);
}

__forceinline__ uint32_t atomic_add_shared(uint32_t *shared, uint32_t value)
{
    return __atomic_fetch_add(shared, value, __ATOMIC_RELAXED);
}

__forceinline__ float exp2_approximate(float x)
{
    return std::exp2(x);
}

__forceinline__ float exp_approximate(float x)
{
    return std::exp(x);
}

__forceinline__ float reciprocal_square_root(float x)
{
    return 1.0f / std::sqrt(x);
}

__forceinline__ uint64_t device_time_ns()
{
    return cuda_emulator::time_ns();
}

/* Kernels of a stream never overlap here. */
__forceinline__ void wait_for_predecessor()
{
}

__forceinline__ void release_successor()
{
}

template <auto kernel, typename... Arguments>
cudaError_t launch_kernel(const launch_shape &shape, Arguments... arguments)
{
    return cuda_emulator::launch(__PRETTY_FUNCTION__, shape,
                                 cuda_emulator::bind_arguments(kernel, arguments...));
}

template <auto kernel> int kernel_architecture()
{
    return cuda_emulator_current().compute_capability;
}

#endif
