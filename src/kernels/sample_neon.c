/* The passes of sampling with NEON; sample.c decides with them. Ends shorter than a vector go by
 * the definition one at a time. */
#include "kernels/kernels_internal.h"

#if defined(__aarch64__)
#include <arm_neon.h>

#include "kernels/sample.h"
#include "kernels/sample_definition.h"

static bool find_max(const float *logits, int64_t count, float *max)
{
    const uint32x4_t magnitude = vdupq_n_u32(0x7FFFFFFFU), infinite = vdupq_n_u32(0x7F800000U);
    float32x4_t largest = vdupq_n_f32(-FLT_MAX);
    uint32x4_t bad = vdupq_n_u32(0);
    int64_t i = 0;
    for (; i + 4 <= count; i += 4) {
        float32x4_t logit = vld1q_f32(logits + i);
        largest = vmaxnmq_f32(largest, logit);
        uint32x4_t size = vandq_u32(vreinterpretq_u32_f32(logit), magnitude);
        bad = vorrq_u32(bad, vcgeq_u32(size, infinite));
    }
    *max = vmaxnmvq_f32(largest);
    bool finite = vmaxvq_u32(bad) == 0;
    for (; i < count; i++) {
        *max = logits[i] > *max ? logits[i] : *max;
        finite &= fabsf(logits[i]) <= FLT_MAX;
    }
    return finite;
}

static int64_t find(const float *logits, int64_t count, float value)
{
    int64_t i = 0;
    while (i + 4 <= count && vmaxvq_u32(vceqq_f32(vld1q_f32(logits + i), vdupq_n_f32(value))) == 0)
        i += 4;
    while (i < count && logits[i] != value)
        i++;
    return i < count ? i : -1;
}

/* The conversion cuts off the fraction and what exceeds 32 bits, as the definition does. */
static inline uint32x4_t weights_of(float32x4_t logit, float32x4_t max, float32x4_t scale)
{
    const float32x4_t shift = vdupq_n_f32(sample_shift);
    float32x4_t z = vmulq_f32(vsubq_f32(logit, max), scale);
    z = vmaxq_f32(z, vdupq_n_f32(sample_lowest));
    float32x4_t shifted = vaddq_f32(z, shift);
    float32x4_t f = vsubq_f32(z, vsubq_f32(shifted, shift));
    float32x4_t p = vdupq_n_f32(sample_poly[6]);
    for (int k = 5; k >= 0; k--)
        p = vfmaq_f32(vdupq_n_f32(sample_poly[k]), p, f);
    uint32x4_t power = vaddq_u32(vreinterpretq_u32_f32(shifted), vdupq_n_u32(159));
    return vcvtq_u32_f32(vmulq_f32(p, vreinterpretq_f32_u32(vshlq_n_u32(power, 23))));
}

static uint64_t weigh(const float *logits, int64_t count, float max, float scale, uint32_t *weights,
                      uint32_t *lowest)
{
    const float32x4_t maximum = vdupq_n_f32(max), factor = vdupq_n_f32(scale);
    uint32x4_t least = vdupq_n_u32(UINT32_MAX);
    uint64x2_t sum = vdupq_n_u64(0);
    int64_t i = 0;
    for (; i + 4 <= count; i += 4) {
        uint32x4_t weight = weights_of(vld1q_f32(logits + i), maximum, factor);
        least = vminq_u32(least, weight);
        sum = vpadalq_u32(sum, weight);
        vst1q_u32(weights + i, weight);
    }
    uint64_t total = vaddvq_u64(sum);
    *lowest = vminvq_u32(least);
    for (; i < count; i++) {
        weights[i] = sample_weight(logits[i], max, scale);
        total += weights[i];
        *lowest = weights[i] < *lowest ? weights[i] : *lowest;
    }
    return total;
}

