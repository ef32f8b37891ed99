/* What the files of the linear kernels share: how packed weights and prepared activations lie,
 * and the loop over tiles (linear_tiles.c) that runs an instruction set's microkernels.
 *
 * A step is the inputs that one 32-bit lane multiplies: 1 (f32, f16), 2 (bf16) or 4 (i8).
 * A panel is [steps][32] lanes (f16: half lanes); i8 appends 32 float scales and 32 int32
 * corrections 128 * sum(w). Prepared f16 and bf16 rows are float32 that were rounded to the type;
 * i8 rows open with a line that holds the row's scale and store q + 128 as unsigned bytes, which
 * is what vpdpbusd multiplies. */
#ifndef TOKENMARK_KERNELS_LINEAR_INTERNAL_H
#define TOKENMARK_KERNELS_LINEAR_INTERNAL_H

#include "kernels/kernels.h"

enum {
    LINEAR_LINE = 64,
    LINEAR_TILE_ROWS_MAX = 14,
    LINEAR_DIRECT_ROWS = 4, /* up to here rows are read where they lie */
    LINEAR_TILE_BASES = 5,  /* pointers into x, for three rows each: one a row would spill */
};

static inline int64_t linear_step_inputs(enum kernel_type type)
{
    return type == KERNEL_I8 ? 4 : type == KERNEL_BF16 ? 2 : 1;
}

static inline int64_t linear_steps(enum kernel_type type, int64_t inputs)
{
    int64_t each = linear_step_inputs(type);
    return (inputs + each - 1) / each;
}

/* Bytes of one step of a panel. */
static inline int64_t linear_step_bytes(enum kernel_type type)
{
    return type == KERNEL_F16 ? 2 * KERNEL_PANEL : 4 * KERNEL_PANEL;
}

/* Bytes of activations that meet one step. */
static inline int64_t linear_step_x_bytes(enum kernel_type type)
{
    return type == KERNEL_BF16 ? 2 * (int64_t)sizeof(float) : (int64_t)sizeof(float);
}

/* Bytes before the first word of a prepared row. */
static inline int64_t linear_row_header(enum kernel_type type)
{
    return type == KERNEL_I8 ? LINEAR_LINE : 0;
}

/* The scales and corrections at the end of an i8 panel. */
static inline const float *linear_panel_scales(const void *panel, int64_t inputs)
{
    return (const float *)((const char *)panel +
                           linear_steps(KERNEL_I8, inputs) * linear_step_bytes(KERNEL_I8));
}

static inline const int32_t *linear_panel_corrections(const void *panel, int64_t inputs)
{
    return (const int32_t *)(linear_panel_scales(panel, inputs) + KERNEL_PANEL);
}

/* One call of a microkernel: some rows times one panel over some steps.
 * v = x w + bias + before; y = act(v) * scale + residual, for the first `columns`. */
struct linear_tile {
    const char *x;        /* first word */
    int64_t x_stride;     /* bytes between rows that are not interleaved */
    int64_t scale_stride; /* i8: bytes between the rows' scales, the first a line before x */
    const char *weight;
    const char *ahead;  /* what is prefetched meanwhile: ahead and half a step further on, */
    int64_t ahead_step; /* then this many bytes on for every step */
    int64_t steps;
    int64_t rows;    /* of which each function but C's serves one number */
    int64_t columns; /* 1..32 */
    float *y;
    int64_t y_stride;
    const float *bias;   /* [columns] or NULL */
    const float *before; /* laid out as y, or NULL: partial sums of earlier steps */
    const float *residual;
    int64_t residual_stride;
    enum kernel_activation activation;
    float scale;
    const float *panel_scales; /* i8 only, with the corrections */
    const int32_t *panel_corrections;
};

/* i8: the scale of a row of the tile, from the line before its first word. */
static inline float linear_row_scale(const struct linear_tile *tile, int64_t row)
{
    return *(const float *)(const void *)(tile->x + row * tile->scale_stride - LINEAR_LINE);
}

typedef void linear_tile_function(const struct linear_tile *tile);

/* An instruction set's microkernels for one type, by rows - 1, and how to drive them. */
struct linear_tile_set {
    int64_t rows_max;    /* of one tile */
    int64_t rows_stream; /* of one tile where the weights stream from memory; 0: rows_max */
    int64_t block_steps; /* many rows: steps are cut into blocks of this many; 0: never */
    /* Many rows are copied in a form that suits the tiles: side by side, to_stride bytes apart, or
     * interleaved, the rows' words of one step after the other. NULL: never. */
    void (*copy_rows)(const char *from, int64_t from_stride, int64_t rows, int64_t steps, char *to,
                      int64_t to_stride);
    bool interleaved;        /* then tiles of up to LINEAR_DIRECT_ROWS rows take them as they lie */
    int64_t copy_step_bytes; /* of one row */
    linear_tile_function *functions[LINEAR_TILE_ROWS_MAX];
    const struct linear_tile_set *in_place; /* for rows that are not copied; NULL: this one */
};

/* Rows side by side: as they are (f32), as bfloat16 (bf16). */
void linear_copy_floats(const char *from, int64_t from_stride, int64_t rows, int64_t steps,
                        char *to, int64_t to_stride);
void linear_copy_pairs(const char *from, int64_t from_stride, int64_t rows, int64_t steps, char *to,
                       int64_t to_stride);

/* The epilogue of one row of a tile in plain C: sums [32] to y. */
void linear_store_row_c(const struct linear_tile *tile, int64_t row, const float *sums);

/* Runs a call's rows and panels by tiles of `set`. */
void linear_run_tiles(const struct linear_tile_set *set, const struct linear_call *call,
                      int64_t row_first, int64_t row_count, int64_t panel_first,
                      int64_t panel_count);

#endif
