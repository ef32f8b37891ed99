/* Products with grouped weights on AVX-512 with VNNI: vpdpbusd of unsigned weights and signed
 * activations, whose 32-bit sums begin with minus the offset times the activations. The weights of
 * a group fill half the registers while all rows of a pass meet them; the rows' float sums wait in
 * the first cache. */
#if defined(__x86_64__)
#include <immintrin.h>

#include "kernels/grouped.h"
#include "kernels/kernels_internal.h"
#include "kernels/linear_avx512.h"

enum {
    HALVES = KERNEL_PANEL / 16, /* registers of outputs */
    TOGETHER_ROWS = 4,          /* whose sums have registers at once */
    PASS_ROWS = 64,             /* rows that pass over a panel, */
    ROWS_BYTES = 512 * 1024,    /* or fewer: they stay in the second cache, as do */
    PANELS_BYTES = 768 * 1024   /* panels while all rows pass over them */
};

/* A sum that begins with these bits, those of 1.5 * 2^23, is, read as float32, 1.5 * 2^23 plus the
 * sum: one fused multiplication converts it and multiplies it by an integer, all exact. */
static const int32_t SHIFTED_BITS = 0x4B400000;
static const float SHIFT = 12582912.0F;

/* One group of a panel, [registers of outputs] each. */
struct weights {
    __m512i steps[GROUP_STEPS][HALVES];
    __m512 scale[HALVES];
    __m512 factor[2][HALVES]; /* sub-scales, the second of those with halves */
    __m512 unshift[HALVES];   /* -SHIFT * factor[0] */
    __m512 minimum[HALVES];
};

static inline __m512 halves_at(const char *place)
{
    return _mm512_cvtph_ps(_mm256_load_si256((const __m256i *)(const void *)place));
}

static inline __m512 bytes_at(const char *place)
{
    __m128i bytes = _mm_load_si128((const __m128i *)(const void *)place);
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes));
}

static inline __attribute__((always_inline)) void
load_steps(const struct grouped_format format, const char *integers, struct weights *out)
{
    const __m512i low_mask = _mm512_set1_epi8(15);
    const int steps = format.bits == 4 ? GROUP_STEPS / 2 : GROUP_STEPS;
#pragma GCC unroll 8
    for (int step = 0; step < steps; step++)
#pragma GCC unroll 2
        for (int c = 0; c < HALVES; c++) {
            __m512i bytes = _mm512_load_si512(integers + step * 128 + c * 64);
            if (format.bits == 4) {
                out->steps[step][c] = _mm512_and_si512(bytes, low_mask);
                out->steps[step + GROUP_STEPS / 2][c] =
                    _mm512_and_si512(_mm512_srli_epi16(bytes, 4), low_mask);
            } else if (format.bits == 8) {
                out->steps[step][c] = _mm512_xor_si512(bytes, _mm512_set1_epi8(-128));
            } else {
                out->steps[step][c] = bytes;
            }
        }
}

static inline __attribute__((always_inline)) void load_weights(const struct grouped_format format,
                                                               const struct grouped_place *group,
                                                               struct weights *out)
{
    load_steps(format, group->integers, out);
#pragma GCC unroll 2
    for (int c = 0; c < HALVES; c++) {
        out->scale[c] = halves_at(group->scales + 32 * c);
        if (format.has_minimum)
            out->minimum[c] = halves_at(group->scales + 2 * KERNEL_PANEL + 32 * c);
        if (!format.has_super)
            continue;
        out->factor[0][c] = bytes_at(group->sub + 16 * c);
        out->unshift[c] = _mm512_mul_ps(out->factor[0][c], _mm512_set1_ps(-SHIFT));
        __m512 second = bytes_at(group->sub + KERNEL_PANEL + 16 * c);
        if (format.has_halves)
            out->factor[1][c] = second;
        else
            out->minimum[c] = _mm512_mul_ps(out->minimum[c], second);
    }
}

/* What the integer sums of a row begin with, those of the first half where halves are apart. */
static inline __attribute__((always_inline)) __m512i begin(const struct grouped_format format,
                                                           const struct grouped_x *x)
{
    const __m512i shifted = _mm512_set1_epi32(SHIFTED_BITS);
    if (format.bits == 8)
        return _mm512_set1_epi32(x->offset_128);
    if (format.has_halves)
        return _mm512_add_epi32(_mm512_set1_epi32(x->offsets_32[0]), shifted);
    if (format.has_super)
        return shifted;
    if (format.offset == 0)
        return _mm512_setzero_si512();
    __m512i eight = _mm512_set1_epi32(x->offset_8);
    return format.offset == 8 ? eight : _mm512_add_epi32(eight, eight);
}

