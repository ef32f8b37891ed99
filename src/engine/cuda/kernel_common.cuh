/* What all kernel files share: conversions, sums over a block, the choice of a type at launch. */
#ifndef TOKENMARK_ENGINE_CUDA_KERNEL_COMMON_CUH
#define TOKENMARK_ENGINE_CUDA_KERNEL_COMMON_CUH

#include "engine/cuda/cuda_kernels.h"
#include "engine/cuda/device.h"

__device__ inline float to_float(float value)
{
    return value;
}

__device__ inline float to_float(__half value)
{
    return __half2float(value);
}

__device__ inline float to_float(__nv_bfloat16 value)
{
    return __bfloat162float(value);
}

template <typename T> __device__ inline T from_float(float value);

template <> __device__ inline float from_float<float>(float value)
{
    return value;
}

template <> __device__ inline __half from_float<__half>(float value)
{
    return __float2half_rn(value);
}

template <> __device__ inline __nv_bfloat16 from_float<__nv_bfloat16>(float value)
{
    return __float2bfloat16_rn(value);
}

__device__ inline float warp_sum(float value)
{
    for (int step = warp_size / 2; step > 0; step /= 2)
        value += warp_shuffle_xor(value, step);
    return value;
}

__device__ inline float warp_max(float value)
{
    for (int step = warp_size / 2; step > 0; step /= 2)
        value = fmaxf(value, warp_shuffle_xor(value, step));
    return value;
}

/* The same for a whole block of at most 32 warps; `scratch` holds a float a warp. All threads get
 * the result; scratch may be used again after it. */
__device__ inline float block_sum(float value, float *scratch)
{
    int warp = static_cast<int>(threadIdx.x) / warp_size;
    int warps = static_cast<int>(blockDim.x) / warp_size;
    value = warp_sum(value);
    if (lane_index() == 0)
        scratch[warp] = value;
    block_barrier();
    value = warp_sum(lane_index() < warps ? scratch[lane_index()] : 0.0f);
    block_barrier();
    return value;
}

/* One warp puts together what `count` blocks computed of a row of softmax(...) V: results `stride`
 * floats apart, each `width` elements, its maximum and its sum. A lane gets element d, 0 <= d <
 * width. A part that saw no key has maximum -infinity and zeroes; one at least saw some. `power` is
 * the exponential that the maxima are logarithms of. */
template <float (*power)(float)>
__device__ inline float warp_combine(const float *results, int64_t count, int64_t stride, int width,
                                     int d)
{
    float largest = -INFINITY, sum = 0, value = 0;
    for (int64_t i = lane_index(); i < count; i += warp_size)
        largest = fmaxf(largest, results[i * stride + width]);
    largest = warp_max(largest);
    for (int64_t first = 0; first < count; first += warp_size) {
        float factor = 0;
        if (first + lane_index() < count) {
            const float *own = results + (first + lane_index()) * stride + width;
            factor = power(own[0] - largest);
            sum += factor * own[1];
        }
        int64_t left = count - first;
        int here = static_cast<int>(left < warp_size ? left : warp_size);
#pragma unroll 8
        for (int i = 0; i < here; i++)
            value += warp_shuffle(factor, i) * results[(first + i) * stride + d];
    }
    return value / warp_sum(sum);
}

inline int divide_up(int64_t a, int64_t b)
{
    return static_cast<int>((a + b - 1) / b);
}

/* Calls launch(T{}) with the C++ type of `type`. */
template <typename Launch> cudaError_t with_type(enum device_type type, Launch launch)
{
    switch (type) {
    case DEVICE_F32:
        return launch(float{});
    case DEVICE_F16:
        return launch(__half{});
    case DEVICE_BF16:
        return launch(__nv_bfloat16{});
    }
    return cudaErrorInvalidValue;
}

#endif
