/* pointwise_c.c with AVX-512: sixteen floats at a time, ends by masks. */
#include "kernels/kernels_internal.h"

#if defined(__x86_64__)
#include <math.h>

#include "kernels/math_avx512.h"

static float sum_shifted(const float *x, int64_t count, float shift, bool squared)
{
    const __m512 away = _mm512_set1_ps(shift);
    __m512 even = _mm512_setzero_ps(), odd = even;
    int64_t i = 0;
    for (; i + 32 <= count; i += 32) {
        __m512 first = _mm512_sub_ps(_mm512_loadu_ps(x + i), away);
        __m512 second = _mm512_sub_ps(_mm512_loadu_ps(x + i + 16), away);
        even = squared ? _mm512_fmadd_ps(first, first, even) : _mm512_add_ps(first, even);
        odd = squared ? _mm512_fmadd_ps(second, second, odd) : _mm512_add_ps(second, odd);
    }
    for (; i < count; i += 16) {
        __mmask16 lanes = math_lanes_avx512(i, count);
        __m512 first = _mm512_maskz_sub_ps(lanes, _mm512_maskz_loadu_ps(lanes, x + i), away);
        even = squared ? _mm512_fmadd_ps(first, first, even) : _mm512_add_ps(first, even);
    }
    return _mm512_reduce_add_ps(_mm512_add_ps(even, odd));
}

static void scale_row(const float *x, float *y, int64_t width, float mean, float factor,
                      const float *gain, const float *bias)
{
    const __m512 shift = _mm512_set1_ps(mean), scale = _mm512_set1_ps(factor);
    for (int64_t i = 0; i < width; i += 16) {
        __mmask16 lanes = math_lanes_avx512(i, width);
        __m512 value = _mm512_sub_ps(_mm512_maskz_loadu_ps(lanes, x + i), shift);
        value = _mm512_mul_ps(value, scale);
        if (gain != NULL)
            value = _mm512_mul_ps(value, _mm512_maskz_loadu_ps(lanes, gain + i));
        if (bias != NULL)
            value = _mm512_add_ps(value, _mm512_maskz_loadu_ps(lanes, bias + i));
        _mm512_mask_storeu_ps(y + i, lanes, value);
    }
}

static void norm_layer(const float *x, int64_t x_stride, float *y, int64_t y_stride, int64_t rows,
                       int64_t width, const float *gain, const float *bias, float epsilon)
{
    for (int64_t row = 0; row < rows; row++, x += x_stride, y += y_stride) {
        float mean = sum_shifted(x, width, 0, false) / (float)width;
        float variance = sum_shifted(x, width, mean, true) / (float)width;
        scale_row(x, y, width, mean, 1.0f / sqrtf(variance + epsilon), gain, bias);
    }
}

static void norm_rms(const float *x, int64_t x_stride, float *y, int64_t y_stride, int64_t rows,
                     int64_t width, const float *gain, float epsilon)
{
    for (int64_t row = 0; row < rows; row++, x += x_stride, y += y_stride) {
        float square = sum_shifted(x, width, 0, true) / (float)width;
        scale_row(x, y, width, 0, 1.0f / sqrtf(square + epsilon), gain, NULL);
    }
}

/* x = act(x), times up unless NULL; `kind` is a constant where this is inlined. */
static inline __attribute__((always_inline)) void
activate_kind(enum kernel_activation kind, float *x, const float *up, int64_t count)
{
    for (int64_t i = 0; i < count; i += 16) {
        __mmask16 lanes = math_lanes_avx512(i, count);
        __m512 value = math_activate_avx512(kind, _mm512_maskz_loadu_ps(lanes, x + i));
        if (up != NULL)
            value = _mm512_mul_ps(value, _mm512_maskz_loadu_ps(lanes, up + i));
        _mm512_mask_storeu_ps(x + i, lanes, value);
    }
}

static void gate(enum kernel_activation kind, float *x, const float *up, int64_t count)
{
    switch (kind) {
    case KERNEL_GELU_TANH:
        activate_kind(KERNEL_GELU_TANH, x, up, count);
        break;
    case KERNEL_GELU_ERF:
        activate_kind(KERNEL_GELU_ERF, x, up, count);
        break;
    case KERNEL_RELU:
        activate_kind(KERNEL_RELU, x, up, count);
        break;
    case KERNEL_SILU:
        activate_kind(KERNEL_SILU, x, up, count);
        break;
    case KERNEL_QUICK_GELU:
        activate_kind(KERNEL_QUICK_GELU, x, up, count);
        break;
    case KERNEL_IDENTITY:
        activate_kind(KERNEL_IDENTITY, x, up, count);
        break;
    }
}

