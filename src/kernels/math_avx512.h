/* math_c.h for sixteen floats with AVX-512 (F and DQ). */
#ifndef TOKENMARK_KERNELS_MATH_AVX512_H
#define TOKENMARK_KERNELS_MATH_AVX512_H

#include <immintrin.h>

#include "kernels/kernels.h"
#include "kernels/math_coefficients.h"

/* The lanes of the sixteen from `i` on that are below `count`. */
static inline __mmask16 math_lanes_avx512(int64_t i, int64_t count)
{
    if (count - i >= 16)
        return 0xFFFF;
    return (__mmask16)((1U << (count - i)) - 1);
}

/* c[0] + c[1] x + ... of `count` coefficients; the compiler unrolls it. */
static inline __m512 math_poly_avx512(const float *c, int count, __m512 x)
{
    __m512 sum = _mm512_set1_ps(c[count - 1]);
    for (int i = count - 2; i >= 0; i--)
        sum = _mm512_fmadd_ps(sum, x, _mm512_set1_ps(c[i]));
    return sum;
}

static inline __m512 math_exp_avx512(__m512 x)
{
    const __m512 one = _mm512_set1_ps(1.0f);
    const __m512 lowest = _mm512_set1_ps(math_exp_lowest);
    /* The operand order lets NaN through. */
    __m512 cut = _mm512_min_ps(_mm512_set1_ps(math_exp_highest), x);
    cut = _mm512_max_ps(lowest, cut);
    const __m512 shifter = _mm512_set1_ps(12582912.0f);
    __m512 shifted = _mm512_fmadd_ps(cut, _mm512_set1_ps(math_log2_e), shifter);
    __m512 n = _mm512_sub_ps(shifted, shifter);
    __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(math_ln2_high), cut);
    r = _mm512_fnmadd_ps(n, _mm512_set1_ps(math_ln2_low), r);
    __m512 poly = math_poly_avx512(math_exp_poly, 5, r);
    __m512 y = _mm512_add_ps(one, _mm512_fmadd_ps(_mm512_mul_ps(r, r), poly, r));
    __m512i exponent = _mm512_add_epi32(_mm512_castps_si512(shifted), _mm512_set1_epi32(127));
    __m512 scale = _mm512_castsi512_ps(_mm512_slli_epi32(exponent, 23));
    return _mm512_maskz_mul_ps(_mm512_cmp_ps_mask(x, lowest, _CMP_NLT_UQ), y, scale);
}

static inline __m512 math_sigmoid_avx512(__m512 x)
{
    const __m512 one = _mm512_set1_ps(1.0f);
    __m512 e = math_exp_avx512(_mm512_xor_ps(x, _mm512_set1_ps(-0.0f)));
    return _mm512_div_ps(one, _mm512_add_ps(one, e));
}

static inline __m512 math_tanh_avx512(__m512 x)
{
    const __m512 one = _mm512_set1_ps(1.0f);
    const __m512 sign = _mm512_and_ps(x, _mm512_set1_ps(-0.0f));
    __m512 size = _mm512_xor_ps(x, sign);
    __m512 z = _mm512_mul_ps(x, x);
    __m512 near = math_poly_avx512(math_tanh_poly, 5, z);
    near = _mm512_fmadd_ps(_mm512_mul_ps(x, z), near, x);
    __m512 e = math_exp_avx512(_mm512_add_ps(size, size));
    __m512 far = _mm512_div_ps(_mm512_set1_ps(2.0f), _mm512_add_ps(e, one));
    far = _mm512_or_ps(_mm512_sub_ps(one, far), sign);
    __mmask16 is_near = _mm512_cmp_ps_mask(size, _mm512_set1_ps(math_tanh_bound), _CMP_LT_OQ);
    return _mm512_mask_blend_ps(is_near, far, near);
}

static inline __m512 math_erf_avx512(__m512 x)
{
    const __m512 one = _mm512_set1_ps(1.0f);
    const __m512 minus = _mm512_set1_ps(-0.0f);
    const __m512 sign = _mm512_and_ps(x, minus);
    __m512 size = _mm512_xor_ps(x, sign);
    __m512 z = _mm512_mul_ps(x, x);
    __m512 near = _mm512_mul_ps(x, math_poly_avx512(math_erf_poly, 7, z));
    __m512 cut = _mm512_min_ps(_mm512_set1_ps(math_erf_highest), size);
    __m512 q = math_poly_avx512(math_erfc_poly, 7, cut);
    __m512 far = _mm512_sub_ps(one, math_exp_avx512(_mm512_xor_ps(q, minus)));
    far = _mm512_or_ps(far, sign);
    __mmask16 is_near = _mm512_cmp_ps_mask(size, _mm512_set1_ps(math_erf_bound), _CMP_LT_OQ);
    return _mm512_mask_blend_ps(is_near, far, near);
}

static inline __m512 math_activate_avx512(enum kernel_activation kind, __m512 x)
{
    const __m512 one = _mm512_set1_ps(1.0f);
    switch (kind) {
    case KERNEL_GELU_TANH: {
        __m512 z = _mm512_mul_ps(x, x);
        __m512 u = _mm512_fmadd_ps(z, _mm512_set1_ps(math_gelu_cubic), one);
        u = _mm512_mul_ps(_mm512_set1_ps(math_gelu_linear), _mm512_mul_ps(x, u));
        return _mm512_mul_ps(x, math_sigmoid_avx512(u));
    }
    case KERNEL_GELU_ERF: {
        __m512 erf = math_erf_avx512(_mm512_mul_ps(x, _mm512_set1_ps(math_sqrt_half)));
        return _mm512_mul_ps(_mm512_mul_ps(_mm512_set1_ps(0.5f), x), _mm512_add_ps(one, erf));
    }
    case KERNEL_RELU:
        return _mm512_max_ps(_mm512_setzero_ps(), x);
    case KERNEL_SILU:
        return _mm512_mul_ps(x, math_sigmoid_avx512(x));
    case KERNEL_QUICK_GELU:
        return _mm512_mul_ps(
            x, math_sigmoid_avx512(_mm512_mul_ps(_mm512_set1_ps(math_quick_gelu), x)));
    case KERNEL_IDENTITY:
        break;
    }
    return x;
}

#endif
