/* Packs weights and prepares activations, all types, in plain C: the definition of both, and what
 * vector code (linear_pack_avx2.c, linear_prepare_*.c) leaves over. */
#include "kernels/linear_internal.h"

#include <math.h>
#include <string.h>

#include "kernels/convert.h"
#include "kernels/grouped.h"
#include "kernels/linear_c.h"

static void pack_f32(const float *rows, int64_t count, int64_t inputs, int64_t first, float *out)
{
    for (int64_t k = first; k < inputs; k++)
        for (int64_t c = 0; c < KERNEL_PANEL; c++)
            out[k * KERNEL_PANEL + c] = c < count ? rows[c * inputs + k] : 0.0F;
}

static void pack_f16(const float *rows, int64_t count, int64_t inputs, int64_t first, uint16_t *out)
{
    for (int64_t k = first; k < inputs; k++)
        for (int64_t c = 0; c < KERNEL_PANEL; c++)
            out[k * KERNEL_PANEL + c] = c < count ? f16_from_float(rows[c * inputs + k]) : 0;
}

static void pack_bf16(const float *rows, int64_t count, int64_t inputs, int64_t first,
                      uint16_t *out)
{
    int64_t padded = 2 * linear_steps(KERNEL_BF16, inputs);
    for (int64_t k = first; k < padded; k++)
        for (int64_t c = 0; c < KERNEL_PANEL; c++) {
            bool inside = c < count && k < inputs;
            out[(k / 2 * KERNEL_PANEL + c) * 2 + k % 2] =
                inside ? bf16_from_float(rows[c * inputs + k]) : 0;
        }
}

/* max |x|, NaN when any is NaN: a fault in the data must stay visible after quantising. */
float linear_largest_magnitude(const float *x, int64_t count)
{
    float largest = 0.0F;
    for (int64_t k = 0; k < count; k++) {
        float magnitude = fabsf(x[k]);
        if (!(magnitude <= largest))
            largest = magnitude;
        if (isnan(largest))
            break;
    }
    return largest;
}

/* What a row is multiplied by before rounding to -127..127; 0 where no finite factor exists. */
float linear_quantising_factor(float largest)
{
    float factor = 127.0F / largest;
    return largest > 0 && isfinite(largest) && isfinite(factor) ? factor : 0.0F;
}

int32_t linear_pack_row_i8(const float *row, int64_t inputs, float factor, int64_t first,
                           int64_t column, int8_t *out)
{
    int32_t sum = 0;
    for (int64_t k = first; k < inputs && factor > 0; k++) {
        int8_t quantised = (int8_t)lrintf(row[k] * factor);
        out[(k / 4 * KERNEL_PANEL + column) * 4 + k % 4] = quantised;
        sum += quantised;
    }
    return sum;
}

static void pack_i8(const float *rows, int64_t count, int64_t inputs, int8_t *out)
{
    int64_t padded = 4 * linear_steps(KERNEL_I8, inputs);
    float *scales = (float *)(void *)(out + padded * KERNEL_PANEL);
    int32_t *corrections = (int32_t *)(void *)(scales + KERNEL_PANEL);
    memset(out, 0, kernel_panel_bytes(KERNEL_I8, inputs));
    for (int64_t c = 0; c < count; c++) {
        const float *row = rows + c * inputs;
        float largest = linear_largest_magnitude(row, inputs);
        float factor = linear_quantising_factor(largest);
        scales[c] = largest / 127.0F;
        corrections[c] = 128 * linear_pack_row_i8(row, inputs, factor, 0, c, out);
    }
}

void linear_pack_rest(enum kernel_type type, const float *rows, int64_t count, int64_t inputs,
                      int64_t first, void *panel)
{
    switch (type) {
    case KERNEL_F16:
        pack_f16(rows, count, inputs, first, panel);
        break;
    case KERNEL_BF16:
        pack_bf16(rows, count, inputs, first, panel);
        break;
    case KERNEL_F32:
    default:
        pack_f32(rows, count, inputs, first, panel);
        break;
    }
}

void linear_pack_panel_c(enum kernel_type type, const float *rows, int64_t count, int64_t inputs,
                         void *panel)
{
    if (type == KERNEL_I8)
        pack_i8(rows, count, inputs, panel);
    else if (type == KERNEL_Q4_0)
        grouped_pack_floats(rows, count, inputs, panel);
    else
        linear_pack_rest(type, rows, count, inputs, 0, panel);
}

/* One weight of a panel as float32. */
static float panel_element(enum kernel_type type, const void *panel, int64_t inputs, int64_t column,
                           int64_t k)
{
    const uint16_t *halves = panel;
    const int8_t *bytes = panel;
    switch (type) {
    case KERNEL_F16:
        return float_from_f16(halves[k * KERNEL_PANEL + column]);
    case KERNEL_BF16:
        return float_from_bf16(halves[(k / 2 * KERNEL_PANEL + column) * 2 + k % 2]);
    case KERNEL_I8:
        return (float)bytes[(k / 4 * KERNEL_PANEL + column) * 4 + k % 4] *
               linear_panel_scales(panel, inputs)[column];
    case KERNEL_F32:
    default:
        return ((const float *)panel)[k * KERNEL_PANEL + column];
    }
}

void linear_unpack_row_c(enum kernel_type type, const void *weight, int64_t inputs, int64_t row,
                         float *out)
{
    const char *panel =
        (const char *)weight + (size_t)(row / KERNEL_PANEL) * kernel_panel_bytes(type, inputs);
    if (kernel_type_is_grouped(type)) {
        grouped_unpack_column(type, panel, inputs, row % KERNEL_PANEL, out);
        return;
    }
    for (int64_t k = 0; k < inputs; k++)
        out[k] = panel_element(type, panel, inputs, row % KERNEL_PANEL, k);
}

void linear_quantise_rest(const float *x, int64_t inputs, int64_t padded, float factor,
                          int64_t first, uint8_t *out)
{
    for (int64_t k = first; k < padded; k++)
        out[k] = k < inputs && factor > 0 ? (uint8_t)(lrintf(x[k] * factor) + 128) : 128;
}

static void prepare_row_i8(const float *x, int64_t inputs, char *row)
{
    float largest = linear_largest_magnitude(x, inputs);
    float scale = isfinite(largest) ? largest / 127.0F : NAN;
    memcpy(row, &scale, sizeof scale);
    linear_quantise_rest(x, inputs, 4 * linear_steps(KERNEL_I8, inputs),
                         linear_quantising_factor(largest), 0,
                         (uint8_t *)row + linear_row_header(KERNEL_I8));
}

void linear_prepare_rest(enum kernel_type type, const float *x, int64_t inputs, int64_t first,
                         float *row)
{
    for (int64_t k = first; k < inputs; k++)
        row[k] = type == KERNEL_F16    ? float_from_f16(f16_from_float(x[k]))
                 : type == KERNEL_BF16 ? float_from_bf16(bf16_from_float(x[k]))
                                       : x[k];
    if (type == KERNEL_BF16 && inputs % 2 != 0)
        row[inputs] = 0.0F;
}

void linear_prepare_c(enum kernel_type type, const float *x, int64_t x_stride, int64_t rows,
                      int64_t inputs, void *out)
{
    size_t row_bytes = kernel_prepared_bytes(type, 1, inputs);
    for (int64_t r = 0; r < rows; r++, x += x_stride) {
        char *row = (char *)out + (size_t)r * row_bytes;
        if (type == KERNEL_I8)
            prepare_row_i8(x, inputs, row);
        else
            linear_prepare_rest(type, x, inputs, 0, (float *)(void *)row);
    }
}
