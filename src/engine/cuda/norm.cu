/* Layer norm and RMS norm of the residual stream, one block a row, which is read once and held in
 * shared memory. Where a family norms what it adds, the same pass makes the sum with the residual,
 * writes it, and norms it for what comes next. */
#include "engine/cuda/kernel_common.cuh"

constexpr int norm_threads = 256;
constexpr int norm_vector = 4; /* floats in 16 bytes */
/* Wider rows are read from memory each time: no multiprocessor holds them beside others. */
constexpr int64_t norm_held_max = 16384;

struct norm_row {
    float mean, inverse;
};

/* Mean and inverse deviation of the block's row; all threads may have written their part of it. */
__device__ inline norm_row norm_measure(const norm_call &call, const float *row, float *scratch)
{
    norm_row result = {0, 0};
    float width = static_cast<float>(call.width), sum = 0, squares = 0;
    if (!call.rms) {
        for (int64_t i = threadIdx.x; i < call.width; i += norm_threads)
            sum += row[i];
        result.mean = block_sum(sum, scratch) / width;
    }
    for (int64_t i = threadIdx.x; i < call.width; i += norm_threads)
        squares += (row[i] - result.mean) * (row[i] - result.mean);
    result.inverse = 1.0f / sqrtf(block_sum(squares, scratch) / width + call.epsilon);
    return result;
}

__device__ inline float norm_value(const norm_row &row, float x, const float *gain,
                                   const float *bias, int64_t i)
{
    float value = (x - row.mean) * row.inverse;
    if (gain != nullptr)
        value *= gain[i];
    if (bias != nullptr)
        value += bias[i];
    return value;
}

/* The row to where it is held; threads then meet. */
__device__ inline void norm_hold(const norm_call &call, const float *x, float *held)
{
    if (call.width % norm_vector == 0) {
        for (int64_t i = threadIdx.x * norm_vector; i < call.width; i += norm_threads * norm_vector)
            store_16(held + i, load_16(x + i));
    } else {
        for (int64_t i = threadIdx.x; i < call.width; i += norm_threads)
            held[i] = x[i];
    }
    block_barrier();
}

template <typename T> __global__ void __launch_bounds__(norm_threads) norm_kernel(norm_call call)
{
    wait_for_predecessor();
    release_successor();
    float *scratch = reinterpret_cast<float *>(dynamic_shared_memory());
    int64_t start = static_cast<int64_t>(blockIdx.x) * call.width;
    const float *x = call.x + start;
    bool is_held = call.width <= norm_held_max;
    float *held = is_held ? scratch + warp_size : call.residual + start;
    if (is_held) {
        norm_hold(call, x, held);
        x = held;
    }
    norm_row row = norm_measure(call, x, scratch);
    for (int64_t i = threadIdx.x; i < call.width; i += norm_threads) {
        float value = norm_value(row, x[i], call.gain, call.bias, i);
        if (call.y != nullptr)
            static_cast<T *>(call.y)[start + i] = from_float<T>(value);
        if (call.y32 != nullptr)
            call.y32[start + i] = value;
        if (call.residual == nullptr)
            continue;
        float sum = call.residual[start + i] + call.scale * value;
        call.residual[start + i] = sum;
        held[i] = sum;
    }
    if (call.residual == nullptr || call.next_y == nullptr)
        return;
    row = norm_measure(call, held, scratch);
    for (int64_t i = threadIdx.x; i < call.width; i += norm_threads) {
        float value = norm_value(row, held[i], call.next_gain, call.next_bias, i);
        static_cast<T *>(call.next_y)[start + i] = from_float<T>(value);
        if (call.next_y32 != nullptr)
            call.next_y32[start + i] = value;
    }
}

extern "C" cudaError_t kernel_norm(const struct norm_call *call)
{
    size_t floats = warp_size;
    if (call->width <= norm_held_max)
        floats += static_cast<size_t>(call->width);
    launch_shape shape = {dim3(static_cast<unsigned>(call->rows)), dim3(norm_threads),
                          floats * sizeof(float), call->stream, call->overlap};
    return with_type(call->type, [&](auto type) {
        return launch_kernel<norm_kernel<decltype(type)>>(shape, *call);
    });
}
