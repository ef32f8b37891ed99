/* What skinny.cu and gemv.cu do with a sum: scale, residual, bias, activation or gate, and the
 * store. */
#ifndef TOKENMARK_ENGINE_CUDA_SKINNY_EPILOGUE_CUH
#define TOKENMARK_ENGINE_CUDA_SKINNY_EPILOGUE_CUH

#include "engine/cuda/activation.cuh"

/* alpha * sum + y + bias of one element. */
template <typename Y>
__device__ inline float skinny_value(const skinny_call &call, int64_t row, int64_t output,
                                     float sum)
{
    float value = call.alpha * sum;
    if (call.accumulate)
        value += to_float(static_cast<const Y *>(call.y)[row * call.y_stride + output]);
    if (call.bias != nullptr)
        value += to_float(static_cast<const Y *>(call.bias)[output]);
    return value;
}

template <typename Y>
__device__ inline void skinny_store_as(const skinny_call &call, int64_t row, int64_t output,
                                       float sum, float gated_sum)
{
    float value = activate(call.activation, skinny_value<Y>(call, row, output, sum));
    if (call.gated)
        value *= skinny_value<Y>(call, row, output + call.outputs / 2, gated_sum);
    static_cast<Y *>(call.y)[row * call.y_stride + output] = from_float<Y>(value);
}

/* `gated_sum` is that of output + outputs / 2 and is looked at where the call is gated. */
template <typename T>
__device__ inline void skinny_store(const skinny_call &call, int64_t row, int64_t output, float sum,
                                    float gated_sum)
{
    if (call.y_type == DEVICE_F32)
        skinny_store_as<float>(call, row, output, sum, gated_sum);
    else
        skinny_store_as<T>(call, row, output, sum, gated_sum);
}

#endif
