/* What the AVX2 microkernels of the linear layers share. */
#ifndef TOKENMARK_KERNELS_LINEAR_AVX2_H
#define TOKENMARK_KERNELS_LINEAR_AVX2_H

#include <immintrin.h>

#include "kernels/linear_internal.h"

/* A tile is 3 rows of 32 columns at most: 12 sums, 4 registers for weights and a broadcast. */
enum { LINEAR_ROWS_AVX2 = 3 };

/* The sums of a tile on their way to y. */
struct linear_sums_avx2 {
    __m256 row[LINEAR_ROWS_AVX2][4];
};

/* The epilogue of a tile: bias to residual, and the store. */
void linear_store_avx2(const struct linear_tile *tile, const struct linear_sums_avx2 *sums);

extern const struct linear_tile_set linear_f32_avx2;

#endif
