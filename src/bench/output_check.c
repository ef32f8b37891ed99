/* The checks of output_check.h; generation.c has looked at vocabulary, order and number. */
#include "bench/output_check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char passed[] = "passed";

/* A few tokens can be the same by chance: a model may well answer "the" to two prompts. */
enum { TOKENS_TO_DIFFER = 8 };

void output_state_restore(struct output_state *state, const struct results *results,
                          const struct cell_record *cell)
{
    for (size_t i = 0; i < results->run_count && !state->known; i++) {
        const struct run_record *run = &results->runs[i];
        if (run->output_hash[0] == '\0' || !cell_holds_run(cell, run))
            continue;
        *state = (struct output_state){true, strtoull(run->output_hash, NULL, 16), run->run_number};
    }
}

bool output_is_wrong(const struct cell_record *cell)
{
    return cell->output_check[0] != '\0' && strcmp(cell->output_check, passed) != 0;
}

void output_check_run(struct output_state *state, struct cell_record *cell, struct run_record *run,
                      const struct generation *generation, const struct generation_times *times)
{
    (void)snprintf(run->output_hash, sizeof run->output_hash, "%016" PRIx64, times->hash);
    if (!state->known)
        *state = (struct output_state){true, times->hash, run->run_number};
    if (output_is_wrong(cell))
        return;
    if (times->hash != state->hash)
        (void)snprintf(cell->output_check, sizeof cell->output_check,
                       "run %" PRId64 " gave other tokens than run %" PRId64
                       ", from the same prompts and the same seed",
                       run->run_number, state->run_number);
    else if (times->rows_equal && generation->batch_size > 1 && generation->vocabulary_size > 1 &&
             generation->delivered >= TOKENS_TO_DIFFER)
        (void)snprintf(cell->output_check, sizeof cell->output_check,
                       "all %" PRId64 " rows gave the same tokens, from different prompts",
                       generation->batch_size);
    else
        (void)snprintf(cell->output_check, sizeof cell->output_check, "%s", passed);
}

void output_check_failure(struct cell_record *cell, const struct generation *generation,
                          const struct error *error)
{
    if (generation->outside_vocabulary && !output_is_wrong(cell))
        (void)snprintf(cell->output_check, sizeof cell->output_check, "%.*s",
                       (int)sizeof cell->output_check - 1, error->text);
}
