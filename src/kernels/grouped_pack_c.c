/* Packs quantised weights as grouped.h tells, quantises float32 ones to 4 bits, reads rows back,
 * and rounds activations by group: plain C, beside grouped_avx2.c's faster rounding. */
#include "kernels/grouped.h"

#include <math.h>
#include <string.h>

#include "kernels/convert.h"
#include "kernels/kernels_internal.h"
#include "kernels/linear_c.h"

/* A group's place in a panel: what precedes its integers, and they. */
struct group {
    uint16_t *super; /* of K types: scales [32], minimums [32]; else the group's own */
    int8_t *sub;     /* K types: sub-scales [32] (Q6_K: twice), sub-minimums [32] */
    uint8_t *integers;
};

static struct group group_at(struct grouped_format format, const void *panel, int64_t index)
{
    char *start = (char *)(uintptr_t)panel;
    int64_t first = index / SUPER_GROUPS * SUPER_GROUPS;
    char *head = start + grouped_offset(format, index);
    if (format.has_super && index == first)
        head += grouped_super_bytes(format);
    return (struct group){
        .super =
            (uint16_t *)(void *)(format.has_super ? start + grouped_offset(format, first) : head),
        .sub = (int8_t *)head,
        .integers = (uint8_t *)head + grouped_head_bytes(format),
    };
}

static void put_values(struct grouped_format format, uint8_t *integers, int64_t column,
                       const uint8_t *values, int64_t count)
{
    for (int64_t i = 0; i < GROUP_INPUTS; i++) {
        int shift = 0;
        int64_t place = grouped_place(format, i, column, &shift);
        unsigned value = i < count ? values[i] : (unsigned)format.offset;
        integers[place] = (uint8_t)(integers[place] | value << shift);
    }
}

void kernel_pack_grouped(enum kernel_type type, const struct grouped_rows *rows, int64_t count,
                         int64_t inputs, void *panel)
{
    struct grouped_format format = grouped_format(type);
    int64_t groups = grouped_count(inputs);
    int64_t scales = format.has_super ? (groups + SUPER_GROUPS - 1) / SUPER_GROUPS : groups;
    int64_t subs = format.has_halves ? 2 * groups : groups;
    memset(panel, 0, kernel_panel_bytes(type, inputs));
    for (int64_t g = 0; g < groups; g++) {
        struct group group = group_at(format, panel, g);
        int64_t scale = format.has_super ? g / SUPER_GROUPS : g;
        for (int64_t c = 0; c < count; c++) {
            group.super[c] = rows->scales[c * scales + scale];
            if (format.has_minimum)
                group.super[KERNEL_PANEL + c] = rows->minimums[c * scales + scale];
            if (format.has_halves) {
                group.sub[c] = rows->sub_scales[c * subs + 2 * g];
                group.sub[KERNEL_PANEL + c] = rows->sub_scales[c * subs + 2 * g + 1];
            } else if (format.has_super) {
                group.sub[c] = rows->sub_scales[c * subs + g];
                group.sub[KERNEL_PANEL + c] = rows->sub_minimums[c * subs + g];
            }
            put_values(format, group.integers, c, rows->values + c * inputs + g * GROUP_INPUTS,
                       kernel_smaller(GROUP_INPUTS, inputs - g * GROUP_INPUTS));
        }
    }
}

/* Integers 0 to 15 for scale * (integer - 8). */
static void round_group(const float *x, int64_t count, float scale, uint8_t *values)
{
    for (int64_t i = 0; i < count; i++) {
        long rounded = lrintf(x[i] / scale) + 8;
        values[i] = (uint8_t)(rounded < 0 ? 0 : rounded > 15 ? 15 : rounded);
    }
}

/* The value of largest magnitude becomes -8; then, the integers being chosen, the scale is the one
 * that leaves the least squared error. */
