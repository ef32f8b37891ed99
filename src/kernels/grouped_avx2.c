/* Products with grouped weights on AVX2: vpmaddubsw of unsigned weights and signed activations.
 * Integers below 64 leave room in 16 bits for the sums of a half group, of 4 bits for those of a
 * whole one; the offset is taken off by what the sums begin with. int8 weights (Q8_0) give their
 * sign to the activations first: |w| as unsigned bytes cannot saturate with |x| <= 127. */
#if defined(__x86_64__)
#include <math.h>

#include "kernels/grouped.h"
#include "kernels/kernels_internal.h"
#include "kernels/linear_avx2.h"
#include "kernels/linear_c.h"

enum {
    ROWS = 4,
    OCTETS = KERNEL_PANEL / 8,
    LINE = 64,
    AHEAD_BYTES = 8192,         /* prefetch distance in the stream */
    GROUP_CACHE_BYTES = 1 << 18 /* panels that stay in the second cache while rows pass over */
};

/* The sums [rows][32], aligned, of a panel with rows that lie x_stride bytes apart. */
struct tile {
    const char *x;
    int64_t x_stride;
    int64_t groups;
    const char *panel;
    float *sums;
};

typedef void tile_function(const struct tile *tile);

/* Everything of a group that a few octets of outputs need; `inline` functions below are expanded
 * for constant formats and rows, so that nothing of them is left. */
struct group {
    const char *scales; /* float16 [32], then minimums */
    const char *sub;
    const char *integers;
};

static inline __m256i bytes_at(const char *place)
{
    return _mm256_load_si256((const __m256i *)(const void *)place);
}

static inline __m256i four_of(const void *bytes)
{
    int32_t four;
    __builtin_memcpy(&four, bytes, sizeof four);
    return _mm256_set1_epi32(four);
}

static inline __m256 halves_at(const char *place)
{
    return _mm256_cvtph_ps(_mm_load_si128((const __m128i *)(const void *)place));
}

static inline __m256i sub_scales_at(const char *place)
{
    return _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)place));
}

/* What pairs of 16-bit sums are multiplied by as they are added: 1, or the sub-scale twice. */
static inline __attribute__((always_inline)) __m256i
factor_at(const struct grouped_format format, const struct group *group, int octet, int half)
{
    if (!format.has_super)
        return _mm256_set1_epi16(1);
    const char *place = group->sub + octet * 8 + (format.has_halves ? half * KERNEL_PANEL : 0);
    __m256i scales = sub_scales_at(place);
    return _mm256_blend_epi16(scales, _mm256_slli_epi32(scales, 16), 0xAA);
}

/* The 16-bit sums of a half group begin with minus the offset times the activations. */
static inline __attribute__((always_inline)) __m256i begin_half(const struct grouped_format format,
                                                                const struct grouped_x *x, int half)
{
    if (format.offset == 0)
        return _mm256_setzero_si256();
    __m256i eight = four_of(x->offsets[half]);
    return format.offset == 32   ? _mm256_slli_epi16(eight, 2)
           : format.offset == 16 ? _mm256_slli_epi16(eight, 1)
                                 : eight;
}

/* Integer sums [rows][octets] of a group: 4 bits. The loops over steps stay loops: unrolled, their
 * sums no longer fit the registers. */
static inline __attribute__((always_inline)) void
multiply_4(const struct grouped_format format, const struct group *group,
           const struct grouped_x *const *x, const int rows, const int first, const int octets,
           __m256i sums[ROWS][OCTETS])
{
    const __m256i low_mask = _mm256_set1_epi8(15);
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++) {
        __m256i begin = _mm256_add_epi16(begin_half(format, x[r], 0), begin_half(format, x[r], 1));
#pragma GCC unroll 4
        for (int c = 0; c < octets; c++)
            sums[r][c] = begin;
    }
#pragma GCC unroll 1
    for (int step = 0; step < GROUP_STEPS / 2; step++) {
        const char *weight = group->integers + step * 128 + first * 32;
        __m256i low[OCTETS], high[OCTETS];
#pragma GCC unroll 4
        for (int c = 0; c < octets; c++) {
            __m256i both = bytes_at(weight + 32 * c);
            low[c] = _mm256_and_si256(both, low_mask);
            high[c] = _mm256_and_si256(_mm256_srli_epi16(both, 4), low_mask);
        }
#pragma GCC unroll 4
        for (int r = 0; r < rows; r++) {
            __m256i x_low = four_of(x[r]->values + 4 * step);
            __m256i x_high = four_of(x[r]->values + GROUP_HALF + 4 * step);
#pragma GCC unroll 4
            for (int c = 0; c < octets; c++) {
                sums[r][c] = _mm256_add_epi16(sums[r][c], _mm256_maddubs_epi16(low[c], x_low));
                sums[r][c] = _mm256_add_epi16(sums[r][c], _mm256_maddubs_epi16(high[c], x_high));
            }
        }
    }
