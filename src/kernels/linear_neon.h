/* What the NEON microkernels of the linear layers share. Up to three rows take all 32 columns of a
 * panel at once, 24 sums in the 32 registers; more rows take them in two halves. */
#ifndef TOKENMARK_KERNELS_LINEAR_NEON_H
#define TOKENMARK_KERNELS_LINEAR_NEON_H

#include <arm_neon.h>

#include "kernels/linear_internal.h"

enum {
    LINEAR_NEON_ROWS = 6,      /* of a tile at most */
    LINEAR_NEON_WIDE_ROWS = 3, /* up to here all columns at once */
    LINEAR_NEON_VECTORS = 8,   /* of four columns in a panel */
};

/* Before loops of a constant count, so that what they index stays in registers. clang takes a count
 * that is not the loop's own for nothing. */
#if defined(__clang__)
#define LINEAR_UNROLLED _Pragma("clang loop unroll(full)")
#else
#define LINEAR_UNROLLED _Pragma("GCC unroll 8")
#endif

/* The epilogue of a tile: bias to residual, and the store, of sums [rows][32]. */
void linear_store_neon(const struct linear_tile *tile, const float *sums);

/* int8: products of signed bytes [rows][32] are scaled to float32 and stored by the epilogue. */
void linear_store_products_neon(const struct linear_tile *tile, const int32_t *products);

/* Rounds activations to f16, bf16 or i8 (kernels.h: prepare). */
void linear_prepare_neon(enum kernel_type type, const float *x, int64_t x_stride, int64_t rows,
                         int64_t inputs, void *out);

/* What is fetched while the vectors from `first` on take a step: by all columns the tile's two
 * places, by half of them the half's own. Into the second cache, as the sets of x86 do. */
static inline __attribute__((always_inline)) void
linear_prefetch_neon(const struct linear_tile *tile, int64_t step, int first, int vectors)
{
    const char *ahead = tile->ahead + step * tile->ahead_step;
    if (first == 0)
        __builtin_prefetch(ahead, 0, 2);
    if (first + vectors == LINEAR_NEON_VECTORS)
        __builtin_prefetch(ahead + tile->ahead_step / 2, 0, 2);
}

extern const struct linear_tile_set linear_f32_neon;
extern const struct linear_tile_set linear_f16_neon;
extern const struct linear_tile_set linear_bf16_neon;
extern const struct linear_tile_set linear_i8_neon;
extern const struct linear_tile_set linear_i8_neon_dotprod;

#endif
