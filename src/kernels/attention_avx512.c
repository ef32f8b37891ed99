/* The steps of attention with AVX-512: a tile of 12 rows and one panel of 32 keys, or 32 columns
 * of the values, is 24 sums in registers. Few rows take more columns at once and ask for the
 * cache lines ahead: they run at the speed of memory. */
#include "kernels/kernels_internal.h"

#if defined(__x86_64__)
#include "kernels/attention.h"
#include "kernels/math_avx512.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* How far ahead of the reads, for up to this many rows. Into the second cache: the first has too
 * few requests in flight. */
enum { AHEAD_BYTES = 8192, AHEAD_ROWS = 4 };

/* Sixteen elements of any type as floats. */
ALWAYS_INLINE __m512 load(enum kernel_type type, const void *data, int64_t index)
{
    if (type == KERNEL_F32)
        return _mm512_loadu_ps((const float *)data + index);
    if (type == KERNEL_I8) {
        __m128i narrow = _mm_loadu_si128((const __m128i *)((const int8_t *)data + index));
        return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(narrow));
    }
    __m256i half = _mm256_loadu_si256((const __m256i *)((const uint16_t *)data + index));
    if (type == KERNEL_F16)
        return _mm512_cvtph_ps(half);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}

/* Asks for the lines that hold `count` elements from `index` on. */
ALWAYS_INLINE void prefetch(enum kernel_type type, const void *data, int64_t index, int64_t count)
{
    int64_t bytes = attention_element_bytes(type);
    const char *first = (const char *)data + index * bytes + AHEAD_BYTES;
    for (int64_t offset = 0; offset < count * bytes; offset += 64)
        _mm_prefetch(first + offset, _MM_HINT_T1);
}

ALWAYS_INLINE void score_panel(enum kernel_type type, int64_t rows, const void *keys,
                               int64_t head_dim, const float *queries, const float *scales,
                               float *scores)
{
    __m512 sums[ATTENTION_TILE][2];
    for (int64_t r = 0; r < rows; r++)
        sums[r][0] = sums[r][1] = _mm512_setzero_ps();
    for (int64_t first = 0; first < head_dim; first += ATTENTION_LANES) {
        int64_t end = head_dim - first < ATTENTION_LANES ? head_dim : first + ATTENTION_LANES;
        const float *query = queries + first * rows;
        for (int64_t d = first; d < end; d++, query++) {
            __m512 low = load(type, keys, d * KERNEL_PANEL);
            __m512 high = load(type, keys, d * KERNEL_PANEL + 16);
            if (rows <= AHEAD_ROWS)
                prefetch(type, keys, d * KERNEL_PANEL, KERNEL_PANEL);
            for (int64_t r = 0; r < rows; r++) {
                __m512 factor = _mm512_set1_ps(query[r * ATTENTION_LANES]);
                sums[r][0] = _mm512_fmadd_ps(factor, low, sums[r][0]);
                sums[r][1] = _mm512_fmadd_ps(factor, high, sums[r][1]);
            }
        }
    }
    const __m512 limit = _mm512_set1_ps(attention_score_limit);
    const __m512 lowest = _mm512_set1_ps(-attention_score_limit);
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t half = 0; half < 2; half++) {
            __m512 score = sums[r][half];
            if (type == KERNEL_I8)
                score = _mm512_mul_ps(score, _mm512_loadu_ps(scales + 16 * half));
            score = _mm512_max_ps(lowest, _mm512_min_ps(limit, score));
            _mm512_storeu_ps(scores + r * ATTENTION_BLOCK + 16 * half, score);
        }
    }
}

