/* The passes of sampling with AVX-512; sample.c decides with them. Sums of 32-bit weights are
 * kept as sums of their halves in 32-bit lanes and widened once a block. */
#include "kernels/kernels_internal.h"

#if defined(__x86_64__)
#include <float.h>
#include <immintrin.h>

#include "kernels/math_avx512.h"
#include "kernels/sample.h"
#include "kernels/sample_definition.h"

/* So many vectors of 16-bit halves fit into 32-bit lanes. */
enum { BLOCK = 16 * 65536 };

struct halves {
    __m512i low, high;
};

static inline void add_halves(struct halves *sum, __mmask16 lanes, __m512i low, __m512i high)
{
    sum->low = _mm512_mask_add_epi32(sum->low, lanes, sum->low, low);
    sum->high = _mm512_mask_add_epi32(sum->high, lanes, sum->high, high);
}

static uint64_t sum_words(__m512i words)
{
    __m512i even = _mm512_and_si512(words, _mm512_set1_epi64(UINT32_MAX));
    return (uint64_t)_mm512_reduce_add_epi64(_mm512_add_epi64(even, _mm512_srli_epi64(words, 32)));
}

static uint64_t sum_halves(const struct halves *sum)
{
    return sum_words(sum->low) + (sum_words(sum->high) << 16);
}

static inline int64_t block_end(int64_t first, int64_t count)
{
    return count - first < BLOCK ? count : first + BLOCK;
}

static bool find_max(const float *logits, int64_t count, float *max)
{
    const __m512i magnitude = _mm512_set1_epi32(0x7FFFFFFF);
    __m512 largest = _mm512_set1_ps(-FLT_MAX);
    __m512i size = _mm512_setzero_si512();
    for (int64_t i = 0; i < count; i += 16) {
        __mmask16 lanes = math_lanes_avx512(i, count);
        __m512 logit = _mm512_maskz_loadu_ps(lanes, logits + i);
        largest = _mm512_mask_max_ps(largest, lanes, largest, logit);
        size = _mm512_max_epu32(size, _mm512_and_si512(_mm512_castps_si512(logit), magnitude));
    }
    *max = _mm512_reduce_max_ps(largest);
    return _mm512_reduce_max_epu32(size) < 0x7F800000U;
}

static int64_t find(const float *logits, int64_t count, float value)
{
    for (int64_t i = 0; i < count; i += 16) {
        __mmask16 lanes = math_lanes_avx512(i, count);
        __mmask16 equal = _mm512_mask_cmp_ps_mask(lanes, _mm512_maskz_loadu_ps(lanes, logits + i),
                                                  _mm512_set1_ps(value), _CMP_EQ_OQ);
        if (equal != 0)
            return i + __builtin_ctz(equal);
    }
    return -1;
}

static inline __m512i weights_of(__m512 logit, __m512 max, __m512 scale)
{
    const __m512 shift = _mm512_set1_ps(sample_shift);
    __m512 z = _mm512_mul_ps(_mm512_sub_ps(logit, max), scale);
    z = _mm512_max_ps(z, _mm512_set1_ps(sample_lowest));
    __m512 shifted = _mm512_add_ps(z, shift);
    __m512 f = _mm512_sub_ps(z, _mm512_sub_ps(shifted, shift));
    __m512 p = _mm512_set1_ps(sample_poly[6]);
    for (int k = 5; k >= 0; k--)
        p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(sample_poly[k]));
    __m512i power = _mm512_add_epi32(_mm512_castps_si512(shifted), _mm512_set1_epi32(159));
    p = _mm512_mul_ps(p, _mm512_castsi512_ps(_mm512_slli_epi32(power, 23)));
    /* 2^32 does not fit and becomes 2^32 - 1, as the definition says. */
    return _mm512_cvttps_epu32(p);
}

static uint64_t weigh(const float *logits, int64_t count, float max, float scale, uint32_t *weights,
                      uint32_t *lowest)
{
    const __m512i mask = _mm512_set1_epi32(0xFFFF);
    const __m512 maximum = _mm512_set1_ps(max), factor = _mm512_set1_ps(scale);
    __m512i least = _mm512_set1_epi32(-1);
    uint64_t total = 0;
    for (int64_t first = 0; first < count; first += BLOCK) {
        struct halves sum = {_mm512_setzero_si512(), _mm512_setzero_si512()};
        for (int64_t i = first, end = block_end(first, count); i < end; i += 16) {
            __mmask16 lanes = math_lanes_avx512(i, end);
            __m512 logit = _mm512_maskz_loadu_ps(lanes, logits + i);
            __m512i weight = weights_of(logit, maximum, factor);
            least = _mm512_mask_min_epu32(least, lanes, least, weight);
            add_halves(&sum, lanes, _mm512_and_si512(weight, mask), _mm512_srli_epi32(weight, 16));
            _mm512_mask_storeu_epi32(weights + i, lanes, weight);
        }
        total += sum_halves(&sum);
    }
    *lowest = _mm512_reduce_min_epu32(least);
    return total;
}

