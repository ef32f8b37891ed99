/* The words of engine/cuda/device.h as nvcc compiles them: intrinsics, and inline PTX for what has
 * none. Included by device.h alone, which says what each means. */
#ifndef TOKENMARK_ENGINE_CUDA_DEVICE_PTX_H
#define TOKENMARK_ENGINE_CUDA_DEVICE_PTX_H

#include <cuda_runtime.h>

__device__ inline void block_barrier(call_site)
{
    __syncthreads();
}

__device__ inline unsigned char *dynamic_shared_memory()
{
    extern __shared__ __align__(128) unsigned char launch_shared_memory[];
    return launch_shared_memory;
}

__device__ inline uint32_t shared_address(const void *shared)
{
    return static_cast<uint32_t>(__cvta_generic_to_shared(shared));
}

__device__ inline int lane_index()
{
    int lane;
    asm("mov.u32 %0, %%laneid;" : "=r"(lane));
    return lane;
}

__device__ inline void warp_barrier(uint32_t mask, call_site)
{
    __syncwarp(mask);
}

template <typename T>
__device__ inline T warp_shuffle_xor(T value, int lane_mask, uint32_t mask, call_site)
{
    return __shfl_xor_sync(mask, value, lane_mask);
}

template <typename T>
__device__ inline T warp_shuffle_down(T value, int delta, uint32_t mask, call_site)
{
    return __shfl_down_sync(mask, value, delta);
}

template <typename T>
__device__ inline T warp_shuffle_up(T value, int delta, uint32_t mask, call_site)
{
    return __shfl_up_sync(mask, value, delta);
}

template <typename T>
__device__ inline T warp_shuffle(T value, int source, uint32_t mask, call_site)
{
    return __shfl_sync(mask, value, source);
}

__device__ inline uint32_t warp_ballot(bool predicate, uint32_t mask, call_site)
{
    return __ballot_sync(mask, predicate);
}

__device__ inline uint4 load_16(const void *source, call_site)
{
    return *static_cast<const uint4 *>(source);
}

__device__ inline void store_16(void *target, uint4 value, call_site)
{
    *static_cast<uint4 *>(target) = value;
}

__device__ inline uint4 load_16_once(const void *global, call_site)
{
    uint4 value;
    asm("ld.global.nc.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
        : "=r"(value.x), "=r"(value.y), "=r"(value.z), "=r"(value.w)
        : "l"(__cvta_generic_to_global(global)));
    return value;
}

__device__ inline void copy_async_16(void *shared, const void *global, int valid_bytes, call_site)
{
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;"
                 :
                 : "r"(shared_address(shared)), "l"(__cvta_generic_to_global(global)),
                   "r"(valid_bytes)
                 : "memory");
}

__device__ inline void copy_async_commit(call_site)
{
    asm volatile("cp.async.commit_group;" ::: "memory");
}

template <int pending> __device__ inline void copy_async_wait(call_site)
{
    asm volatile("cp.async.wait_group %0;" : : "n"(pending) : "memory");
}

__device__ inline void load_matrices_x4(uint32_t (&registers)[4], const void *shared_row, call_site)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(registers[0]), "=r"(registers[1]), "=r"(registers[2]), "=r"(registers[3])
                 : "r"(shared_address(shared_row))
                 : "memory");
}

__device__ inline void load_matrices_x4_transposed(uint32_t (&registers)[4], const void *shared_row,
                                                   call_site)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(registers[0]), "=r"(registers[1]), "=r"(registers[2]), "=r"(registers[3])
                 : "r"(shared_address(shared_row))
                 : "memory");
}

__device__ inline void load_matrices_x2(uint32_t (&registers)[2], const void *shared_row, call_site)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];"
                 : "=r"(registers[0]), "=r"(registers[1])
                 : "r"(shared_address(shared_row))
                 : "memory");
}

