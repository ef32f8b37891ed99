/* Prompts for generate: token ids typed, read from a file, or the rows that bench uses. */
#ifndef TOKENMARK_CLI_PROMPTS_H
#define TOKENMARK_CLI_PROMPTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* Rows of equal length, [batch, length]. */
struct prompts {
    int32_t *ids;
    int64_t batch;
    int64_t length;
    size_t capacity; /* of ids */
};

/* Appends one row: ids in `words` separated by commas or blanks. `place` names where they come
 * from in messages. ERROR_INPUT for what is no id, for one outside the vocabulary, and for a
 * length that differs from the rows before. */
int prompts_add_row(struct prompts *prompts, const char *words, const char *place,
                    int64_t vocabulary_size, struct error *error);

/* Appends one row per line that is not blank; "-" reads standard input. */
int prompts_read_file(struct prompts *prompts, const char *path, int64_t vocabulary_size,
                      struct error *error);

/* "4x256": the rows of bench's cell of batch 4 and length 256 for this seed. */
int prompts_make_random(struct prompts *prompts, const char *shape, int64_t vocabulary_size,
                        uint64_t seed, struct error *error);

void prompts_free(struct prompts *prompts);

#endif