/* The sum of a group's products times its sub-scales: below 2^24, so that float32 holds it. */
static inline __attribute__((always_inline)) __m512 whole_sum(const struct grouped_format format,
                                                              const struct weights *weights,
                                                              const __m512i parts[2], int c)
{
    if (!format.has_super)
        return _mm512_cvtepi32_ps(parts[0]);
    __m512 sum =
        _mm512_fmadd_ps(_mm512_castsi512_ps(parts[0]), weights->factor[0][c], weights->unshift[c]);
    if (format.has_halves)
        sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(parts[1]), weights->factor[1][c], sum);
    return sum;
}

/* Adds the products of one group of a few rows to their float sums [rows][32]. */
static inline __attribute__((always_inline)) void add_rows(const struct grouped_format format,
                                                           const struct weights *weights,
                                                           const char *x, int64_t x_stride,
                                                           const int rows, float *sums)
{
    const struct grouped_x *rows_x[TOGETHER_ROWS];
    __m512i parts[TOGETHER_ROWS][HALVES][2];
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++) {
        rows_x[r] = (const struct grouped_x *)(const void *)(x + r * x_stride);
        _mm_prefetch(x + r * x_stride + sizeof(struct grouped_x), _MM_HINT_T0);
#pragma GCC unroll 2
        for (int c = 0; c < HALVES; c++) {
            parts[r][c][0] = begin(format, rows_x[r]);
            if (format.has_halves)
                parts[r][c][1] = _mm512_set1_epi32(rows_x[r]->offsets_32[1]);
        }
    }
#pragma GCC unroll 8
    for (int i = 0; i < GROUP_STEPS; i++) {
        const int part = format.has_halves ? i % 2 : 0;
        const int step = format.has_halves ? i / 2 + part * (GROUP_STEPS / 2) : i;
#pragma GCC unroll 4
        for (int r = 0; r < rows; r++) {
            int32_t word;
            __builtin_memcpy(&word, rows_x[r]->values + 4 * step, sizeof word);
            __m512i four = _mm512_set1_epi32(word);
#pragma GCC unroll 2
            for (int c = 0; c < HALVES; c++)
                parts[r][c][part] =
                    _mm512_dpbusd_epi32(parts[r][c][part], weights->steps[step][c], four);
        }
    }
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 2
        for (int c = 0; c < HALVES; c++) {
            float *place = sums + r * KERNEL_PANEL + 16 * c;
            __m512 both = _mm512_mul_ps(weights->scale[c], _mm512_set1_ps(rows_x[r]->scale));
            __m512 sum = _mm512_fmadd_ps(whole_sum(format, weights, parts[r][c], c), both,
                                         _mm512_load_ps(place));
            if (format.has_minimum)
                sum = _mm512_fmadd_ps(weights->minimum[c], _mm512_set1_ps(rows_x[r]->sum), sum);
            _mm512_store_ps(place, sum);
        }
}

/* Some rows meet a panel. */
struct tile {
    const char *x;
    int64_t x_stride;
    int64_t rows;
    int64_t groups;
    const char *panel;
    float *sums; /* [rows][32], aligned */
    const struct linear_tile *epilogue;
};

/* Asks for some rows of what the epilogue will read and write, which lie far apart in memory: every
 * group of the tile does so for its share of them. */
static inline void fetch_results(const struct tile *tile, int64_t group)
{
    const struct linear_tile *out = tile->epilogue;
    int64_t share = (tile->rows + tile->groups - 1) / tile->groups;
    int64_t first = group * share;
    int64_t end = kernel_smaller(first + share, tile->rows);
    for (int64_t r = first; r < end; r++) {
        const float *y = out->y + r * out->y_stride;
        __builtin_prefetch(y, 1);
        __builtin_prefetch(y + LINEAR_LINE / sizeof *y, 1);
        if (out->residual == NULL || out->residual == out->y)
            continue;
        const float *residual = out->residual + r * out->residual_stride;
        __builtin_prefetch(residual);
        __builtin_prefetch(residual + LINEAR_LINE / sizeof *residual);
    }
}

