/* The passes of sampling with AVX2; sample.c decides with them. Weights are unsigned, AVX2's
 * comparisons are not: a >= b is max(a, b) == a. Ends shorter than a vector go by the definition
 * one at a time. */
#include "kernels/kernels_internal.h"

#if defined(__x86_64__)
#include <float.h>
#include <immintrin.h>

#include "kernels/sample.h"
#include "kernels/sample_definition.h"

static inline __m256i at_least(__m256i weight, __m256i bound)
{
    return _mm256_cmpeq_epi32(_mm256_max_epu32(weight, bound), weight);
}

/* Adds eight words to four 64-bit sums. */
static inline __m256i add_words(__m256i sum, __m256i words)
{
    const __m256i low = _mm256_set1_epi64x(UINT32_MAX);
    __m256i pairs = _mm256_add_epi64(_mm256_and_si256(words, low), _mm256_srli_epi64(words, 32));
    return _mm256_add_epi64(sum, pairs);
}

static uint64_t reduce_add(__m256i sum)
{
    uint64_t lane[4];
    _mm256_storeu_si256((__m256i *)lane, sum);
    return lane[0] + lane[1] + lane[2] + lane[3];
}

static uint32_t reduce_min(__m256i words)
{
    uint32_t lane[8];
    _mm256_storeu_si256((__m256i *)lane, words);
    for (int k = 1; k < 8; k++)
        lane[0] = lane[k] < lane[0] ? lane[k] : lane[0];
    return lane[0];
}

static bool find_max(const float *logits, int64_t count, float *max)
{
    const __m256i magnitude = _mm256_set1_epi32(0x7FFFFFFF);
    const __m256i infinite = _mm256_set1_epi32(0x7F800000);
    __m256 largest = _mm256_set1_ps(-FLT_MAX);
    __m256i bad = _mm256_setzero_si256();
    int64_t i = 0;
    for (; i + 8 <= count; i += 8) {
        __m256 logit = _mm256_loadu_ps(logits + i);
        __m256i size = _mm256_and_si256(_mm256_castps_si256(logit), magnitude);
        largest = _mm256_max_ps(largest, logit);
        bad = _mm256_or_si256(bad, at_least(size, infinite));
    }
    float lane[8];
    _mm256_storeu_ps(lane, largest);
    *max = lane[0];
    for (int k = 1; k < 8; k++)
        *max = lane[k] > *max ? lane[k] : *max;
    bool finite = _mm256_testz_si256(bad, bad) != 0;
    for (; i < count; i++) {
        *max = logits[i] > *max ? logits[i] : *max;
        finite &= fabsf(logits[i]) <= FLT_MAX;
    }
    return finite;
}

static int64_t find(const float *logits, int64_t count, float value)
{
    int64_t i = 0;
    for (; i + 8 <= count; i += 8) {
        __m256 same = _mm256_cmp_ps(_mm256_loadu_ps(logits + i), _mm256_set1_ps(value), _CMP_EQ_OQ);
        int lanes = _mm256_movemask_ps(same);
        if (lanes != 0)
            return i + __builtin_ctz((unsigned)lanes);
    }
    while (i < count && logits[i] != value)
        i++;
    return i < count ? i : -1;
}

