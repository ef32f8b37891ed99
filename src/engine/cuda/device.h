/* What a kernel may ask of the device: the one header every kernel file (.cu) includes. Below are
 * the words with their meaning; their bodies stand twice: engine/cuda/device_ptx.h for nvcc, and
 * cuda_emulator_device.h (tests/cuda_emulator) where the same kernels run on the host as C++.
 *
 * Rules that let both compute the same: shared memory is dynamic only; threads of a block meet
 * in block_barrier, lanes of a warp in warp_barrier (shuffles order no memory); blocks pass data
 * to each other only through the acquiring and releasing atomics; warp operations name their
 * lanes; 16-byte accesses go through load_16 and its kin. */
#ifndef TOKENMARK_ENGINE_CUDA_DEVICE_H
#define TOKENMARK_ENGINE_CUDA_DEVICE_H

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime_api.h>
#include <stddef.h>
#include <stdint.h>

constexpr int warp_size = 32;
constexpr uint32_t full_warp = 0xffffffffu;

/* Where a wrapper was called, for the emulator's reports; empty and free of cost under nvcc. */
struct call_site {
#ifdef __CUDACC__
    __device__ static constexpr call_site here()
    {
        return {};
    }
#else
    const char *file;
    int line;
    static constexpr call_site here(const char *caller_file = __builtin_FILE(),
                                    int caller_line = __builtin_LINE())
    {
        return {caller_file, caller_line};
    }
#endif
};

/* ---- Threads of a block ---- */

/* All threads that have not returned meet here, at the same line; what each wrote before is seen
 * by all after. */
__device__ inline void block_barrier(call_site site = call_site::here());

/* The launch's shared_bytes of shared memory, aligned to 128 bytes, without defined content. */
__device__ inline unsigned char *dynamic_shared_memory();

/* ---- Lanes of a warp: all lanes of `mask`, the caller among them, call the same operation ---- */

/* Index of the thread in its warp, 0 to 31. Warps are cut from threadIdx.x + blockDim.x · y ... */
__device__ inline int lane_index();

/* Lanes of `mask` meet; what each wrote before is seen by all of them after. */
__device__ inline void warp_barrier(uint32_t mask = full_warp, call_site site = call_site::here());

/* Value of the lane whose index is the caller's xor `lane_mask`. T: 4 or 8 bytes, trivially
 * copyable. The lane read from must be in `mask`. */
template <typename T>
__device__ inline T warp_shuffle_xor(T value, int lane_mask, uint32_t mask = full_warp,
                                     call_site site = call_site::here());

/* Value of the lane `delta` above (below); the caller's own where there is none. */
template <typename T>
__device__ inline T warp_shuffle_down(T value, int delta, uint32_t mask = full_warp,
                                      call_site site = call_site::here());
template <typename T>
__device__ inline T warp_shuffle_up(T value, int delta, uint32_t mask = full_warp,
                                    call_site site = call_site::here());

/* Value of lane `source`, 0 to 31. */
template <typename T>
__device__ inline T warp_shuffle(T value, int source, uint32_t mask = full_warp,
                                 call_site site = call_site::here());

/* One bit a lane of `mask` whose predicate holds; lanes outside `mask` give 0. */
__device__ inline uint32_t warp_ballot(bool predicate, uint32_t mask = full_warp,
                                       call_site site = call_site::here());

/* ---- Copies of 16 bytes; both addresses are multiples of 16 ---- */

/* Plain accesses through the caches. */
__device__ inline uint4 load_16(const void *source, call_site site = call_site::here());
__device__ inline void store_16(void *target, uint4 value, call_site site = call_site::here());

/* Global memory that no thread writes while the kernel runs and that is read once (weights): does
 * not stay in the first-level cache. */
__device__ inline uint4 load_16_once(const void *global, call_site site = call_site::here());

/* cp.async: starts a copy of the first `valid_bytes` (0 to 16) from global to shared memory, the
 * rest of the 16 bytes becomes 0. Passes the first-level cache by. Nothing may touch `shared`, nor
 * write `global`, until the caller's wait; other threads see the bytes after a barrier behind it.
 */
__device__ inline void copy_async_16(void *shared, const void *global, int valid_bytes = 16,
                                     call_site site = call_site::here());

/* Makes one group, maybe an empty one, of the caller's copies since the last commit. */
__device__ inline void copy_async_commit(call_site site = call_site::here());

/* Waits until at most `pending` of the caller's newest groups are unfinished. */
template <int pending> __device__ inline void copy_async_wait(call_site site = call_site::here());

/* ---- Tensor cores: all 32 lanes, at the same line ---- */

/* ldmatrix.x4: four 8×8 matrices of 16-bit elements. Lane i gives the address of row i % 8 of
 * matrix i / 8 (16 bytes in shared memory). registers[m] of lane l is row l / 4, columns
 * 2 · (l % 4) and the next (the higher half) of matrix m. */
