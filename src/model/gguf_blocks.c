/* De-quantisation of GGUF's block formats; see gguf_blocks.h. In the K formats a super-block of
 * 256 elements holds sub-blocks whose scales are quantised themselves. */
#include "model/gguf_blocks.h"

#include <string.h>

#include "base/half.h"

static float half_at(const unsigned char *bytes)
{
    return half_to_float((uint32_t)bytes[0] | (uint32_t)bytes[1] << 8);
}

static void read_f32(const unsigned char *block, float *out)
{
    memcpy(out, block, sizeof *out);
}

static void read_f16(const unsigned char *block, float *out)
{
    *out = half_at(block);
}

static void read_bf16(const unsigned char *block, float *out)
{
    *out = float_from_bits((uint32_t)block[0] << 16 | (uint32_t)block[1] << 24);
}

static void read_q8_0(const unsigned char *block, float *out)
{
    float scale = half_at(block);
    for (int i = 0; i < 32; i++)
        out[i] = scale * (float)(signed char)block[2 + i];
}

/* Elements 0 to 15 are the low nibbles of the 16 bytes, 16 to 31 the high ones. */
static void read_nibbles(const unsigned char *nibbles, float scale, float offset, float *out)
{
    for (int i = 0; i < 16; i++) {
        out[i] = scale * (float)(nibbles[i] & 15) + offset;
        out[i + 16] = scale * (float)(nibbles[i] >> 4) + offset;
    }
}

static void read_q4_0(const unsigned char *block, float *out)
{
    float scale = half_at(block);
    read_nibbles(block + 2, scale, -8.0F * scale, out);
}

static void read_q4_1(const unsigned char *block, float *out)
{
    read_nibbles(block + 4, half_at(block), half_at(block + 2), out);
}

/* The same with a fifth bit: bit i of the 32-bit word belongs to element i. */
static void read_five_bits(const unsigned char *high, float scale, float offset, float *out)
{
    const unsigned char *nibbles = high + 4;
    for (int i = 0; i < 32; i++) {
        int low = i < 16 ? nibbles[i] & 15 : nibbles[i - 16] >> 4;
        int bit = high[i / 8] >> (i % 8) & 1;
        out[i] = scale * (float)(low | bit << 4) + offset;
    }
}

static void read_q5_0(const unsigned char *block, float *out)
{
    float scale = half_at(block);
    read_five_bits(block + 2, scale, -16.0F * scale, out);
}

static void read_q5_1(const unsigned char *block, float *out)
{
    read_five_bits(block + 4, half_at(block), half_at(block + 2), out);
}

void gguf_block_unpack_scales(const unsigned char *packed, int index, int *scale, int *minimum)
{
    if (index < 4) {
        *scale = packed[index] & 63;
        *minimum = packed[index + 4] & 63;
    } else {
        *scale = (packed[index + 4] & 15) | (packed[index - 4] >> 6) << 4;
        *minimum = packed[index + 4] >> 4 | (packed[index] >> 6) << 4;
    }
}

static void read_q4_k(const unsigned char *block, float *out)
{
    float scale = half_at(block);
    float minimum = half_at(block + 2);
    for (int sub = 0; sub < 8; sub++) {
        int sub_scale = 0;
        int sub_minimum = 0;
        gguf_block_unpack_scales(block + 4, sub, &sub_scale, &sub_minimum);
        const unsigned char *nibbles = block + 16 + 32 * (sub / 2);
        for (int i = 0; i < 32; i++) {
            int value = sub % 2 == 0 ? nibbles[i] & 15 : nibbles[i] >> 4;
            out[32 * sub + i] =
                scale * (float)sub_scale * (float)value - minimum * (float)sub_minimum;
        }
    }
}