#pragma GCC unroll 4
    for (int c = 0; c < octets; c++) {
        __m256i factor = factor_at(format, group, first + c, 0);
#pragma GCC unroll 4
        for (int r = 0; r < rows; r++)
            sums[r][c] = _mm256_madd_epi16(sums[r][c], factor);
    }
}

/* The same for bytes below 64, by half groups. */
static inline __attribute__((always_inline)) void
multiply_6(const struct grouped_format format, const struct group *group,
           const struct grouped_x *const *x, const int rows, const int first, const int octets,
           __m256i sums[ROWS][OCTETS])
{
#pragma GCC unroll 1
    for (int half = 0; half < 2; half++) {
        __m256i parts[ROWS][OCTETS];
#pragma GCC unroll 4
        for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
            for (int c = 0; c < octets; c++)
                parts[r][c] = begin_half(format, x[r], half);
#pragma GCC unroll 1
        for (int step = half * 4; step < half * 4 + 4; step++) {
            const char *weight = group->integers + step * 128 + first * 32;
#pragma GCC unroll 4
            for (int r = 0; r < rows; r++) {
                __m256i four = four_of(x[r]->values + 4 * step);
#pragma GCC unroll 4
                for (int c = 0; c < octets; c++)
                    parts[r][c] = _mm256_add_epi16(
                        parts[r][c], _mm256_maddubs_epi16(bytes_at(weight + 32 * c), four));
            }
        }
#pragma GCC unroll 4
        for (int c = 0; c < octets; c++) {
            __m256i factor = factor_at(format, group, first + c, half);
#pragma GCC unroll 4
            for (int r = 0; r < rows; r++) {
                __m256i whole = _mm256_madd_epi16(parts[r][c], factor);
                sums[r][c] = half == 0 ? whole : _mm256_add_epi32(sums[r][c], whole);
            }
        }
    }
}

/* The same for any int8. */
static inline __attribute__((always_inline)) void
multiply_8(const struct group *group, const struct grouped_x *const *x, const int rows,
           const int first, const int octets, __m256i sums[ROWS][OCTETS])
{
    const __m256i ones = _mm256_set1_epi16(1);
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int c = 0; c < octets; c++)
            sums[r][c] = _mm256_setzero_si256();
#pragma GCC unroll 1
    for (int step = 0; step < GROUP_STEPS; step++) {
        const char *place = group->integers + step * 128 + first * 32;
        __m256i weight[OCTETS], magnitude[OCTETS];
#pragma GCC unroll 4
        for (int c = 0; c < octets; c++) {
            weight[c] = bytes_at(place + 32 * c);
            magnitude[c] = _mm256_abs_epi8(weight[c]);
        }
#pragma GCC unroll 4
        for (int r = 0; r < rows; r++) {
            __m256i four = four_of(x[r]->values + 4 * step);
#pragma GCC unroll 4
            for (int c = 0; c < octets; c++) {
                __m256i pairs =
                    _mm256_maddubs_epi16(magnitude[c], _mm256_sign_epi8(four, weight[c]));
                sums[r][c] = _mm256_add_epi32(sums[r][c], _mm256_madd_epi16(pairs, ones));
            }
        }
    }
}

static inline __attribute__((always_inline)) __m256 minimum_at(const struct grouped_format format,
                                                               const struct group *group, int octet)
{
    __m256 minimum = halves_at(group->scales + 2 * KERNEL_PANEL + 16 * octet);
    if (!format.has_super)
        return minimum;
    __m256i sub = sub_scales_at(group->sub + KERNEL_PANEL + 8 * octet);
    return _mm256_mul_ps(minimum, _mm256_cvtepi32_ps(sub));
}

/* Some octets of outputs of one group, added to the float sums. */
static inline __attribute__((always_inline)) void
add_group(const struct grouped_format format, const struct group *group,
          const struct grouped_x *const *x, const int rows, const int first, const int octets,
          __m256 sums[ROWS][OCTETS])
{
    __m256i products[ROWS][OCTETS];
    if (format.bits == 4)
        multiply_4(format, group, x, rows, first, octets, products);
    else if (format.bits == 6)
        multiply_6(format, group, x, rows, first, octets, products);
    else
        multiply_8(group, x, rows, first, octets, products);
#pragma GCC unroll 4
    for (int c = 0; c < octets; c++) {
        __m256 scale = halves_at(group->scales + 16 * (first + c));
#pragma GCC unroll 4
        for (int r = 0; r < rows; r++) {
            __m256 both = _mm256_mul_ps(scale, _mm256_set1_ps(x[r]->scale));
            sums[r][first + c] =
                _mm256_fmadd_ps(_mm256_cvtepi32_ps(products[r][c]), both, sums[r][first + c]);
        }
        if (!format.has_minimum)
            continue;
        __m256 minimum = minimum_at(format, group, first + c);
#pragma GCC unroll 4
        for (int r = 0; r < rows; r++) {
            __m256 x_sum = _mm256_set1_ps(x[r]->scale * (float)x[r]->sum);
            sums[r][first + c] = _mm256_fmadd_ps(minimum, x_sum, sums[r][first + c]);
        }
    }
}

