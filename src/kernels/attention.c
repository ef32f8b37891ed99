/* The walk over query tiles and key blocks that all instruction sets share: which keys a row
 * sees, the state of the online softmax, the sizes. The steps are in attention_*.c. */
#include "kernels/attention.h"

#include <math.h>
#include <string.h>

#include "kernels/kernels_internal.h"

struct tile {
    int64_t row_first, row_count; /* rows of the call: position * group + head */
    int64_t rows;                 /* row_count filled up to an instance */
    float *queries;               /* [head_dim / 16][rows][16], times the scale */
    float *sums;                  /* [rows][padded_dim] */
    float *maximum, *sum;         /* [rows] */
};

struct range {
    int64_t first, end;
};

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t tile_floats(int64_t head_dim)
{
    return ATTENTION_TILE * (2 * attention_padded_dim(head_dim) + 2);
}

/* The keys that the query at `position` (counted from the call's first) sees. */
static struct range visible_keys(const struct attention_call *call, int64_t position)
{
    int64_t absolute = call->first_position + position;
    struct range keys = {0, absolute + 1};
    if (call->window > 0)
        keys.first = larger(0, absolute - call->window + 1);
    if (call->partial != NULL) {
        keys.first = larger(keys.first, call->key_first);
        keys.end = kernel_smaller(keys.end, call->key_first + call->key_count);
    }
    return keys;
}

static void tile_load_query(const struct attention_call *call, const struct tile *tile, int64_t r)
{
    int64_t row = tile->row_first + r;
    const float *query =
        call->queries + row / call->group * call->query_stride + row % call->group * call->head_dim;
    float *to = tile->queries + r * ATTENTION_LANES;
    int64_t d = 0;
    for (; d + ATTENTION_LANES <= call->head_dim; d += ATTENTION_LANES) {
        for (int64_t i = 0; i < ATTENTION_LANES; i++)
            to[d * tile->rows + i] = query[d + i] * call->scale;
    }
    for (int64_t i = 0; d + i < call->head_dim; i++)
        to[d * tile->rows + i] = query[d + i] * call->scale;
}

static void tile_start(const struct attention_call *call, struct tile *tile, float *workspace)
{
    int64_t padded_dim = attention_padded_dim(call->head_dim);
    tile->rows = attention_tile_rows(tile->row_count);
    tile->queries = workspace;
    tile->sums = tile->queries + ATTENTION_TILE * padded_dim;
    tile->maximum = tile->sums + ATTENTION_TILE * padded_dim;
    tile->sum = tile->maximum + ATTENTION_TILE;
    if (tile->rows > tile->row_count)
        memset(tile->queries, 0, (size_t)(tile->rows * padded_dim) * sizeof(float));
    memset(tile->sums, 0, (size_t)(tile->rows * padded_dim) * sizeof(float));
    for (int64_t r = 0; r < tile->row_count; r++) {
        tile_load_query(call, tile, r);
        tile->maximum[r] = attention_no_score;
        tile->sum[r] = 0;
    }
}

/* Adjusts and masks the scores of the keys [first, first + count), then exponentiates them. */
static void tile_softmax(const struct attention_steps *steps, const struct attention_call *call,
                         struct tile *tile, int64_t first, int64_t count, float *scores,
                         float *factors)
{
    const float *value_scales = NULL;
    if (call->kv_type == KERNEL_I8) {
        int64_t offset = attention_value_scale_offset(call->capacity, call->head_dim);
        value_scales = (const float *)((const char *)call->values + offset) + first;
    }
    for (int64_t r = 0; r < tile->row_count; r++) {
        float *row = scores + r * ATTENTION_BLOCK;
        int64_t position = (tile->row_first + r) / call->group;
        int64_t head = (tile->row_first + r) % call->group;
        if (call->softcap != 0 || call->alibi_slopes != NULL) {
            float slope = call->alibi_slopes != NULL ? call->alibi_slopes[head] : 0;
            float distance = (float)(first - call->first_position - position);
            steps->adjust(row, count, call->softcap, slope, distance);
        }
        struct range keys = visible_keys(call, position);
        for (int64_t k = 0; k < kernel_smaller(keys.first - first, count); k++)
            row[k] = -INFINITY;
        for (int64_t k = larger(keys.end - first, 0); k < count; k++)
            row[k] = -INFINITY;
    }
    steps->exponentiate(scores, tile->row_count, count, value_scales, tile->maximum, tile->sum,
                        factors);
}

