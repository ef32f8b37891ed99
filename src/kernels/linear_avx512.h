/* What the AVX-512 microkernels of the linear layers share. */
#ifndef TOKENMARK_KERNELS_LINEAR_AVX512_H
#define TOKENMARK_KERNELS_LINEAR_AVX512_H

#include <immintrin.h>

#include "kernels/linear_internal.h"

/* The epilogue of a tile: bias to residual, and the store, of sums [rows][32], 64-byte aligned. */
void linear_store_avx512(const struct linear_tile *tile, const float *sums);

/* int8: the sums [rows][32], less their corrections and scaled, become float32 in place. */
void linear_dequantise_avx512(const struct linear_tile *tile, float *sums);

extern const struct linear_tile_set linear_f32_avx512;
extern const struct linear_tile_set linear_f16_avx512;
extern const struct linear_tile_set linear_bf16_avx512;
extern const struct linear_tile_set linear_i8_avx512;
extern const struct linear_tile_set linear_i8_avx512_vnni;
extern const struct linear_tile_set linear_bf16_avx512_bf16;

#endif
