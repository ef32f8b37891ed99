/* math_c.h for four floats with NEON, and the loads and stores of fewer than four. */
#ifndef TOKENMARK_KERNELS_MATH_NEON_H
#define TOKENMARK_KERNELS_MATH_NEON_H

#include <arm_neon.h>

#include "kernels/kernels.h"
#include "kernels/math_coefficients.h"

/* The first `count` (4 or fewer) floats, 0 behind them. Where `count` is the constant 4, a load. */
static inline float32x4_t math_load_neon(const float *x, int64_t count)
{
    if (count >= 4)
        return vld1q_f32(x);
    float lane[4] = {0};
    for (int64_t i = 0; i < count; i++)
        lane[i] = x[i];
    return vld1q_f32(lane);
}

static inline void math_store_neon(float *x, int64_t count, float32x4_t value)
{
    if (count >= 4) {
        vst1q_f32(x, value);
        return;
    }
    float lane[4];
    vst1q_f32(lane, value);
    for (int64_t i = 0; i < count; i++)
        x[i] = lane[i];
}

/* c[0] + c[1] x + ... of `count` coefficients; the compiler unrolls it. */
static inline float32x4_t math_poly_neon(const float *c, int count, float32x4_t x)
{
    float32x4_t sum = vdupq_n_f32(c[count - 1]);
    for (int i = count - 2; i >= 0; i--)
        sum = vfmaq_f32(vdupq_n_f32(c[i]), sum, x);
    return sum;
}

static inline float32x4_t math_exp_neon(float32x4_t x)
{
    const float32x4_t lowest = vdupq_n_f32(math_exp_lowest);
    float32x4_t cut = vminq_f32(vdupq_n_f32(math_exp_highest), x);
    cut = vmaxq_f32(lowest, cut);
    const float32x4_t shifter = vdupq_n_f32(12582912.0f);
    float32x4_t shifted = vfmaq_f32(shifter, cut, vdupq_n_f32(math_log2_e));
    float32x4_t n = vsubq_f32(shifted, shifter);
    float32x4_t r = vfmsq_f32(cut, n, vdupq_n_f32(math_ln2_high));
    r = vfmsq_f32(r, n, vdupq_n_f32(math_ln2_low));
    float32x4_t poly = math_poly_neon(math_exp_poly, 5, r);
    float32x4_t y = vaddq_f32(vdupq_n_f32(1.0f), vfmaq_f32(r, vmulq_f32(r, r), poly));
    int32x4_t exponent = vaddq_s32(vreinterpretq_s32_f32(shifted), vdupq_n_s32(127));
    y = vmulq_f32(y, vreinterpretq_f32_s32(vshlq_n_s32(exponent, 23)));
    return vreinterpretq_f32_u32(vbicq_u32(vreinterpretq_u32_f32(y), vcltq_f32(x, lowest)));
}

static inline float32x4_t math_sigmoid_neon(float32x4_t x)
{
    const float32x4_t one = vdupq_n_f32(1.0f);
    return vdivq_f32(one, vaddq_f32(one, math_exp_neon(vnegq_f32(x))));
}

/* The size of one vector with the sign of another. */
static inline float32x4_t math_sign_neon(float32x4_t size, float32x4_t sign)
{
    return vbslq_f32(vdupq_n_u32(0x80000000U), sign, size);
}

static inline float32x4_t math_tanh_neon(float32x4_t x)
{
    const float32x4_t one = vdupq_n_f32(1.0f);
    float32x4_t size = vabsq_f32(x);
    float32x4_t z = vmulq_f32(x, x);
    float32x4_t near = math_poly_neon(math_tanh_poly, 5, z);
    near = vfmaq_f32(x, vmulq_f32(x, z), near);
    float32x4_t e = math_exp_neon(vaddq_f32(size, size));
    float32x4_t far = vsubq_f32(one, vdivq_f32(vdupq_n_f32(2.0f), vaddq_f32(e, one)));
    uint32x4_t is_near = vcltq_f32(size, vdupq_n_f32(math_tanh_bound));
    return vbslq_f32(is_near, near, math_sign_neon(far, x));
}

static inline float32x4_t math_erf_neon(float32x4_t x)
{
    float32x4_t size = vabsq_f32(x);
    float32x4_t z = vmulq_f32(x, x);
    float32x4_t near = vmulq_f32(x, math_poly_neon(math_erf_poly, 7, z));
    float32x4_t cut = vminq_f32(vdupq_n_f32(math_erf_highest), size);
    float32x4_t q = math_poly_neon(math_erfc_poly, 7, cut);
    float32x4_t far = vsubq_f32(vdupq_n_f32(1.0f), math_exp_neon(vnegq_f32(q)));
    uint32x4_t is_near = vcltq_f32(size, vdupq_n_f32(math_erf_bound));
    return vbslq_f32(is_near, near, math_sign_neon(far, x));
}

static inline float32x4_t math_activate_neon(enum kernel_activation kind, float32x4_t x)
{
    const float32x4_t one = vdupq_n_f32(1.0f);
    switch (kind) {
    case KERNEL_GELU_TANH: {
        float32x4_t u = vfmaq_n_f32(one, vmulq_f32(x, x), math_gelu_cubic);
        u = vmulq_n_f32(vmulq_f32(x, u), math_gelu_linear);
        return vmulq_f32(x, math_sigmoid_neon(u));
    }
    case KERNEL_GELU_ERF: {
        float32x4_t erf = math_erf_neon(vmulq_n_f32(x, math_sqrt_half));
        return vmulq_f32(vmulq_n_f32(x, 0.5f), vaddq_f32(one, erf));
    }
    case KERNEL_RELU:
        return vbslq_f32(vcltzq_f32(x), vdupq_n_f32(0), x);
    case KERNEL_SILU:
        return vmulq_f32(x, math_sigmoid_neon(x));
    case KERNEL_QUICK_GELU:
        return vmulq_f32(x, math_sigmoid_neon(vmulq_n_f32(x, math_quick_gelu)));
    case KERNEL_IDENTITY:
        break;
    }
    return x;
}

#endif
