/* Prompts without a tokenizer: rows of exactly the asked length. */
#ifndef TOKENMARK_BENCH_TOKENS_H
#define TOKENMARK_BENCH_TOKENS_H

#include <stdint.h>

#include "base/error.h"

/* ids [batch, length]: all inside [0, vocabulary_size), every row different from the others,
 * the same on every machine for the same seed. Row r is the same in every batch of at most
 * vocabulary_size rows, and a shorter row is the beginning of a longer one. ERROR_INPUT where
 * the vocabulary cannot give that many different rows. */
int tokens_fill(int32_t *ids, int64_t batch, int64_t length, int64_t vocabulary_size, uint64_t seed,
                struct error *error);

#endif
