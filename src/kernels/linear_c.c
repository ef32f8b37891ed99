/* The reference microkernel of every type, in plain C: what the other sets are tested against
 * and what a CPU without them runs. */
#include "kernels/linear_c.h"

#include <math.h>

#include "kernels/convert.h"
#include "kernels/kernels_internal.h"
#include "kernels/linear_internal.h"

enum { ROWS_MAX = 4 };

static float activate(enum kernel_activation kind, float v)
{
    switch (kind) {
    case KERNEL_GELU_TANH:
        return 0.5F * v * (1.0F + tanhf(0.7978845608F * (v + 0.044715F * v * v * v)));
    case KERNEL_GELU_ERF:
        return 0.5F * v * (1.0F + erff(0.7071067812F * v));
    case KERNEL_RELU:
        return v > 0.0F ? v : v * 0.0F;
    case KERNEL_SILU:
        return v / (1.0F + expf(-v));
    case KERNEL_QUICK_GELU:
        return v / (1.0F + expf(-1.702F * v));
    case KERNEL_IDENTITY:
    default:
        return v;
    }
}

/* v = sum + bias + before; y = act(v) * scale + residual */
static void store_row(const struct linear_tile *tile, int64_t row, const float *sums)
{
    float *y = tile->y + row * tile->y_stride;
    for (int64_t c = 0; c < tile->columns; c++) {
        float v = sums[c];
        if (tile->bias != NULL)
            v += tile->bias[c];
        if (tile->before != NULL)
            v += tile->before[row * tile->y_stride + c];
        v = activate(tile->activation, v) * tile->scale;
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
        store_row(tile, r, sums[r]);
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
        store_row(tile, r, sums[r]);
}

static void tile_bf16(const struct linear_tile *tile)
{
    float sums[ROWS_MAX][KERNEL_PANEL] = {{0}};
    const uint16_t *weight = (const uint16_t *)(const void *)tile->weight;
    for (int64_t k = 0; k < tile->steps; k++)
        for (int64_t r = 0; r < tile->rows; r++) {
            const uint16_t *x = (const uint16_t *)(const void *)(tile->x + r * tile->x_stride);
            float even = float_from_bf16(x[2 * k]);
            float odd = float_from_bf16(x[2 * k + 1]);
            const uint16_t *pairs = weight + 2 * k * KERNEL_PANEL;
            for (int64_t c = 0; c < KERNEL_PANEL; c++)
                sums[r][c] +=
                    even * float_from_bf16(pairs[2 * c]) + odd * float_from_bf16(pairs[2 * c + 1]);
        }
    for (int64_t r = 0; r < tile->rows; r++)
        store_row(tile, r, sums[r]);
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
        store_row(tile, r, products);
    }
}

const struct linear_tile_set linear_sets_c[KERNEL_TYPE_COUNT] = {
    [KERNEL_F32] = {ROWS_MAX, 0, {tile_f32, tile_f32, tile_f32, tile_f32}},
    [KERNEL_F16] = {ROWS_MAX, 0, {tile_f16, tile_f16, tile_f16, tile_f16}},
    [KERNEL_BF16] = {ROWS_MAX, 0, {tile_bf16, tile_bf16, tile_bf16, tile_bf16}},
    [KERNEL_I8] = {ROWS_MAX, 0, {tile_i8, tile_i8, tile_i8, tile_i8}},
};

static void linear_c(const struct linear_call *call, int64_t row_first, int64_t row_count,
                     int64_t panel_first, int64_t panel_count)
{
    linear_run_tiles(&linear_sets_c[call->type], call, row_first, row_count, panel_first,
                     panel_count);
}

void linear_fill_c(struct kernels *table)
{
    table->pack_panel = linear_pack_panel_c;
    table->unpack_row = linear_unpack_row_c;
    table->prepare = linear_prepare_c;
    table->linear = linear_c;
}
