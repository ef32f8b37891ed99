/* The reference's parts that one fill function (linear_c.c) puts into the table. */
#ifndef TOKENMARK_KERNELS_LINEAR_C_H
#define TOKENMARK_KERNELS_LINEAR_C_H

#include "kernels/kernels.h"

void linear_pack_panel_c(enum kernel_type type, const float *rows, int64_t count, int64_t inputs,
                         void *panel);
void linear_unpack_row_c(enum kernel_type type, const void *weight, int64_t inputs, int64_t row,
                         float *out);
void linear_prepare_c(enum kernel_type type, const float *x, int64_t x_stride, int64_t rows,
                      int64_t inputs, void *out);

#endif
