/* Rounds activations for the other types with NEON; the same values as linear_pack_c.c. */
#if defined(__aarch64__)
#include <math.h>
#include <string.h>

#include "kernels/linear_c.h"
#include "kernels/linear_neon.h"

static int64_t prepare_f16(const float *x, int64_t inputs, float *row)
{
    int64_t k = 0;
    for (; k + 4 <= inputs; k += 4)
        vst1q_f32(row + k, vcvt_f32_f16(vcvt_f16_f32(vld1q_f32(x + k))));
    return k;
}

static int64_t prepare_bf16(const float *x, int64_t inputs, float *row)
{
    int64_t k = 0;
    for (; k + 4 <= inputs; k += 4) {
        float32x4_t value = vld1q_f32(x + k);
        uint32x4_t bits = vreinterpretq_u32_f32(value);
        uint32x4_t odd = vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1));
        uint32x4_t rounded = vaddq_u32(vaddq_u32(bits, vdupq_n_u32(0x7FFF)), odd);
        rounded = vandq_u32(rounded, vdupq_n_u32(0xFFFF0000U));
        /* Rounding the bits of a NaN could make an infinity of it. */
        uint32x4_t ordered = vceqq_f32(value, value);
        vst1q_f32(row + k, vreinterpretq_f32_u32(vbslq_u32(ordered, rounded, bits)));
    }
    return k;
}

/* max |x| of whole quads, NaN when any is NaN: the maximum of these instructions is. */
static float largest_magnitude(const float *x, int64_t count)
{
    float32x4_t largest = vdupq_n_f32(0);
    for (int64_t k = 0; k < count; k += 4)
        largest = vmaxq_f32(largest, vabsq_f32(vld1q_f32(x + k)));
    return vmaxvq_f32(largest);
}

static int16x8_t round_eight(const float *x, float factor)
{
    int32x4_t low = vcvtnq_s32_f32(vmulq_n_f32(vld1q_f32(x), factor));
    int32x4_t high = vcvtnq_s32_f32(vmulq_n_f32(vld1q_f32(x + 4), factor));
    return vcombine_s16(vqmovn_s32(low), vqmovn_s32(high));
}

static int64_t quantise(const float *x, int64_t inputs, float factor, uint8_t *out)
{
    int64_t k = 0;
    for (; k + 16 <= inputs; k += 16) {
        int8x8_t low = vqmovn_s16(round_eight(x + k, factor));
        int8x8_t high = vqmovn_s16(round_eight(x + k + 8, factor));
        uint8x16_t bytes = vreinterpretq_u8_s8(vcombine_s8(low, high));
        vst1q_u8(out + k, veorq_u8(bytes, vdupq_n_u8(0x80)));
    }
    return k;
}

static void prepare_i8(const float *x, int64_t inputs, char *row)
{
    int64_t whole = inputs / 4 * 4;
    float largest = largest_magnitude(x, whole);
    float rest = linear_largest_magnitude(x + whole, inputs - whole);
    if (rest > largest || isnan(rest))
        largest = rest;
    float factor = linear_quantising_factor(largest);
    float scale = isfinite(largest) ? largest / 127.0F : NAN;
    memcpy(row, &scale, sizeof scale);
    uint8_t *out = (uint8_t *)row + linear_row_header(KERNEL_I8);
    int64_t padded = 4 * linear_steps(KERNEL_I8, inputs);
    int64_t done = factor > 0 ? quantise(x, inputs, factor, out) : 0;
    linear_quantise_rest(x, inputs, padded, factor, done, out);
}

void linear_prepare_neon(enum kernel_type type, const float *x, int64_t x_stride, int64_t rows,
                         int64_t inputs, void *out)
{
    size_t row_bytes = kernel_prepared_bytes(type, 1, inputs);
    for (int64_t r = 0; r < rows; r++, x += x_stride) {
        char *row = (char *)out + (size_t)r * row_bytes;
        float *floats = (float *)(void *)row;
        int64_t done = 0;
        switch (type) {
        case KERNEL_I8:
            prepare_i8(x, inputs, row);
            continue;
        case KERNEL_F16:
            done = prepare_f16(x, inputs, floats);
            break;
        case KERNEL_BF16:
            done = prepare_bf16(x, inputs, floats);
            break;
        case KERNEL_F32:
        default:
            break;
        }
        linear_prepare_rest(type, x, inputs, done, floats);
    }
}

#endif
