/* Packs weights with AVX2, the same bytes as linear_pack_c.c, which takes what is left over: panels
 * that are not full, and the last steps. AVX-512 uses it too: reading and writing bounds it.
 * Eight rows' lanes of eight steps are turned at a time. */
#if defined(__x86_64__)
#include <math.h>
#include <string.h>

#include "kernels/grouped.h"
#include "kernels/linear_avx2.h"
#include "kernels/linear_c.h"

enum { TURN = 8 };

/* Lane j of vector i becomes lane i of vector j. */
static inline __attribute__((always_inline)) void turn_lanes(__m256i lanes[TURN])
{
    __m256i pairs[TURN], fours[TURN];
#pragma GCC unroll 4
    for (int i = 0; i < TURN; i += 2) {
        pairs[i] = _mm256_unpacklo_epi32(lanes[i], lanes[i + 1]);
        pairs[i + 1] = _mm256_unpackhi_epi32(lanes[i], lanes[i + 1]);
    }
#pragma GCC unroll 2
    for (int i = 0; i < TURN; i += 4)
#pragma GCC unroll 2
        for (int j = 0; j < 2; j++) {
            fours[i + 2 * j] = _mm256_unpacklo_epi64(pairs[i + j], pairs[i + j + 2]);
            fours[i + 2 * j + 1] = _mm256_unpackhi_epi64(pairs[i + j], pairs[i + j + 2]);
        }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        lanes[i] = _mm256_permute2x128_si256(fours[i], fours[i + 4], 0x20);
        lanes[i + 4] = _mm256_permute2x128_si256(fours[i], fours[i + 4], 0x31);
    }
}

static inline __m256i round_bf16(__m256 value)
{
    const __m256i half = _mm256_set1_epi32(0x7FFF);
    const __m256i one = _mm256_set1_epi32(1);
    __m256i bits = _mm256_castps_si256(value);
    __m256i upper = _mm256_srli_epi32(bits, 16);
    __m256i rounded = _mm256_add_epi32(_mm256_add_epi32(bits, half), _mm256_and_si256(upper, one));
    /* Rounding the bits of a NaN could make an infinity of it. */
    __m256i quiet = _mm256_or_si256(upper, _mm256_set1_epi32(0x40));
    __m256i unordered = _mm256_castps_si256(_mm256_cmp_ps(value, value, _CMP_UNORD_Q));
    return _mm256_blendv_epi8(_mm256_srli_epi32(rounded, 16), quiet, unordered);
}

/* Sixteen inputs of one row as eight pairs. */
static inline __m256i pairs_bf16(const float *x)
{
    __m256i packed =
        _mm256_packus_epi32(round_bf16(_mm256_loadu_ps(x)), round_bf16(_mm256_loadu_ps(x + 8)));
    return _mm256_permute4x64_epi64(packed, 0xD8);
}

static int64_t pack_f32(const float *rows, int64_t inputs, char *out)
{
    int64_t k = 0;
    for (; k + TURN <= inputs; k += TURN)
        for (int64_t c = 0; c < KERNEL_PANEL; c += TURN) {
            __m256i lanes[TURN];
            for (int64_t i = 0; i < TURN; i++)
                lanes[i] = _mm256_castps_si256(_mm256_loadu_ps(rows + (c + i) * inputs + k));
            turn_lanes(lanes);
            for (int64_t i = 0; i < TURN; i++)
                _mm256_storeu_si256((void *)(out + 4 * ((k + i) * KERNEL_PANEL + c)), lanes[i]);
        }
    return k;
}

static int64_t pack_f16(const float *rows, int64_t inputs, char *out)
{
    int64_t k = 0;
    for (; k + TURN <= inputs; k += TURN)
        for (int64_t c = 0; c < KERNEL_PANEL; c += TURN) {
            __m256i lanes[TURN];
            for (int64_t i = 0; i < TURN; i++)
                lanes[i] = _mm256_castps_si256(_mm256_loadu_ps(rows + (c + i) * inputs + k));
            turn_lanes(lanes);
            for (int64_t i = 0; i < TURN; i++)
                _mm_storeu_si128(
                    (void *)(out + 2 * ((k + i) * KERNEL_PANEL + c)),
                    _mm256_cvtps_ph(_mm256_castsi256_ps(lanes[i]), _MM_FROUND_TO_NEAREST_INT));
        }
    return k;
}

static int64_t pack_bf16(const float *rows, int64_t inputs, char *out)
{
    int64_t k = 0;
    for (; k + 2 * TURN <= inputs; k += 2 * TURN)
        for (int64_t c = 0; c < KERNEL_PANEL; c += TURN) {
            __m256i lanes[TURN];
            for (int64_t i = 0; i < TURN; i++)
                lanes[i] = pairs_bf16(rows + (c + i) * inputs + k);
            turn_lanes(lanes);
            for (int64_t i = 0; i < TURN; i++)
                _mm256_storeu_si256((void *)(out + 4 * ((k / 2 + i) * KERNEL_PANEL + c)), lanes[i]);
        }
    return k;
}