ALWAYS_INLINE void score_panels(enum kernel_type type, int64_t rows,
                                const struct attention_call *call, const float *queries,
                                int64_t panel_first, int64_t panel_count, float *scores)
{
    int64_t panel_bytes = KERNEL_PANEL * call->head_dim * attention_element_bytes(type);
    const char *keys = (const char *)call->keys + panel_first * panel_bytes;
    const float *scales = NULL;
    if (type == KERNEL_I8) {
        int64_t offset = attention_key_scale_offset(call->capacity, call->head_dim);
        scales = (const float *)((const char *)call->keys + offset) + panel_first * KERNEL_PANEL;
    }
    for (int64_t panel = 0; panel < panel_count; panel++) {
        score_panel(type, rows, keys, call->head_dim, queries, scales, scores);
        keys += panel_bytes;
        scores += KERNEL_PANEL;
        if (type == KERNEL_I8)
            scales += KERNEL_PANEL;
    }
}

ALWAYS_INLINE void score_type(enum kernel_type type, const struct attention_call *call,
                              const float *queries, int64_t rows, int64_t panel_first,
                              int64_t panel_count, float *scores)
{
    switch (rows) {
    case 1:
        score_panels(type, 1, call, queries, panel_first, panel_count, scores);
        break;
    case 2:
        score_panels(type, 2, call, queries, panel_first, panel_count, scores);
        break;
    case 4:
        score_panels(type, 4, call, queries, panel_first, panel_count, scores);
        break;
    case 8:
        score_panels(type, 8, call, queries, panel_first, panel_count, scores);
        break;
    default:
        score_panels(type, ATTENTION_TILE, call, queries, panel_first, panel_count, scores);
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
    const __m512 sixteen = _mm512_set1_ps(16.0f);
    __m512 away = _mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    away = _mm512_add_ps(away, _mm512_set1_ps(distance));
    for (int64_t k = 0; k < count; k += 16) {
        __m512 score = _mm512_loadu_ps(scores + k);
        if (softcap != 0) {
            score = math_tanh_avx512(_mm512_div_ps(score, _mm512_set1_ps(softcap)));
            score = _mm512_mul_ps(score, _mm512_set1_ps(softcap));
        }
        score = _mm512_fmadd_ps(_mm512_set1_ps(slope), away, score);
        _mm512_storeu_ps(scores + k, score);
        away = _mm512_add_ps(away, sixteen);
    }
}

static float largest_score(const float *scores, int64_t count)
{
    __m512 low = _mm512_loadu_ps(scores), high = _mm512_loadu_ps(scores + 16);
    for (int64_t k = 32; k < count; k += 32) {
        low = _mm512_max_ps(low, _mm512_loadu_ps(scores + k));
        high = _mm512_max_ps(high, _mm512_loadu_ps(scores + k + 16));
    }
    return _mm512_reduce_max_ps(_mm512_max_ps(low, high));
}

/* Scores of one row become weights; returns their sum. */
static float exponentiate_row(float *scores, int64_t count, const float *value_scales, float shift)
{
    const __m512 maximum = _mm512_set1_ps(shift);
    __m512 sum_low = _mm512_setzero_ps(), sum_high = sum_low;
    for (int64_t k = 0; k < count; k += 32) {
        __m512 low = math_exp_avx512(_mm512_sub_ps(_mm512_loadu_ps(scores + k), maximum));
        __m512 high = math_exp_avx512(_mm512_sub_ps(_mm512_loadu_ps(scores + k + 16), maximum));
        sum_low = _mm512_add_ps(sum_low, low);
        sum_high = _mm512_add_ps(sum_high, high);
        if (value_scales != NULL) {
            low = _mm512_mul_ps(low, _mm512_loadu_ps(value_scales + k));
            high = _mm512_mul_ps(high, _mm512_loadu_ps(value_scales + k + 16));
        }
        _mm512_storeu_ps(scores + k, low);
        _mm512_storeu_ps(scores + k + 16, high);
    }
    return _mm512_reduce_add_ps(_mm512_add_ps(sum_low, sum_high));
}

static void exponentiate(float *scores, int64_t rows, int64_t count, const float *value_scales,
                         float *maximum, float *sum, float *factors)
{
    const __mmask16 real = (__mmask16)((1U << rows) - 1);
    float largest[16] = {0}, added[16] = {0};
    for (int64_t r = 0; r < rows; r++)
        largest[r] = largest_score(scores + r * ATTENTION_BLOCK, count);
    __m512 before = _mm512_maskz_loadu_ps(real, maximum);
    __m512 after = _mm512_max_ps(before, _mm512_loadu_ps(largest));
    _mm512_storeu_ps(largest, after);
    for (int64_t r = 0; r < rows; r++)
        added[r] = exponentiate_row(scores + r * ATTENTION_BLOCK, count, value_scales, largest[r]);
    __m512 factor = math_exp_avx512(_mm512_sub_ps(before, after));
    __m512 total = _mm512_maskz_loadu_ps(real, sum);
    total = _mm512_fmadd_ps(total, factor, _mm512_loadu_ps(added));
    _mm512_mask_storeu_ps(factors, real, factor);
    _mm512_mask_storeu_ps(maximum, real, after);
    _mm512_mask_storeu_ps(sum, real, total);
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

/* `vectors` times sixteen columns from work->column on. */
ALWAYS_INLINE void weigh_columns(enum kernel_type type, int64_t rows, int64_t vectors,
                                 struct columns *work)
{
    __m512 sums[ATTENTION_TILE][8];
    int64_t padded_dim = work->padded_dim;
    float *out = work->sums + work->column;
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t v = 0; v < vectors; v++)
            sums[r][v] = _mm512_mul_ps(_mm512_loadu_ps(out + r * padded_dim + 16 * v),
                                       _mm512_set1_ps(work->factors[r]));
    }
    int64_t index = work->column;
    for (int64_t k = 0; k < work->count; k++, index += padded_dim) {
        __m512 value[8];
        for (int64_t v = 0; v < vectors; v++)
            value[v] = load(type, work->values, index + 16 * v);
        if (rows <= AHEAD_ROWS)
            prefetch(type, work->values, index, 16 * vectors);
        for (int64_t r = 0; r < rows; r++) {
            __m512 weight = _mm512_set1_ps(work->weights[r * ATTENTION_BLOCK + k]);
            for (int64_t v = 0; v < vectors; v++)
                sums[r][v] = _mm512_fmadd_ps(weight, value[v], sums[r][v]);
        }
    }
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t v = 0; v < vectors; v++)
            _mm512_storeu_ps(out + r * padded_dim + 16 * v, sums[r][v]);
    }
    work->column += 16 * vectors;
}

/* All columns, `widest` (2, 4 or 8) vectors at once while there are as many. */
ALWAYS_INLINE void weigh_rows(enum kernel_type type, int64_t rows, int64_t widest,
                              struct columns *work)
{
    while (work->padded_dim - work->column >= 16 * widest)
        weigh_columns(type, rows, widest, work);
    int64_t left = (work->padded_dim - work->column) / 16;
    if (widest > 4 && (left & 4) != 0)
        weigh_columns(type, rows, 4, work);
    if (widest > 2 && (left & 2) != 0)
        weigh_columns(type, rows, 2, work);
    if ((left & 1) != 0)
        weigh_columns(type, rows, 1, work);
}

ALWAYS_INLINE void weigh_type(enum kernel_type type, int64_t rows, struct columns *work)
{
    switch (rows) {
    case 1:
        weigh_rows(type, 1, 8, work);
        break;
    case 2:
        weigh_rows(type, 2, 8, work);
        break;
    case 4:
        weigh_rows(type, 4, 4, work);
        break;
    case 8:
        weigh_rows(type, 8, 2, work);
        break;
    default:
        weigh_rows(type, ATTENTION_TILE, 2, work);
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

void attention_fill_avx512(struct kernels *table)
{
    table->attention = attention;
}
#endif
