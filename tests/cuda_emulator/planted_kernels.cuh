/* Kernels as engines have them, each right, and wrong in one way when `planted`. The statement
 * behind "planted: NAME" is what a report of the bug NAME must point at. Run by planted_bugs.cu. */
#ifndef PLANTED_KERNELS_CUH
#define PLANTED_KERNELS_CUH

#include "engine/cuda/device.h"

constexpr int block_threads = 64;
constexpr int tile = 16;

__device__ inline float warp_sum(float value)
{
    for (int lane_mask = warp_size / 2; lane_mask > 0; lane_mask /= 2)
        value += warp_shuffle_xor(value, lane_mask);
    return value;
}

/* out[b] = sum of in[b][0 .. count). */
template <bool planted>
__global__ void __launch_bounds__(block_threads)
    missing_barrier_kernel(float *out, const float *in, int count)
{
    auto *partial = reinterpret_cast<float *>(dynamic_shared_memory());
    const float *row = in + static_cast<size_t>(blockIdx.x) * count;
    float sum = 0;
    for (int i = static_cast<int>(threadIdx.x); i < count; i += block_threads)
        sum += row[i];
    sum = warp_sum(sum);
    if (lane_index() == 0)
        /* planted: missing_barrier */
        partial[threadIdx.x / warp_size] = sum;
    if (!planted)
        block_barrier();
    if (threadIdx.x < block_threads / warp_size && threadIdx.x == block_threads / warp_size - 1)
        out[blockIdx.x] = partial[0] + partial[1];
}

/* C = A · B, square, by tiles of 16 × 16 in shared memory; one thread an element. */
template <bool planted>
__global__ void __launch_bounds__(tile *tile)
    missing_loop_barrier_kernel(float *c, const float *a, const float *b, int size)
{
    auto *a_tile = reinterpret_cast<float *>(dynamic_shared_memory());
    float *b_tile = a_tile + tile * tile;
    int row = static_cast<int>(threadIdx.y);
    int column = static_cast<int>(threadIdx.x);
    float sum = 0;
    for (int k = 0; k < size; k += tile) {
        int a_row = static_cast<int>(blockIdx.y) * tile + row;
        int b_column = static_cast<int>(blockIdx.x) * tile + column;
        a_tile[row * tile + column] = a[a_row * size + k + column];
        b_tile[row * tile + column] = b[(k + row) * size + b_column];
        block_barrier();
        for (int i = 0; i < tile; i++)
            /* planted: missing_loop_barrier */
            sum += a_tile[row * tile + i] * b_tile[i * tile + column];
        if (!planted)
            block_barrier();
    }
    c[(blockIdx.y * tile + threadIdx.y) * static_cast<unsigned>(size) + blockIdx.x * tile +
      threadIdx.x] = sum;
}

enum class ring_bug { none, missing_wait, missing_barrier };

/* Every thread adds the mean of each chunk of 4 · block_threads floats, which all have copied into
 * one of two buffers while the chunk before was used. */
template <ring_bug bug>
__global__ void __launch_bounds__(block_threads)
    ring_kernel(float *out, const float *in, int chunks)
{
    constexpr int chunk = 4 * block_threads;
    auto *buffers = reinterpret_cast<float *>(dynamic_shared_memory());
    int own = 4 * static_cast<int>(threadIdx.x);
    copy_async_16(buffers + own, in + own);
    copy_async_commit();
    float sum = 0;
    for (int i = 0; i < chunks; i++) {
        if (i + 1 < chunks)
            /* planted: missing_ring_barrier */
            copy_async_16(buffers + (i + 1) % 2 * chunk + own, in + (i + 1) * chunk + own);
        copy_async_commit();
        if (bug != ring_bug::missing_wait)
            copy_async_wait<1>();
        block_barrier();
        for (int j = 0; j < chunk; j++)
            sum += buffers[i % 2 * chunk + (j + own) % chunk];
        if (bug != ring_bug::missing_barrier)
            block_barrier();
    }
    copy_async_wait<0>();
    out[threadIdx.x] = sum;
}

/* out[row] = 2 · in[row], row after row in shared memory. */
template <bool planted>
__global__ void __launch_bounds__(block_threads)
    one_past_row_kernel(float *out, const float *in, int width)
{
    auto *row = reinterpret_cast<float *>(dynamic_shared_memory());
    const float *source = in + static_cast<size_t>(blockIdx.x) * width;
    int end = planted ? width + 1 : width;
    for (int i = static_cast<int>(threadIdx.x); i < end; i += block_threads)
        /* planted: one_past_row */
        row[i] = 2.0f * source[i < width ? i : 0];
    block_barrier();
    for (int i = static_cast<int>(threadIdx.x); i < width; i += block_threads)
        out[blockIdx.x * static_cast<size_t>(width) + i] = row[i];
}