static inline __m256i weights_of(__m256 logit, __m256 max, __m256 scale)
{
    const __m256 shift = _mm256_set1_ps(sample_shift), half = _mm256_set1_ps(0x1p31f);
    __m256 z = _mm256_mul_ps(_mm256_sub_ps(logit, max), scale);
    z = _mm256_max_ps(z, _mm256_set1_ps(sample_lowest));
    __m256 shifted = _mm256_add_ps(z, shift);
    __m256 f = _mm256_sub_ps(z, _mm256_sub_ps(shifted, shift));
    __m256 p = _mm256_set1_ps(sample_poly[6]);
    for (int k = 5; k >= 0; k--)
        p = _mm256_fmadd_ps(p, f, _mm256_set1_ps(sample_poly[k]));
    __m256i power = _mm256_add_epi32(_mm256_castps_si256(shifted), _mm256_set1_epi32(159));
    p = _mm256_mul_ps(p, _mm256_castsi256_ps(_mm256_slli_epi32(power, 23)));
    /* The conversion is signed: 2^31 is taken off and put back as the top bit. */
    __m256 upper = _mm256_cmp_ps(p, half, _CMP_GE_OQ);
    __m256i weight = _mm256_cvttps_epi32(_mm256_sub_ps(p, _mm256_and_ps(upper, half)));
    weight = _mm256_xor_si256(weight, _mm256_slli_epi32(_mm256_castps_si256(upper), 31));
    __m256 full = _mm256_cmp_ps(p, _mm256_set1_ps(0x1p32f), _CMP_GE_OQ);
    return _mm256_or_si256(weight, _mm256_castps_si256(full));
}

static uint64_t weigh(const float *logits, int64_t count, float max, float scale, uint32_t *weights,
                      uint32_t *lowest)
{
    const __m256 maximum = _mm256_set1_ps(max), factor = _mm256_set1_ps(scale);
    __m256i least = _mm256_set1_epi32(-1), sum = _mm256_setzero_si256();
    int64_t i = 0;
    for (; i + 8 <= count; i += 8) {
        __m256i weight = weights_of(_mm256_loadu_ps(logits + i), maximum, factor);
        least = _mm256_min_epu32(least, weight);
        sum = add_words(sum, weight);
        _mm256_storeu_si256((__m256i *)(weights + i), weight);
    }
    uint64_t total = reduce_add(sum);
    *lowest = reduce_min(least);
    for (; i < count; i++) {
        weights[i] = sample_weight(logits[i], max, scale);
        total += weights[i];
        *lowest = weights[i] < *lowest ? weights[i] : *lowest;
    }
    return total;
}

/* Pairs of words are added as they are, modulo 2^64, and their upper halves once more: what the
 * upper halves gave to the first sum is taken off in the end. */
static void sum_above(const uint32_t *weights, int64_t count, const uint32_t *cuts, uint64_t *sums)
{
    const __m256i sign = _mm256_set1_epi32(INT32_MIN);
    __m256i below[SAMPLE_CUTS], pairs[SAMPLE_CUTS], upper[SAMPLE_CUTS];
    for (int k = 0; k < SAMPLE_CUTS; k++) {
        /* A cut is at least 1. With the top bit turned, unsigned words compare as signed ones. */
        below[k] = _mm256_xor_si256(_mm256_set1_epi32((int)(cuts[k] - 1)), sign);
        pairs[k] = upper[k] = _mm256_setzero_si256();
    }
    int64_t i = 0;
    for (; i + 8 <= count; i += 8) {
        __m256i weight = _mm256_loadu_si256((const __m256i *)(weights + i));
        __m256i ordered = _mm256_xor_si256(weight, sign);
        for (int k = 0; k < SAMPLE_CUTS; k++) {
            __m256i kept = _mm256_and_si256(weight, _mm256_cmpgt_epi32(ordered, below[k]));
            pairs[k] = _mm256_add_epi64(pairs[k], kept);
            upper[k] = _mm256_add_epi64(upper[k], _mm256_srli_epi64(kept, 32));
        }
    }
    for (int k = 0; k < SAMPLE_CUTS; k++) {
        uint64_t high = reduce_add(upper[k]);
        sums[k] = reduce_add(pairs[k]) - (high << 32) + high;
        for (int64_t j = i; j < count; j++)
            sums[k] += weights[j] >= cuts[k] ? weights[j] : 0;
    }
}

