/* float16 bits as float32, exactly, subnormals, infinities and NaN included. */
#ifndef TOKENMARK_BASE_HALF_H
#define TOKENMARK_BASE_HALF_H

#include <stdint.h>
#include <string.h>

static inline float float_from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint32_t float_to_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float half_to_float(uint32_t half)
{
    /* 2^-14 with the mantissa in place, less 2^-14, is the value of a subnormal half. */
    const uint32_t smallest = 0x38800000U;
    uint32_t sign = (half & 0x8000U) << 16;
    uint32_t rest = (half & 0x7fffU) << 13;
    uint32_t exponent = half & 0x7c00U;
    uint32_t value = rest + 0x38000000U;
    if (exponent == 0x7c00U)
        value = rest | 0x7f800000U;
    else if (exponent == 0)
        value = float_to_bits(float_from_bits(rest + smallest) - float_from_bits(smallest));
    return float_from_bits(sign | value);
}

#endif
