/* How the tables of kernels.h are put together: every group of entries has one fill function an
 * instruction set, in a file named after both (linear_avx2.c). kernels.c calls C's first, then
 * each higher set's up to the table's own; a fill overwrites only what it has better. Files of
 * another architecture's sets are not compiled (cmake/kernel_sets.cmake). */
#ifndef TOKENMARK_KERNELS_KERNELS_INTERNAL_H
#define TOKENMARK_KERNELS_KERNELS_INTERNAL_H

#include "kernels/kernels.h"

static inline int64_t kernel_smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* pack_panel, unpack_row, prepare, linear */
void linear_fill_c(struct kernels *table);
void linear_fill_avx2(struct kernels *table);
void linear_fill_avx512(struct kernels *table);
void linear_fill_avx512_vnni(struct kernels *table);
void linear_fill_avx512_bf16(struct kernels *table);
void linear_fill_neon(struct kernels *table);
void linear_fill_neon_dotprod(struct kernels *table);

/* grouped_prepare, grouped_linear */
void grouped_fill_c(struct kernels *table);
void grouped_fill_avx2(struct kernels *table);
void grouped_fill_avx512_vnni(struct kernels *table);

/* norm_layer, norm_rms, activate, gate, add_scaled, rope, scale_softcap */
void pointwise_fill_c(struct kernels *table);
void pointwise_fill_avx2(struct kernels *table);
void pointwise_fill_avx512(struct kernels *table);
void pointwise_fill_neon(struct kernels *table);

/* store_keys, store_values, attention, attention_combine */
void attention_fill_c(struct kernels *table);
void attention_fill_avx2(struct kernels *table);
void attention_fill_avx512(struct kernels *table);
void attention_fill_neon(struct kernels *table);

/* sample */
void sample_fill_c(struct kernels *table);
void sample_fill_avx2(struct kernels *table);
void sample_fill_avx512(struct kernels *table);
void sample_fill_neon(struct kernels *table);

/* read_lines */
void read_fill_c(struct kernels *table);
void read_fill_avx2(struct kernels *table);
void read_fill_avx512(struct kernels *table);
void read_fill_neon(struct kernels *table);

#endif
