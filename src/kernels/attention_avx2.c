/* The steps of attention with AVX2: a tile's rows in groups of up to six, by sixteen keys of a
 * panel or sixteen columns of the values, are 12 sums in registers. Up to four rows take more at
 * once and ask for the cache lines ahead: they run at the speed of memory. */
#include "kernels/kernels_internal.h"

#if defined(__x86_64__)
#include "kernels/attention.h"
#include "kernels/math_avx2.h"
#include "kernels/math_c.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* How far ahead of the reads, for up to this many rows. Into the second cache: the first has too
 * few requests in flight. */
enum { AHEAD_BYTES = 8192, AHEAD_ROWS = 4 };
/* Rows of a group, and vectors of eight that they take at most. */
enum { GROUP = 6, WIDEST = 8 };

/* Eight elements of any type as floats. */
ALWAYS_INLINE __m256 load(enum kernel_type type, const void *data, int64_t index)
{
    if (type == KERNEL_F32)
        return _mm256_loadu_ps((const float *)data + index);
    if (type == KERNEL_I8) {
        __m128i narrow = _mm_loadl_epi64((const __m128i *)((const int8_t *)data + index));
        return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(narrow));
    }
    __m128i half = _mm_loadu_si128((const __m128i *)((const uint16_t *)data + index));
    if (type == KERNEL_F16)
        return _mm256_cvtph_ps(half);
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
}

/* Asks for the lines that hold `count` elements from `index` on. */
ALWAYS_INLINE void prefetch(enum kernel_type type, const void *data, int64_t index, int64_t count)
{
    int64_t bytes = attention_element_bytes(type);
    const char *first = (const char *)data + index * bytes + AHEAD_BYTES;
    for (int64_t offset = 0; offset < count * bytes; offset += 64)
        _mm_prefetch(first + offset, _MM_HINT_T1);
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

/* Rows [row, row + rows) by 8 * vectors keys from `key` on. */
ALWAYS_INLINE void score_part(enum kernel_type type, int64_t rows, int64_t vectors,
                              const struct panel *panel, int64_t row, int64_t key)
{
    __m256 sums[GROUP][4];
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t v = 0; v < vectors; v++)
            sums[r][v] = _mm256_setzero_ps();
    }
    int64_t head_dim = panel->head_dim;
    for (int64_t first = 0; first < head_dim; first += ATTENTION_LANES) {
        int64_t end = head_dim - first < ATTENTION_LANES ? head_dim : first + ATTENTION_LANES;
        const float *query = panel->queries + first * panel->tile_rows + row * ATTENTION_LANES;
        for (int64_t d = first; d < end; d++, query++) {
            __m256 keys[4];
            for (int64_t v = 0; v < vectors; v++)
                keys[v] = load(type, panel->keys, d * KERNEL_PANEL + key + 8 * v);
            if (rows <= AHEAD_ROWS)
                prefetch(type, panel->keys, d * KERNEL_PANEL + key, 8 * vectors);
            for (int64_t r = 0; r < rows; r++) {
                __m256 factor = _mm256_broadcast_ss(query + r * ATTENTION_LANES);
                for (int64_t v = 0; v < vectors; v++)
                    sums[r][v] = _mm256_fmadd_ps(factor, keys[v], sums[r][v]);
            }
        }
    }
    const __m256 limit = _mm256_set1_ps(attention_score_limit);
    const __m256 lowest = _mm256_set1_ps(-attention_score_limit);
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t v = 0; v < vectors; v++) {
            __m256 score = sums[r][v];
            if (type == KERNEL_I8)
                score = _mm256_mul_ps(score, _mm256_loadu_ps(panel->scales + key + 8 * v));
            score = _mm256_max_ps(lowest, _mm256_min_ps(limit, score));
            _mm256_storeu_ps(panel->scores + (row + r) * ATTENTION_BLOCK + key + 8 * v, score);
        }
    }
}

ALWAYS_INLINE void score_panel(enum kernel_type type, const struct panel *panel)
{
    if (panel->tile_rows == 1) {
        score_part(type, 1, 4, panel, 0, 0);
    } else if (panel->tile_rows <= 4) {
        for (int64_t row = 0; row < panel->tile_rows; row += 2)
            score_part(type, 2, 4, panel, row, 0);
    } else if (panel->tile_rows == ATTENTION_TILE) {
        for (int64_t key = 0; key < KERNEL_PANEL; key += 16) {
            for (int64_t row = 0; row < ATTENTION_TILE; row += GROUP)
                score_part(type, GROUP, 2, panel, row, key);
        }
    } else {
        for (int64_t key = 0; key < KERNEL_PANEL; key += 16) {
            for (int64_t row = 0; row < panel->tile_rows; row += 4)
                score_part(type, 4, 2, panel, row, key);
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
    const __m256 eight = _mm256_set1_ps(8.0f);
    __m256 away = _mm256_setr_ps(0, 1, 2, 3, 4, 5, 6, 7);
    away = _mm256_add_ps(away, _mm256_set1_ps(distance));
    for (int64_t k = 0; k < count; k += 8) {
        __m256 score = _mm256_loadu_ps(scores + k);
        if (softcap != 0) {
            score = math_tanh_avx2(_mm256_div_ps(score, _mm256_set1_ps(softcap)));
            score = _mm256_mul_ps(score, _mm256_set1_ps(softcap));
        }
        score = _mm256_fmadd_ps(_mm256_set1_ps(slope), away, score);
        _mm256_storeu_ps(scores + k, score);
        away = _mm256_add_ps(away, eight);
    }
}

static float largest_score(const float *scores, int64_t count)
{
    __m256 low = _mm256_loadu_ps(scores), high = _mm256_loadu_ps(scores + 8);
    for (int64_t k = 16; k < count; k += 16) {
        low = _mm256_max_ps(low, _mm256_loadu_ps(scores + k));
        high = _mm256_max_ps(high, _mm256_loadu_ps(scores + k + 8));
    }
    low = _mm256_max_ps(low, high);
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(low), _mm256_extractf128_ps(low, 1));
    four = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(four, _mm_movehdup_ps(four)));
}

