/* One generation through a session: the timed window and the checks after it. The only place
 * where a clock makes a result. */
#ifndef TOKENMARK_BENCH_GENERATION_H
#define TOKENMARK_BENCH_GENERATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"
#include "engine/engine.h"

/* What a cell's generations share: its prompts, and room for what the engine delivers. All of
 * it is allocated and touched before the first window opens. */
struct generation {
    const struct engine_ops *ops;
    struct session *session; /* set once it is open */
    const struct clock *clock;
    bool (*stop)(void *context); /* may be NULL */
    void *stop_context;
    int64_t batch_size;
    int64_t input_length;
    int64_t output_length;
    int64_t vocabulary_size;
    int32_t *ids;    /* the prompts, [batch_size, input_length] */
    int32_t *tokens; /* as delivered, [output_length, batch_size] */
    double *stamps;  /* when each step's tokens were known, [output_length] */
    int64_t delivered;
    bool out_of_order;
    bool outside_vocabulary; /* the last failure was an id that is no token */
};

/* What one generation took. Step k of the decode lies between stamps[k] and stamps[k + 1]. */
struct generation_times {
    double prefill_s;
    double decode_s;
    uint64_t hash;   /* of all tokens, in order of delivery */
    bool rows_equal; /* every row got the same tokens */
};

/* The caller sets ops to session and stop before it runs. ERROR_INPUT where the vocabulary gives
 * too few different prompts. */
int generation_open(struct generation *generation, const struct session_shape *shape,
                    int64_t vocabulary_size, struct error *error);
void generation_close(struct generation *generation);

/* A prefill and `steps` decode steps (at most output_length - 1). Fails, beside the engine's own
 * failures, when the tokens delivered are not those asked for: their number, their order, the
 * vocabulary, stamps that run backwards. */
int generation_run(struct generation *generation, int64_t steps, struct generation_times *times,
                   struct error *error);

#endif