__device__ inline void load_matrices_x2_transposed(uint32_t (&registers)[2], const void *shared_row,
                                                   call_site)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0, %1}, [%2];"
                 : "=r"(registers[0]), "=r"(registers[1])
                 : "r"(shared_address(shared_row))
                 : "memory");
}

template <>
__device__ inline void multiply_add_16x8x16<__half>(float (&sums)[4], const uint32_t (&a)[4],
                                                    const uint32_t (&b)[2], call_site)
{
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
                 "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

template <>
__device__ inline void multiply_add_16x8x16<__nv_bfloat16>(float (&sums)[4], const uint32_t (&a)[4],
                                                           const uint32_t (&b)[2], call_site)
{
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
                 "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

__device__ inline uint32_t atomic_add_acquire_release(uint32_t *target, uint32_t value)
{
    uint32_t before;
    asm volatile("atom.add.acq_rel.gpu.global.u32 %0, [%1], %2;"
                 : "=r"(before)
                 : "l"(__cvta_generic_to_global(target)), "r"(value)
                 : "memory");
    return before;
}

__device__ inline uint32_t atomic_add_relaxed(uint32_t *target, uint32_t value)
{
    return atomicAdd(target, value);
}

__device__ inline uint64_t atomic_max_relaxed(uint64_t *target, uint64_t value)
{
    static_assert(sizeof(unsigned long long) == sizeof(uint64_t));
    return atomicMax(reinterpret_cast<unsigned long long *>(target), value);
}

__device__ inline float atomic_add_relaxed(float *target, float value)
{
    return atomicAdd(target, value);
}

__device__ inline uint32_t load_acquire(const uint32_t *source, call_site)
{
    uint32_t value;
    asm volatile("ld.acquire.gpu.global.u32 %0, [%1];"
                 : "=r"(value)
                 : "l"(__cvta_generic_to_global(source))
                 : "memory");
    return value;
}

__device__ inline void store_release(uint32_t *target, uint32_t value)
{
    asm volatile("st.release.gpu.global.u32 [%0], %1;"
                 :
                 : "l"(__cvta_generic_to_global(target)), "r"(value)
                 : "memory");
}

__device__ inline uint32_t atomic_add_shared(uint32_t *shared, uint32_t value)
{
    return atomicAdd_block(shared, value);
}

__device__ inline float exp2_approximate(float x)
{
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

__device__ inline float exp_approximate(float x)
{
    return __expf(x);
}

__device__ inline float reciprocal_square_root(float x)
{
    return rsqrtf(x);
}

__device__ inline uint64_t device_time_ns()
{
    uint64_t time;
    asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(time));
    return time;
}

__device__ inline void wait_for_predecessor()
{
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

__device__ inline void release_successor()
{
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

template <auto kernel, typename... Arguments>
cudaError_t launch_kernel(const launch_shape &shape, Arguments... arguments)
{
    constexpr size_t shared_bytes_without_asking = 48 * 1024;
    if (shape.shared_bytes > shared_bytes_without_asking) {
        cudaError_t status =
            cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                 static_cast<int>(shape.shared_bytes));
        if (status != cudaSuccess)
            return status;
    }
    cudaLaunchAttribute overlap = {};
    overlap.id = cudaLaunchAttributeProgrammaticStreamSerialization;
    overlap.val.programmaticStreamSerializationAllowed = 1;
    cudaLaunchConfig_t config = {};
    config.gridDim = shape.grid;
    config.blockDim = shape.block;
    config.dynamicSmemBytes = shape.shared_bytes;
    config.stream = shape.stream;
    config.attrs = &overlap;
    config.numAttrs = shape.overlap ? 1 : 0;
    return cudaLaunchKernelEx(&config, kernel, arguments...);
}

template <auto kernel> int kernel_architecture()
{
    cudaFuncAttributes attributes = {};
    if (cudaFuncGetAttributes(&attributes, kernel) == cudaSuccess)
        return attributes.ptxVersion;
    (void)cudaGetLastError();
    return 0;
}

#endif
