/* Activations where a matrix product cannot fuse them, gates, and the model's own soft-cap. */
#include "engine/cuda/activation.cuh"

constexpr int pointwise_threads = 256;

/* `count` neighbours, 16 bytes at once where they are as many. */
template <typename T, int count> __device__ inline void load_some(T (&to)[count], const T *from)
{
    if constexpr (sizeof to == 16) {
        uint4 loaded = load_16(from);
        memcpy(to, &loaded, sizeof loaded);
    } else {
        for (int i = 0; i < count; i++)
            to[i] = from[i];
    }
}

template <typename T, int count> __device__ inline void store_some(T *to, const T (&from)[count])
{
    if constexpr (sizeof from == 16) {
        uint4 stored;
        memcpy(&stored, from, sizeof stored);
        store_16(to, stored);
    } else {
        for (int i = 0; i < count; i++)
            to[i] = from[i];
    }
}

/* A thread has `count` columns. */
template <typename T, int count> __global__ void activate_kernel(activate_call call)
{
    int64_t column = (static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) * count;
    if (column >= call.width)
        return;
    T bias[count] = {}, values[count];
    if (call.bias != nullptr)
        load_some(bias, static_cast<const T *>(call.bias) + column);
    for (int64_t row = blockIdx.y; row < call.rows; row += gridDim.y) {
        T *y = static_cast<T *>(call.y) + row * call.stride + column;
        load_some(values, y);
#pragma unroll
        for (int i = 0; i < count; i++) {
            float sum = to_float(values[i]) + (call.bias != nullptr ? to_float(bias[i]) : 0.0f);
            values[i] = from_float<T>(activate(call.activation, sum));
        }
        store_some(y, values);
    }
}

template <typename T, int count> __global__ void gate_kernel(gate_call call)
{
    int64_t column = (static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) * count;
    if (column >= call.width)
        return;
    T gates[count], values[count];
    for (int64_t row = blockIdx.y; row < call.rows; row += gridDim.y) {
        T *y = static_cast<T *>(call.y) + row * 2 * call.width + column;
        load_some(gates, y);
        load_some(values, y + call.width);
#pragma unroll
        for (int i = 0; i < count; i++)
            values[i] =
                from_float<T>(activate(call.activation, to_float(gates[i])) * to_float(values[i]));
        store_some(y, values);
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

/* A block a piece of a row, a thread a column or several; rows beyond what a grid holds are looped
 * over. */
static launch_shape pointwise_shape(int64_t rows, int64_t width, cudaStream_t stream)
{
    constexpr int64_t rows_max = 65535;
    unsigned y = static_cast<unsigned>(rows < rows_max ? rows : rows_max);
    return {dim3(static_cast<unsigned>(divide_up(width, pointwise_threads)), y),
            dim3(pointwise_threads), 0, stream, false};
}

extern "C" cudaError_t kernel_activate(const struct activate_call *call)
{
    return with_type(call->type, [&](auto type) {
        using T = decltype(type);
        constexpr int vector = 16 / sizeof(T);
        uintptr_t addresses =
            reinterpret_cast<uintptr_t>(call->y) | reinterpret_cast<uintptr_t>(call->bias);
        bool is_even = call->width % vector == 0 && call->stride % vector == 0;
        if (is_even && addresses % 16 == 0)
            return launch_kernel<activate_kernel<T, vector>>(
                pointwise_shape(call->rows, call->width / vector, call->stream), *call);
        return launch_kernel<activate_kernel<T, 1>>(
            pointwise_shape(call->rows, call->width, call->stream), *call);
    });
}

extern "C" cudaError_t kernel_gate(const struct gate_call *call)
{
    return with_type(call->type, [&](auto type) {
        using T = decltype(type);
        constexpr int vector = 16 / sizeof(T);
        if (call->width % vector == 0 && reinterpret_cast<uintptr_t>(call->y) % 16 == 0)
            return launch_kernel<gate_kernel<T, vector>>(
                pointwise_shape(call->rows, call->width / vector, call->stream), *call);
        return launch_kernel<gate_kernel<T, 1>>(
            pointwise_shape(call->rows, call->width, call->stream), *call);
    });
}

extern "C" cudaError_t kernel_scale_softcap(float *logits, int64_t count, float scale,
                                            float softcap, cudaStream_t stream)
{
    launch_shape shape = pointwise_shape(1, count, stream);
    return launch_kernel<scale_softcap_kernel>(shape, logits, count, scale, softcap);
}
