/* Elementary functions and activations of one float, about 1e-7 relative, without libm, so that
 * every instruction set gives the same within rounding. Twins: math_avx2.h, math_avx512.h,
 * math_neon.h. */
#ifndef TOKENMARK_KERNELS_MATH_C_H
#define TOKENMARK_KERNELS_MATH_C_H

#include "kernels/convert.h"
#include "kernels/kernels.h"
#include "kernels/math_coefficients.h"

static inline float math_exp(float x)
{
    const float *c = math_exp_poly;
    float cut = x > math_exp_highest ? math_exp_highest : x;
    cut = cut < math_exp_lowest ? math_exp_lowest : cut;
    /* Adding 1.5 * 2^23 rounds to the nearest integer and leaves it in the low bits. */
    float shifted = cut * math_log2_e + 12582912.0f;
    float n = shifted - 12582912.0f;
    float r = cut - n * math_ln2_high - n * math_ln2_low;
    float poly = c[0] + r * (c[1] + r * (c[2] + r * (c[3] + r * c[4])));
    float scale = bits_float((float_bits(shifted) + 127U) << 23);
    float y = (1.0f + (r + r * r * poly)) * scale;
    return x < math_exp_lowest ? 0.0f : y;
}

static inline float math_sigmoid(float x)
{
    return 1.0f / (1.0f + math_exp(-x));
}

static inline float math_tanh(float x)
{
    const float *c = math_tanh_poly;
    float size = x < 0 ? -x : x;
    if (size < math_tanh_bound) {
        float z = x * x;
        return x + x * z * (c[0] + z * (c[1] + z * (c[2] + z * (c[3] + z * c[4]))));
    }
    float y = 1.0f - 2.0f / (math_exp(2.0f * size) + 1.0f);
    return x < 0 ? -y : y;
}

static inline float math_erf(float x)
{
    float size = x < 0 ? -x : x;
    if (size < math_erf_bound) {
        const float *c = math_erf_poly;
        float z = x * x;
        float tail = c[4] + z * (c[5] + z * c[6]);
        return x * (c[0] + z * (c[1] + z * (c[2] + z * (c[3] + z * tail))));
    }
    const float *c = math_erfc_poly;
    float s = size > math_erf_highest ? math_erf_highest : size;
    float q = c[0] + s * (c[1] + s * (c[2] + s * (c[3] + s * (c[4] + s * (c[5] + s * c[6])))));
    float y = 1.0f - math_exp(-q);
    return x < 0 ? -y : y;
}

static inline float math_activate(enum kernel_activation kind, float x)
{
    switch (kind) {
    case KERNEL_GELU_TANH:
        return x * math_sigmoid(math_gelu_linear * (x * (1.0f + math_gelu_cubic * x * x)));
    case KERNEL_GELU_ERF:
        return 0.5f * x * (1.0f + math_erf(x * math_sqrt_half));
    case KERNEL_RELU:
        return x < 0 ? 0.0f : x;
    case KERNEL_SILU:
        return x * math_sigmoid(x);
    case KERNEL_QUICK_GELU:
        return x * math_sigmoid(math_quick_gelu * x);
    case KERNEL_IDENTITY:
        break;
    }
    return x;
}

#endif
