/* math_c.h for eight floats with AVX2 and FMA. */
#ifndef TOKENMARK_KERNELS_MATH_AVX2_H
#define TOKENMARK_KERNELS_MATH_AVX2_H

#include <immintrin.h>

#include "kernels/kernels.h"
#include "kernels/math_coefficients.h"

/* c[0] + c[1] x + ... of `count` coefficients; the compiler unrolls it. */
static inline __m256 math_poly_avx2(const float *c, int count, __m256 x)
{
    __m256 sum = _mm256_set1_ps(c[count - 1]);
    for (int i = count - 2; i >= 0; i--)
        sum = _mm256_fmadd_ps(sum, x, _mm256_set1_ps(c[i]));
    return sum;
}

static inline __m256 math_exp_avx2(__m256 x)
{
    const __m256 one = _mm256_set1_ps(1.0f);
    const __m256 lowest = _mm256_set1_ps(math_exp_lowest);
    /* The operand order lets NaN through. */
    __m256 cut = _mm256_min_ps(_mm256_set1_ps(math_exp_highest), x);
    cut = _mm256_max_ps(lowest, cut);
    const __m256 shifter = _mm256_set1_ps(12582912.0f);
    __m256 shifted = _mm256_fmadd_ps(cut, _mm256_set1_ps(math_log2_e), shifter);
    __m256 n = _mm256_sub_ps(shifted, shifter);
    __m256 r = _mm256_fnmadd_ps(n, _mm256_set1_ps(math_ln2_high), cut);
    r = _mm256_fnmadd_ps(n, _mm256_set1_ps(math_ln2_low), r);
    __m256 poly = math_poly_avx2(math_exp_poly, 5, r);
    __m256 y = _mm256_add_ps(one, _mm256_fmadd_ps(_mm256_mul_ps(r, r), poly, r));
    __m256i exponent = _mm256_add_epi32(_mm256_castps_si256(shifted), _mm256_set1_epi32(127));
    y = _mm256_mul_ps(y, _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23)));
    return _mm256_andnot_ps(_mm256_cmp_ps(x, lowest, _CMP_LT_OQ), y);
}

static inline __m256 math_sigmoid_avx2(__m256 x)
{
    const __m256 one = _mm256_set1_ps(1.0f);
    __m256 e = math_exp_avx2(_mm256_xor_ps(x, _mm256_set1_ps(-0.0f)));
    return _mm256_div_ps(one, _mm256_add_ps(one, e));
}

static inline __m256 math_tanh_avx2(__m256 x)
{
    const __m256 one = _mm256_set1_ps(1.0f);
    const __m256 sign = _mm256_and_ps(x, _mm256_set1_ps(-0.0f));
    __m256 size = _mm256_xor_ps(x, sign);
    __m256 z = _mm256_mul_ps(x, x);
    __m256 near = math_poly_avx2(math_tanh_poly, 5, z);
    near = _mm256_fmadd_ps(_mm256_mul_ps(x, z), near, x);
    __m256 e = math_exp_avx2(_mm256_add_ps(size, size));
    __m256 far = _mm256_div_ps(_mm256_set1_ps(2.0f), _mm256_add_ps(e, one));
    far = _mm256_or_ps(_mm256_sub_ps(one, far), sign);
    __m256 is_near = _mm256_cmp_ps(size, _mm256_set1_ps(math_tanh_bound), _CMP_LT_OQ);
    return _mm256_blendv_ps(far, near, is_near);
}

static inline __m256 math_erf_avx2(__m256 x)
{
    const __m256 one = _mm256_set1_ps(1.0f);
    const __m256 minus = _mm256_set1_ps(-0.0f);
    const __m256 sign = _mm256_and_ps(x, minus);
    __m256 size = _mm256_xor_ps(x, sign);
    __m256 z = _mm256_mul_ps(x, x);
    __m256 near = _mm256_mul_ps(x, math_poly_avx2(math_erf_poly, 7, z));
    __m256 cut = _mm256_min_ps(_mm256_set1_ps(math_erf_highest), size);
    __m256 q = math_poly_avx2(math_erfc_poly, 7, cut);
    __m256 far = _mm256_sub_ps(one, math_exp_avx2(_mm256_xor_ps(q, minus)));
    far = _mm256_or_ps(far, sign);
    __m256 is_near = _mm256_cmp_ps(size, _mm256_set1_ps(math_erf_bound), _CMP_LT_OQ);
    return _mm256_blendv_ps(far, near, is_near);
}

static inline __m256 math_activate_avx2(enum kernel_activation kind, __m256 x)
{
    const __m256 one = _mm256_set1_ps(1.0f);
    switch (kind) {
    case KERNEL_GELU_TANH: {
        __m256 z = _mm256_mul_ps(x, x);
        __m256 u = _mm256_fmadd_ps(z, _mm256_set1_ps(math_gelu_cubic), one);
        u = _mm256_mul_ps(_mm256_set1_ps(math_gelu_linear), _mm256_mul_ps(x, u));
        return _mm256_mul_ps(x, math_sigmoid_avx2(u));
    }
    case KERNEL_GELU_ERF: {
        __m256 erf = math_erf_avx2(_mm256_mul_ps(x, _mm256_set1_ps(math_sqrt_half)));
        return _mm256_mul_ps(_mm256_mul_ps(_mm256_set1_ps(0.5f), x), _mm256_add_ps(one, erf));
    }
    case KERNEL_RELU:
        return _mm256_max_ps(_mm256_setzero_ps(), x);
    case KERNEL_SILU:
        return _mm256_mul_ps(x, math_sigmoid_avx2(x));
    case KERNEL_QUICK_GELU:
        return _mm256_mul_ps(x,
                             math_sigmoid_avx2(_mm256_mul_ps(_mm256_set1_ps(math_quick_gelu), x)));
    case KERNEL_IDENTITY:
        break;
    }
    return x;
}

#endif
