/* Stores into the KV cache with NEON: four elements are narrowed at once, and keys of four
 * positions are transposed in registers. The bits are those of attention_c.c. */
#include "kernels/kernels_internal.h"

#if defined(__aarch64__)
#include <string.h>

#include "kernels/attention.h"
#include "kernels/math_neon.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))

enum { LANES = 4 };

ALWAYS_INLINE float32x4_t cut(float32x4_t value, float limit)
{
    return vmaxq_f32(vminq_f32(value, vdupq_n_f32(limit)), vdupq_n_f32(-limit));
}

/* Stores four elements at `index`. */
ALWAYS_INLINE void store_four(enum kernel_type type, void *data, int64_t index, float32x4_t value)
{
    if (type == KERNEL_F32) {
        vst1q_f32((float *)data + index, value);
    } else if (type == KERNEL_F16) {
        float16x4_t halves = vcvt_f16_f32(cut(value, attention_f16_limit));
        vst1_u16((uint16_t *)data + index, vreinterpret_u16_f16(halves));
    } else if (type == KERNEL_BF16) {
        uint32x4_t bits = vreinterpretq_u32_f32(cut(value, attention_bf16_limit));
        uint32x4_t odd = vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1));
        bits = vaddq_u32(bits, vaddq_u32(odd, vdupq_n_u32(0x7FFF)));
        vst1_u16((uint16_t *)data + index, vshrn_n_u32(bits, 16));
    } else {
        int16x4_t halves = vqmovn_s32(vcvtnq_s32_f32(value));
        int8x8_t bytes = vqmovn_s16(vcombine_s16(halves, halves));
        uint32_t word = vget_lane_u32(vreinterpret_u32_s8(bytes), 0);
        memcpy((int8_t *)data + index, &word, sizeof word);
    }
}

/* The four elements of a row from `d` on; 0 at `count` and behind. */
ALWAYS_INLINE float32x4_t load_four(const float *row, int64_t d, int64_t count)
{
    return math_load_neon(row + d, count - d);
}

static float choose_factor(const float *row, int64_t count, float *scale)
{
    float32x4_t largest = vdupq_n_f32(0);
    for (int64_t d = 0; d < count; d += LANES)
        largest = vmaxq_f32(largest, vabsq_f32(load_four(row, d, count)));
    return attention_i8_factor(vmaxvq_f32(largest), scale);
}

ALWAYS_INLINE void transpose(float32x4_t *rows)
{
    float32x4x2_t even = vzipq_f32(rows[0], rows[2]), odd = vzipq_f32(rows[1], rows[3]);
    float32x4x2_t low = vzipq_f32(even.val[0], odd.val[0]);
    float32x4x2_t high = vzipq_f32(even.val[1], odd.val[1]);
    rows[0] = low.val[0];
    rows[1] = low.val[1];
    rows[2] = high.val[0];
    rows[3] = high.val[1];
}

/* Keys of four neighbouring lanes of a panel, the first at `index`. */
ALWAYS_INLINE void store_four_keys(enum kernel_type type, void *cache, int64_t index,
                                   int64_t head_dim, const float *keys, int64_t stride,
                                   float *scales)
{
    float factor[LANES];
    for (int64_t i = 0; type == KERNEL_I8 && i < LANES; i++)
        factor[i] = choose_factor(keys + i * stride, head_dim, &scales[i]);
    for (int64_t d = 0; d < head_dim; d += LANES) {
        float32x4_t rows[LANES];
        for (int64_t i = 0; i < LANES; i++) {
            rows[i] = load_four(keys + i * stride, d, head_dim);
            if (type == KERNEL_I8)
                rows[i] = vmulq_n_f32(rows[i], factor[i]);
        }
        transpose(rows);
        int64_t count = head_dim - d < LANES ? head_dim - d : LANES;
        for (int64_t i = 0; i < count; i++)
            store_four(type, cache, index + (d + i) * KERNEL_PANEL, rows[i]);
    }
}

