/* Weights in groups of 32 inputs: how the panels of the grouped types and the activations that
 * meet them lie. grouped_pack_c.c fills them; grouped_c.c, grouped_avx2.c and
 * grouped_avx512_vnni.c multiply.
 *
 * A panel is the groups of 32 outputs one after the other. A group opens with its scales, float16
 * [32], then its minimums; K types, whose float16 scales and minimums serve eight groups and open
 * those, have bytes there instead ([32] sub-scales, two of them in Q6_K, and [32] sub-minimums).
 * Then come the integers, [8 steps][32 outputs][4 inputs] of bytes; types of 4 bits have the last
 * four steps in the high halves of the first four's bytes.
 *
 * Activations are rounded to int8 by row and group. Products of a group are exact integers, whose
 * sum times both scales is added up in float32 in the order of the groups. */
#ifndef TOKENMARK_KERNELS_GROUPED_H
#define TOKENMARK_KERNELS_GROUPED_H

#include "kernels/kernels.h"
#include "kernels/linear_internal.h"

enum {
    GROUP_INPUTS = 32,
    GROUP_STEPS = 8,
    GROUP_HALF = 16,
    SUPER_GROUPS = 8,
    GROUPED_AHEAD_BYTES = 8192, /* prefetch distance in the stream of weights */
};

struct grouped_format {
    int bits;       /* of a stored integer: 4, 8 (any int8) or, in bytes below 64, 6 */
    int offset;     /* taken off it */
    bool has_super; /* scales of two levels */
    bool has_minimum;
    bool has_halves; /* sub-scales are of 16 inputs */
};

/* One group of a prepared row: a line of the cache, with all that a kernel may need. Weights are
 * stored too high by their format's offset; what takes that off again is what sums of products
 * begin with: minus the offset times the sum of the values. */
struct grouped_x {
    int8_t values[GROUP_INPUTS];
    float scale;
    float sum;             /* of the values, times the scale */
    int16_t offsets[2][2]; /* 8: [inputs 0-15, 16-31] [0, 1, 4, 5, 8, ... and 2, 3, 6, ...] */
    int32_t offset_8;      /* the same of all inputs */
    int32_t offset_128;
    int32_t offsets_32[2]; /* of the halves */
};

static inline struct grouped_format grouped_format(enum kernel_type type)
{
    switch (type) {
    case KERNEL_Q4_0:
        return (struct grouped_format){.bits = 4, .offset = 8};
    case KERNEL_Q4_1:
        return (struct grouped_format){.bits = 4, .has_minimum = true};
    case KERNEL_Q4_K:
        return (struct grouped_format){.bits = 4, .has_super = true, .has_minimum = true};
    case KERNEL_Q5_0:
        return (struct grouped_format){.bits = 6, .offset = 16};
    case KERNEL_Q5_1:
        return (struct grouped_format){.bits = 6, .has_minimum = true};
    case KERNEL_Q5_K:
        return (struct grouped_format){.bits = 6, .has_super = true, .has_minimum = true};
    case KERNEL_Q6_K:
        return (struct grouped_format){
            .bits = 6, .offset = 32, .has_super = true, .has_halves = true};
    case KERNEL_Q8_0:
    default:
        return (struct grouped_format){.bits = 8};
    }
}

static inline int64_t grouped_count(int64_t inputs)
{
    return (inputs + GROUP_INPUTS - 1) / GROUP_INPUTS;
}

/* Bytes that open eight groups of a K type. */
static inline int64_t grouped_super_bytes(struct grouped_format format)
{
    return format.has_super ? 2 * KERNEL_PANEL * (format.has_minimum ? 2 : 1) : 0;
}

/* Bytes of scales and minimums before the integers of a group. */
static inline int64_t grouped_head_bytes(struct grouped_format format)
{
    int64_t each = format.has_super ? KERNEL_PANEL : 2 * KERNEL_PANEL;
    return each * (format.has_minimum || format.has_halves ? 2 : 1);
}