/* Scores of one row become weights; returns their sum. */
static float exponentiate_row(float *scores, int64_t count, const float *value_scales, float shift)
{
    const __m256 maximum = _mm256_set1_ps(shift);
    __m256 sum_low = _mm256_setzero_ps(), sum_high = sum_low;
    for (int64_t k = 0; k < count; k += 16) {
        __m256 low = math_exp_avx2(_mm256_sub_ps(_mm256_loadu_ps(scores + k), maximum));
        __m256 high = math_exp_avx2(_mm256_sub_ps(_mm256_loadu_ps(scores + k + 8), maximum));
        sum_low = _mm256_add_ps(sum_low, low);
        sum_high = _mm256_add_ps(sum_high, high);
        if (value_scales != NULL) {
            low = _mm256_mul_ps(low, _mm256_loadu_ps(value_scales + k));
            high = _mm256_mul_ps(high, _mm256_loadu_ps(value_scales + k + 8));
        }
        _mm256_storeu_ps(scores + k, low);
        _mm256_storeu_ps(scores + k + 8, high);
    }
    sum_low = _mm256_add_ps(sum_low, sum_high);
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(sum_low), _mm256_extractf128_ps(sum_low, 1));
    four = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(four, _mm_movehdup_ps(four)));
}

static void exponentiate(float *scores, int64_t rows, int64_t count, const float *value_scales,
                         float *maximum, float *sum, float *factors)
{
    float largest[ATTENTION_TILE], added[ATTENTION_TILE];
    for (int64_t r = 0; r < rows; r++) {
        float found = largest_score(scores + r * ATTENTION_BLOCK, count);
        largest[r] = found > maximum[r] ? found : maximum[r];
    }
    for (int64_t r = 0; r < rows; r++)
        added[r] = exponentiate_row(scores + r * ATTENTION_BLOCK, count, value_scales, largest[r]);
    for (int64_t r = 0; r < rows; r++) {
        factors[r] = math_exp(maximum[r] - largest[r]);
        maximum[r] = largest[r];
        sum[r] = sum[r] * factors[r] + added[r];
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

/* `vectors` times eight columns from work->column on. */
ALWAYS_INLINE void weigh_columns(enum kernel_type type, int64_t rows, int64_t vectors,
                                 struct columns *work)
{
    __m256 sums[GROUP][WIDEST];
    int64_t padded_dim = work->padded_dim;
    float *out = work->sums + work->column;
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t v = 0; v < vectors; v++)
            sums[r][v] = _mm256_mul_ps(_mm256_loadu_ps(out + r * padded_dim + 8 * v),
                                       _mm256_set1_ps(work->factors[r]));
    }
    int64_t index = work->column;
    for (int64_t k = 0; k < work->count; k++, index += padded_dim) {
        __m256 value[WIDEST];
        for (int64_t v = 0; v < vectors; v++)
            value[v] = load(type, work->values, index + 8 * v);
        if (rows <= AHEAD_ROWS)
            prefetch(type, work->values, index, 8 * vectors);
        for (int64_t r = 0; r < rows; r++) {
            __m256 weight = _mm256_set1_ps(work->weights[r * ATTENTION_BLOCK + k]);
            for (int64_t v = 0; v < vectors; v++)
                sums[r][v] = _mm256_fmadd_ps(weight, value[v], sums[r][v]);
        }
    }
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t v = 0; v < vectors; v++)
            _mm256_storeu_ps(out + r * padded_dim + 8 * v, sums[r][v]);
    }
    work->column += 8 * vectors;
}

/* All columns of rows [row, row + rows), `widest` (2, 4 or 8) vectors at once while there are as
 * many; the columns are a multiple of two vectors. */
ALWAYS_INLINE void weigh_rows(enum kernel_type type, int64_t rows, int64_t widest,
                              const struct columns *all, int64_t row)
{
    struct columns work = *all;
    work.weights += row * ATTENTION_BLOCK;
    work.factors += row;
    work.sums += row * work.padded_dim;
    while (work.padded_dim - work.column >= 8 * widest)
        weigh_columns(type, rows, widest, &work);
    if (widest > 4 && work.padded_dim - work.column >= 32)
        weigh_columns(type, rows, 4, &work);
    if (widest > 2 && work.padded_dim - work.column >= 16)
        weigh_columns(type, rows, 2, &work);
}

ALWAYS_INLINE void weigh_type(enum kernel_type type, int64_t rows, const struct columns *work)
{
    if (rows == 1) {
        weigh_rows(type, 1, 8, work, 0);
    } else if (rows <= 4) {
        for (int64_t row = 0; row < rows; row += 2)
            weigh_rows(type, 2, 4, work, row);
    } else if (rows == ATTENTION_TILE) {
        for (int64_t row = 0; row < ATTENTION_TILE; row += GROUP)
            weigh_rows(type, GROUP, 2, work, row);
    } else {
        for (int64_t row = 0; row < rows; row += 4)
            weigh_rows(type, 4, 2, work, row);
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

void attention_fill_avx2(struct kernels *table)
{
    table->attention = attention;
    attention_store_fill_avx2(table);
}
#endif