static void sum_above(const uint32_t *weights, int64_t count, const uint32_t *cuts, uint64_t *sums)
{
    const __m512i mask = _mm512_set1_epi32(0xFFFF);
    for (int k = 0; k < SAMPLE_CUTS; k++)
        sums[k] = 0;
    for (int64_t first = 0; first < count; first += BLOCK) {
        struct halves sum[SAMPLE_CUTS];
        for (int k = 0; k < SAMPLE_CUTS; k++)
            sum[k].low = sum[k].high = _mm512_setzero_si512();
        for (int64_t i = first, end = block_end(first, count); i < end; i += 16) {
            __m512i weight = _mm512_maskz_loadu_epi32(math_lanes_avx512(i, end), weights + i);
            __m512i low = _mm512_and_si512(weight, mask), high = _mm512_srli_epi32(weight, 16);
            for (int k = 0; k < SAMPLE_CUTS; k++) {
                __m512i cut = _mm512_set1_epi32((int)cuts[k]);
                add_halves(&sum[k], _mm512_cmpge_epu32_mask(weight, cut), low, high);
            }
        }
        for (int k = 0; k < SAMPLE_CUTS; k++)
            sums[k] += sum_halves(&sum[k]);
    }
}

static struct sample_list narrow(const uint32_t *from, int64_t count, uint32_t low, uint32_t high,
                                 uint32_t *to)
{
    const __m512i lower = _mm512_set1_epi32((int)low), upper = _mm512_set1_epi32((int)high);
    __m512i least = _mm512_set1_epi32(-1), most = _mm512_setzero_si512();
    struct sample_list list = {0, 0, 0};
    for (int64_t i = 0; i < count; i += 16) {
        __mmask16 lanes = math_lanes_avx512(i, count);
        __m512i weight = _mm512_maskz_loadu_epi32(lanes, from + i);
        lanes = _mm512_mask_cmpge_epu32_mask(lanes, weight, lower);
        lanes = _mm512_mask_cmple_epu32_mask(lanes, weight, upper);
        least = _mm512_mask_min_epu32(least, lanes, least, weight);
        most = _mm512_mask_max_epu32(most, lanes, most, weight);
        /* Compressed in a register and stored whole: a masked compressing store is slow on some
         * CPUs. What it writes too much is overwritten, or lies in the workspace's filling, and
         * never reaches words not read yet: list.count <= i. */
        _mm512_storeu_si512(to + list.count, _mm512_maskz_compress_epi32(lanes, weight));
        list.count += __builtin_popcount(lanes);
    }
    list.lowest = _mm512_reduce_min_epu32(least);
    list.highest = _mm512_reduce_max_epu32(most);
    return list;
}

static struct sample_kept keep(const uint32_t *weights, int64_t count, uint32_t lowest)
{
    const __m512i mask = _mm512_set1_epi32(0xFFFF), bound = _mm512_set1_epi32((int)lowest);
    struct sample_kept kept = {0, 0};
    for (int64_t first = 0; first < count; first += BLOCK) {
        struct halves sum = {_mm512_setzero_si512(), _mm512_setzero_si512()};
        for (int64_t i = first, end = block_end(first, count); i < end; i += 16) {
            __mmask16 lanes = math_lanes_avx512(i, end);
            __m512i weight = _mm512_maskz_loadu_epi32(lanes, weights + i);
            __mmask16 above = _mm512_mask_cmpgt_epu32_mask(lanes, weight, bound);
            __mmask16 equal = _mm512_mask_cmpeq_epu32_mask(lanes, weight, bound);
            add_halves(&sum, above, _mm512_and_si512(weight, mask), _mm512_srli_epi32(weight, 16));
            kept.ties += (uint64_t)__builtin_popcount(equal);
        }
        kept.above += sum_halves(&sum);
    }
    return kept;
}

static int64_t sample(const struct sample_call *call)
{
    static const struct sample_steps steps = {find_max, find, weigh, sum_above, narrow, keep};
    return sample_run(&steps, call);
}

void sample_fill_avx512(struct kernels *table)
{
    table->sample = sample;
}
#endif
