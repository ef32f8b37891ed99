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

extern const struct linear_tile_set linear_f32_avx2;
extern const struct linear_tile_set linear_f16_avx2;
extern const struct linear_tile_set linear_bf16_avx2;
extern const struct linear_tile_set linear_i8_avx2;

#endif
