/* The reference microkernel of every type, in plain C: what the other sets are tested against
 * and what a CPU without them runs. */
#include "kernels/linear_c.h"

#include "kernels/convert.h"
#include "kernels/kernels_internal.h"
#include "kernels/linear_internal.h"
#include "kernels/math_c.h"

enum { ROWS_MAX = 4 };

/* v = sum + bias + before; y = act(v) * scale + residual */
void linear_store_row_c(const struct linear_tile *tile, int64_t row, const float *sums)
{
    float *y = tile->y + row * tile->y_stride;
    for (int64_t c = 0; c < tile->columns; c++) {
        float v = sums[c];
        if (tile->bias != NULL)
            v += tile->bias[c];
        if (tile->before != NULL)
            v += tile->before[row * tile->y_stride + c];
        v = math_activate(tile->activation, v) * tile->scale;
        if (tile->residual != NULL)
            v += tile->residual[row * tile->residual_stride + c];
        y[c] = v;
    }
}

static void tile_f32(const struct linear_tile *tile)
{
    float sums[ROWS_MAX][KERNEL_PANEL] = {{0}};
    const float *weight = (const float *)(const void *)tile->weight;
    for (int64_t k = 0; k < tile->steps; k++)
        for (int64_t r = 0; r < tile->rows; r++) {
            float x = ((const float *)(const void *)(tile->x + r * tile->x_stride))[k];
            for (int64_t c = 0; c < KERNEL_PANEL; c++)
                sums[r][c] += x * weight[k * KERNEL_PANEL + c];
        }
    for (int64_t r = 0; r < tile->rows; r++)
        linear_store_row_c(tile, r, sums[r]);
}

static void tile_f16(const struct linear_tile *tile)
{
    float sums[ROWS_MAX][KERNEL_PANEL] = {{0}};
    const uint16_t *weight = (const uint16_t *)(const void *)tile->weight;
    for (int64_t k = 0; k < tile->steps; k++) {
        float widened[KERNEL_PANEL];
        for (int64_t c = 0; c < KERNEL_PANEL; c++)
            widened[c] = float_from_f16(weight[k * KERNEL_PANEL + c]);
        for (int64_t r = 0; r < tile->rows; r++) {
            float x = ((const float *)(const void *)(tile->x + r * tile->x_stride))[k];
            for (int64_t c = 0; c < KERNEL_PANEL; c++)
                sums[r][c] += x * widened[c];
        }
    }
    for (int64_t r = 0; r < tile->rows; r++)
        linear_store_row_c(tile, r, sums[r]);
}

static void tile_bf16(const struct linear_tile *tile)
{
    float sums[ROWS_MAX][KERNEL_PANEL] = {{0}};
    const uint16_t *weight = (const uint16_t *)(const void *)tile->weight;
    for (int64_t k = 0; k < tile->steps; k++)
        for (int64_t r = 0; r < tile->rows; r++) {
            const float *x = (const float *)(const void *)(tile->x + r * tile->x_stride);
            float even = x[2 * k];
            float odd = x[2 * k + 1];
            const uint16_t *pairs = weight + 2 * k * KERNEL_PANEL;
            for (int64_t c = 0; c < KERNEL_PANEL; c++)
                sums[r][c] +=
                    even * float_from_bf16(pairs[2 * c]) + odd * float_from_bf16(pairs[2 * c + 1]);
        }
    for (int64_t r = 0; r < tile->rows; r++)
        linear_store_row_c(tile, r, sums[r]);
}

static void tile_i8(const struct linear_tile *tile)
{
    for (int64_t r = 0; r < tile->rows; r++) {
        int32_t sums[KERNEL_PANEL] = {0};
        const uint8_t *x = (const uint8_t *)tile->x + r * tile->x_stride;
        const int8_t *weight = (const int8_t *)tile->weight;
        for (int64_t k = 0; k < tile->steps; k++)
            for (int64_t c = 0; c < KERNEL_PANEL; c++)
                for (int64_t i = 0; i < 4; i++)
                    sums[c] += x[4 * k + i] * weight[(k * KERNEL_PANEL + c) * 4 + i];
        float row_scale = linear_row_scale(tile, r);
        float products[KERNEL_PANEL];
        for (int64_t c = 0; c < KERNEL_PANEL; c++)
            products[c] =
                (float)(sums[c] - tile->panel_corrections[c]) * (row_scale * tile->panel_scales[c]);
        linear_store_row_c(tile, r, products);
    }
}

static const struct linear_tile_set sets[KERNEL_TYPE_COUNT] = {
    [KERNEL_F32] = {.rows_max = ROWS_MAX, .functions = {tile_f32, tile_f32, tile_f32, tile_f32}},
    [KERNEL_F16] = {.rows_max = ROWS_MAX, .functions = {tile_f16, tile_f16, tile_f16, tile_f16}},
    [KERNEL_BF16] = {.rows_max = ROWS_MAX,
                     .functions = {tile_bf16, tile_bf16, tile_bf16, tile_bf16}},
    [KERNEL_I8] = {.rows_max = ROWS_MAX, .functions = {tile_i8, tile_i8, tile_i8, tile_i8}},
};

static void linear_c(const struct linear_call *call, int64_t row_first, int64_t row_count,
                     int64_t panel_first, int64_t panel_count)
{
    linear_run_tiles(&sets[call->type], call, row_first, row_count, panel_first, panel_count);
}

void linear_fill_c(struct kernels *table)
{
    table->pack_panel = linear_pack_panel_c;
    table->unpack_row = linear_unpack_row_c;
    table->prepare = linear_prepare_c;
    table->linear = linear_c;
}
