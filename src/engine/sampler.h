/* The definition of sampling, shared by every engine; the kernels compute it.
 *
 * Greedy (temperature 0): the largest logit, ties to the lower id.
 * Otherwise, for one row of logits:
 *   w[i] = min(floor(2^32 * exp((logit[i] - max) / temperature)), 2^32 - 1), in float32 steps
 *          that kernels/sample_definition.h writes out, so that every ISA and device agrees;
 *   total = sum of w, in uint64: no order matters;
 *   nucleus = the fewest largest w whose sum * 2^32 >= round(top_p * 2^32) * total, ties to the
 *          lower id; at least one (top_p 1 keeps all);
 *   draw: Philox4x32-10 with key = seed, counter = {row, step, 0, 0}; its words 0 and 1 make a
 *          64-bit u; the token is the first id, walking the nucleus in id order, whose running
 *          sum exceeds floor(u * nucleus_sum / 2^64).
 * A logit that is not finite fails the cell. */
#ifndef TOKENMARK_ENGINE_SAMPLER_H
#define TOKENMARK_ENGINE_SAMPLER_H

#include <stdint.h>

#include "base/philox.h"

/* The 64 random bits for `row` at `step` (0 = first generated token). */
static inline uint64_t sampler_draw(uint64_t seed, int64_t row, int64_t step)
{
    struct philox_block counter = {{(uint32_t)row, (uint32_t)step, 0, 0}};
    struct philox_block block = philox4x32(counter, seed);
    return (uint64_t)block.word[0] << 32 | block.word[1];
}

#endif
