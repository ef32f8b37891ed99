/* What the AVX2 microkernels of the linear layers share. */
#ifndef TOKENMARK_KERNELS_LINEAR_AVX2_H
#define TOKENMARK_KERNELS_LINEAR_AVX2_H

#include <immintrin.h>

#include "kernels/linear_internal.h"

/* The epilogue of a tile: bias to residual, and the store, of sums [rows][32], 32-byte aligned. */
void linear_store_avx2(const struct linear_tile *tile, const float *sums);

/* int8: the sums [rows][32], less their corrections and scaled, become float32 in place. */
void linear_dequantise_avx2(const struct linear_tile *tile, float *sums);

/* Rounds activations to f16, bf16 or i8 (kernels.h: prepare). */
void linear_prepare_avx2(enum kernel_type type, const float *x, int64_t x_stride, int64_t rows,
                         int64_t inputs, void *out);

/* max |x|, NaN when any is NaN. */
float linear_largest_magnitude_avx2(const float *x, int64_t count);

/* Packs a panel of any type; the same bytes as linear_pack_panel_c. */
void linear_pack_panel_avx2(enum kernel_type type, const float *rows, int64_t count, int64_t inputs,
                            void *panel);

enum { LINEAR_TALL_ROWS = 6 };

/* One input of `rows` rows, rows from the fourth on at x_more, times 16 widened weights. Inlined:
 * the sums stay in registers. */
static inline __attribute__((always_inline)) void
linear_tall_step_avx2(__m256 sums[LINEAR_TALL_ROWS][2], const int rows, const char *x,
                      const char *x_more, int64_t stride, __m256 low, __m256 high)
{
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++) {
        const char *place = r < 3 ? x + r * stride : x_more + (r - 3) * stride;
        __m256 value = _mm256_broadcast_ss((const float *)(const void *)place);
        sums[r][0] = _mm256_fmadd_ps(value, low, sums[r][0]);
        sums[r][1] = _mm256_fmadd_ps(value, high, sums[r][1]);
    }
}

/* The sums of columns [16 half, 16 half + 16) into result [rows][32]. */
static inline __attribute__((always_inline)) void
linear_tall_keep_avx2(__m256 sums[LINEAR_TALL_ROWS][2], const int rows, int64_t half, float *result)
{
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++) {
        _mm256_store_ps(result + r * KERNEL_PANEL + 16 * half, sums[r][0]);
        _mm256_store_ps(result + r * KERNEL_PANEL + 16 * half + 8, sums[r][1]);
    }
}

extern const struct linear_tile_set linear_f32_avx2;
extern const struct linear_tile_set linear_f16_avx2;
extern const struct linear_tile_set linear_bf16_avx2;
extern const struct linear_tile_set linear_i8_avx2;

#endif
