/* Quantises float32 weights to 4 bits with AVX2: the same bytes as grouped_pack_c.c, which takes
 * groups of fewer than 32 inputs and those with nothing to round. */
#if defined(__x86_64__)
#include <immintrin.h>
#include <math.h>
#include <string.h>

#include "kernels/convert.h"
#include "kernels/grouped.h"

enum { OCTETS = GROUP_INPUTS / 8 };

static inline float horizontal_largest(__m256 x)
{
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    four = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(four, _mm_movehdup_ps(four)));
}

/* The first value of largest magnitude; 0 where one is not finite. */
static inline float find_extreme(const float *x, const __m256 octets[OCTETS])
{
    const __m256 sign = _mm256_set1_ps(-0.0F);
    __m256 magnitudes[OCTETS], faults = _mm256_setzero_ps(), most = _mm256_setzero_ps();
    for (int i = 0; i < OCTETS; i++) {
        magnitudes[i] = _mm256_andnot_ps(sign, octets[i]);
        faults = _mm256_or_ps(faults,
                              _mm256_cmp_ps(magnitudes[i], _mm256_set1_ps(INFINITY), _CMP_NLT_UQ));
        most = _mm256_max_ps(most, magnitudes[i]);
    }
    if (_mm256_movemask_ps(faults) != 0)
        return 0.0F;
    __m256 largest = _mm256_set1_ps(horizontal_largest(most));
    unsigned equal = 0;
    for (int i = 0; i < OCTETS; i++)
        equal |= (unsigned)_mm256_movemask_ps(_mm256_cmp_ps(magnitudes[i], largest, _CMP_EQ_OQ))
                 << 8 * i;
    return x[__builtin_ctz(equal)];
}

static inline double sum_doubles(__m256d x)
{
    __m128d two = _mm_add_pd(_mm256_castpd256_pd128(x), _mm256_extractf128_pd(x, 1));
    return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
}

static inline int32_t sum_integers(__m256i x)
{
    __m128i four = _mm_add_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
    four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4E));
    return _mm_cvtsi128_si32(_mm_add_epi32(four, _mm_shuffle_epi32(four, 0xB1)));
}

/* A whole group. The sums are exact in any order: a value that rounds to another integer than 0 is
 * at least half the scale, no product is above 128 scales, and a double has 53 bits. */
static uint16_t quantise(const float *x, uint8_t values[GROUP_INPUTS])
{
    __m256 octets[OCTETS];
    for (int i = 0; i < OCTETS; i++)
        octets[i] = _mm256_loadu_ps(x + 8 * i);
    float extreme = find_extreme(x, octets);
    float scale = float_from_f16(f16_from_float(extreme / -8.0F));
    if (scale == 0.0F || !isfinite(scale))
        return grouped_quantise(x, GROUP_INPUTS, values);
    const __m256 divisor = _mm256_set1_ps(scale);
    __m256i rounded[OCTETS], squares = _mm256_setzero_si256();
    __m256d products = _mm256_setzero_pd();
    for (int i = 0; i < OCTETS; i++) {
        __m256i integers = _mm256_cvtps_epi32(_mm256_div_ps(octets[i], divisor));
        integers = _mm256_max_epi32(integers, _mm256_set1_epi32(-8));
        integers = _mm256_min_epi32(integers, _mm256_set1_epi32(7));
        __m256 floats = _mm256_cvtepi32_ps(integers);
        __m256d low = _mm256_mul_pd(_mm256_cvtps_pd(_mm256_castps256_ps128(floats)),
                                    _mm256_cvtps_pd(_mm256_castps256_ps128(octets[i])));
        __m256d high = _mm256_mul_pd(_mm256_cvtps_pd(_mm256_extractf128_ps(floats, 1)),
                                     _mm256_cvtps_pd(_mm256_extractf128_ps(octets[i], 1)));
        products = _mm256_add_pd(products, _mm256_add_pd(low, high));
        squares = _mm256_add_epi32(squares, _mm256_mullo_epi32(integers, integers));
        rounded[i] = _mm256_add_epi32(integers, _mm256_set1_epi32(8));
    }
    /* The packs interleave octets, which the permutation undoes. */
    __m256i bytes = _mm256_packs_epi16(_mm256_packs_epi32(rounded[0], rounded[1]),
                                       _mm256_packs_epi32(rounded[2], rounded[3]));
    bytes = _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
    _mm256_storeu_si256((void *)values, bytes);
    int32_t square = sum_integers(squares);
    return f16_from_float(square > 0 ? (float)(sum_doubles(products) / square) : scale);
}

void grouped_pack_floats_avx2(const float *rows, int64_t count, int64_t inputs, void *panel)
{
    const struct grouped_format format = grouped_format(KERNEL_Q4_0);
    memset(panel, 0, kernel_panel_bytes(KERNEL_Q4_0, inputs));
    for (int64_t g = 0; g < grouped_count(inputs); g++) {
        char *group = (char *)panel + grouped_offset(format, g);
        uint16_t *scales = (uint16_t *)(void *)group;
        char *integers = group + grouped_head_bytes(format);
        int64_t first = g * GROUP_INPUTS, width = inputs - first;
        for (int64_t c = 0; c < KERNEL_PANEL; c++) {
            uint8_t values[GROUP_INPUTS];
            uint32_t lanes[GROUP_STEPS];
            memset(values, c < count ? 8 : 0, sizeof values);
            if (c < count)
                scales[c] = width < GROUP_INPUTS
                                ? grouped_quantise(rows + c * inputs + first, width, values)
                                : quantise(rows + c * inputs + first, values);
            memcpy(lanes, values, sizeof lanes);
            for (int64_t step = 0; step < GROUP_STEPS / 2; step++) {
                uint32_t lane = lanes[step] | lanes[step + GROUP_STEPS / 2] << 4;
                memcpy(integers + 4 * (step * KERNEL_PANEL + c), &lane, sizeof lane);
            }
        }
    }
}

#endif
