/* Stores into the KV cache with AVX2, for AVX-512 too: eight elements are narrowed at once, and
 * keys of eight positions are transposed in registers. The bits are those of attention_c.c. */
#include "kernels/kernels_internal.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>

#include "kernels/attention.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))

enum { LANES = 8 };

ALWAYS_INLINE __m256 cut(__m256 value, float limit)
{
    value = _mm256_min_ps(value, _mm256_set1_ps(limit));
    return _mm256_max_ps(value, _mm256_set1_ps(-limit));
}

/* Stores eight elements at `index`. */
ALWAYS_INLINE void store_eight(enum kernel_type type, void *data, int64_t index, __m256 value)
{
    if (type == KERNEL_F32) {
        _mm256_storeu_ps((float *)data + index, value);
        return;
    }
    if (type == KERNEL_F16) {
        __m128i half = _mm256_cvtps_ph(cut(value, attention_f16_limit), _MM_FROUND_TO_NEAREST_INT);
        _mm_storeu_si128((__m128i *)((uint16_t *)data + index), half);
        return;
    }
    __m256i words = _mm256_cvtps_epi32(value);
    if (type == KERNEL_BF16) {
        __m256i bits = _mm256_castps_si256(cut(value, attention_bf16_limit));
        __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
        odd = _mm256_add_epi32(odd, _mm256_set1_epi32(0x7FFF));
        words = _mm256_srli_epi32(_mm256_add_epi32(bits, odd), 16);
    }
    __m128i low = _mm256_castsi256_si128(words), high = _mm256_extracti128_si256(words, 1);
    if (type == KERNEL_BF16) {
        _mm_storeu_si128((__m128i *)((uint16_t *)data + index), _mm_packus_epi32(low, high));
        return;
    }
    __m128i halves = _mm_packs_epi32(low, high);
    _mm_storel_epi64((__m128i *)((int8_t *)data + index), _mm_packs_epi16(halves, halves));
}

/* The eight elements of a row from `d` on; 0 at `count` and behind. */
ALWAYS_INLINE __m256 load_eight(const float *row, int64_t d, int64_t count)
{
    int64_t left = count - d;
    if (left >= LANES)
        return _mm256_loadu_ps(row + d);
    __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    __m256i mask = _mm256_cmpgt_epi32(_mm256_set1_epi32(left > 0 ? (int)left : 0), lane);
    return _mm256_maskload_ps(row + d, mask);
}

static float choose_factor(const float *row, int64_t count, float *scale)
{
    __m256 largest = _mm256_setzero_ps();
    for (int64_t d = 0; d < count; d += LANES) {
        __m256 size = _mm256_andnot_ps(_mm256_set1_ps(-0.0f), load_eight(row, d, count));
        largest = _mm256_max_ps(largest, size);
    }
    float lane[LANES];
    _mm256_storeu_ps(lane, largest);
    for (int k = 1; k < LANES; k++)
        lane[0] = lane[k] > lane[0] ? lane[k] : lane[0];
    return attention_i8_factor(lane[0], scale);
}

ALWAYS_INLINE void transpose(__m256 *rows)
{
    __m256 pair[LANES], four[LANES];
    for (int i = 0; i < LANES; i += 2) {
        pair[i] = _mm256_unpacklo_ps(rows[i], rows[i + 1]);
        pair[i + 1] = _mm256_unpackhi_ps(rows[i], rows[i + 1]);
    }
    for (int i = 0; i < LANES; i += 4) {
        four[i] = _mm256_shuffle_ps(pair[i], pair[i + 2], 0x44);
        four[i + 1] = _mm256_shuffle_ps(pair[i], pair[i + 2], 0xEE);
        four[i + 2] = _mm256_shuffle_ps(pair[i + 1], pair[i + 3], 0x44);
        four[i + 3] = _mm256_shuffle_ps(pair[i + 1], pair[i + 3], 0xEE);
    }
    for (int i = 0; i < 4; i++) {
        rows[i] = _mm256_permute2f128_ps(four[i], four[i + 4], 0x20);
        rows[i + 4] = _mm256_permute2f128_ps(four[i], four[i + 4], 0x31);
    }
}

/* Keys of eight neighbouring lanes of a panel, the first at `index`. */
ALWAYS_INLINE void store_eight_keys(enum kernel_type type, void *cache, int64_t index,
                                    int64_t head_dim, const float *keys, int64_t stride,
                                    float *scales)
{
    float factor[LANES];
    for (int64_t i = 0; type == KERNEL_I8 && i < LANES; i++)
        factor[i] = choose_factor(keys + i * stride, head_dim, &scales[i]);
    for (int64_t d = 0; d < head_dim; d += LANES) {
        __m256 rows[LANES];
        for (int64_t i = 0; i < LANES; i++) {
            rows[i] = load_eight(keys + i * stride, d, head_dim);
            if (type == KERNEL_I8)
                rows[i] = _mm256_mul_ps(rows[i], _mm256_set1_ps(factor[i]));
        }
        transpose(rows);
        int64_t count = head_dim - d < LANES ? head_dim - d : LANES;
        for (int64_t i = 0; i < count; i++)
            store_eight(type, cache, index + (d + i) * KERNEL_PANEL, rows[i]);
    }
}

/* One key, whose elements lie a panel's width apart. */
ALWAYS_INLINE void store_key(enum kernel_type type, void *cache, int64_t index, int64_t head_dim,
                             const float *key, float *scale)
{
    __m256 factor = _mm256_set1_ps(type == KERNEL_I8 ? choose_factor(key, head_dim, scale) : 1);
    int64_t bytes = attention_element_bytes(type);
    for (int64_t d = 0; d < head_dim; d += LANES) {
        char element[LANES * sizeof(float)];
        store_eight(type, element, 0, _mm256_mul_ps(load_eight(key, d, head_dim), factor));
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
            store_eight_keys(type, cache, index, head_dim, keys + i * stride, stride,
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
        for (int64_t d = 0; d < padded_dim; d += LANES) {
            __m256 value = _mm256_mul_ps(load_eight(values, d, head_dim), _mm256_set1_ps(factor));
            store_eight(type, cache, position * padded_dim + d, value);
        }
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

void attention_store_fill_avx2(struct kernels *table)
{
    table->store_keys = store_keys;
    table->store_values = store_values;
}
#endif
