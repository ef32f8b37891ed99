/* float32, float16 and bfloat16 tiles of 32 columns, one code for the three: the weights are
 * widened in registers, the activations are float32 that were rounded to the type. Up to 4 rows
 * are read where they lie, as the weights stream from memory; up to 14 come interleaved, which
 * lets a multiply-add take its activation from memory itself. linear_f32_avx512.c and its like
 * expand this for every number of rows, so that the sums stay in registers. */
#ifndef TOKENMARK_KERNELS_LINEAR_FLOAT_AVX512_H
#define TOKENMARK_KERNELS_LINEAR_FLOAT_AVX512_H

#include "kernels/linear_avx512.h"

enum { LINEAR_UNROLL = 4 };

/* Weights of input `input` of a step, widened: bfloat16 has two inputs a step, in the low and the
 * high halves of its lanes. */
static inline __attribute__((always_inline)) void linear_widen_avx512(const enum kernel_type type,
                                                                      const char *weight,
                                                                      const int input, __m512 *low,
                                                                      __m512 *high)
{
    const __m512i odd_mask = _mm512_set1_epi32((int32_t)0xFFFF0000U);
    if (type == KERNEL_F32) {
        *low = _mm512_load_ps(weight);
        *high = _mm512_load_ps(weight + 64);
    } else if (type == KERNEL_F16) {
        *low = _mm512_cvtph_ps(_mm256_load_si256((const __m256i *)(const void *)weight));
        *high = _mm512_cvtph_ps(_mm256_load_si256((const __m256i *)(const void *)(weight + 32)));
    } else {
        __m512i first = _mm512_load_si512(weight);
        __m512i second = _mm512_load_si512(weight + 64);
        first = input == 0 ? _mm512_slli_epi32(first, 16) : _mm512_and_si512(first, odd_mask);
        second = input == 0 ? _mm512_slli_epi32(second, 16) : _mm512_and_si512(second, odd_mask);
        *low = _mm512_castsi512_ps(first);
        *high = _mm512_castsi512_ps(second);
    }
}

static inline __attribute__((always_inline)) void
linear_finish_avx512(const struct linear_tile *tile, __m512 sums[LINEAR_TILE_ROWS_MAX][2],
                     const int rows)
{
    _Alignas(64) float result[LINEAR_TILE_ROWS_MAX * KERNEL_PANEL];
#pragma GCC unroll 14
    for (int r = 0; r < rows; r++) {
        _mm512_store_ps(result + r * KERNEL_PANEL, sums[r][0]);
        _mm512_store_ps(result + r * KERNEL_PANEL + 16, sums[r][1]);
    }
    linear_store_avx512(tile, result);
}

static inline __attribute__((always_inline)) void
linear_in_place_avx512(const struct linear_tile *tile, const enum kernel_type type, const int rows)
{
    __m512 sums[LINEAR_TILE_ROWS_MAX][2];
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++)
        sums[r][0] = sums[r][1] = _mm512_setzero_ps();
    const int inputs = type == KERNEL_BF16 ? 2 : 1;
    const int64_t step_bytes = type == KERNEL_F16 ? 64 : 128;
    const int64_t stride = tile->x_stride;
    const char *x = tile->x;
    const char *ahead = tile->ahead;
    const int64_t ahead_step = tile->ahead_step;
    const char *end = tile->weight + tile->steps * step_bytes;
    for (const char *weight = tile->weight; weight != end; weight += step_bytes) {
        _mm_prefetch(ahead, _MM_HINT_T1);
        _mm_prefetch(ahead + ahead_step / 2, _MM_HINT_T1);
        ahead += ahead_step;
#pragma GCC unroll 2
        for (int input = 0; input < inputs; input++, x += sizeof(float)) {
            __m512 low, high;
            linear_widen_avx512(type, weight, input, &low, &high);
#pragma GCC unroll 4
            for (int r = 0; r < rows; r++) {
                __m512 value = _mm512_set1_ps(*(const float *)(const void *)(x + r * stride));
                sums[r][0] = _mm512_fmadd_ps(value, low, sums[r][0]);
                sums[r][1] = _mm512_fmadd_ps(value, high, sums[r][1]);
            }
        }
    }
    linear_finish_avx512(tile, sums, rows);
}

/* One step of interleaved rows. Loading the values of some rows by themselves and those of the
 * others within their multiply-adds keeps the load ports and the decoders below their limits. */
static inline __attribute__((always_inline)) void
linear_step_avx512(__m512 sums[LINEAR_TILE_ROWS_MAX][2], const enum kernel_type type,
                   const int rows, const float *x, const char *weight)
{
    const int inputs = type == KERNEL_BF16 ? 2 : 1;
#pragma GCC unroll 2
    for (int input = 0; input < inputs; input++, x += rows) {
        __m512 low, high;
        linear_widen_avx512(type, weight, input, &low, &high);
#pragma GCC unroll 14
        for (int r = 0; r < rows; r++) {
            if (r < LINEAR_LOADED_ROWS) {
                __m512 value = _mm512_set1_ps(x[r]);
                linear_multiply_add_loaded_avx512(&sums[r][0], value, low);
                linear_multiply_add_loaded_avx512(&sums[r][1], value, high);
            } else {
                linear_multiply_add_avx512(&sums[r][0], x + r, low);
                linear_multiply_add_avx512(&sums[r][1], x + r, high);
            }
        }
    }
}

static inline __attribute__((always_inline)) void
linear_interleaved_avx512(const struct linear_tile *tile, const enum kernel_type type,
                          const int rows)
{
    __m512 sums[LINEAR_TILE_ROWS_MAX][2];
#pragma GCC unroll 14
    for (int r = 0; r < rows; r++)
        sums[r][0] = sums[r][1] = _mm512_setzero_ps();
    const int64_t step_bytes = type == KERNEL_F16 ? 64 : 128;
    const int64_t step_floats = type == KERNEL_BF16 ? 2 * rows : rows;
    const float *x = (const float *)(const void *)tile->x;
    const char *weight = tile->weight;
    const char *ahead = tile->ahead;
    const int64_t ahead_step = tile->ahead_step;
    const char *end = weight + tile->steps * step_bytes;
    const char *unrolled_end = weight + tile->steps / LINEAR_UNROLL * LINEAR_UNROLL * step_bytes;
    while (weight != unrolled_end) {
        linear_prefetch_avx512(ahead, ahead_step, LINEAR_UNROLL);
        ahead += LINEAR_UNROLL * ahead_step;
#pragma GCC unroll 4
        for (int i = 0; i < LINEAR_UNROLL; i++) {
            linear_step_avx512(sums, type, rows, x + i * step_floats, weight + i * step_bytes);
            /* Loads of the next step that were done early would push sums out of the registers. */
            __asm__ volatile("" ::: "memory");
        }
        x += LINEAR_UNROLL * step_floats;
        weight += LINEAR_UNROLL * step_bytes;
    }
    for (; weight != end; weight += step_bytes, x += step_floats)
        linear_step_avx512(sums, type, rows, x, weight);
    linear_finish_avx512(tile, sums, rows);
}

#endif
