/* What the AVX2 microkernels of the linear layers share. */
#ifndef TOKENMARK_KERNELS_LINEAR_AVX2_H
#define TOKENMARK_KERNELS_LINEAR_AVX2_H

#include <immintrin.h>

#include "kernels/linear_internal.h"

/* A tile is 3 rows of 32 columns at most: 12 sums, 4 registers for weights and a broadcast. */
enum { LINEAR_ROWS_AVX2 = 3 };

/* The epilogue of a tile: bias to residual, and the store, of sums [rows][32], 32-byte aligned. */
void linear_store_avx2(const struct linear_tile *tile, const float *sums);

extern const struct linear_tile_set linear_f32_avx2;

#endif
