/* Is what was timed also right? The tokens of every run, looked at outside the timed window. */
#ifndef TOKENMARK_BENCH_OUTPUT_CHECK_H
#define TOKENMARK_BENCH_OUTPUT_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/generation.h"
#include "results/results.h"

/* What the runs of a cell must agree on. */
struct output_state {
    bool known;
    uint64_t hash;
    int64_t run_number; /* that gave it */
};

/* From runs that are recorded already. */
void output_state_restore(struct output_state *state, const struct results *results,
                          const struct cell_record *cell);

/* Writes run->output_hash and cell->output_check: "passed", or the first thing that was wrong.
 * The same rows and the same seed must give the same tokens, and different prompts must not all
 * give the same ones. */
void output_check_run(struct output_state *state, struct cell_record *cell, struct run_record *run,
                      const struct generation *generation, const struct generation_times *times);

/* After a generation that failed: an id outside the vocabulary is a wrong output too. */
void output_check_failure(struct cell_record *cell, const struct generation *generation,
                          const struct error *error);

/* Something is wrong with the tokens of this cell. */
bool output_is_wrong(const struct cell_record *cell);

#endif
