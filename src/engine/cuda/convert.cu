/* Weights as the engine computes with them: float32 rows on their way into place. */
#include "engine/cuda/kernel_common.cuh"

constexpr int convert_threads = 256;
constexpr int convert_blocks_max = 4096;

template <typename T> __global__ void convert_kernel(convert_call call)
{
    T *to = static_cast<T *>(call.to);
    int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
    for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < call.count;
         i += stride)
        to[i] = from_float<T>(call.from[i] * call.scale + call.shift);
}

extern "C" cudaError_t kernel_convert(const struct convert_call *call)
{
    int blocks = divide_up(call->count, convert_threads);
    blocks = blocks < convert_blocks_max ? blocks : convert_blocks_max;
    launch_shape shape = {dim3(blocks), dim3(convert_threads), 0, call->stream, false};
    return with_type(call->type, [&](auto type) {
        return launch_kernel<convert_kernel<decltype(type)>>(shape, *call);
    });
}