static void activate(enum kernel_activation kind, float *x, int64_t count)
{
    gate(kind, x, NULL, count);
}

static void add_scaled(float *x, const float *y, float scale, int64_t count)
{
    const __m512 factor = _mm512_set1_ps(scale);
    for (int64_t i = 0; i < count; i += 16) {
        __mmask16 lanes = math_lanes_avx512(i, count);
        __m512 sum = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(lanes, y + i), factor,
                                     _mm512_maskz_loadu_ps(lanes, x + i));
        _mm512_mask_storeu_ps(x + i, lanes, sum);
    }
}

/* Pairs (i, i + half) of one head. */
static void rope_halves(float *x, int64_t half, const float *cosine, const float *sine)
{
    for (int64_t i = 0; i < half; i += 16) {
        __mmask16 lanes = math_lanes_avx512(i, half);
        __m512 a = _mm512_maskz_loadu_ps(lanes, x + i);
        __m512 b = _mm512_maskz_loadu_ps(lanes, x + half + i);
        __m512 c = _mm512_maskz_loadu_ps(lanes, cosine + i);
        __m512 s = _mm512_maskz_loadu_ps(lanes, sine + i);
        _mm512_mask_storeu_ps(x + i, lanes, _mm512_fmsub_ps(a, c, _mm512_mul_ps(b, s)));
        _mm512_mask_storeu_ps(x + half + i, lanes, _mm512_fmadd_ps(b, c, _mm512_mul_ps(a, s)));
    }
}

/* Pairs (2i, 2i + 1) of one head: eight pairs a vector, each cosine and sine doubled. */
static void rope_pairs(float *x, int64_t half, const float *cosine, const float *sine)
{
    const __m512i twice = _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
    for (int64_t i = 0; i < half; i += 8) {
        __mmask16 lanes = math_lanes_avx512(2 * i, 2 * half);
        __mmask16 pairs = (__mmask16)(math_lanes_avx512(i, half) & 0xFF);
        __m512 c = _mm512_permutexvar_ps(twice, _mm512_maskz_loadu_ps(pairs, cosine + i));
        __m512 s = _mm512_permutexvar_ps(twice, _mm512_maskz_loadu_ps(pairs, sine + i));
        __m512 value = _mm512_maskz_loadu_ps(lanes, x + 2 * i);
        __m512 swapped = _mm512_permute_ps(value, 0xB1);
        value = _mm512_fmaddsub_ps(value, c, _mm512_mul_ps(swapped, s));
        _mm512_mask_storeu_ps(x + 2 * i, lanes, value);
    }
}

static void rope(float *x, int64_t heads, int64_t head_dim, int64_t rotary_dim, const float *cosine,
                 const float *sine, bool interleaved)
{
    for (int64_t head = 0; head < heads; head++, x += head_dim) {
        if (interleaved)
            rope_pairs(x, rotary_dim / 2, cosine, sine);
        else
            rope_halves(x, rotary_dim / 2, cosine, sine);
    }
}

static void scale_softcap(float *x, int64_t count, float scale, float cap)
{
    const __m512 factor = _mm512_set1_ps(scale), limit = _mm512_set1_ps(cap);
    for (int64_t i = 0; i < count; i += 16) {
        __mmask16 lanes = math_lanes_avx512(i, count);
        __m512 value = _mm512_mul_ps(_mm512_maskz_loadu_ps(lanes, x + i), factor);
        if (cap != 0)
            value = _mm512_mul_ps(limit, math_tanh_avx512(_mm512_div_ps(value, limit)));
        _mm512_mask_storeu_ps(x + i, lanes, value);
    }
}

void pointwise_fill_avx512(struct kernels *table)
{
    table->norm_layer = norm_layer;
    table->norm_rms = norm_rms;
    table->activate = activate;
    table->gate = gate;
    table->add_scaled = add_scaled;
    table->rope = rope;
    table->scale_softcap = scale_softcap;
}
#endif