/* Where the lanes of a half go so that those of the mask come first; the others may be anything. */
static const int32_t gathered_lanes[16][4] = {
    {0, 0, 0, 0}, {0, 0, 0, 0}, {1, 0, 0, 0}, {0, 1, 0, 0}, {2, 0, 0, 0}, {0, 2, 0, 0},
    {1, 2, 0, 0}, {0, 1, 2, 0}, {3, 0, 0, 0}, {0, 3, 0, 0}, {1, 3, 0, 0}, {0, 1, 3, 0},
    {2, 3, 0, 0}, {0, 2, 3, 0}, {1, 2, 3, 0}, {0, 1, 2, 3},
};

/* Writes the lanes of the mask and something past them; returns how many they are. */
static inline int64_t write_lanes(uint32_t *to, __m128i words, unsigned mask)
{
    __m128i order = _mm_loadu_si128((const __m128i *)gathered_lanes[mask]);
    __m128 gathered = _mm_permutevar_ps(_mm_castsi128_ps(words), order);
    _mm_storeu_si128((__m128i *)to, _mm_castps_si128(gathered));
    return __builtin_popcount(mask);
}

static struct sample_list narrow(const uint32_t *from, int64_t count, uint32_t low, uint32_t high,
                                 uint32_t *to)
{
    const __m256i lower = _mm256_set1_epi32((int)low), upper = _mm256_set1_epi32((int)high);
    const __m256i ones = _mm256_set1_epi32(-1);
    __m256i least = ones, largest = _mm256_setzero_si256();
    struct sample_list list = {0, 0, 0};
    int64_t i = 0;
    for (; i + 8 <= count; i += 8) {
        __m256i weight = _mm256_loadu_si256((const __m256i *)(from + i));
        __m256i inside = _mm256_and_si256(at_least(weight, lower), at_least(upper, weight));
        unsigned lanes = (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(inside));
        least = _mm256_min_epu32(least, _mm256_or_si256(weight, _mm256_xor_si256(inside, ones)));
        largest = _mm256_max_epu32(largest, _mm256_and_si256(weight, inside));
        list.count += write_lanes(to + list.count, _mm256_castsi256_si128(weight), lanes & 15);
        list.count += write_lanes(to + list.count, _mm256_extracti128_si256(weight, 1), lanes >> 4);
    }
    list.lowest = reduce_min(least);
    list.highest = ~reduce_min(_mm256_xor_si256(largest, ones));
    for (; i < count; i++) {
        if (from[i] < low || from[i] > high)
            continue;
        list.lowest = from[i] < list.lowest ? from[i] : list.lowest;
        list.highest = from[i] > list.highest ? from[i] : list.highest;
        to[list.count++] = from[i];
    }
    return list;
}

static struct sample_kept keep(const uint32_t *weights, int64_t count, uint32_t lowest)
{
    const __m256i bound = _mm256_set1_epi32((int)lowest);
    __m256i sum = _mm256_setzero_si256();
    struct sample_kept kept = {0, 0};
    int64_t i = 0;
    for (; i + 8 <= count; i += 8) {
        __m256i weight = _mm256_loadu_si256((const __m256i *)(weights + i));
        __m256i equal = _mm256_cmpeq_epi32(weight, bound);
        __m256i above = _mm256_andnot_si256(equal, at_least(weight, bound));
        sum = add_words(sum, _mm256_and_si256(weight, above));
        int lanes = _mm256_movemask_ps(_mm256_castsi256_ps(equal));
        kept.ties += (uint64_t)__builtin_popcount((unsigned)lanes);
    }
    kept.above = reduce_add(sum);
    for (; i < count; i++) {
        kept.above += weights[i] > lowest ? weights[i] : 0;
        kept.ties += weights[i] == lowest;
    }
    return kept;
}

static int64_t sample(const struct sample_call *call)
{
    static const struct sample_steps steps = {find_max, find, weigh, sum_above, narrow, keep};
    return sample_run(&steps, call);
}

void sample_fill_avx2(struct kernels *table)
{
    table->sample = sample;
}
#endif
