/* The steps of attention with NEON: a tile's rows in groups of up to six, by sixteen keys of a
 * panel or sixteen columns of the values, are 24 sums in registers. Up to four rows take more at
 * once and ask for the cache lines ahead: they run at the speed of memory. */
#include "kernels/kernels_internal.h"

#if defined(__aarch64__)
#include "kernels/attention.h"
#include "kernels/math_c.h"
#include "kernels/math_neon.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* How far ahead of the reads, for up to this many rows. */
enum { AHEAD_BYTES = 8192, AHEAD_ROWS = 4 };
/* Rows of a group, and vectors of four that they take at most. */
enum { GROUP = 6, WIDEST = 16 };

/* Eight elements of any type as floats. */
ALWAYS_INLINE void load_eight(enum kernel_type type, const void *data, int64_t index,
                              float32x4_t *to)
{
    if (type == KERNEL_F32) {
        to[0] = vld1q_f32((const float *)data + index);
        to[1] = vld1q_f32((const float *)data + index + 4);
    } else if (type == KERNEL_F16) {
        float16x8_t halves = vreinterpretq_f16_u16(vld1q_u16((const uint16_t *)data + index));
        to[0] = vcvt_f32_f16(vget_low_f16(halves));
        to[1] = vcvt_high_f32_f16(halves);
    } else if (type == KERNEL_BF16) {
        uint16x8_t halves = vld1q_u16((const uint16_t *)data + index);
        to[0] = vreinterpretq_f32_u32(vshll_n_u16(vget_low_u16(halves), 16));
        to[1] = vreinterpretq_f32_u32(vshll_high_n_u16(halves, 16));
    } else {
        int16x8_t words = vmovl_s8(vld1_s8((const int8_t *)data + index));
        to[0] = vcvtq_f32_s32(vmovl_s16(vget_low_s16(words)));
        to[1] = vcvtq_f32_s32(vmovl_high_s16(words));
    }
}

/* Asks for the lines that hold `count` elements from `index` on. */
ALWAYS_INLINE void prefetch(enum kernel_type type, const void *data, int64_t index, int64_t count)
{
    int64_t bytes = attention_element_bytes(type);
    const char *first = (const char *)data + index * bytes + AHEAD_BYTES;
    for (int64_t offset = 0; offset < count * bytes; offset += 64)
        __builtin_prefetch(first + offset, 0, 2);
}

/* What the scores of one panel need, besides their constants. */
struct panel {
    const void *keys;
    const float *scales; /* int8 only */
    const float *queries;
    int64_t head_dim;
    int64_t tile_rows;
    float *scores;
};

/* Rows [row, row + rows) by 4 * vectors keys from `key` on. */
ALWAYS_INLINE void score_part(enum kernel_type type, int64_t rows, int64_t vectors,
                              const struct panel *panel, int64_t row, int64_t key)
{
    float32x4_t sums[GROUP][8];
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t v = 0; v < vectors; v++)
            sums[r][v] = vdupq_n_f32(0);
    }
    int64_t head_dim = panel->head_dim;
    for (int64_t first = 0; first < head_dim; first += ATTENTION_LANES) {
        int64_t end = head_dim - first < ATTENTION_LANES ? head_dim : first + ATTENTION_LANES;
        const float *query = panel->queries + first * panel->tile_rows + row * ATTENTION_LANES;
        for (int64_t d = first; d < end; d++, query++) {
            float32x4_t keys[8];
            for (int64_t v = 0; v < vectors; v += 2)
                load_eight(type, panel->keys, d * KERNEL_PANEL + key + 4 * v, keys + v);
            if (rows <= AHEAD_ROWS)
                prefetch(type, panel->keys, d * KERNEL_PANEL + key, 4 * vectors);
            for (int64_t r = 0; r < rows; r++) {
                float32x4_t factor = vld1q_dup_f32(query + r * ATTENTION_LANES);
                for (int64_t v = 0; v < vectors; v++)
                    sums[r][v] = vfmaq_f32(sums[r][v], factor, keys[v]);
            }
        }
    }
    const float32x4_t limit = vdupq_n_f32(attention_score_limit);
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t v = 0; v < vectors; v++) {
            float32x4_t score = sums[r][v];
            if (type == KERNEL_I8)
                score = vmulq_f32(score, vld1q_f32(panel->scales + key + 4 * v));
            score = vmaxq_f32(vnegq_f32(limit), vminq_f32(limit, score));
            vst1q_f32(panel->scores + (row + r) * ATTENTION_BLOCK + key + 4 * v, score);
        }
    }
}

