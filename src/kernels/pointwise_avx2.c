/* pointwise_c.c with AVX2: eight floats at a time, ends by masks. */
#include "kernels/kernels_internal.h"

#if defined(__x86_64__)
#include <math.h>

#include "kernels/math_avx2.h"

/* The lanes of the eight from `i` on that are below `count`. */
static inline __m256i lanes_left(int64_t i, int64_t count)
{
    int left = count - i >= 8 ? 8 : (int)(count - i);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(left), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

/* The first `left` of eight floats. Whole eights go without a mask: a masked store costs AMD's
 * cores a dozen cycles. */
static inline __m256 load_some(const float *from, int64_t left)
{
    return left >= 8 ? _mm256_loadu_ps(from) : _mm256_maskload_ps(from, lanes_left(0, left));
}

static inline void store_some(float *to, int64_t left, __m256 value)
{
    if (left >= 8)
        _mm256_storeu_ps(to, value);
    else
        _mm256_maskstore_ps(to, lanes_left(0, left), value);
}

static float sum_shifted(const float *x, int64_t count, float shift, bool squared)
{
    const __m256 away = _mm256_set1_ps(shift);
    __m256 even = _mm256_setzero_ps(), odd = even;
    int64_t i = 0;
    for (; i + 16 <= count; i += 16) {
        __m256 first = _mm256_sub_ps(_mm256_loadu_ps(x + i), away);
        __m256 second = _mm256_sub_ps(_mm256_loadu_ps(x + i + 8), away);
        even = squared ? _mm256_fmadd_ps(first, first, even) : _mm256_add_ps(first, even);
        odd = squared ? _mm256_fmadd_ps(second, second, odd) : _mm256_add_ps(second, odd);
    }
    for (; i < count; i += 8) {
        __m256i lanes = lanes_left(i, count);
        __m256 first = _mm256_sub_ps(_mm256_maskload_ps(x + i, lanes), away);
        first = _mm256_and_ps(first, _mm256_castsi256_ps(lanes));
        even = squared ? _mm256_fmadd_ps(first, first, even) : _mm256_add_ps(first, even);
    }
    even = _mm256_add_ps(even, odd);
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(even), _mm256_extractf128_ps(even, 1));
    four = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(four, _mm_movehdup_ps(four)));
}

static void scale_row(const float *x, float *y, int64_t width, float mean, float factor,
                      const float *gain, const float *bias)
{
    const __m256 shift = _mm256_set1_ps(mean), scale = _mm256_set1_ps(factor);
    for (int64_t i = 0; i < width; i += 8) {
        int64_t left = width - i;
        __m256 value = _mm256_sub_ps(load_some(x + i, left), shift);
        value = _mm256_mul_ps(value, scale);
        if (gain != NULL)
            value = _mm256_mul_ps(value, load_some(gain + i, left));
        if (bias != NULL)
            value = _mm256_add_ps(value, load_some(bias + i, left));
        store_some(y + i, left, value);
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
    for (int64_t i = 0; i < count; i += 8) {
        int64_t left = count - i;
        __m256 value = math_activate_avx2(kind, load_some(x + i, left));
        if (up != NULL)
            value = _mm256_mul_ps(value, load_some(up + i, left));
        store_some(x + i, left, value);
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
    const __m256 factor = _mm256_set1_ps(scale);
    for (int64_t i = 0; i < count; i += 8) {
        int64_t left = count - i;
        __m256 sum = _mm256_fmadd_ps(load_some(y + i, left), factor, load_some(x + i, left));
        store_some(x + i, left, sum);
    }
}

/* Pairs (i, i + half) of one head. */
static void rope_halves(float *x, int64_t half, const float *cosine, const float *sine)
{
    for (int64_t i = 0; i < half; i += 8) {
        int64_t left = half - i;
        __m256 a = load_some(x + i, left);
        __m256 b = load_some(x + half + i, left);
        __m256 c = load_some(cosine + i, left);
        __m256 s = load_some(sine + i, left);
        store_some(x + i, left, _mm256_fmsub_ps(a, c, _mm256_mul_ps(b, s)));
        store_some(x + half + i, left, _mm256_fmadd_ps(b, c, _mm256_mul_ps(a, s)));
    }
}

/* Pairs (2i, 2i + 1) of one head: four pairs a vector, each cosine and sine doubled. */
static void rope_pairs(float *x, int64_t half, const float *cosine, const float *sine)
{
    const __m256i twice = _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3);
    int64_t i = 0;
    for (; i + 4 <= half; i += 4) {
        __m256 c = _mm256_castps128_ps256(_mm_loadu_ps(cosine + i));
        __m256 s = _mm256_castps128_ps256(_mm_loadu_ps(sine + i));
        c = _mm256_permutevar8x32_ps(c, twice);
        s = _mm256_permutevar8x32_ps(s, twice);
        __m256 value = _mm256_loadu_ps(x + 2 * i);
        __m256 swapped = _mm256_permute_ps(value, 0xB1);
        value = _mm256_fmaddsub_ps(value, c, _mm256_mul_ps(swapped, s));
        _mm256_storeu_ps(x + 2 * i, value);
    }
    for (; i < half; i++) {
        float a = x[2 * i], b = x[2 * i + 1];
        x[2 * i] = a * cosine[i] - b * sine[i];
        x[2 * i + 1] = b * cosine[i] + a * sine[i];
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
    const __m256 factor = _mm256_set1_ps(scale), limit = _mm256_set1_ps(cap);
    for (int64_t i = 0; i < count; i += 8) {
        int64_t left = count - i;
        __m256 value = _mm256_mul_ps(load_some(x + i, left), factor);
        if (cap != 0)
            value = _mm256_mul_ps(limit, math_tanh_avx2(_mm256_div_ps(value, limit)));
        store_some(x + i, left, value);
    }
}

void pointwise_fill_avx2(struct kernels *table)
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
