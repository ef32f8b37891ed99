/* Takes GGUF's quantised blocks apart; see gguf_parts.h. Layouts as in gguf_blocks.c. */
#include "model/gguf_parts.h"

#include <string.h>

enum { SIGN = 0x8000 };

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

static void split_q4_0(const unsigned char *block, struct gguf_parts *out)
{
    split_nibbles(block + 2, NULL, out->values);
}

static void split_q4_1(const unsigned char *block, struct gguf_parts *out)
{
    split_nibbles(block + 4, NULL, out->values);
}

static void split_q5_0(const unsigned char *block, struct gguf_parts *out)
{
    split_nibbles(block + 6, block + 2, out->values);
}

static void split_q5_1(const unsigned char *block, struct gguf_parts *out)
{
    split_nibbles(block + 8, block + 4, out->values);
}

static void split_q8_0(const unsigned char *block, struct gguf_parts *out)
{
    memcpy(out->values, block + 2, 32);
}

static void split_q4_k(const unsigned char *block, struct gguf_parts *out)
{
    split_super(block, block + 16, NULL, out);
}

static void split_q5_k(const unsigned char *block, struct gguf_parts *out)
{
    split_super(block, block + 48, block + 16, out);
}

/* By ggml's numbers. A format of gguf_blocks.c that is not here is only read as float32. */
static const struct format {
    int id;
    int sub_scales; /* of a block */
    void (*split)(const unsigned char *block, struct gguf_parts *out);
} formats[] = {
    {2, 0, split_q4_0}, {3, 0, split_q4_1},  {6, 0, split_q5_0},  {7, 0, split_q5_1},
    {8, 0, split_q8_0}, {12, 8, split_q4_k}, {13, 8, split_q5_k}, {14, 16, split_q6_k},
};

static const struct format *find(const struct gguf_block *block)
{
    for (size_t i = 0; block != NULL && i < sizeof formats / sizeof formats[0]; i++)
        if (formats[i].id == block->id)
            return &formats[i];
    return NULL;
}

bool gguf_block_has_parts(const struct gguf_block *block)
{
    return find(block) != NULL;
}

int gguf_block_sub_scales(const struct gguf_block *block)
{
    const struct format *format = find(block);
    return format != NULL ? format->sub_scales : 0;
}

void gguf_block_split(const struct gguf_block *block, const unsigned char *data,
                      struct gguf_parts *out)
{
    const struct format *format = find(block);
    if (format == NULL)
        return;
    out->scale = half_bits(data);
    out->minimum = half_bits(data + 2);
    format->split(data, out);
}