ALWAYS_INLINE void score_panel(enum kernel_type type, const struct panel *panel)
{
    if (panel->tile_rows == 1) {
        score_part(type, 1, 8, panel, 0, 0);
    } else if (panel->tile_rows <= 4) {
        for (int64_t row = 0; row < panel->tile_rows; row += 2)
            score_part(type, 2, 8, panel, row, 0);
    } else if (panel->tile_rows == ATTENTION_TILE) {
        for (int64_t key = 0; key < KERNEL_PANEL; key += 16) {
            for (int64_t row = 0; row < ATTENTION_TILE; row += GROUP)
                score_part(type, GROUP, 4, panel, row, key);
        }
    } else {
        for (int64_t key = 0; key < KERNEL_PANEL; key += 16) {
            for (int64_t row = 0; row < panel->tile_rows; row += 4)
                score_part(type, 4, 4, panel, row, key);
        }
    }
}

ALWAYS_INLINE void score_type(enum kernel_type type, const struct attention_call *call,
                              const float *queries, int64_t rows, int64_t panel_first,
                              int64_t panel_count, float *scores)
{
    int64_t panel_bytes = KERNEL_PANEL * call->head_dim * attention_element_bytes(type);
    const char *keys = (const char *)call->keys + panel_first * panel_bytes;
    struct panel panel = {keys, NULL, queries, call->head_dim, rows, scores};
    if (type == KERNEL_I8) {
        int64_t offset = attention_key_scale_offset(call->capacity, call->head_dim);
        panel.scales =
            (const float *)((const char *)call->keys + offset) + panel_first * KERNEL_PANEL;
    }
    for (int64_t i = 0; i < panel_count; i++) {
        score_panel(type, &panel);
        panel.keys = (const char *)panel.keys + panel_bytes;
        panel.scores += KERNEL_PANEL;
        if (type == KERNEL_I8)
            panel.scales += KERNEL_PANEL;
    }
}

static void score(const struct attention_call *call, const float *queries, int64_t rows,
                  int64_t panel_first, int64_t panel_count, float *scores)
{
    switch (call->kv_type) {
    case KERNEL_F16:
        score_type(KERNEL_F16, call, queries, rows, panel_first, panel_count, scores);
        break;
    case KERNEL_BF16:
        score_type(KERNEL_BF16, call, queries, rows, panel_first, panel_count, scores);
        break;
    case KERNEL_I8:
        score_type(KERNEL_I8, call, queries, rows, panel_first, panel_count, scores);
        break;
    default:
        score_type(KERNEL_F32, call, queries, rows, panel_first, panel_count, scores);
    }
}

static void adjust(float *scores, int64_t count, float softcap, float slope, float distance)
{
    static const float places[4] = {0, 1, 2, 3};
    float32x4_t away = vaddq_f32(vld1q_f32(places), vdupq_n_f32(distance));
    for (int64_t k = 0; k < count; k += 4) {
        float32x4_t score = vld1q_f32(scores + k);
        if (softcap != 0) {
            score = math_tanh_neon(vdivq_f32(score, vdupq_n_f32(softcap)));
            score = vmulq_n_f32(score, softcap);
        }
        vst1q_f32(scores + k, vfmaq_n_f32(score, away, slope));
        away = vaddq_f32(away, vdupq_n_f32(4));
    }
}

/* `count` is a multiple of a panel's positions. */
static float largest_score(const float *scores, int64_t count)
{
    float32x4_t low = vld1q_f32(scores), high = vld1q_f32(scores + 4);
    for (int64_t k = 8; k < count; k += 8) {
        low = vmaxq_f32(low, vld1q_f32(scores + k));
        high = vmaxq_f32(high, vld1q_f32(scores + k + 4));
    }
    return vmaxvq_f32(vmaxq_f32(low, high));
}

/* Scores of one row become weights; returns their sum. */
static float exponentiate_row(float *scores, int64_t count, const float *value_scales, float shift)
{
    const float32x4_t maximum = vdupq_n_f32(shift);
    float32x4_t sum_low = vdupq_n_f32(0), sum_high = sum_low;
    for (int64_t k = 0; k < count; k += 8) {
        float32x4_t low = math_exp_neon(vsubq_f32(vld1q_f32(scores + k), maximum));
        float32x4_t high = math_exp_neon(vsubq_f32(vld1q_f32(scores + k + 4), maximum));
        sum_low = vaddq_f32(sum_low, low);
        sum_high = vaddq_f32(sum_high, high);
        if (value_scales != NULL) {
            low = vmulq_f32(low, vld1q_f32(value_scales + k));
            high = vmulq_f32(high, vld1q_f32(value_scales + k + 4));
        }
        vst1q_f32(scores + k, low);
        vst1q_f32(scores + k + 4, high);
    }
    return vaddvq_f32(vaddq_f32(sum_low, sum_high));
}

