/* What measures the device itself: random data (zeros would be read and multiplied at less power)
 * and a pass that reads memory as decode reads weights. */
#include "engine/cuda/kernel_common.cuh"

constexpr int limit_threads = 256;
constexpr int limit_blocks_max = 65535;
constexpr int read_ahead =
    4; /* loads that a thread has in flight: the fastest memories need them */

/* Values in [-1, 1), the same for the same index. */
template <typename T> __global__ void fill_kernel(void *memory, int64_t count)
{
    int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
    for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count;
         i += stride) {
        uint32_t bits = static_cast<uint32_t>(i) * 2654435761u + 97u;
        bits ^= bits >> 15;
        bits *= 2246822519u;
        bits ^= bits >> 13;
        float value = static_cast<float>(bits >> 8) * 0x1p-23f - 1.0f;
        static_cast<T *>(memory)[i] = from_float<T>(value);
    }
}

/* Reads all of memory [count] `passes` times, each pass where the one before left off: no address
 * comes twice in a row, so that no load can be left out. */
__global__ void read_kernel(const uint4 *memory, int64_t count, int64_t passes, uint32_t *sums)
{
    uint32_t sum = 0;
    int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
    int64_t first = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
    int64_t at = first % count, step = stride % count, i = first;
    for (; i + (read_ahead - 1) * stride < count * passes; i += read_ahead * stride) {
        uint4 values[read_ahead];
#pragma unroll
        for (int k = 0; k < read_ahead; k++) {
            values[k] = load_16_once(memory + at);
            at += step;
            at -= at >= count ? count : 0;
        }
#pragma unroll
        for (int k = 0; k < read_ahead; k++)
            sum ^= values[k].x ^ values[k].y ^ values[k].z ^ values[k].w;
    }
    for (; i < count * passes; i += stride) {
        uint4 value = load_16_once(memory + at);
        sum ^= value.x ^ value.y ^ value.z ^ value.w;
        at += step;
        at -= at >= count ? count : 0;
    }
    if (sum == 1) /* hardly ever: what is read must be used */
        (void)atomic_add_relaxed(sums, sum);
}

static unsigned limit_blocks(int64_t count)
{
    int blocks = divide_up(count, limit_threads);
    return static_cast<unsigned>(blocks < limit_blocks_max ? blocks : limit_blocks_max);
}

extern "C" cudaError_t kernel_fill(enum device_type type, void *memory, int64_t count,
                                   cudaStream_t stream)
{
    launch_shape shape = {dim3(limit_blocks(count)), dim3(limit_threads), 0, stream, false};
    return with_type(type, [&](auto value) {
        return launch_kernel<fill_kernel<decltype(value)>>(shape, memory, count);
    });
}

extern "C" cudaError_t kernel_read(const void *memory, int64_t bytes, int64_t passes,
                                   uint32_t *sums, int blocks, cudaStream_t stream)
{
    int64_t count = bytes / static_cast<int64_t>(sizeof(uint4));
    launch_shape shape = {dim3(static_cast<unsigned>(blocks)), dim3(limit_threads), 0, stream,
                          false};
    return launch_kernel<read_kernel>(shape, static_cast<const uint4 *>(memory), count, passes,
                                      sums);
}