static inline __attribute__((always_inline)) void run_tile(const struct tile *tile,
                                                           enum kernel_type type)
{
    const struct grouped_format format = grouped_format(type);
    struct grouped_place group = {0};
    const char *next = tile->panel;
    const int64_t stride = tile->x_stride;
    const int together = format.has_halves ? 2 : TOGETHER_ROWS; /* as many sums either way */
    for (int64_t g = 0; g < tile->groups; g++) {
        struct weights weights;
        next = grouped_walk(format, g, next, &group);
        load_weights(format, &group, &weights);
        fetch_results(tile, g);
        const char *x = tile->x + g * (int64_t)sizeof(struct grouped_x);
        float *sums = tile->sums;
        int64_t rows = tile->rows;
        for (; rows >= together; rows -= together) {
            add_rows(format, &weights, x, stride, together, sums);
            x += together * stride;
            sums += together * KERNEL_PANEL;
        }
        if (together > 2 && rows == 3)
            add_rows(format, &weights, x, stride, 3, sums);
        else if (together > 2 && rows == 2)
            add_rows(format, &weights, x, stride, 2, sums);
        else if (rows == 1)
            add_rows(format, &weights, x, stride, 1, sums);
    }
}

typedef void tile_function(const struct tile *tile);

/* clang-format off */
#define TILE(type)                                                                                 \
    static void tile_##type(const struct tile *tile) { run_tile(tile, KERNEL_##type); }
TILE(Q4_0) TILE(Q4_1) TILE(Q4_K) TILE(Q5_0) TILE(Q5_1) TILE(Q5_K) TILE(Q6_K) TILE(Q8_0)
#undef TILE
#define ENTRY(type) [KERNEL_##type - KERNEL_TYPE_COUNT] = tile_##type
static tile_function *const tiles[KERNEL_TYPE_END - KERNEL_TYPE_COUNT] = {
    ENTRY(Q4_0), ENTRY(Q4_1), ENTRY(Q4_K), ENTRY(Q5_0),
    ENTRY(Q5_1), ENTRY(Q5_K), ENTRY(Q6_K), ENTRY(Q8_0),
};
#undef ENTRY
/* clang-format on */

static void run_rows(const struct linear_call *call, int64_t row, int64_t rows, int64_t panel_first,
                     int64_t panel_end)
{
    _Alignas(LINEAR_LINE) float sums[PASS_ROWS * KERNEL_PANEL];
    int64_t panel_bytes = (int64_t)kernel_panel_bytes(call->type, call->inputs);
    struct tile tile = {.rows = rows, .groups = grouped_count(call->inputs), .sums = sums};
    tile.x_stride = (int64_t)kernel_prepared_bytes(call->type, 1, call->inputs);
    tile.x = (const char *)call->x + row * tile.x_stride;
    for (int64_t panel = panel_first; panel < panel_end; panel++) {
        struct linear_tile epilogue = grouped_epilogue(call, row, rows, panel);
        tile.epilogue = &epilogue;
        tile.panel = (const char *)call->weight + panel * panel_bytes;
        __builtin_memset(sums, 0, (size_t)rows * KERNEL_PANEL * sizeof *sums);
        tiles[call->type - KERNEL_TYPE_COUNT](&tile);
        linear_store_avx512(&epilogue, sums);
    }
}

/* Passes of whole fours of rows: fewer keep too few sums going at once. */
static void grouped_linear_vnni(const struct linear_call *call, int64_t row_first,
                                int64_t row_count, int64_t panel_first, int64_t panel_count)
{
    int64_t row_bytes = (int64_t)kernel_prepared_bytes(call->type, 1, call->inputs);
    int64_t panel_bytes = (int64_t)kernel_panel_bytes(call->type, call->inputs);
    int64_t fours = (row_count + TOGETHER_ROWS - 1) / TOGETHER_ROWS;
    int64_t fours_max = kernel_smaller(ROWS_BYTES / row_bytes, PASS_ROWS) / TOGETHER_ROWS;
    fours_max = fours_max < 2 ? 2 : fours_max;
    int64_t passes = (fours + fours_max - 1) / fours_max;
    int64_t panel_end = panel_first + panel_count;
    int64_t together = passes == 1 ? panel_count : PANELS_BYTES / panel_bytes + 1;
    for (int64_t panel = panel_first; panel < panel_end; panel += together)
        for (int64_t i = 0; i < passes; i++) {
            int64_t first = fours * i / passes * TOGETHER_ROWS;
            int64_t end = kernel_smaller(fours * (i + 1) / passes * TOGETHER_ROWS, row_count);
            run_rows(call, row_first + first, end - first, panel,
                     kernel_smaller(panel + together, panel_end));
        }
}

void grouped_fill_avx512_vnni(struct kernels *table)
{
    table->grouped_linear = grouped_linear_vnni;
}

#endif