static void sum_above(const uint32_t *weights, int64_t count, const uint32_t *cuts, uint64_t *sums)
{
    uint32x4_t bounds[SAMPLE_CUTS];
    uint64x2_t above[SAMPLE_CUTS];
    for (int k = 0; k < SAMPLE_CUTS; k++) {
        bounds[k] = vdupq_n_u32(cuts[k]);
        above[k] = vdupq_n_u64(0);
    }
    int64_t i = 0;
    for (; i + 4 <= count; i += 4) {
        uint32x4_t weight = vld1q_u32(weights + i);
        for (int k = 0; k < SAMPLE_CUTS; k++)
            above[k] = vpadalq_u32(above[k], vandq_u32(weight, vcgeq_u32(weight, bounds[k])));
    }
    for (int k = 0; k < SAMPLE_CUTS; k++) {
        sums[k] = vaddvq_u64(above[k]);
        for (int64_t j = i; j < count; j++)
            sums[k] += weights[j] >= cuts[k] ? weights[j] : 0;
    }
}

/* The lanes of a mask, lowest first, then anything; as offsets of their first bytes. */
static const uint32_t gathered_lanes[16][4] = {
    {0, 0, 0, 0},  {0, 0, 0, 0},  {4, 0, 0, 0},  {0, 4, 0, 0},  {8, 0, 0, 0},  {0, 8, 0, 0},
    {4, 8, 0, 0},  {0, 4, 8, 0},  {12, 0, 0, 0}, {0, 12, 0, 0}, {4, 12, 0, 0}, {0, 4, 12, 0},
    {8, 12, 0, 0}, {0, 8, 12, 0}, {4, 8, 12, 0}, {0, 4, 8, 12},
};

/* Writes the lanes of the mask and something past them; returns how many they are. */
static inline int64_t write_lanes(uint32_t *to, uint32x4_t words, uint32x4_t inside)
{
    static const uint32_t bits[4] = {1, 2, 4, 8};
    uint32_t mask = vaddvq_u32(vandq_u32(inside, vld1q_u32(bits)));
    /* Every byte of a lane gets the offset of its first, then its own place is added. */
    uint32x4_t bytes = vmulq_n_u32(vld1q_u32(gathered_lanes[mask]), 0x01010101U);
    bytes = vaddq_u32(bytes, vdupq_n_u32(0x03020100U));
    uint8x16_t gathered = vqtbl1q_u8(vreinterpretq_u8_u32(words), vreinterpretq_u8_u32(bytes));
    vst1q_u32(to, vreinterpretq_u32_u8(gathered));
    return __builtin_popcount(mask);
}

static struct sample_list narrow(const uint32_t *from, int64_t count, uint32_t low, uint32_t high,
                                 uint32_t *to)
{
    const uint32x4_t lower = vdupq_n_u32(low), upper = vdupq_n_u32(high);
    uint32x4_t least = vdupq_n_u32(UINT32_MAX), largest = vdupq_n_u32(0);
    struct sample_list list = {0, 0, 0};
    int64_t i = 0;
    for (; i + 4 <= count; i += 4) {
        uint32x4_t weight = vld1q_u32(from + i);
        uint32x4_t inside = vandq_u32(vcgeq_u32(weight, lower), vcleq_u32(weight, upper));
        least = vminq_u32(least, vornq_u32(weight, inside));
        largest = vmaxq_u32(largest, vandq_u32(weight, inside));
        list.count += write_lanes(to + list.count, weight, inside);
    }
    list.lowest = vminvq_u32(least);
    list.highest = vmaxvq_u32(largest);
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
    const uint32x4_t bound = vdupq_n_u32(lowest);
    uint64x2_t above = vdupq_n_u64(0), ties = above;
    int64_t i = 0;
    for (; i + 4 <= count; i += 4) {
        uint32x4_t weight = vld1q_u32(weights + i);
        above = vpadalq_u32(above, vandq_u32(weight, vcgtq_u32(weight, bound)));
        ties = vpadalq_u32(ties, vshrq_n_u32(vceqq_u32(weight, bound), 31));
    }
    struct sample_kept kept = {vaddvq_u64(above), vaddvq_u64(ties)};
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

void sample_fill_neon(struct kernels *table)
{
    table->sample = sample;
}
#endif
