/* Products of up to 8 rows in float32, which tensor cores do not multiply exactly: a warp has two
 * outputs, or one and its gate, and reads their weights once for all rows; 16 bytes a lane where
 * rows allow it. From 9 rows on the reading of the tokens from the first-level cache is what
 * limits, and cuBLASLt, which holds them in registers, is asked instead. */
#include "engine/cuda/skinny_epilogue.cuh"

constexpr int gemv_warps = 4;
constexpr int gemv_outputs = 2; /* of a warp */
constexpr int gemv_vector = 4;  /* floats in 16 bytes */

/* sums[output][row] += weight[output][i] * x[row][i] over the lane's vectors of [0, whole). */
template <int rows>
__device__ inline void gemv_vectors(const skinny_call &call, const float *const *weights,
                                    int64_t whole, float (&sums)[gemv_outputs][rows])
{
    const float *x = static_cast<const float *>(call.x);
#pragma unroll 4
    for (int64_t i = lane_index() * gemv_vector; i < whole; i += warp_size * gemv_vector) {
        float weight[gemv_outputs][gemv_vector];
#pragma unroll
        for (int output = 0; output < gemv_outputs; output++) {
            uint4 loaded = load_16_once(weights[output] + i);
            memcpy(weight[output], &loaded, sizeof loaded);
        }
#pragma unroll
        for (int row = 0; row < rows; row++) {
            if (row >= call.rows)
                break;
            float token[gemv_vector];
            uint4 loaded = load_16(x + row * call.x_stride + i);
            memcpy(token, &loaded, sizeof loaded);
#pragma unroll
            for (int output = 0; output < gemv_outputs; output++)
#pragma unroll
                for (int j = 0; j < gemv_vector; j++)
                    sums[output][row] += weight[output][j] * token[j];
        }
    }
}

template <int rows>
__global__ void __launch_bounds__(gemv_warps *warp_size) gemv_kernel(skinny_call call)
{
    wait_for_predecessor();
    release_successor();
    int64_t warp = static_cast<int64_t>(blockIdx.x) * gemv_warps + threadIdx.x / warp_size;
    int64_t first = call.gated ? warp : warp * gemv_outputs;
    int64_t second = call.gated ? warp + call.outputs / 2 : first + 1;
    int64_t end = call.gated ? call.outputs / 2 : call.outputs;
    if (first >= end)
        return;
    bool has_second = second < call.outputs;
    const float *weight = static_cast<const float *>(call.weight);
    const float *x = static_cast<const float *>(call.x);
    const float *weights[gemv_outputs] = {weight + first * call.inputs,
                                          weight + (has_second ? second : first) * call.inputs};
    uintptr_t addresses = reinterpret_cast<uintptr_t>(weight) | reinterpret_cast<uintptr_t>(x);
    bool is_aligned =
        addresses % 16 == 0 && call.inputs % gemv_vector == 0 && call.x_stride % gemv_vector == 0;
    float sums[gemv_outputs][rows] = {};
    if (is_aligned)
        gemv_vectors<rows>(call, weights, call.inputs, sums);
    else
        for (int64_t i = lane_index(); i < call.inputs; i += warp_size)
#pragma unroll
            for (int row = 0; row < rows; row++)
                if (row < call.rows)
#pragma unroll
                    for (int output = 0; output < gemv_outputs; output++)
                        sums[output][row] += weights[output][i] * x[row * call.x_stride + i];
#pragma unroll
    for (int row = 0; row < rows; row++) {
        if (row >= call.rows)
            break;
        float sum = warp_sum(sums[0][row]), other = warp_sum(sums[1][row]);
        if (lane_index() != 0)
            continue;
        skinny_store<float>(call, row, first, sum, other);
        if (!call.gated && has_second)
            skinny_store<float>(call, row, second, other, 0);
    }
}

template <int rows> static cudaError_t gemv_launch(const skinny_call &call)
{
    int64_t warps = call.gated ? call.outputs / 2 : divide_up(call.outputs, gemv_outputs);
    launch_shape shape = {dim3(static_cast<unsigned>(divide_up(warps, gemv_warps))),
                          dim3(gemv_warps * warp_size), 0, call.stream, call.overlap};
    return launch_kernel<gemv_kernel<rows>>(shape, call);
}

extern "C" cudaError_t kernel_gemv(const struct skinny_call *call)
{
    if (call->rows == 1)
        return gemv_launch<1>(*call);
    if (call->rows <= 2)
        return gemv_launch<2>(*call);
    return call->rows <= 4 ? gemv_launch<4>(*call) : gemv_launch<8>(*call);
}
