/* The loop nest around the microkernels, the same for every instruction set and type. Few rows:
 * panels are one contiguous stream from memory. Many rows: a group of panels stays in the second
 * cache while rows pass over it, and (f32) steps are cut into blocks whose rows are copied
 * side by side, so that a tile's rows stay in the first cache whatever their stride is. */
#include "kernels/linear_internal.h"

#include <string.h>

#include "kernels/convert.h"
#include "kernels/kernels_internal.h"

enum {
    DIRECT_ROWS = 4,          /* up to here rows are read where they lie */
    PASS_ROWS = 30,           /* rows that pass over a panel at a time, */
    COPY_BYTES = 96 * 1024,   /* or fewer, as their copies take at most this, */
    TILE_BYTES = 176 * 1024,  /* those of a single tile this: six int8 rows of 14336 inputs */
    GROUP_BYTES = 768 * 1024, /* weights that stay in the second cache */
    AHEAD_BYTES = 8192,       /* prefetch distance in a stream */
};

/* A call with its geometry worked out. */
struct plan {
    const struct linear_tile_set *set;
    const struct linear_call *call;
    const char *x;
    int64_t x_stride; /* bytes */
    int64_t steps;
    int64_t step_bytes;   /* of weights */
    int64_t step_x_bytes; /* of rows in place */
    int64_t panel_bytes;
    int64_t ahead_end; /* panels that may be fetched ahead */
    int64_t blocks;
    int64_t copy_stride; /* bytes of a copied row, an odd number of lines; 0: not copied */
    int64_t pass_rows;   /* rows that pass over a panel at a time */
};

/* Whole tiles of rows where their copies fit. Where rows in place have lower tiles, many very long
 * rows are copied too: for one tile, as long as it is higher than theirs. */
static void choose_copies(struct plan *plan, int64_t row_count)
{
    const struct linear_tile_set *set = plan->set;
    int64_t steps = (plan->steps + plan->blocks - 1) / plan->blocks;
    int64_t bytes = steps * set->copy_step_bytes + linear_row_header(plan->call->type);
    int64_t stride = ((bytes + LINEAR_LINE - 1) / LINEAR_LINE | 1) * LINEAR_LINE;
    int64_t rows = COPY_BYTES / stride / set->rows_max * set->rows_max;
    if (rows == 0 && set->in_place != NULL && row_count > PASS_ROWS) {
        rows = kernel_smaller(TILE_BYTES / stride, set->rows_max);
        rows = rows > set->in_place->rows_max ? rows : 0;
    }
    if (rows == 0)
        return;
    plan->copy_stride = stride;
    plan->pass_rows = kernel_smaller(rows, plan->pass_rows);
}

static struct plan plan_make(const struct linear_tile_set *set, const struct linear_call *call,
                             int64_t row_count, int64_t panel_end)
{
    struct plan plan = {.set = set, .call = call, .blocks = 1};
    plan.ahead_end = call->ahead_end > panel_end ? call->ahead_end : panel_end;
    plan.x = (const char *)call->x + linear_row_header(call->type);
    plan.x_stride = call->type == KERNEL_F32
                        ? call->x_stride * (int64_t)sizeof(float)
                        : (int64_t)kernel_prepared_bytes(call->type, 1, call->inputs);
    plan.steps = linear_steps(call->type, call->inputs);
    plan.step_x_bytes = linear_step_x_bytes(call->type);
    plan.step_bytes = linear_step_bytes(call->type);
    plan.panel_bytes = (int64_t)kernel_panel_bytes(call->type, call->inputs);
    /* Partial sums wait in y, which must then not hold a residual that is needed only after the
     * activation. */
    bool residual_in_y = call->residual == call->y && call->activation != KERNEL_IDENTITY;
    bool many = row_count > DIRECT_ROWS;
    if (set->block_steps > 0 && many && !residual_in_y)
        plan.blocks = (plan.steps + set->block_steps - 1) / set->block_steps;
    plan.pass_rows = PASS_ROWS / set->rows_max * set->rows_max;
    if (set->copy_row != NULL && many)
        choose_copies(&plan, row_count);
    if (plan.copy_stride > 0)
        return plan;
    plan.blocks = 1; /* rows in place go through all steps at once */
    if (set->in_place != NULL)
        plan.set = set->in_place;
    return plan;
}

/* The epilogue of block `block`: only the last one activates, and a sum that needs no activation
 * takes bias and residual at once, so that the residual may be y. */
static void set_epilogue(struct linear_tile *tile, const struct plan *plan, int64_t block,
                         int64_t row, int64_t column)
{
    const struct linear_call *call = plan->call;
    bool last = block == plan->blocks - 1;
    const float *residual =
        call->residual == NULL ? NULL : call->residual + row * call->residual_stride + column;
    tile->y = call->y + row * call->y_stride + column;
    tile->y_stride = call->y_stride;
    tile->bias = block == 0 && call->bias != NULL ? call->bias + column : NULL;
    tile->before = NULL;
    tile->activation = KERNEL_IDENTITY;
    if (call->activation == KERNEL_IDENTITY) {
        tile->scale = call->scale;
        tile->residual = block == 0 ? residual : tile->y;
        tile->residual_stride = block == 0 ? call->residual_stride : call->y_stride;
        return;
    }
    tile->before = block == 0 ? NULL : tile->y;
    tile->scale = last ? call->scale : 1.0F;
    tile->residual = last ? residual : NULL;
    tile->residual_stride = call->residual_stride;
    if (last)
        tile->activation = call->activation;
}

/* One tile reads ahead in its stream. Of several tiles over the same weights each fetches a share
 * of the next panel, so that memory is as busy as it can be all the time. */