static inline __attribute__((always_inline)) void run_tile(const struct tile *tile,
                                                           enum kernel_type type, const int rows)
{
    const struct grouped_format format = grouped_format(type);
    const int octets = rows == 1 ? OCTETS : OCTETS / 2;
    __m256 sums[ROWS][OCTETS];
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int c = 0; c < OCTETS; c++)
            sums[r][c] = _mm256_setzero_ps();
    const struct grouped_x *x[ROWS];
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++)
        x[r] = (const struct grouped_x *)(const void *)(tile->x + r * tile->x_stride);
    const char *next = tile->panel;
    struct group group = {0};
    for (int64_t g = 0; g < tile->groups; g++) {
        if (format.has_super && g % SUPER_GROUPS == 0) {
            group.scales = next;
            next += grouped_super_bytes(format);
        }
        if (!format.has_super)
            group.scales = next;
        group.sub = next;
        group.integers = next + grouped_head_bytes(format);
#pragma GCC unroll 20
        for (int64_t line = 0; line < grouped_bytes(format); line += LINE)
            _mm_prefetch(next + AHEAD_BYTES + line, _MM_HINT_T1);
#pragma GCC unroll 1
        for (int first = 0; first < OCTETS; first += octets)
            add_group(format, &group, x, rows, first, octets, sums);
        next += grouped_bytes(format);
#pragma GCC unroll 4
        for (int r = 0; r < rows; r++)
            x[r]++;
    }
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int c = 0; c < OCTETS; c++)
            _mm256_store_ps(tile->sums + r * KERNEL_PANEL + 8 * c, sums[r][c]);
}

/* clang-format off */
#define TILES(type)                                                                                \
    static void tile_1_##type(const struct tile *tile) { run_tile(tile, KERNEL_##type, 1); }       \
    static void tile_2_##type(const struct tile *tile) { run_tile(tile, KERNEL_##type, 2); }       \
    static void tile_3_##type(const struct tile *tile) { run_tile(tile, KERNEL_##type, 3); }       \
    static void tile_4_##type(const struct tile *tile) { run_tile(tile, KERNEL_##type, 4); }
TILES(Q4_0) TILES(Q4_1) TILES(Q4_K) TILES(Q5_0) TILES(Q5_1) TILES(Q5_K) TILES(Q6_K) TILES(Q8_0)
#undef TILES
#define ROW(type) [KERNEL_##type - KERNEL_TYPE_COUNT] = \
    {tile_1_##type, tile_2_##type, tile_3_##type, tile_4_##type}
static tile_function *const tiles[KERNEL_TYPE_END - KERNEL_TYPE_COUNT][ROWS] = {
    ROW(Q4_0), ROW(Q4_1), ROW(Q4_K), ROW(Q5_0), ROW(Q5_1), ROW(Q5_K), ROW(Q6_K), ROW(Q8_0),
};
#undef ROW
/* clang-format on */

static void run_rows(const struct linear_call *call, int64_t row, int64_t rows, int64_t panel_first,
                     int64_t panel_end)
{
    _Alignas(32) float sums[ROWS * KERNEL_PANEL];
    int64_t panel_bytes = (int64_t)kernel_panel_bytes(call->type, call->inputs);
    struct tile tile = {.groups = grouped_count(call->inputs), .sums = sums};
    tile.x_stride = (int64_t)kernel_prepared_bytes(call->type, 1, call->inputs);
    tile.x = (const char *)call->x + row * tile.x_stride;
    for (int64_t panel = panel_first; panel < panel_end; panel++) {
        tile.panel = (const char *)call->weight + panel * panel_bytes;
        tiles[call->type - KERNEL_TYPE_COUNT][rows - 1](&tile);
        struct linear_tile epilogue = grouped_epilogue(call, row, rows, panel);
        linear_store_avx2(&epilogue, sums);
    }
}

/* A tile's rows stay in the first cache while they meet a few panels, those in the second. */
static void grouped_linear_avx2(const struct linear_call *call, int64_t row_first,
                                int64_t row_count, int64_t panel_first, int64_t panel_count)
{
    int64_t panel_bytes = (int64_t)kernel_panel_bytes(call->type, call->inputs);
    int64_t panel_end = panel_first + panel_count;
    int64_t tile_count = (row_count + ROWS - 1) / ROWS;
    int64_t together = tile_count == 1 ? panel_count : GROUP_CACHE_BYTES / panel_bytes + 1;
    for (int64_t panel = panel_first; panel < panel_end; panel += together)
        for (int64_t i = 0; i < tile_count; i++) {
            int64_t first = row_count * i / tile_count;
            int64_t end = row_count * (i + 1) / tile_count;
            run_rows(call, row_first + first, end - first, panel,
                     kernel_smaller(panel + together, panel_end));
        }
}

/* max |x| of 32 values, NaN when any is NaN. */
static float largest_magnitude(const __m256 octets[4])
{
    const __m256 sign = _mm256_set1_ps(-0.0F);
    __m256 largest = _mm256_setzero_ps(), unordered = _mm256_setzero_ps();
    for (int i = 0; i < 4; i++) {
        largest = _mm256_max_ps(largest, _mm256_andnot_ps(sign, octets[i]));
        unordered = _mm256_or_ps(unordered, _mm256_cmp_ps(octets[i], octets[i], _CMP_UNORD_Q));
    }
    if (_mm256_movemask_ps(unordered) != 0)
        return NAN;
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(largest), _mm256_extractf128_ps(largest, 1));
    four = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(four, _mm_movehdup_ps(four)));
}

