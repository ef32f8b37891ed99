/* Philox4x32-10, the counter-based generator: the output is a pure function of
 * (counter, key), so any element can be made on any thread in any order.
 * Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3",
 * SC 2011. Used for prompts, random weights and the sampler's draws. */
#ifndef TOKENMARK_BASE_PHILOX_H
#define TOKENMARK_BASE_PHILOX_H

#include <stdint.h>

struct philox_block {
    uint32_t word[4];
};

static inline struct philox_block philox4x32(struct philox_block counter, uint64_t key)
{
    uint32_t key_low = (uint32_t)key;
    uint32_t key_high = (uint32_t)(key >> 32);
    for (int round = 0; round < 10; round++) {
        uint64_t first = (uint64_t)0xD2511F53U * counter.word[0];
        uint64_t second = (uint64_t)0xCD9E8D57U * counter.word[2];
        struct philox_block next = {{
            (uint32_t)(second >> 32) ^ counter.word[1] ^ key_low,
            (uint32_t)second,
            (uint32_t)(first >> 32) ^ counter.word[3] ^ key_high,
            (uint32_t)first,
        }};
        counter = next;
        key_low += 0x9E3779B9U;
        key_high += 0xBB67AE85U;
    }
    return counter;
}

#endif