/* One key, whose elements lie a panel's width apart. */
ALWAYS_INLINE void store_key(enum kernel_type type, void *cache, int64_t index, int64_t head_dim,
                             const float *key, float *scale)
{
    float factor = type == KERNEL_I8 ? choose_factor(key, head_dim, scale) : 1;
    int64_t bytes = attention_element_bytes(type);
    for (int64_t d = 0; d < head_dim; d += LANES) {
        char element[LANES * sizeof(float)];
        store_four(type, element, 0, vmulq_n_f32(load_four(key, d, head_dim), factor));
        int64_t count = head_dim - d < LANES ? head_dim - d : LANES;
        for (int64_t i = 0; i < count; i++)
            memcpy((char *)cache + (index + (d + i) * KERNEL_PANEL) * bytes, element + i * bytes,
                   (size_t)bytes);
    }
}

ALWAYS_INLINE void store_keys_type(enum kernel_type type, void *cache, int64_t capacity,
                                   int64_t head_dim, int64_t first, int64_t count,
                                   const float *keys, int64_t stride)
{
    float *scales = (float *)((char *)cache + attention_key_scale_offset(capacity, head_dim));
    for (int64_t i = 0; i < count;) {
        int64_t position = first + i, lane = position % KERNEL_PANEL;
        int64_t index = position / KERNEL_PANEL * KERNEL_PANEL * head_dim + lane;
        if (count - i >= LANES && lane + LANES <= KERNEL_PANEL) {
            store_four_keys(type, cache, index, head_dim, keys + i * stride, stride,
                            scales + position);
            i += LANES;
        } else {
            store_key(type, cache, index, head_dim, keys + i * stride, scales + position);
            i++;
        }
    }
}

ALWAYS_INLINE void store_values_type(enum kernel_type type, void *cache, int64_t capacity,
                                     int64_t head_dim, int64_t first, int64_t count,
                                     const float *values, int64_t stride)
{
    int64_t padded_dim = attention_padded_dim(head_dim);
    float *scales = (float *)((char *)cache + attention_value_scale_offset(capacity, head_dim));
    for (int64_t i = 0; i < count; i++, values += stride) {
        int64_t position = first + i;
        float factor = 1;
        if (type == KERNEL_I8)
            factor = choose_factor(values, head_dim, &scales[position]);
        for (int64_t d = 0; d < padded_dim; d += LANES)
            store_four(type, cache, position * padded_dim + d,
                       vmulq_n_f32(load_four(values, d, head_dim), factor));
    }
}

static void store_keys(enum kernel_type type, void *cache, int64_t capacity, int64_t head_dim,
                       int64_t first, int64_t count, const float *keys, int64_t stride)
{
    if (type == KERNEL_F32)
        store_keys_type(KERNEL_F32, cache, capacity, head_dim, first, count, keys, stride);
    else if (type == KERNEL_F16)
        store_keys_type(KERNEL_F16, cache, capacity, head_dim, first, count, keys, stride);
    else if (type == KERNEL_BF16)
        store_keys_type(KERNEL_BF16, cache, capacity, head_dim, first, count, keys, stride);
    else
        store_keys_type(KERNEL_I8, cache, capacity, head_dim, first, count, keys, stride);
}

static void store_values(enum kernel_type type, void *cache, int64_t capacity, int64_t head_dim,
                         int64_t first, int64_t count, const float *values, int64_t stride)
{
    if (type == KERNEL_F32)
        store_values_type(KERNEL_F32, cache, capacity, head_dim, first, count, values, stride);
    else if (type == KERNEL_F16)
        store_values_type(KERNEL_F16, cache, capacity, head_dim, first, count, values, stride);
    else if (type == KERNEL_BF16)
        store_values_type(KERNEL_BF16, cache, capacity, head_dim, first, count, values, stride);
    else
        store_values_type(KERNEL_I8, cache, capacity, head_dim, first, count, values, stride);
}

void attention_store_fill_neon(struct kernels *table)
{
    table->store_keys = store_keys;
    table->store_values = store_values;
}
#endif
