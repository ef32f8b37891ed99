/* Random weights as a pure function of (seed, tensor name, index): the same on every machine,
 * instruction set and thread count, in any order. */
#ifndef TOKENMARK_MODEL_RANDOM_WEIGHTS_H
#define TOKENMARK_MODEL_RANDOM_WEIGHTS_H

#include <stdint.h>

/* Identifies a tensor: FNV-1a of its name. */
uint64_t random_weights_stream(const char *name);

/* Elements [first, first + count): mean 0, standard deviation `deviation`, near normal. */
void random_weights_normal(uint64_t seed, uint64_t stream, double deviation, int64_t first,
                           int64_t count, float *out);

#endif