/* Sums of pairs of inputs, 16 lanes in the order of the inputs, as the offsets and their sum. */
static void put_sums(__m256i values, struct grouped_x *out)
{
    /* Lane j of a half holds inputs 2j and 2j + 1: even lanes are low, odd ones high. */
    __m256i pairs = _mm256_maddubs_epi16(_mm256_set1_epi8(1), values);
    __m256i fours = _mm256_add_epi16(pairs, _mm256_shuffle_epi32(pairs, 0x4E));
    fours = _mm256_add_epi16(fours, _mm256_shuffle_epi32(fours, 0xB1));
    __m256i offsets = _mm256_sub_epi16(_mm256_setzero_si256(), _mm256_slli_epi16(fours, 3));
    int32_t words[2] = {_mm256_extract_epi32(offsets, 0), _mm256_extract_epi32(offsets, 4)};
    __builtin_memcpy(out->offsets, words, sizeof words);
    __m256i whole = _mm256_madd_epi16(fours, _mm256_set1_epi16(1));
    out->sum = _mm256_extract_epi32(whole, 0) + _mm256_extract_epi32(whole, 4);
}

/* The packs interleave octets, which the permutation undoes. */
static void prepare_group(const float *x, struct grouped_x *out)
{
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    __m256 octets[4];
    for (int i = 0; i < 4; i++)
        octets[i] = _mm256_loadu_ps(x + 8 * i);
    float largest = largest_magnitude(octets);
    float factor = linear_quantising_factor(largest);
    out->scale = isfinite(largest) ? largest / 127.0F : NAN;
    __m256i rounded[4];
    for (int i = 0; i < 4; i++) {
        __m256 scaled = _mm256_mul_ps(octets[i], _mm256_set1_ps(factor));
        rounded[i] = factor > 0 ? _mm256_cvtps_epi32(scaled) : _mm256_setzero_si256();
    }
    __m256i low = _mm256_packs_epi32(rounded[0], rounded[1]);
    __m256i high = _mm256_packs_epi32(rounded[2], rounded[3]);
    __m256i bytes = _mm256_permutevar8x32_epi32(_mm256_packs_epi16(low, high), order);
    _mm256_storeu_si256((__m256i *)(void *)out->values, bytes);
    put_sums(bytes, out);
}

static void grouped_prepare_avx2(const float *x, int64_t x_stride, int64_t rows, int64_t inputs,
                                 void *out)
{
    size_t row_bytes = kernel_prepared_bytes(KERNEL_Q8_0, 1, inputs);
    for (int64_t r = 0; r < rows; r++, x += x_stride) {
        struct grouped_x *group = (struct grouped_x *)(void *)((char *)out + (size_t)r * row_bytes);
        int64_t k = 0;
        for (; k + GROUP_INPUTS <= inputs; k += GROUP_INPUTS)
            prepare_group(x + k, group++);
        if (k < inputs)
            grouped_prepare_group_c(x + k, inputs - k, group);
    }
}

void grouped_fill_avx2(struct kernels *table)
{
    table->grouped_prepare = grouped_prepare_avx2;
    table->grouped_linear = grouped_linear_avx2;
}

#endif
