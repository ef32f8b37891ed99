/* pointwise_c.c with NEON: four floats at a time. Ends take the same steps on a vector that is
 * filled up, so that a value does not depend on where its row is cut. */
#include "kernels/kernels_internal.h"

#if defined(__aarch64__)
#include <math.h>

#include "kernels/math_neon.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))

ALWAYS_INLINE float32x4_t add_shifted(float32x4_t sum, float32x4_t value, float shift, bool squared)
{
    value = vsubq_f32(value, vdupq_n_f32(shift));
    return squared ? vfmaq_f32(sum, value, value) : vaddq_f32(sum, value);
}

/* Sums of x - shift, or of its squares, in sixteen chains. */
static float sum_shifted(const float *x, int64_t count, float shift, bool squared)
{
    float32x4_t sums[4] = {vdupq_n_f32(0), vdupq_n_f32(0), vdupq_n_f32(0), vdupq_n_f32(0)};
    int64_t i = 0;
    for (; i + 16 <= count; i += 16) {
        for (int k = 0; k < 4; k++)
            sums[k] = add_shifted(sums[k], vld1q_f32(x + i + 4 * k), shift, squared);
    }
    for (; i + 4 <= count; i += 4)
        sums[0] = add_shifted(sums[0], vld1q_f32(x + i), shift, squared);
    float rest = 0;
    for (; i < count; i++) {
        float value = x[i] - shift;
        rest += squared ? value * value : value;
    }
    float32x4_t sum = vaddq_f32(vaddq_f32(sums[0], sums[1]), vaddq_f32(sums[2], sums[3]));
    return vaddvq_f32(sum) + rest;
}

ALWAYS_INLINE void scale_four(const float *x, float *y, int64_t i, int64_t count, float mean,
                              float factor, const float *gain, const float *bias)
{
    float32x4_t value = vsubq_f32(math_load_neon(x + i, count), vdupq_n_f32(mean));
    value = vmulq_n_f32(value, factor);
    if (gain != NULL)
        value = vmulq_f32(value, math_load_neon(gain + i, count));
    if (bias != NULL)
        value = vaddq_f32(value, math_load_neon(bias + i, count));
    math_store_neon(y + i, count, value);
}

static void scale_row(const float *x, float *y, int64_t width, float mean, float factor,
                      const float *gain, const float *bias)
{
    int64_t i = 0;
    for (; i + 4 <= width; i += 4)
        scale_four(x, y, i, 4, mean, factor, gain, bias);
    if (i < width)
        scale_four(x, y, i, width - i, mean, factor, gain, bias);
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

ALWAYS_INLINE void activate_four(enum kernel_activation kind, float *x, const float *up,
                                 int64_t count)
{
    float32x4_t value = math_activate_neon(kind, math_load_neon(x, count));
    if (up != NULL)
        value = vmulq_f32(value, math_load_neon(up, count));
    math_store_neon(x, count, value);
}

/* x = act(x), times up unless NULL; `kind` is a constant where this is inlined. */
ALWAYS_INLINE void activate_kind(enum kernel_activation kind, float *x, const float *up,
                                 int64_t count)
{
    int64_t i = 0;
    for (; i + 4 <= count; i += 4)
        activate_four(kind, x + i, up != NULL ? up + i : NULL, 4);
    if (i < count)
        activate_four(kind, x + i, up != NULL ? up + i : NULL, count - i);
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

ALWAYS_INLINE void add_four(float *x, const float *y, float scale, int64_t count)
{
    float32x4_t sum = vfmaq_n_f32(math_load_neon(x, count), math_load_neon(y, count), scale);
    math_store_neon(x, count, sum);
}

static void add_scaled(float *x, const float *y, float scale, int64_t count)
{
    int64_t i = 0;
    for (; i + 4 <= count; i += 4)
        add_four(x + i, y + i, scale, 4);
    if (i < count)
        add_four(x + i, y + i, scale, count - i);
}

/* Pairs (i, i + half) of one head. */
ALWAYS_INLINE void turn_halves(float *first, float *second, const float *cosine, const float *sine,
                               int64_t count)
{
    float32x4_t a = math_load_neon(first, count), b = math_load_neon(second, count);
    float32x4_t c = math_load_neon(cosine, count), s = math_load_neon(sine, count);
    math_store_neon(first, count, vfmsq_f32(vmulq_f32(a, c), b, s));
    math_store_neon(second, count, vfmaq_f32(vmulq_f32(b, c), a, s));
}

static void rope_halves(float *x, int64_t half, const float *cosine, const float *sine)
{
    int64_t i = 0;
    for (; i + 4 <= half; i += 4)
        turn_halves(x + i, x + half + i, cosine + i, sine + i, 4);
    if (i < half)
        turn_halves(x + i, x + half + i, cosine + i, sine + i, half - i);
}

/* Pairs (2i, 2i + 1) of one head: the load parts the firsts of four pairs from the seconds. */
static void rope_pairs(float *x, int64_t half, const float *cosine, const float *sine)
{
    int64_t i = 0;
    for (; i + 4 <= half; i += 4) {
        float32x4x2_t pairs = vld2q_f32(x + 2 * i);
        float32x4_t c = vld1q_f32(cosine + i), s = vld1q_f32(sine + i);
        float32x4x2_t turned;
        turned.val[0] = vfmsq_f32(vmulq_f32(pairs.val[0], c), pairs.val[1], s);
        turned.val[1] = vfmaq_f32(vmulq_f32(pairs.val[1], c), pairs.val[0], s);
        vst2q_f32(x + 2 * i, turned);
    }
    for (; i < half; i++) {
        float a = x[2 * i], b = x[2 * i + 1];
        x[2 * i] = fmaf(-b, sine[i], a * cosine[i]);
        x[2 * i + 1] = fmaf(a, sine[i], b * cosine[i]);
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

ALWAYS_INLINE void cap_four(float *x, int64_t count, float scale, float cap)
{
    float32x4_t value = vmulq_n_f32(math_load_neon(x, count), scale);
    if (cap != 0)
        value = vmulq_n_f32(math_tanh_neon(vdivq_f32(value, vdupq_n_f32(cap))), cap);
    math_store_neon(x, count, value);
}

static void scale_softcap(float *x, int64_t count, float scale, float cap)
{
    int64_t i = 0;
    for (; i + 4 <= count; i += 4)
        cap_four(x + i, 4, scale, cap);
    if (i < count)
        cap_four(x + i, count - i, scale, cap);
}

void pointwise_fill_neon(struct kernels *table)
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
