/* The loop nest around the microkernels, the same for every instruction set and type. Few rows:
 * panels are one contiguous stream from memory. Many rows: a group of panels stays in the second
 * cache while tiles of rows pass over it; rows are copied as the tiles want them, side by side or
 * interleaved, and steps cut into blocks, so that a tile's rows stay in the near caches whatever
 * their stride is. */
#include "kernels/linear_internal.h"

#include <string.h>

#include "kernels/convert.h"
#include "kernels/kernels_internal.h"

enum {
    PASS_ROWS = 30,                 /* rows that pass over a panel at a time */
    COPY_BYTES = 96 * 1024,         /* rows that are copied at a time, */
    INTERLEAVED_BYTES = 256 * 1024, /* rows whose copying costs more */
    TILE_BYTES = 176 * 1024,        /* those of a single tile: six int8 rows of 14336 inputs */
    GROUP_BYTES = 768 * 1024,       /* weights that stay in the second cache */
    AHEAD_BYTES = 8192,             /* prefetch distance in a stream */
};

/* A call with its geometry worked out. */
struct plan {
    const struct linear_tile_set *set;
    const struct linear_call *call;
    const char *x;    /* first word of the first row */
    int64_t x_stride; /* bytes */
    int64_t row_first;
    int64_t row_count;
    int64_t steps;
    int64_t step_bytes;   /* of weights */
    int64_t step_x_bytes; /* of rows in place */
    int64_t panel_bytes;
    int64_t panel_first;
    int64_t panel_end;
    int64_t ahead_end; /* panels that may be fetched ahead */
    int64_t blocks;
    int64_t copy_stride; /* bytes of a copied row, an odd number of lines; 0: not copied */
    int64_t tiles;       /* of even height, in which the rows are cut */
    int64_t copy_tiles;  /* tiles that are copied at a time */
    int64_t pass_tiles;  /* tiles that pass over a panel at a time */
};

/* How many rows are copied at a time, in whole tiles; 0: none. Where rows in
 * place have lower tiles, many very long rows are copied too: for one tile, as long as it is
 * higher than theirs. */
static int64_t choose_copies(struct plan *plan)
{
    const struct linear_tile_set *set = plan->set;
    int64_t steps = (plan->steps + plan->blocks - 1) / plan->blocks;
    int64_t bytes = steps * set->copy_step_bytes + linear_row_header(plan->call->type);
    int64_t stride = ((bytes + LINEAR_LINE - 1) / LINEAR_LINE | 1) * LINEAR_LINE;
    int64_t most = set->interleaved ? INTERLEAVED_BYTES : COPY_BYTES;
    int64_t rows = most / stride / set->rows_max * set->rows_max;
    if (rows == 0 && plan->row_count > PASS_ROWS) {
        int64_t in_place_rows = set->in_place != NULL ? set->in_place->rows_max : set->rows_max;
        if (set->interleaved) /* a tile of even height may have a row less */
            in_place_rows = LINEAR_DIRECT_ROWS + 1;
        rows = kernel_smaller(TILE_BYTES / stride, set->rows_max);
        rows = rows > in_place_rows ? rows : 0;
    }
    plan->copy_stride = rows > 0 ? stride : 0;
    return rows;
}

static struct plan plan_make(const struct linear_tile_set *set, const struct linear_call *call,
                             int64_t row_first, int64_t row_count, int64_t panel_first,
                             int64_t panel_end)
{
    struct plan plan = {.set = set,
                        .call = call,
                        .row_first = row_first,
                        .row_count = row_count,
                        .panel_first = panel_first,
                        .panel_end = panel_end,
                        .blocks = 1};
    plan.ahead_end = call->ahead_end > panel_end ? call->ahead_end : panel_end;
    plan.x_stride = call->type == KERNEL_F32
                        ? call->x_stride * (int64_t)sizeof(float)
                        : (int64_t)kernel_prepared_bytes(call->type, 1, call->inputs);
    plan.x = (const char *)call->x + linear_row_header(call->type) + row_first * plan.x_stride;
    plan.steps = linear_steps(call->type, call->inputs);
    plan.step_x_bytes = linear_step_x_bytes(call->type);
    plan.step_bytes = linear_step_bytes(call->type);
    plan.panel_bytes = (int64_t)kernel_panel_bytes(call->type, call->inputs);
    /* Partial sums wait in y, which must then not hold a residual that is needed only after the
     * activation. */
    bool residual_in_y = call->residual == call->y && call->activation != KERNEL_IDENTITY;
    bool many = row_count > LINEAR_DIRECT_ROWS;
    if (set->block_steps > 0 && many && !residual_in_y)
        plan.blocks = (plan.steps + set->block_steps - 1) / set->block_steps;
    int64_t copied_rows = set->copy_rows != NULL && many ? choose_copies(&plan) : 0;
    int64_t tile_rows = kernel_smaller(set->rows_max, copied_rows);
    if (copied_rows == 0) {
        plan.blocks = 1; /* rows in place go through all steps at once */
        plan.set = set->in_place != NULL ? set->in_place : set;
        tile_rows = plan.set->interleaved ? LINEAR_DIRECT_ROWS : plan.set->rows_max;
        if (!many && plan.set->rows_stream > 0)
            tile_rows = plan.set->rows_stream;
    }
    plan.tiles = (row_count + tile_rows - 1) / tile_rows;
    plan.pass_tiles = PASS_ROWS / tile_rows;
    plan.copy_tiles = copied_rows > 0 ? copied_rows / tile_rows : plan.tiles;
    return plan;
}

