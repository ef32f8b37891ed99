/* The activations in float32, for every kernel that applies one: pointwise.cu and the epilogues of
 * products. */
#ifndef TOKENMARK_ENGINE_CUDA_ACTIVATION_CUH
#define TOKENMARK_ENGINE_CUDA_ACTIVATION_CUH

#include "engine/cuda/kernel_common.cuh"

__device__ inline float sigmoid(float x)
{
    return 1.0f / (1.0f + expf(-x));
}

__device__ inline float activate(enum device_activation activation, float x)
{
    switch (activation) {
    case DEVICE_GELU_TANH:
        return 0.5f * x * (1.0f + tanhf(0.7978845608028654f * (x + 0.044715f * x * x * x)));
    case DEVICE_GELU_ERF:
        return 0.5f * x * (1.0f + erff(x * 0.70710678118654752f));
    case DEVICE_RELU:
        return fmaxf(x, 0.0f);
    case DEVICE_SILU:
        return x * sigmoid(x);
    case DEVICE_QUICK_GELU:
        return x * sigmoid(1.702f * x);
    case DEVICE_IDENTITY:
        break;
    }
    return x;
}

#endif
