/* The reference's parts that one fill function (linear_c.c) puts into the table, and what vector
 * code borrows of them. */
#ifndef TOKENMARK_KERNELS_LINEAR_C_H
#define TOKENMARK_KERNELS_LINEAR_C_H

#include "kernels/kernels.h"

void linear_pack_panel_c(enum kernel_type type, const float *rows, int64_t count, int64_t inputs,
                         void *panel);
void linear_unpack_row_c(enum kernel_type type, const void *weight, int64_t inputs, int64_t row,
                         float *out);
void linear_prepare_c(enum kernel_type type, const float *x, int64_t x_stride, int64_t rows,
                      int64_t inputs, void *out);

/* Parts of `pack_panel` that vector code leaves to C. The inputs from `first` on (a whole step) of
 * f32, f16 or bf16: */
void linear_pack_rest(enum kernel_type type, const float *rows, int64_t count, int64_t inputs,
                      int64_t first, void *panel);
/* The same of one row and i8, from a panel of zeros; the sum of its integers comes back. */
int32_t linear_pack_row_i8(const float *row, int64_t inputs, float factor, int64_t first,
                           int64_t column, int8_t *out);

/* Parts of `prepare` that vector code leaves to C: the inputs from `first` on. */
void linear_prepare_rest(enum kernel_type type, const float *x, int64_t inputs, int64_t first,
                         float *row);
void linear_quantise_rest(const float *x, int64_t inputs, int64_t padded, float factor,
                          int64_t first, uint8_t *out);
float linear_largest_magnitude(const float *x, int64_t count);
float linear_quantising_factor(float largest);

#endif
