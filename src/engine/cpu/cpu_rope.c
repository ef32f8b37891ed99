/* The session's tables of cosines and sines, in double precision and rounded once. Frequencies
 * of the dynamic and longrope kinds depend on how long the sequence is when a position enters
 * the cache: the prompt's length for its own positions, position + 1 for those generated. */
#include "engine/cpu/cpu_engine.h"

#include <math.h>

enum { PAIRS_MAX = 256 };

struct rope_call {
    const struct rope_facts *facts;
    struct cpu_rope table;
    int64_t prompt_length;
};

static bool depends_on_length(const struct rope_facts *facts)
{
    return facts->scaling == ROPE_SCALING_DYNAMIC || facts->scaling == ROPE_SCALING_LONGROPE;
}

static void fill_positions(void *context, int64_t first, int64_t count, int thread)
{
    (void)thread;
    const struct rope_call *call = context;
    int64_t pairs = call->facts->rotary_dim / 2;
    double frequencies[PAIRS_MAX], factor = 1;
    int64_t known_length = 0;
    for (int64_t position = first; position < first + count; position++) {
        int64_t length = call->prompt_length;
        if (position >= length && depends_on_length(call->facts))
            length = position + 1;
        if (length != known_length)
            architecture_rope_frequencies(call->facts, length, frequencies, &factor);
        known_length = length;
        for (int64_t i = 0; i < pairs; i++) {
            double angle = (double)position * frequencies[i];
            call->table.cosine[position * pairs + i] = (float)(cos(angle) * factor);
            call->table.sine[position * pairs + i] = (float)(sin(angle) * factor);
        }
    }
}

void session_rope_fill(struct session *session, int64_t length)
{
    const struct architecture *a = session->engine->architecture;
    if (a->position != POSITION_ROPE)
        return;
    if (session->rope_length != 0 && (session->rope_length == length ||
                                      (!depends_on_length(&a->rope) &&
                                       !(a->has_rope_local && depends_on_length(&a->rope_local)))))
        return;
    session->rope_length = length;
    struct rope_call call = {&a->rope, session->rope, length};
    enum { FLOATS_A_PAIR = 32 }; /* what a sine costs, in floats of plain work */
    engine_run_rows(session->engine, fill_positions, &call, session->plan.capacity,
                    a->rope.rotary_dim * FLOATS_A_PAIR);
    if (!a->has_rope_local)
        return;
    call.facts = &a->rope_local;
    call.table = session->rope_local;
    engine_run_rows(session->engine, fill_positions, &call, session->plan.capacity,
                    a->rope_local.rotary_dim * FLOATS_A_PAIR);
}
