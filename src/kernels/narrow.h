/* Narrow number formats of one value: bfloat16, float16 (both rounded to nearest even, finite
 * values stay finite: they saturate) and int8 with a scale. */
#ifndef TOKENMARK_KERNELS_NARROW_H
#define TOKENMARK_KERNELS_NARROW_H

#include <stdint.h>

#include "kernels/math_c.h"

static inline float narrow_from_bf16(uint16_t half)
{
    return math_float_of_bits((uint32_t)half << 16);
}

static inline uint16_t narrow_to_bf16(float value)
{
    uint32_t bits = math_bits_of_float(value);
    uint32_t sign = bits >> 31 << 15, size = bits & 0x7FFFFFFFU;
    if (size > 0x7F800000U)
        return 0x7FC0U;
    if (size != 0x7F800000U && size > 0x7F7F0000U)
        return (uint16_t)(sign | 0x7F7FU);
    return (uint16_t)((bits + 0x7FFFU + (bits >> 16 & 1U)) >> 16);
}

static inline float narrow_from_f16(uint16_t half)
{
    uint32_t sign = (uint32_t)(half >> 15) << 31;
    uint32_t exponent = half >> 10 & 31U, fraction = half & 1023U;
    if (exponent == 0) {
        float small = (float)fraction * 0x1p-24f;
        return sign != 0 ? -small : small;
    }
    if (exponent == 31)
        return math_float_of_bits(sign | 0x7F800000U | fraction << 13);
    return math_float_of_bits(sign | (exponent + 112U) << 23 | fraction << 13);
}

static inline uint16_t narrow_to_f16(float value)
{
    uint32_t bits = math_bits_of_float(value);
    uint32_t sign = bits >> 31 << 15, size = bits & 0x7FFFFFFFU;
    if (size > 0x7F800000U)
        return 0x7E00U;
    if (size == 0x7F800000U)
        return (uint16_t)(sign | 0x7C00U);
    if (size >= 0x477FF000U)
        return (uint16_t)(sign | 0x7BFFU);
    if (size < 0x38800000U) {
        /* The last place of 0.5f is 2^-24, that of a float16 subnormal: the sum rounds to it. */
        uint32_t rounded = math_bits_of_float(math_float_of_bits(size) + 0.5f);
        return (uint16_t)(sign | (rounded - 0x3F000000U));
    }
    size += 0xFFFU + (size >> 13 & 1U);
    return (uint16_t)(sign | (size - 0x38000000U) >> 13);
}

/* |value| <= 127, rounded to nearest even. */
static inline int8_t narrow_to_i8(float value)
{
    return (int8_t)((int32_t)math_bits_of_float(value + 12582912.0f) - 0x4B400000);
}

#endif