static void exponentiate(float *scores, int64_t rows, int64_t count, const float *value_scales,
                         float *maximum, float *sum, float *factors)
{
    for (int64_t r = 0; r < rows; r++, scores += ATTENTION_BLOCK) {
        float largest = largest_score(scores, count);
        largest = largest > maximum[r] ? largest : maximum[r];
        float added = exponentiate_row(scores, count, value_scales, largest);
        factors[r] = math_exp(maximum[r] - largest);
        maximum[r] = largest;
        sum[r] = sum[r] * factors[r] + added;
    }
}

/* What the weighted sum of some columns needs, besides its constants. */
struct columns {
    const void *values; /* of the first key */
    int64_t column;
    int64_t padded_dim;
    const float *weights;
    int64_t count; /* keys */
    const float *factors;
    float *sums;
};

/* `vectors` times four columns from work->column on. */
ALWAYS_INLINE void weigh_columns(enum kernel_type type, int64_t rows, int64_t vectors,
                                 struct columns *work)
{
    float32x4_t sums[GROUP][WIDEST];
    int64_t padded_dim = work->padded_dim;
    float *out = work->sums + work->column;
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t v = 0; v < vectors; v++)
            sums[r][v] = vmulq_n_f32(vld1q_f32(out + r * padded_dim + 4 * v), work->factors[r]);
    }
    int64_t index = work->column;
    for (int64_t k = 0; k < work->count; k++, index += padded_dim) {
        float32x4_t value[WIDEST];
        for (int64_t v = 0; v < vectors; v += 2)
            load_eight(type, work->values, index + 4 * v, value + v);
        if (rows <= AHEAD_ROWS)
            prefetch(type, work->values, index, 4 * vectors);
        for (int64_t r = 0; r < rows; r++) {
            float32x4_t weight = vld1q_dup_f32(work->weights + r * ATTENTION_BLOCK + k);
            for (int64_t v = 0; v < vectors; v++)
                sums[r][v] = vfmaq_f32(sums[r][v], weight, value[v]);
        }
    }
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t v = 0; v < vectors; v++)
            vst1q_f32(out + r * padded_dim + 4 * v, sums[r][v]);
    }
    work->column += 4 * vectors;
}

/* All columns of rows [row, row + rows), `widest` (4, 8 or 16) vectors at once while there are as
 * many; the columns are a multiple of four vectors. */
ALWAYS_INLINE void weigh_rows(enum kernel_type type, int64_t rows, int64_t widest,
                              const struct columns *all, int64_t row)
{
    struct columns work = *all;
    work.weights += row * ATTENTION_BLOCK;
    work.factors += row;
    work.sums += row * work.padded_dim;
    while (work.padded_dim - work.column >= 4 * widest)
        weigh_columns(type, rows, widest, &work);
    if (widest > 8 && work.padded_dim - work.column >= 32)
        weigh_columns(type, rows, 8, &work);
    if (widest > 4 && work.padded_dim - work.column >= 16)
        weigh_columns(type, rows, 4, &work);
}

ALWAYS_INLINE void weigh_type(enum kernel_type type, int64_t rows, const struct columns *work)
{
    if (rows == 1) {
        weigh_rows(type, 1, 16, work, 0);
    } else if (rows <= 4) {
        for (int64_t row = 0; row < rows; row += 2)
            weigh_rows(type, 2, 8, work, row);
    } else if (rows == ATTENTION_TILE) {
        for (int64_t row = 0; row < ATTENTION_TILE; row += GROUP)
            weigh_rows(type, GROUP, 4, work, row);
    } else {
        for (int64_t row = 0; row < rows; row += 4)
            weigh_rows(type, 4, 4, work, row);
    }
}

static void weigh(const struct attention_call *call, const float *weights, int64_t rows,
                  int64_t first, int64_t count, const float *factors, float *sums)
{
    struct columns work = {call->values, 0,   attention_padded_dim(call->head_dim), weights, count,
                           factors,      sums};
    int64_t bytes = attention_element_bytes(call->kv_type);
    work.values = (const char *)call->values + first * work.padded_dim * bytes;
    switch (call->kv_type) {
    case KERNEL_F16:
        weigh_type(KERNEL_F16, rows, &work);
        break;
    case KERNEL_BF16:
        weigh_type(KERNEL_BF16, rows, &work);
        break;
    case KERNEL_I8:
        weigh_type(KERNEL_I8, rows, &work);
        break;
    default:
        weigh_type(KERNEL_F32, rows, &work);
    }
}

static void attention(const struct attention_call *call)
{
    static const struct attention_steps steps = {score, adjust, exponentiate, weigh};
    attention_run(&steps, call);
}

void attention_fill_neon(struct kernels *table)
{
    table->attention = attention;
    attention_store_fill_neon(table);
}
#endif