__device__ inline void load_matrices_x4(uint32_t (&registers)[4], const void *shared_row,
                                        call_site site = call_site::here());

/* The same with every matrix transposed: registers[m] of lane l holds rows 2 · (l % 4) and the
 * next of column l / 4. */
__device__ inline void load_matrices_x4_transposed(uint32_t (&registers)[4], const void *shared_row,
                                                   call_site site = call_site::here());

/* ldmatrix.x2: two matrices; lanes 0 to 15 give the addresses, those of the others are not used
 * but must be valid. */
__device__ inline void load_matrices_x2(uint32_t (&registers)[2], const void *shared_row,
                                        call_site site = call_site::here());
__device__ inline void load_matrices_x2_transposed(uint32_t (&registers)[2], const void *shared_row,
                                                   call_site site = call_site::here());

/* mma.m16n8k16: sums += A · B, A 16×16 and B 16×8 of T (__half or __nv_bfloat16), sums in float.
 * With g = lane / 4 and t = lane % 4, the lower half of a register first:
 *   a[0] A[g][2t, 2t+1]   a[1] A[g+8][2t, 2t+1]   a[2] A[g][2t+8, 2t+9]   a[3] A[g+8][2t+8, 2t+9]
 *   b[0] B[2t, 2t+1][g]   b[1] B[2t+8, 2t+9][g]
 *   sums[0, 1] C[g][2t, 2t+1]   sums[2, 3] C[g+8][2t, 2t+1]
 * load_matrices_x4 of a row-major A tile gives a (matrices: upper left, lower left, upper right,
 * lower right); b is load_matrices_x2 of Bᵀ stored row-major, or the transposed one of B. */
template <typename T>
__device__ inline void multiply_add_16x8x16(float (&sums)[4], const uint32_t (&a)[4],
                                            const uint32_t (&b)[2],
                                            call_site site = call_site::here());

/* ---- Atomics on global memory, for all threads of the device ---- */

/* Each gives the value from before. acquire_release: what the caller (and, through a barrier
 * before, its block) wrote is seen by whoever reads the result of this operation; what the
 * others wrote before theirs is seen by the caller, and through a barrier by its block. */
__device__ inline uint32_t atomic_add_acquire_release(uint32_t *target, uint32_t value);
/* Only the value itself; orders nothing else. */
__device__ inline uint32_t atomic_add_relaxed(uint32_t *target, uint32_t value);
__device__ inline uint64_t atomic_max_relaxed(uint64_t *target, uint64_t value);
/* The order of float additions, and so the last bits of the sum, is not defined. */
__device__ inline float atomic_add_relaxed(float *target, float value);
__device__ inline uint32_t load_acquire(const uint32_t *source, call_site site = call_site::here());
__device__ inline void store_release(uint32_t *target, uint32_t value);

/* The same on shared memory, relaxed: for counts within a block (a barrier orders them). */
__device__ inline uint32_t atomic_add_shared(uint32_t *shared, uint32_t value);

/* ---- Arithmetic; the approximate ones to about 2 units in the last place of a float ---- */

__device__ inline float exp2_approximate(float x);
__device__ inline float exp_approximate(float x);
__device__ inline float reciprocal_square_root(float x);

/* ---- Time and order of kernels ---- */

/* The device's clock in nanoseconds (%globaltimer), the same for all threads. */
__device__ inline uint64_t device_time_ns();

/* Programmatic launch (sm_90 and later; else without effect): with launch_shape.overlap set the
 * kernel may start while its predecessor in the stream still runs. Before wait_for_predecessor it
 * reads weights only and writes nothing, and no thread of it may end before: who then waits for
 * this kernel has waited for all before it. release_successor lets the next such kernel start. */
__device__ inline void wait_for_predecessor();
__device__ inline void release_successor();

/* ---- Launch, on the host ---- */

struct launch_shape {
    dim3 grid;
    dim3 block;
    size_t shared_bytes; /* of dynamic shared memory, up to 227 KB on sm_90, 163 KB on sm_80 */
    cudaStream_t stream;
    bool overlap; /* with its predecessor: see wait_for_predecessor */
};

/* Queues kernel(arguments...) on the stream; arguments are converted to the parameters' types and
 * copied now. E.g. launch_kernel<normalize_kernel<__half>>(shape, out, in, count). */
template <auto kernel, typename... Arguments>
cudaError_t launch_kernel(const launch_shape &shape, Arguments... arguments);

/* The architecture, 10 * major + minor, that the device's code of this kernel was compiled for,
 * which may be older than the device; 0 where it cannot be told. */
template <auto kernel> int kernel_architecture();

#ifdef __CUDACC__
#include "engine/cuda/device_ptx.h"
#else
#include <cuda_emulator_device.h>
#endif

#endif