static void set_ahead(struct linear_tile *tile, const struct plan *plan, int64_t index,
                      int64_t count, int64_t panel)
{
    tile->ahead = tile->weight + AHEAD_BYTES;
    tile->ahead_step = plan->step_bytes;
    if (count == 1 || panel + 1 >= plan->ahead_end)
        return;
    tile->ahead_step = plan->step_bytes / count;
    tile->ahead = tile->weight + plan->panel_bytes + index * tile->steps * tile->ahead_step;
}

/* Asks early for what the epilogue will read and write: rows of y are far apart in memory. */
static void fetch_results(const struct linear_tile *tile)
{
    for (int64_t r = 0; r < tile->rows; r++) {
        const float *y = tile->y + r * tile->y_stride;
        __builtin_prefetch(y, 1);
        __builtin_prefetch(y + LINEAR_LINE / sizeof(float), 1);
        if (tile->residual == NULL || tile->residual == tile->y)
            continue;
        const float *residual = tile->residual + r * tile->residual_stride;
        __builtin_prefetch(residual);
        __builtin_prefetch(residual + LINEAR_LINE / sizeof(float));
    }
}

/* Rows [row, row + count) times one panel over one block of steps, in tiles of even height. */
static void run_rows(const struct plan *plan, const char *x, int64_t x_stride, int64_t row,
                     int64_t count, int64_t panel, int64_t block)
{
    const struct linear_call *call = plan->call;
    int64_t step_first = plan->steps * block / plan->blocks;
    int64_t step_end = plan->steps * (block + 1) / plan->blocks;
    const char *panel_start = (const char *)call->weight + panel * plan->panel_bytes;
    int64_t left = call->outputs - panel * KERNEL_PANEL;
    struct linear_tile tile = {
        .weight = panel_start + step_first * plan->step_bytes,
        .steps = step_end - step_first,
        .columns = left < KERNEL_PANEL ? left : KERNEL_PANEL,
        .x_stride = x_stride,
    };
    if (call->type == KERNEL_I8) {
        tile.panel_scales = linear_panel_scales(panel_start, call->inputs);
        tile.panel_corrections = linear_panel_corrections(panel_start, call->inputs);
    }
    const struct linear_tile_set *set = plan->set;
    int64_t rows_max =
        count <= DIRECT_ROWS && set->rows_stream > 0 ? set->rows_stream : set->rows_max;
    int64_t tiles = (count + rows_max - 1) / rows_max;
    for (int64_t i = 0; i < tiles; i++) {
        int64_t first = count * i / tiles;
        tile.rows = count * (i + 1) / tiles - first;
        tile.x = x + first * x_stride;
        set_ahead(&tile, plan, i, tiles, panel);
        set_epilogue(&tile, plan, block, row + first, panel * KERNEL_PANEL);
        if (tiles > 1)
            fetch_results(&tile);
        set->functions[tile.rows - 1](&tile);
    }
}

/* Rows are read where they lie, all steps at once. */
static void run_direct(const struct plan *plan, int64_t row, int64_t count, int64_t panel_first,
                       int64_t panel_end)
{
    for (int64_t panel = panel_first; panel < panel_end; panel++)
        run_rows(plan, plan->x + row * plan->x_stride, plan->x_stride, row, count, panel, 0);
}

void linear_copy_floats(const char *from, int64_t steps, char *to)
{
    memcpy(to, from, (size_t)steps * sizeof(float));
}

/* Values that are bfloat16 already lose nothing by it. */
void linear_copy_pairs(const char *from, int64_t steps, char *to)
{
    const float *values = (const float *)(const void *)from;
    uint16_t *pairs = (uint16_t *)(void *)to;
    for (int64_t i = 0; i < 2 * steps; i++)
        pairs[i] = (uint16_t)(float_bits(values[i]) >> 16);
}

static void run_copied(const struct plan *plan, int64_t row, int64_t count, int64_t panel_first,
                       int64_t panel_end, int64_t block)
{
    _Alignas(LINEAR_LINE) char copy[TILE_BYTES];
    int64_t header = linear_row_header(plan->call->type);
    int64_t step_first = plan->steps * block / plan->blocks;
    int64_t step_end = plan->steps * (block + 1) / plan->blocks;
    for (int64_t r = 0; r < count; r++) {
        const char *from = plan->x + (row + r) * plan->x_stride;
        char *to = copy + r * plan->copy_stride;
        memcpy(to, from - header, (size_t)header);
        plan->set->copy_row(from + step_first * plan->step_x_bytes, step_end - step_first,
                            to + header);
    }
    for (int64_t panel = panel_first; panel < panel_end; panel++)
        run_rows(plan, copy + header, plan->copy_stride, row, count, panel, block);
}

void linear_run_tiles(const struct linear_tile_set *set, const struct linear_call *call,
                      int64_t row_first, int64_t row_count, int64_t panel_first,
                      int64_t panel_count)
{
    int64_t panel_end = panel_first + panel_count;
    int64_t row_end = row_first + row_count;
    struct plan plan = plan_make(set, call, row_count, panel_end);
    int64_t block_bytes = plan.panel_bytes / plan.blocks;
    int64_t group = row_count <= plan.pass_rows ? panel_count : GROUP_BYTES / (block_bytes + 1) + 1;
    for (int64_t panel = panel_first; panel < panel_end; panel += group) {
        int64_t group_end = kernel_smaller(panel + group, panel_end);
        for (int64_t block = 0; block < plan.blocks; block++)
            for (int64_t row = row_first; row < row_end; row += plan.pass_rows) {
                int64_t count = kernel_smaller(plan.pass_rows, row_end - row);
                if (plan.copy_stride > 0)
                    run_copied(&plan, row, count, panel, group_end, block);
                else
                    run_direct(&plan, row, count, panel, group_end);
            }
    }
}