static inline int64_t grouped_bytes(struct grouped_format format)
{
    return grouped_head_bytes(format) + GROUP_INPUTS * KERNEL_PANEL / (format.bits == 4 ? 2 : 1);
}

/* Where group `index` of a panel begins; of the count of groups: the panel's bytes. */
static inline int64_t grouped_offset(struct grouped_format format, int64_t index)
{
    int64_t supers = index % SUPER_GROUPS == 0 ? index / SUPER_GROUPS : index / SUPER_GROUPS + 1;
    return supers * grouped_super_bytes(format) + index * grouped_bytes(format);
}

/* The byte of the integers of a group that holds one input of one output; 4 bits: *shift says in
 * which half. */
static inline int64_t grouped_place(struct grouped_format format, int64_t input, int64_t column,
                                    int *shift)
{
    int64_t step = input / 4;
    bool high = format.bits == 4 && step >= GROUP_STEPS / 2;
    *shift = high ? 4 : 0;
    step -= high ? GROUP_STEPS / 2 : 0;
    return (step * KERNEL_PANEL + column) * 4 + input % 4;
}

/* Where the parts of a group lie. */
struct grouped_place {
    const char *scales; /* float16 [32], then minimums */
    const char *sub;
    const char *integers;
};

/* Finds group `index` of a panel, which begins at `next`, and asks for what lies ahead of it in the
 * stream; returns where the group after it begins. `place` must have come from the group before. */
static inline __attribute__((always_inline)) const char *
grouped_walk(const struct grouped_format format, int64_t index, const char *next,
             struct grouped_place *place)
{
    if (format.has_super && index % SUPER_GROUPS == 0) {
        place->scales = next;
        next += grouped_super_bytes(format);
    }
    if (!format.has_super)
        place->scales = next;
    place->sub = next;
    place->integers = next + grouped_head_bytes(format);
#pragma GCC unroll 20
    for (int64_t line = 0; line < grouped_bytes(format); line += LINEAR_LINE)
        __builtin_prefetch(next + GROUPED_AHEAD_BYTES + line, 0, 2);
    return next + grouped_bytes(format);
}

/* A stored integer less the format's offset. */
static inline int32_t grouped_value(struct grouped_format format, const uint8_t *integers,
                                    int64_t input, int64_t column)
{
    int shift = 0;
    uint8_t byte = integers[grouped_place(format, input, column, &shift)];
    int32_t value = format.bits == 8 ? (int8_t)byte : format.bits == 4 ? byte >> shift & 15 : byte;
    return value - format.offset;
}

/* grouped_pack_c.c */
void grouped_pack_floats(const float *rows, int64_t count, int64_t inputs, void *panel);
/* 4 bits for one group; its scale comes back. The integers of fewer than 32 inputs end in 8s. */
uint16_t grouped_quantise(const float *x, int64_t count, uint8_t values[GROUP_INPUTS]);
/* grouped_pack_avx2.c: the same bytes as grouped_pack_floats. */
void grouped_pack_floats_avx2(const float *rows, int64_t count, int64_t inputs, void *panel);
void grouped_unpack_column(enum kernel_type type, const void *panel, int64_t inputs, int64_t column,
                           float *out);
void grouped_prepare_c(const float *x, int64_t x_stride, int64_t rows, int64_t inputs, void *out);
/* One group of fewer inputs than 32, or of any. */
void grouped_prepare_group_c(const float *x, int64_t count, struct grouped_x *out);

/* grouped_prepare_avx2.c */
void grouped_prepare_avx2(const float *x, int64_t x_stride, int64_t rows, int64_t inputs,
                          void *out);

/* grouped_c.c: what becomes of the sums of `rows` rows from `row` on and a panel. */
struct linear_tile grouped_epilogue(const struct linear_call *call, int64_t row, int64_t rows,
                                    int64_t panel);

#endif
