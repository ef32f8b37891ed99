/* The weights of sampling, exactly: every engine and instruction set computes these operations
 * in float32 with round to nearest and gets the same bits. engine/sampler.h says what is done
 * with them.
 *
 *   scale = min(log2(e) / temperature, FLT_MAX)
 *   z     = max((logit - max) * scale, -64)
 *   n     = z rounded to the nearest integer, ties to even: (z + 1.5 * 2^23) - 1.5 * 2^23
 *   f     = z - n
 *   p     = ((((((c6 f + c5) f + c4) f + c3) f + c2) f + c1) f + 1), each step one fused
 *           multiply-add
 *   w     = min(floor(p * 2^(n + 32)), 2^32 - 1)
 *
 * so a weight is 2^32 * exp((logit - max) / temperature) within 2e-7 for moderate logits, and 0
 * where that is below 1. */
#ifndef TOKENMARK_KERNELS_SAMPLE_DEFINITION_H
#define TOKENMARK_KERNELS_SAMPLE_DEFINITION_H

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

static const float sample_log2_e = 0x1.715476p+0f;
static const float sample_lowest = -64.0f;
static const float sample_shift = 12582912.0f;
/* 2^f = 1 + c1 f + ..., |f| <= 1/2: a weighted minimax fit, relative error 2e-9. */
static const float sample_poly[7] = {1.0f,           0x1.62e430p-1f, 0x1.ebfbdcp-3f,
                                     0x1.c6aee8p-5f, 0x1.3b2d4cp-7f, 0x1.5f3e54p-10f,
                                     0x1.41fbbcp-13f};

static inline float sample_scale(float temperature)
{
    float scale = sample_log2_e / temperature;
    return scale > FLT_MAX ? FLT_MAX : scale;
}

static inline uint32_t sample_weight(float logit, float max, float scale)
{
    float z = (logit - max) * scale;
    z = z < sample_lowest ? sample_lowest : z;
    float shifted = z + sample_shift;
    float f = z - (shifted - sample_shift);
    float p = sample_poly[6];
    for (int i = 5; i >= 0; i--)
        p = fmaf(p, f, sample_poly[i]);
    uint32_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    /* The low bits of `shifted` are n; 159 = 127 + 32, the exponent of 2^32. */
    bits = (bits + 159U) << 23;
    float power;
    memcpy(&power, &bits, sizeof power);
    uint64_t weight = (uint64_t)(p * power);
    return weight > UINT32_MAX ? UINT32_MAX : (uint32_t)weight;
}

/* top_p as a fraction of 2^32, and the sum that the nucleus must reach:
 * ceil(fraction * total / 2^32), at least 1; total < 2^63. */
static inline uint64_t sample_fraction(double top_p)
{
    double fraction = top_p * 4294967296.0 + 0.5;
    return fraction >= 4294967296.0 ? 4294967296U : (uint64_t)fraction;
}

static inline uint64_t sample_needed(uint64_t fraction, uint64_t total)
{
    uint64_t low = fraction * (total & UINT32_MAX);
    uint64_t needed = fraction * (total >> 32) + ((low + UINT32_MAX) >> 32);
    return needed > 0 ? needed : 1;
}

/* floor(draw * sum / 2^64) */
static inline uint64_t sample_position(uint64_t draw, uint64_t sum)
{
    uint64_t draw_low = draw & UINT32_MAX, draw_high = draw >> 32;
    uint64_t sum_low = sum & UINT32_MAX, sum_high = sum >> 32;
    uint64_t cross = draw_high * sum_low + (draw_low * sum_low >> 32);
    uint64_t middle = draw_low * sum_high + (cross & UINT32_MAX);
    return draw_high * sum_high + (cross >> 32) + (middle >> 32);
}

#endif
