/* The exact part of grouped_avx2.c: integer products of a group. vpmaddubsw multiplies unsigned
 * weights by signed activations. Integers below 64 leave room in 16 bits for the sums of a half
 * group, of 4 bits for those of a whole one; the offset is taken off by what the sums begin with.
 * int8 weights (Q8_0) give their sign to the activations first: |w| as unsigned bytes cannot
 * saturate with |x| <= 127. All is expanded for constant formats and rows. */
#ifndef TOKENMARK_KERNELS_GROUPED_MULTIPLY_AVX2_H
#define TOKENMARK_KERNELS_GROUPED_MULTIPLY_AVX2_H

#include <immintrin.h>

#include "kernels/grouped.h"

enum { ROWS = 4, OCTETS = KERNEL_PANEL / 8 };

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
static inline __attribute__((always_inline)) __m256i factor_at(const struct grouped_format format,
                                                               const struct grouped_place *group,
                                                               int octet, int half)
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
multiply_4(const struct grouped_format format, const struct grouped_place *group,
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
multiply_6(const struct grouped_format format, const struct grouped_place *group,
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
multiply_8(const struct grouped_place *group, const struct grouped_x *const *x, const int rows,
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

#endif
