/* The bandwidth probe's reading loop in C; see kernels.h. */
#include "kernels/kernels_internal.h"

enum { LINE_WORDS = 8 };

static uint64_t read_lines(const void *memory, int64_t lines)
{
    const uint64_t *words = memory;
    uint64_t lanes[LINE_WORDS] = {0}, sum = 0;
    for (int64_t i = 0; i < lines * LINE_WORDS; i += LINE_WORDS)
        for (int64_t k = 0; k < LINE_WORDS; k++)
            lanes[k] ^= words[i + k];
    for (int64_t k = 0; k < LINE_WORDS; k++)
        sum ^= lanes[k];
    return sum;
}

void read_fill_c(struct kernels *table)
{
    table->read_lines = read_lines;
}
