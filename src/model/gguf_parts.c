/* Takes GGUF's quantised blocks apart; see gguf_parts.h. Layouts as in gguf_blocks.c. */
#include "model/gguf_parts.h"

#include <string.h>

enum { SIGN = 0x8000 };

/* The formats of gguf_blocks.c by ggml's numbers. */
enum { Q4_0 = 2, Q4_1 = 3, Q5_0 = 6, Q5_1 = 7, Q8_0 = 8, Q4_K = 12, Q5_K = 13, Q6_K = 14 };

static uint16_t half_bits(const unsigned char *bytes)
{
    return (uint16_t)(bytes[0] | bytes[1] << 8);
}

/* 32 elements, the first 16 in the low nibbles; `high`: four bytes of fifth bits, or NULL. */
static void split_nibbles(const unsigned char *nibbles, const unsigned char *high, uint8_t *values)
{
    for (int i = 0; i < 32; i++) {
        int low = i < 16 ? nibbles[i] & 15 : nibbles[i - 16] >> 4;
        int bit = high != NULL ? high[i / 8] >> (i % 8) & 1 : 0;
        values[i] = (uint8_t)(low | bit << 4);
    }
}

/* Q4_K and Q5_K: 256 elements; `high`: 32 bytes of fifth bits, or NULL. */
static void split_super(const unsigned char *block, const unsigned char *nibbles,
                        const unsigned char *high, struct gguf_parts *out)
{
    out->scale = half_bits(block);
    out->minimum = half_bits(block + 2) ^ SIGN;
    for (int sub = 0; sub < 8; sub++) {
        int scale = 0;
        int minimum = 0;
        gguf_block_unpack_scales(block + 4, sub, &scale, &minimum);
        out->sub_scales[sub] = (int8_t)scale;
        out->sub_minimums[sub] = (int8_t)minimum;
        const unsigned char *bytes = nibbles + 32 * (sub / 2);
        for (int i = 0; i < 32; i++) {
            int low = sub % 2 == 0 ? bytes[i] & 15 : bytes[i] >> 4;
            int bit = high != NULL ? high[i] >> sub & 1 : 0;
            out->values[32 * sub + i] = (uint8_t)(low | bit << 4);
        }
    }
}

static void split_q6_k(const unsigned char *block, struct gguf_parts *out)
{
    out->scale = half_bits(block + 208);
    memcpy(out->sub_scales, block + 192, 16);
    for (int i = 0; i < 256; i++) {
        int half = i / 128;
        int quarter = i % 128 / 32;
        int lane = i % 32;
        const unsigned char *low = block + 64 * half + 32 * (quarter % 2);
        const unsigned char *high = block + 128 + 32 * half;
        int nibble = quarter < 2 ? low[lane] & 15 : low[lane] >> 4;
        out->values[i] = (uint8_t)(nibble | (high[lane] >> (2 * quarter) & 3) << 4);
    }
}

bool gguf_block_has_parts(const struct gguf_block *block)
{
    return block != NULL && block->read != NULL && block->elements > 1;
}

void gguf_block_split(const struct gguf_block *block, const unsigned char *data,
                      struct gguf_parts *out)
{
    out->scale = half_bits(data);
    out->minimum = half_bits(data + 2);
    switch (block->id) {
    case Q4_0:
        split_nibbles(data + 2, NULL, out->values);
        break;
    case Q4_1:
        split_nibbles(data + 4, NULL, out->values);
        break;
    case Q5_0:
        split_nibbles(data + 6, data + 2, out->values);
        break;
    case Q5_1:
        split_nibbles(data + 8, data + 4, out->values);
        break;
    case Q4_K:
        split_super(data, data + 16, NULL, out);
        break;
    case Q5_K:
        split_super(data, data + 48, data + 16, out);
        break;
    case Q6_K:
        split_q6_k(data, out);
        break;
    case Q8_0:
    default:
        memcpy(out->values, data + 2, 32);
        break;
    }
}