uint16_t grouped_quantise(const float *x, int64_t count, uint8_t values[GROUP_INPUTS])
{
    float extreme = 0.0F;
    memset(values, 8, GROUP_INPUTS);
    for (int64_t i = 0; i < count; i++) {
        if (!isfinite(x[i]))
            return f16_from_float(NAN);
        if (fabsf(x[i]) > fabsf(extreme))
            extreme = x[i];
    }
    float scale = float_from_f16(f16_from_float(extreme / -8.0F));
    if (scale == 0.0F || !isfinite(scale))
        return f16_from_float(scale);
    round_group(x, count, scale, values);
    double product = 0.0, square = 0.0;
    for (int64_t i = 0; i < count; i++) {
        double integer = (double)values[i] - 8.0;
        product += integer * (double)x[i];
        square += integer * integer;
    }
    return f16_from_float(square > 0.0 ? (float)(product / square) : scale);
}

void grouped_pack_floats(const float *rows, int64_t count, int64_t inputs, void *panel)
{
    struct grouped_format format = grouped_format(KERNEL_Q4_0);
    memset(panel, 0, kernel_panel_bytes(KERNEL_Q4_0, inputs));
    for (int64_t g = 0; g < grouped_count(inputs); g++) {
        struct group group = group_at(format, panel, g);
        int64_t first = g * GROUP_INPUTS;
        for (int64_t c = 0; c < count; c++) {
            uint8_t values[GROUP_INPUTS];
            int64_t width = kernel_smaller(GROUP_INPUTS, inputs - first);
            group.super[c] = grouped_quantise(rows + c * inputs + first, width, values);
            put_values(format, group.integers, c, values, GROUP_INPUTS);
        }
    }
}

void grouped_unpack_column(enum kernel_type type, const void *panel, int64_t inputs, int64_t column,
                           float *out)
{
    struct grouped_format format = grouped_format(type);
    for (int64_t k = 0; k < inputs; k++) {
        struct group group = group_at(format, panel, k / GROUP_INPUTS);
        int64_t input = k % GROUP_INPUTS;
        float scale = float_from_f16(group.super[column]);
        int64_t half = format.has_halves ? input / GROUP_HALF : 0;
        if (format.has_super)
            scale *= (float)group.sub[half * KERNEL_PANEL + column];
        out[k] = scale * (float)grouped_value(format, group.integers, input, column);
        if (format.has_minimum) {
            float minimum = float_from_f16(group.super[KERNEL_PANEL + column]);
            out[k] +=
                format.has_super ? minimum * (float)group.sub[KERNEL_PANEL + column] : minimum;
        }
    }
}

void grouped_prepare_group_c(const float *x, int64_t count, struct grouped_x *out)
{
    float largest = linear_largest_magnitude(x, count);
    float factor = linear_quantising_factor(largest);
    int32_t sums[2][2] = {{0}};
    *out = (struct grouped_x){.scale = isfinite(largest) ? largest / 127.0F : NAN};
    for (int64_t i = 0; i < count && factor > 0; i++) {
        out->values[i] = (int8_t)lrintf(x[i] * factor);
        sums[i / GROUP_HALF][i % 4 / 2] += out->values[i];
    }
    int32_t halves[2] = {sums[0][0] + sums[0][1], sums[1][0] + sums[1][1]};
    int32_t sum = halves[0] + halves[1];
    out->sum = out->scale * (float)sum;
    out->offset_8 = -8 * sum;
    out->offset_128 = -128 * sum;
    for (int half = 0; half < 2; half++) {
        out->offsets_32[half] = -32 * halves[half];
        for (int place = 0; place < 2; place++)
            out->offsets[half][place] = (int16_t)(-8 * sums[half][place]);
    }
}

void grouped_prepare_c(const float *x, int64_t x_stride, int64_t rows, int64_t inputs, void *out)
{
    size_t row_bytes = kernel_prepared_bytes(KERNEL_Q8_0, 1, inputs);
    for (int64_t r = 0; r < rows; r++, x += x_stride) {
        struct grouped_x *groups =
            (struct grouped_x *)(void *)((char *)out + (size_t)r * row_bytes);
        for (int64_t k = 0; k < inputs; k += GROUP_INPUTS)
            grouped_prepare_group_c(x + k, kernel_smaller(GROUP_INPUTS, inputs - k), groups++);
    }
}