/* The keys of one block that some row of the tile sees. */
static void tile_block(const struct attention_steps *steps, const struct attention_call *call,
                       struct tile *tile, int64_t block, float *scores)
{
    int64_t last_row = tile->row_first + tile->row_count - 1;
    struct range keys = {visible_keys(call, tile->row_first / call->group).first,
                         visible_keys(call, last_row / call->group).end};
    keys.first = larger(keys.first, block);
    keys.end = kernel_smaller(keys.end, block + ATTENTION_BLOCK);
    if (keys.first >= keys.end)
        return;
    int64_t panel = keys.first / KERNEL_PANEL;
    int64_t panel_end = (keys.end + KERNEL_PANEL - 1) / KERNEL_PANEL;
    int64_t first = panel * KERNEL_PANEL;
    float factors[ATTENTION_TILE] = {0};
    steps->score(call, tile->queries, tile->rows, panel, panel_end - panel, scores);
    tile_softmax(steps, call, tile, first, (panel_end - panel) * KERNEL_PANEL, scores, factors);
    steps->weigh(call, scores + (keys.first - first), tile->rows, keys.first, keys.end - keys.first,
                 factors, tile->sums);
}

static void tile_finish(const struct attention_call *call, const struct tile *tile)
{
    int64_t head_dim = call->head_dim;
    for (int64_t r = 0; r < tile->row_count; r++) {
        int64_t row = tile->row_first + r;
        const float *sums = tile->sums + r * attention_padded_dim(head_dim);
        if (call->partial != NULL) {
            float *partial = call->partial + row * (head_dim + 2);
            for (int64_t d = 0; d < head_dim; d++)
                partial[d] = sums[d];
            partial[head_dim] = tile->maximum[r];
            partial[head_dim + 1] = tile->sum[r];
            continue;
        }
        float *out =
            call->out + row / call->group * call->out_stride + row % call->group * head_dim;
        float factor = 1.0f / tile->sum[r];
        for (int64_t d = 0; d < head_dim; d++)
            out[d] = sums[d] * factor;
    }
}

void attention_run(const struct attention_steps *steps, const struct attention_call *call)
{
    int64_t rows = call->position_count * call->group;
    float *scores = call->workspace;
    float *state = scores + ATTENTION_TILE * ATTENTION_BLOCK;
    for (int64_t row = 0; row < rows;) {
        struct tile tiles[ATTENTION_TILES];
        int64_t count = 0, first_row = row;
        for (; count < ATTENTION_TILES && row < rows; count++) {
            struct tile *tile = &tiles[count];
            tile->row_first = row;
            tile->row_count = kernel_smaller(ATTENTION_TILE, rows - row);
            tile_start(call, tile, state + count * tile_floats(call->head_dim));
            row += tile->row_count;
        }
        int64_t first = visible_keys(call, first_row / call->group).first;
        int64_t end = visible_keys(call, (row - 1) / call->group).end;
        for (int64_t block = first / KERNEL_PANEL * KERNEL_PANEL; block < end;
             block += ATTENTION_BLOCK) {
            for (int64_t i = 0; i < count; i++)
                tile_block(steps, call, &tiles[i], block, scores);
        }
        for (int64_t i = 0; i < count; i++)
            tile_finish(call, &tiles[i]);
    }
}

size_t kernel_key_bytes(enum kernel_type type, int64_t capacity, int64_t head_dim)
{
    int64_t positions = attention_round_up(capacity, KERNEL_PANEL);
    int64_t scales = type == KERNEL_I8 ? positions * (int64_t)sizeof(float) : 0;
    return (size_t)attention_round_up(positions * head_dim * attention_element_bytes(type) + scales,
                                      64);
}

size_t kernel_value_bytes(enum kernel_type type, int64_t capacity, int64_t head_dim)
{
    return kernel_key_bytes(type, capacity, attention_padded_dim(head_dim));
}

size_t kernel_attention_workspace_floats(int64_t position_count, int64_t group, int64_t head_dim)
{
    int64_t tiles = (position_count * group + ATTENTION_TILE - 1) / ATTENTION_TILE;
    tiles = kernel_smaller(tiles, ATTENTION_TILES);
    return (size_t)(ATTENTION_TILE * ATTENTION_BLOCK + tiles * tile_floats(head_dim));
}