/* The first row of a tile, counted from the call's first. */
static int64_t tile_row(const struct plan *plan, int64_t tile)
{
    return plan->row_count * tile / plan->tiles;
}

static int64_t block_step(const struct plan *plan, int64_t block)
{
    return plan->steps * block / plan->blocks;
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

/* The weights that are multiplied after a panel's block: those of the next panel, after the last
 * one the first panel's next block, in the end what follows the call; NULL: nobody knows. */
static const char *find_next(const struct plan *plan, int64_t panel, int64_t block)
{
    int64_t next = panel + 1;
    if (next >= plan->panel_end) {
        block++;
        next = plan->panel_first;
    }
    if (block >= plan->blocks) {
        block = 0;
        next = plan->panel_end;
        if (next >= plan->ahead_end)
            return NULL;
    }
    return (const char *)plan->call->weight + next * plan->panel_bytes +
           block_step(plan, block) * plan->step_bytes;
}

/* One tile reads ahead in its stream. Of several tiles over the same weights each fetches a share
 * of the next ones, so that memory is as busy as it can be all the time. */
static void set_ahead(struct linear_tile *tile, const struct plan *plan, int64_t index,
                      int64_t count, const char *next)
{
    tile->ahead = tile->weight + AHEAD_BYTES;
    tile->ahead_step = plan->step_bytes;
    if (count == 1 || next == NULL)
        return;
    tile->ahead_step = plan->step_bytes / count;
    tile->ahead = next + index * tile->steps * tile->ahead_step;
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

/* Tiles [tile_first, tile_end) times one panel over one block of steps; `copy` holds their rows,
 * NULL: they are read where they lie. */
static void run_panel(const struct plan *plan, const char *copy, int64_t tile_first,
                      int64_t tile_end, int64_t panel, int64_t block)
{
    const struct linear_call *call = plan->call;
    const char *panel_start = (const char *)call->weight + panel * plan->panel_bytes;
    int64_t step_first = block_step(plan, block);
    int64_t left = call->outputs - panel * KERNEL_PANEL;
    struct linear_tile tile = {
        .weight = panel_start + step_first * plan->step_bytes,
        .steps = block_step(plan, block + 1) - step_first,
        .columns = left < KERNEL_PANEL ? left : KERNEL_PANEL,
        .x_stride = copy != NULL ? plan->copy_stride : plan->x_stride,
    };
    tile.scale_stride = tile.x_stride;
    if (copy != NULL && plan->set->interleaved)
        tile.scale_stride = sizeof(float);
    if (call->type == KERNEL_I8) {
        tile.panel_scales = linear_panel_scales(panel_start, call->inputs);
        tile.panel_corrections = linear_panel_corrections(panel_start, call->inputs);
    }
    int64_t count = tile_end - tile_first;
    const char *next = find_next(plan, panel, block);
    int64_t base = copy != NULL ? tile_row(plan, tile_first) : 0;
    for (int64_t i = 0; i < count; i++) {
        int64_t row = tile_row(plan, tile_first + i);
        tile.rows = tile_row(plan, tile_first + i + 1) - row;
        tile.x = (copy != NULL ? copy : plan->x) + (row - base) * tile.x_stride;
        set_ahead(&tile, plan, i, count, next);
        set_epilogue(&tile, plan, block, plan->row_first + row, panel * KERNEL_PANEL);
        if (count > 1)
            fetch_results(&tile);
        plan->set->functions[tile.rows - 1](&tile);
    }
}

void linear_copy_floats(const char *from, int64_t from_stride, int64_t rows, int64_t steps,
                        char *to, int64_t to_stride)
{
    for (int64_t r = 0; r < rows; r++)
        memcpy(to + r * to_stride, from + r * from_stride, (size_t)steps * sizeof(float));
}

/* Values that are bfloat16 already lose nothing by it. */
void linear_copy_pairs(const char *from, int64_t from_stride, int64_t rows, int64_t steps, char *to,
                       int64_t to_stride)
{
    for (int64_t r = 0; r < rows; r++) {
        const float *values = (const float *)(const void *)(from + r * from_stride);
        uint16_t *pairs = (uint16_t *)(void *)(to + r * to_stride);
        for (int64_t i = 0; i < 2 * steps; i++)
            pairs[i] = (uint16_t)(float_bits(values[i]) >> 16);
    }
}

/* A tile's rows over one block of steps, with what stands before their first words. */
static void copy_tile(const struct plan *plan, int64_t row, int64_t rows, int64_t block, char *to)
{
    int64_t header = linear_row_header(plan->call->type);
    const char *from = plan->x + row * plan->x_stride;
    int64_t header_stride = plan->set->interleaved ? (int64_t)sizeof(float) : plan->copy_stride;
    for (int64_t r = 0; header > 0 && r < rows; r++)
        memcpy(to + r * header_stride - header, from + r * plan->x_stride - header, sizeof(float));
    int64_t first = block_step(plan, block);
    plan->set->copy_rows(from + first * plan->step_x_bytes, plan->x_stride, rows,
                         block_step(plan, block + 1) - first, to, plan->copy_stride);
}

/* Panels that stay in the second cache while `tiles` pass over them. */
static int64_t group_panels(const struct plan *plan, int64_t tiles, int64_t panels)
{
    if (tiles <= plan->pass_tiles)
        return panels;
    return kernel_smaller(panels, GROUP_BYTES / (plan->panel_bytes / plan->blocks + 1) + 1);
}

/* Some tiles times some panels over one block of steps. A group of panels stays in the second
 * cache while the tiles pass over it. */
static void run_block(const struct plan *plan, int64_t tile_first, int64_t tile_end,
                      int64_t panel_first, int64_t panel_end, int64_t block)
{
    /* Interleaved copies may write a line too much. */
    _Alignas(LINEAR_LINE) char memory[INTERLEAVED_BYTES + LINEAR_LINE];
    char *copy = plan->copy_stride > 0 ? memory + linear_row_header(plan->call->type) : NULL;
    int64_t base = tile_row(plan, tile_first);
    for (int64_t tile = tile_first; copy != NULL && tile < tile_end; tile++) {
        int64_t row = tile_row(plan, tile);
        copy_tile(plan, row, tile_row(plan, tile + 1) - row, block,
                  copy + (row - base) * plan->copy_stride);
    }
    int64_t group = group_panels(plan, tile_end - tile_first, panel_end - panel_first);
    for (int64_t panel = panel_first; panel < panel_end; panel += group) {
        int64_t group_end = kernel_smaller(panel + group, panel_end);
        for (int64_t tile = tile_first; tile < tile_end; tile += plan->pass_tiles) {
            int64_t pass_end = kernel_smaller(tile + plan->pass_tiles, tile_end);
            int64_t rows = tile_row(plan, tile) - base;
            const char *pass_copy = copy == NULL ? NULL : copy + rows * plan->copy_stride;
            for (int64_t one = panel; one < group_end; one++)
                run_panel(plan, pass_copy, tile, pass_end, one, block);
        }
    }
}

void linear_run_tiles(const struct linear_tile_set *set, const struct linear_call *call,
                      int64_t row_first, int64_t row_count, int64_t panel_first,
                      int64_t panel_count)
{
    int64_t panel_end = panel_first + panel_count;
    struct plan plan = plan_make(set, call, row_first, row_count, panel_first, panel_end);
    /* Rows whose copying costs much meet all panels at once. */
    int64_t group =
        plan.set->interleaved ? panel_count : group_panels(&plan, plan.tiles, panel_count);
    for (int64_t panel = panel_first; panel < panel_end; panel += group) {
        int64_t group_end = kernel_smaller(panel + group, panel_end);
        for (int64_t block = 0; block < plan.blocks; block++)
            for (int64_t tile = 0; tile < plan.tiles; tile += plan.copy_tiles) {
                int64_t tile_end = kernel_smaller(tile + plan.copy_tiles, plan.tiles);
                run_block(&plan, tile, tile_end, panel, group_end, block);
            }
    }
}
