/* The block formats of GGUF tensors: how many elements a block holds, in how many bytes, and
 * what float32 values they are. Layouts after ggml's published block structures. */
#ifndef TOKENMARK_MODEL_GGUF_BLOCKS_H
#define TOKENMARK_MODEL_GGUF_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { GGUF_BLOCK_ELEMENTS_MAX = 256 };

struct gguf_block {
    int id; /* ggml's type number, as in the file */
    const char *name;
    int elements;
    size_t bytes;
    /* One block as float32 [elements]; NULL where the type is known but not readable here. */
    void (*read)(const unsigned char *block, float *out);
};

/* NULL for a number that ggml does not know either. */
const struct gguf_block *gguf_block_find(uint32_t id);

/* Elements [first, first + count) of a tensor in file order; any range. */
void gguf_block_read(const struct gguf_block *block, const unsigned char *data, int64_t first,
                     int64_t count, float *out);

/* Scale and minimum of sub-block `index` (0 to 7) of Q4_K and Q5_K from the 12 bytes that pack
 * eight of each in six bits. */
void gguf_block_unpack_scales(const unsigned char *packed, int index, int *scale, int *minimum);

#endif
