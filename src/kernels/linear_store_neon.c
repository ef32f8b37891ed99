/* The epilogue of NEON tiles, once for all types. */
#if defined(__aarch64__)
#include "kernels/linear_neon.h"

#include "kernels/math_neon.h"

/* `count` columns of a row, four or fewer. */
static inline __attribute__((always_inline)) void
finish(const struct linear_tile *tile, int64_t row, int64_t column, int64_t count, float32x4_t v)
{
    if (tile->bias != NULL)
        v = vaddq_f32(v, math_load_neon(tile->bias + column, count));
    if (tile->before != NULL) {
        const float *before = tile->before + row * tile->y_stride + column;
        v = vaddq_f32(v, math_load_neon(before, count));
    }
    v = vmulq_n_f32(math_activate_neon(tile->activation, v), tile->scale);
    if (tile->residual != NULL) {
        const float *residual = tile->residual + row * tile->residual_stride + column;
        v = vaddq_f32(v, math_load_neon(residual, count));
    }
    math_store_neon(tile->y + row * tile->y_stride + column, count, v);
}

static void store_row(const struct linear_tile *tile, int64_t row, const float *sums)
{
    int64_t column = 0;
    for (; column + 4 <= tile->columns; column += 4)
        finish(tile, row, column, 4, vld1q_f32(sums + column));
    if (column < tile->columns)
        finish(tile, row, column, tile->columns - column, vld1q_f32(sums + column));
}

void linear_store_neon(const struct linear_tile *tile, const float *sums)
{
    for (int64_t r = 0; r < tile->rows; r++)
        store_row(tile, r, sums + r * KERNEL_PANEL);
}

void linear_store_products_neon(const struct linear_tile *tile, const int32_t *products)
{
    float row[KERNEL_PANEL];
    for (int64_t r = 0; r < tile->rows; r++) {
        float32x4_t row_scale = vdupq_n_f32(linear_row_scale(tile, r));
        for (int64_t c = 0; c < KERNEL_PANEL; c += 4) {
            float32x4_t scale = vmulq_f32(row_scale, vld1q_f32(tile->panel_scales + c));
            float32x4_t value = vcvtq_f32_s32(vld1q_s32(products + r * KERNEL_PANEL + c));
            vst1q_f32(row + c, vmulq_f32(value, scale));
        }
        store_row(tile, r, row);
    }
}

#endif
