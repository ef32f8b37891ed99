/* Products with grouped weights in plain C: what the other sets are tested against, to the last
 * bit before the activation, and what a CPU without them runs. */
#include "kernels/grouped.h"

#include <math.h>

#include "kernels/convert.h"
#include "kernels/kernels_internal.h"
#include "kernels/linear_internal.h"

/* Exact integers: the products of one group of a row with every output, times the sub-scales. */
static void multiply_group(struct grouped_format format, const struct grouped_x *x,
                           const uint8_t *integers, const int8_t *sub, int32_t *sums)
{
    for (int64_t c = 0; c < KERNEL_PANEL; c++) {
        int32_t halves[2] = {0};
        for (int64_t i = 0; i < GROUP_INPUTS; i++)
            halves[i / GROUP_HALF] += grouped_value(format, integers, i, c) * x->values[i];
        if (format.has_halves)
            sums[c] = halves[0] * sub[c] + halves[1] * sub[KERNEL_PANEL + c];
        else
            sums[c] = (halves[0] + halves[1]) * (format.has_super ? sub[c] : 1);
    }
}

/* One row times one panel. */
static void multiply_row(struct grouped_format format, const struct grouped_x *x, int64_t groups,
                         const char *panel, float *sums)
{
    for (int64_t c = 0; c < KERNEL_PANEL; c++)
        sums[c] = 0.0F;
    const uint16_t *scales = NULL;
    for (int64_t g = 0; g < groups; g++) {
        if (format.has_super && g % SUPER_GROUPS == 0) {
            scales = (const uint16_t *)(const void *)panel;
            panel += grouped_super_bytes(format);
        }
        if (!format.has_super)
            scales = (const uint16_t *)(const void *)panel;
        const int8_t *sub = (const int8_t *)panel;
        const uint8_t *integers = (const uint8_t *)panel + grouped_head_bytes(format);
        int32_t products[KERNEL_PANEL];
        multiply_group(format, &x[g], integers, sub, products);
        for (int64_t c = 0; c < KERNEL_PANEL; c++) {
            sums[c] = fmaf((float)products[c], float_from_f16(scales[c]) * x[g].scale, sums[c]);
            if (!format.has_minimum)
                continue;
            float minimum = float_from_f16(scales[KERNEL_PANEL + c]);
            if (format.has_super)
                minimum *= (float)sub[KERNEL_PANEL + c];
            sums[c] = fmaf(minimum, x[g].sum, sums[c]);
        }
        panel += grouped_bytes(format);
    }
}

static void grouped_linear_c(const struct linear_call *call, int64_t row_first, int64_t row_count,
                             int64_t panel_first, int64_t panel_count)
{
    struct grouped_format format = grouped_format(call->type);
    size_t panel_bytes = kernel_panel_bytes(call->type, call->inputs);
    size_t row_bytes = kernel_prepared_bytes(call->type, 1, call->inputs);
    for (int64_t p = panel_first; p < panel_first + panel_count; p++)
        for (int64_t r = row_first; r < row_first + row_count; r++) {
            struct linear_tile tile = grouped_epilogue(call, r, 1, p);
            float sums[KERNEL_PANEL];
            const char *x = (const char *)call->x + (size_t)r * row_bytes;
            multiply_row(format, (const struct grouped_x *)(const void *)x,
                         grouped_count(call->inputs),
                         (const char *)call->weight + (size_t)p * panel_bytes, sums);
            linear_store_row_c(&tile, 0, sums);
        }
}

struct linear_tile grouped_epilogue(const struct linear_call *call, int64_t row, int64_t rows,
                                    int64_t panel)
{
    int64_t column = panel * KERNEL_PANEL;
    int64_t left = call->outputs - column;
    return (struct linear_tile){
        .rows = rows,
        .columns = left < KERNEL_PANEL ? left : KERNEL_PANEL,
        .y = call->y + row * call->y_stride + column,
        .y_stride = call->y_stride,
        .bias = call->bias != NULL ? call->bias + column : NULL,
        .residual =
            call->residual != NULL ? call->residual + row * call->residual_stride + column : NULL,
        .residual_stride = call->residual_stride,
        .activation = call->activation,
        .scale = call->scale,
    };
}

void grouped_fill_c(struct kernels *table)
{
    table->grouped_prepare = grouped_prepare_c;
    table->grouped_linear = grouped_linear_c;
}