/* Thirty-two inputs of one row as eight fours; the packs interleave octets, which the permutation
 * undoes. */
static inline __m256i fours_i8(const float *x, float factor)
{
    const __m256 scale = _mm256_set1_ps(factor);
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    __m256i octets[4];
    for (int64_t i = 0; i < 4; i++)
        octets[i] = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + 8 * i), scale));
    __m256i low = _mm256_packs_epi32(octets[0], octets[1]);
    __m256i high = _mm256_packs_epi32(octets[2], octets[3]);
    return _mm256_permutevar8x32_epi32(_mm256_packs_epi16(low, high), order);
}

/* Sums of each lane's four bytes. */
static inline __m256i sum_fours(__m256i bytes)
{
    __m256i twos = _mm256_maddubs_epi16(_mm256_set1_epi8(1), bytes);
    return _mm256_madd_epi16(twos, _mm256_set1_epi16(1));
}

/* Eight rows of an int8 panel from `column` on. A row whose factor is 0 becomes zeros: its products
 * may be NaN, which convert to a number. */
static void pack_rows_i8(const float *rows, int64_t inputs, int64_t column, int8_t *out,
                         float *scales, int32_t *corrections)
{
    float factors[TURN];
    __m256i kept[TURN], sums[TURN];
    for (int64_t i = 0; i < TURN; i++) {
        const float *row = rows + i * inputs;
        float largest = linear_largest_magnitude_avx2(row, inputs);
        if (isnan(largest)) /* this very one */
            largest = linear_largest_magnitude(row, inputs);
        scales[i] = largest / 127.0F;
        factors[i] = linear_quantising_factor(largest);
        kept[i] = _mm256_set1_epi32(factors[i] > 0 ? -1 : 0);
        sums[i] = _mm256_setzero_si256();
    }
    int64_t k = 0;
    for (; k + 4 * TURN <= inputs; k += 4 * TURN) {
        __m256i lanes[TURN];
        for (int64_t i = 0; i < TURN; i++) {
            lanes[i] = _mm256_and_si256(fours_i8(rows + i * inputs + k, factors[i]), kept[i]);
            sums[i] = _mm256_add_epi32(sums[i], sum_fours(lanes[i]));
        }
        turn_lanes(lanes);
        for (int64_t i = 0; i < TURN; i++)
            _mm256_storeu_si256((void *)(out + 4 * ((k / 4 + i) * KERNEL_PANEL + column)),
                                lanes[i]);
    }
    turn_lanes(sums);
    __m256i total = sums[0];
    for (int64_t i = 1; i < TURN; i++)
        total = _mm256_add_epi32(total, sums[i]);
    _mm256_storeu_si256((void *)corrections, total);
    for (int64_t i = 0; i < TURN; i++)
        corrections[i] =
            128 * (corrections[i] +
                   linear_pack_row_i8(rows + i * inputs, inputs, factors[i], k, column + i, out));
}

static void pack_i8(const float *rows, int64_t inputs, int8_t *out)
{
    int64_t steps = linear_steps(KERNEL_I8, inputs);
    float *scales = (float *)(void *)(out + 4 * steps * KERNEL_PANEL);
    int32_t *corrections = (int32_t *)(void *)(scales + KERNEL_PANEL);
    int64_t whole = inputs / (4 * TURN) * TURN; /* steps that vectors write */
    memset(out + 4 * whole * KERNEL_PANEL, 0, (size_t)(4 * (steps - whole) * KERNEL_PANEL));
    for (int64_t c = 0; c < KERNEL_PANEL; c += TURN)
        pack_rows_i8(rows + c * inputs, inputs, c, out, scales + c, corrections + c);
}

void linear_pack_panel_avx2(enum kernel_type type, const float *rows, int64_t count, int64_t inputs,
                            void *panel)
{
    int64_t done = 0;
    if (type == KERNEL_Q4_0) {
        grouped_pack_floats_avx2(rows, count, inputs, panel);
        return;
    }
    if (count < KERNEL_PANEL) {
        linear_pack_panel_c(type, rows, count, inputs, panel);
        return;
    }
    switch (type) {
    case KERNEL_I8:
        pack_i8(rows, inputs, panel);
        return;
    case KERNEL_F16:
        done = pack_f16(rows, inputs, panel);
        break;
    case KERNEL_BF16:
        done = pack_bf16(rows, inputs, panel);
        break;
    case KERNEL_F32:
    default:
        done = pack_f32(rows, inputs, panel);
        break;
    }
    linear_pack_rest(type, rows, count, inputs, done, panel);
}

#endif