static void read_q5_k(const unsigned char *block, float *out)
{
    float scale = half_at(block);
    float minimum = half_at(block + 2);
    const unsigned char *high = block + 16;
    for (int sub = 0; sub < 8; sub++) {
        int sub_scale = 0;
        int sub_minimum = 0;
        gguf_block_unpack_scales(block + 4, sub, &sub_scale, &sub_minimum);
        const unsigned char *nibbles = block + 48 + 32 * (sub / 2);
        for (int i = 0; i < 32; i++) {
            int low = sub % 2 == 0 ? nibbles[i] & 15 : nibbles[i] >> 4;
            int value = low | (high[i] >> sub & 1) << 4;
            out[32 * sub + i] =
                scale * (float)sub_scale * (float)value - minimum * (float)sub_minimum;
        }
    }
}

static void read_q6_k(const unsigned char *block, float *out)
{
    float scale = half_at(block + 208);
    for (int i = 0; i < 256; i++) {
        int half = i / 128;
        int quarter = i % 128 / 32;
        int lane = i % 32;
        const unsigned char *low = block + 64 * half + 32 * (quarter % 2);
        const unsigned char *high = block + 128 + 32 * half;
        int nibble = quarter < 2 ? low[lane] & 15 : low[lane] >> 4;
        int value = (nibble | (high[lane] >> (2 * quarter) & 3) << 4) - 32;
        int sub_scale = (signed char)block[192 + 8 * half + 2 * quarter + lane / 16];
        out[i] = scale * (float)sub_scale * (float)value;
    }
}

static const struct gguf_block blocks[] = {
    {0, "F32", 1, 4, read_f32},
    {1, "F16", 1, 2, read_f16},
    {2, "Q4_0", 32, 18, read_q4_0},
    {3, "Q4_1", 32, 20, read_q4_1},
    {6, "Q5_0", 32, 22, read_q5_0},
    {7, "Q5_1", 32, 24, read_q5_1},
    {8, "Q8_0", 32, 34, read_q8_0},
    {9, "Q8_1", 32, 36, NULL},
    {10, "Q2_K", 256, 84, NULL},
    {11, "Q3_K", 256, 110, NULL},
    {12, "Q4_K", 256, 144, read_q4_k},
    {13, "Q5_K", 256, 176, read_q5_k},
    {14, "Q6_K", 256, 210, read_q6_k},
    {15, "Q8_K", 256, 292, NULL},
    {16, "IQ2_XXS", 256, 66, NULL},
    {17, "IQ2_XS", 256, 74, NULL},
    {18, "IQ3_XXS", 256, 98, NULL},
    {19, "IQ1_S", 256, 50, NULL},
    {20, "IQ4_NL", 32, 18, NULL},
    {21, "IQ3_S", 256, 110, NULL},
    {22, "IQ2_S", 256, 82, NULL},
    {23, "IQ4_XS", 256, 136, NULL},
    {24, "I8", 1, 1, NULL},
    {25, "I16", 1, 2, NULL},
    {26, "I32", 1, 4, NULL},
    {27, "I64", 1, 8, NULL},
    {28, "F64", 1, 8, NULL},
    {29, "IQ1_M", 256, 56, NULL},
    {30, "BF16", 1, 2, read_bf16},
    {34, "TQ1_0", 256, 54, NULL},
    {35, "TQ2_0", 256, 66, NULL},
    {39, "MXFP4", 32, 17, NULL},
};

const struct gguf_block *gguf_block_find(uint32_t id)
{
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++)
        if ((uint32_t)blocks[i].id == id)
            return &blocks[i];
    return NULL;
}

void gguf_block_read(const struct gguf_block *block, const unsigned char *data, int64_t first,
                     int64_t count, float *out)
{
    float values[GGUF_BLOCK_ELEMENTS_MAX];
    int64_t width = block->elements;
    while (count > 0) {
        const unsigned char *source = data + (size_t)(first / width) * block->bytes;
        int64_t skip = first % width;
        int64_t part = width - skip < count ? width - skip : count;
        if (part == width) {
            block->read(source, out);
        } else {
            block->read(source, values);
            memcpy(out, values + skip, (size_t)part * sizeof *out);
        }
        first += part;
        out += part;
        count -= part;
    }
}
