/* Layer norm and RMS norm of the residual stream, one block a row; the sum with the residual is
 * made in the same pass where a family norms what it adds. */
#include "engine/cuda/kernel_common.cuh"

constexpr int norm_threads = 256;

template <typename T> __global__ void norm_kernel(norm_call call)
{
    float *scratch = reinterpret_cast<float *>(dynamic_shared_memory());
    int64_t start = static_cast<int64_t>(blockIdx.x) * call.width;
    const float *x = call.x + start;
    float width = static_cast<float>(call.width);
    float mean = 0;
    if (!call.rms) {
        float sum = 0;
        for (int64_t i = threadIdx.x; i < call.width; i += blockDim.x)
            sum += x[i];
        mean = block_sum(sum, scratch) / width;
    }
    float squares = 0;
    for (int64_t i = threadIdx.x; i < call.width; i += blockDim.x)
        squares += (x[i] - mean) * (x[i] - mean);
    float inverse = 1.0f / sqrtf(block_sum(squares, scratch) / width + call.epsilon);
    for (int64_t i = threadIdx.x; i < call.width; i += blockDim.x) {
        float value = (x[i] - mean) * inverse;
        if (call.gain != nullptr)
            value *= call.gain[i];
        if (call.bias != nullptr)
            value += call.bias[i];
        if (call.y != nullptr)
            static_cast<T *>(call.y)[start + i] = from_float<T>(value);
        if (call.residual != nullptr)
            call.residual[start + i] += call.scale * value;
        if (call.y32 != nullptr)
            call.y32[start + i] = value;
    }
}

extern "C" cudaError_t kernel_norm(const struct norm_call *call)
{
    launch_shape shape = {dim3(static_cast<unsigned>(call->rows)), dim3(norm_threads),
                          warp_size * sizeof(float), call->stream, false};
    return with_type(call->type, [&](auto type) {
        return launch_kernel<norm_kernel<decltype(type)>>(shape, *call);
    });
}
