/* What the AVX-512 microkernels of the linear layers share. */
#ifndef TOKENMARK_KERNELS_LINEAR_AVX512_H
#define TOKENMARK_KERNELS_LINEAR_AVX512_H

#include <immintrin.h>

#include "kernels/linear_internal.h"

/* The sums of a tile on their way to y. */
struct linear_sums_avx512 {
    __m512 row[LINEAR_TILE_ROWS_MAX][2];
};

/* The epilogue of a tile: bias to residual, and the store. */
void linear_store_avx512(const struct linear_tile *tile, const struct linear_sums_avx512 *sums);

extern const struct linear_tile_set linear_f32_avx512;

#endif
