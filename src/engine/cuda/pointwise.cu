/* Activations where a matrix product cannot fuse them, gates, and the model's own soft-cap. */
#include "engine/cuda/activation.cuh"

constexpr int pointwise_threads = 256;

template <typename T> __global__ void activate_kernel(activate_call call)
{
    int64_t column = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (column >= call.width)
        return;
    float bias = call.bias != nullptr ? to_float(static_cast<const T *>(call.bias)[column]) : 0.0f;
    for (int64_t row = blockIdx.y; row < call.rows; row += gridDim.y) {
        T *y = static_cast<T *>(call.y) + row * call.stride + column;
        *y = from_float<T>(activate(call.activation, to_float(*y) + bias));
    }
}

template <typename T> __global__ void gate_kernel(gate_call call)
{
    int64_t column = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (column >= call.width)
        return;
    for (int64_t row = blockIdx.y; row < call.rows; row += gridDim.y) {
        T *y = static_cast<T *>(call.y) + row * 2 * call.width + column;
        *y = from_float<T>(activate(call.activation, to_float(y[0])) * to_float(y[call.width]));
    }
}

__global__ void scale_softcap_kernel(float *logits, int64_t count, float scale, float softcap)
{
    int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (i >= count)
        return;
    float value = logits[i] * scale;
    logits[i] = softcap > 0 ? softcap * tanhf(value / softcap) : value;
}

/* A block a piece of a row; rows beyond what a grid holds are looped over. */
static launch_shape pointwise_shape(int64_t rows, int64_t width, cudaStream_t stream)
{
    constexpr int64_t rows_max = 65535;
    unsigned y = static_cast<unsigned>(rows < rows_max ? rows : rows_max);
    return {dim3(static_cast<unsigned>(divide_up(width, pointwise_threads)), y),
            dim3(pointwise_threads), 0, stream, false};
}

extern "C" cudaError_t kernel_activate(const struct activate_call *call)
{
    launch_shape shape = pointwise_shape(call->rows, call->width, call->stream);
    return with_type(call->type, [&](auto type) {
        return launch_kernel<activate_kernel<decltype(type)>>(shape, *call);
    });
}

extern "C" cudaError_t kernel_gate(const struct gate_call *call)
{
    launch_shape shape = pointwise_shape(call->rows, call->width, call->stream);
    return with_type(call->type, [&](auto type) {
        return launch_kernel<gate_kernel<decltype(type)>>(shape, *call);
    });
}

extern "C" cudaError_t kernel_scale_softcap(float *logits, int64_t count, float scale,
                                            float softcap, cudaStream_t stream)
{
    launch_shape shape = pointwise_shape(1, count, stream);
    return launch_kernel<scale_softcap_kernel>(shape, logits, count, scale, softcap);
}
