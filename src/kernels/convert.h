/* float32 to and from the 16-bit types, one value at a time, without instructions that a CPU
 * may lack. Rounding is to the nearest, ties to even, as the vector instructions do. */
#ifndef TOKENMARK_KERNELS_CONVERT_H
#define TOKENMARK_KERNELS_CONVERT_H

#include <stdint.h>
#include <string.h>

static inline uint32_t float_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float bits_float(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline float float_from_bf16(uint16_t value)
{
    return bits_float((uint32_t)value << 16);
}

static inline uint16_t bf16_from_float(float value)
{
    uint32_t bits = float_bits(value);
    if ((bits & 0x7FFFFFFFU) > 0x7F800000U)
        return (uint16_t)(bits >> 16 | 0x40U);
    return (uint16_t)((bits + 0x7FFFU + (bits >> 16 & 1U)) >> 16);
}

static inline float float_from_f16(uint16_t value)
{
    uint32_t sign = (uint32_t)(value & 0x8000U) << 16;
    uint32_t exponent = value >> 10 & 0x1FU;
    uint32_t fraction = value & 0x3FFU;
    if (exponent == 31)
        return bits_float(sign | 0x7F800000U | fraction << 13 | (fraction != 0 ? 0x400000U : 0));
    if (exponent == 0) {
        float magnitude = (float)fraction * 0x1p-24F;
        return bits_float(sign | float_bits(magnitude));
    }
    return bits_float(sign | (exponent + 112) << 23 | fraction << 13);
}

static inline uint16_t f16_from_float(float value)
{
    uint32_t bits = float_bits(value);
    uint32_t sign = bits >> 16 & 0x8000U;
    uint32_t magnitude = bits & 0x7FFFFFFFU;
    if (magnitude > 0x7F800000U)
        return (uint16_t)(sign | 0x7E00U | (magnitude >> 13 & 0x3FFU));
    if (magnitude >= 0x477FF000U) /* rounds to 65536 or more */
        return (uint16_t)(sign | 0x7C00U);
    if (magnitude < 0x38800000U) { /* subnormal: adding 0.5 leaves units of 2^-24 in the end */
        uint32_t units = float_bits(bits_float(magnitude) + 0.5F) - 0x3F000000U;
        return (uint16_t)(sign | units);
    }
    uint32_t rounded = magnitude + 0xFFFU + (magnitude >> 13 & 1U);
    return (uint16_t)(sign | (rounded - (112U << 23)) >> 13);
}

#endif
