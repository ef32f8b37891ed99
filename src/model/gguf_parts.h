/* What a quantised GGUF block is made of: its integers, scales and minimums apart, nothing
 * rounded. For engines that multiply with them as they are; gguf_blocks.h gives float32. */
#ifndef TOKENMARK_MODEL_GGUF_PARTS_H
#define TOKENMARK_MODEL_GGUF_PARTS_H

#include "model/gguf_blocks.h"

/* An element is scale * sub_scale * (value - offset) + minimum * sub_minimum, where the offset is
 * 8 in Q4_0, 16 in Q5_0, 32 in Q6_K, else 0. Q8_0's values are int8; sub_scales (one for 32
 * elements, in Q6_K for 16) and sub_minimums are those of the K formats, else not set. */
struct gguf_parts {
    uint8_t values[GGUF_BLOCK_ELEMENTS_MAX];
    uint16_t scale, minimum; /* float16; K formats: the minimum negated */
    int8_t sub_scales[16];
    int8_t sub_minimums[8];
};

/* Can blocks of this format be split? */
bool gguf_block_has_parts(const struct gguf_block *block);

/* Sub-scales of a block: 8, in Q6_K 16; 0 where the format has none. */
int gguf_block_sub_scales(const struct gguf_block *block);

/* A block of a format that has parts. */
void gguf_block_split(const struct gguf_block *block, const unsigned char *data,
                      struct gguf_parts *out);

#endif