/* Each block sums its part of in; the one that finishes last adds the parts up. */
template <bool planted>
__global__ void __launch_bounds__(block_threads)
    relaxed_counter_kernel(float *out, float *parts, uint32_t *finished, const float *in, int count)
{
    auto *last = reinterpret_cast<uint32_t *>(dynamic_shared_memory());
    float sum = 0;
    for (int i = static_cast<int>(threadIdx.x); i < count; i += block_threads)
        sum += in[blockIdx.x * static_cast<size_t>(count) + i];
    sum = warp_sum(sum);
    if (lane_index() == 0)
        parts[blockIdx.x * 2 + threadIdx.x / warp_size] = sum;
    block_barrier();
    if (threadIdx.x == 0) {
        uint32_t before =
            planted ? atomic_add_relaxed(finished, 1u) : atomic_add_acquire_release(finished, 1u);
        *last = before == gridDim.x - 1;
    }
    block_barrier();
    if (*last && threadIdx.x == 0) {
        float total = 0;
        for (unsigned i = 0; i < gridDim.x * 2; i++)
            /* planted: relaxed_counter */
            total += parts[i];
        *out = total;
    }
}

/* out[0 .. 4 · threads) = in[offset ...), 16 bytes a thread. */
__global__ void __launch_bounds__(block_threads)
    misaligned_access_kernel(float *out, const float *in, int offset)
{
    /* planted: misaligned_access */
    uint4 four = load_16(in + offset + 4 * threadIdx.x);
    store_16(out + 4 * threadIdx.x, four);
}

__global__ void __launch_bounds__(block_threads)
    misaligned_copy_kernel(float *out, const float *in, int offset)
{
    auto *buffer = reinterpret_cast<float *>(dynamic_shared_memory());
    /* planted: misaligned_copy */
    copy_async_16(buffer + 4 * threadIdx.x, in + offset + 4 * threadIdx.x);
    copy_async_commit();
    copy_async_wait<0>();
    for (unsigned i = 0; i < 4; i++)
        out[4 * threadIdx.x + i] = buffer[4 * threadIdx.x + i];
}

__global__ void __launch_bounds__(warp_size) misaligned_matrices_kernel(uint32_t *out, int offset)
{
    unsigned char *rows = dynamic_shared_memory();
    for (int i = 0; i < 16; i++)
        rows[16 * lane_index() + i] = static_cast<unsigned char>(lane_index());
    warp_barrier();
    uint32_t registers[4];
    /* planted: misaligned_matrices */
    load_matrices_x4(registers, rows + 16 * lane_index() + offset);
    for (int i = 0; i < 4; i++)
        out[4 * lane_index() + i] = registers[i];
}

/* The lower half of the block waits at another barrier than the upper one. */
__global__ void __launch_bounds__(block_threads) divergent_barrier_kernel(int *out, bool planted)
{
    if (planted && threadIdx.x < block_threads / 2)
        block_barrier();
    /* planted: divergent_barrier */
    block_barrier();
    out[threadIdx.x] = 1;
}

/* One warp waits for the block, the other for a lane that waits for the block. */
__global__ void __launch_bounds__(block_threads) deadlock_kernel(int *out, bool planted)
{
    if (planted && threadIdx.x == 0)
        /* planted: deadlock */
        block_barrier();
    else
        warp_barrier();
    out[threadIdx.x] = 1;
}

__global__ void __launch_bounds__(warp_size) exited_lanes_kernel(int *out, int lanes)
{
    if (lane_index() >= lanes)
        return;
    uint32_t mask = lanes == warp_size ? full_warp : (1u << lanes) - 1;
    /* planted: exited_lanes */
    out[lane_index()] = warp_shuffle_xor(lane_index(), 1, full_warp);
    out[lane_index()] += warp_shuffle_xor(lane_index(), 1, mask);
}

/* Half the warp votes while the other half shuffles. */
__global__ void __launch_bounds__(warp_size) different_operations_kernel(int *out, bool planted)
{
    int value = lane_index();
    if (planted && lane_index() < 16)
        /* planted: different_operations */
        value += static_cast<int>(warp_ballot(true));
    else
        /* planted: different_operations */
        value += warp_shuffle_xor(value, 1);
    out[lane_index()] = value;
}

/* Block 1 waits for a flag that block 0 raises; with `planted` block 0 waits for block 1. */
__global__ void __launch_bounds__(warp_size) waiting_block_kernel(uint32_t *flag, bool planted)
{
    if (blockIdx.x == (planted ? 1u : 0u))
        store_release(flag, 1u);
    else
        /* planted: waiting_block */
        while (load_acquire(flag) == 0)
            continue;
}

__global__ void __launch_bounds__(block_threads) fill_kernel(int *out, int count)
{
    unsigned block = blockIdx.y * gridDim.x + blockIdx.x;
    unsigned index = block * blockDim.x + threadIdx.x;
    if (index < static_cast<unsigned>(count))
        out[index] = static_cast<int>(index);
}

#endif
