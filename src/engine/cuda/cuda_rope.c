/* The session's tables of cosines and sines, in double precision and rounded once, as the CPU
 * engine makes them. Frequencies of the dynamic and longrope kinds depend on how long the sequence
 * is when a position enters the cache: the prompt's length for its own positions, position + 1 for
 * those generated. */
#include "engine/cuda/cuda_engine.h"

#include <math.h>
#include <stdlib.h>

enum { POSITIONS_A_CHUNK = 64 };

struct rope_task {
    const struct rope_facts *facts;
    float *cosine, *sine;
    int64_t prompt_length, capacity;
};

static bool depends_on_length(const struct rope_facts *facts)
{
    return facts->scaling == ROPE_SCALING_DYNAMIC || facts->scaling == ROPE_SCALING_LONGROPE;
}

static void fill_chunk(void *context, int64_t chunk, int thread)
{
    (void)thread;
    const struct rope_task *task = context;
    int64_t pairs = task->facts->rotary_dim / 2, known_length = 0;
    double frequencies[ROPE_PAIRS_MAX], factor = 1;
    int64_t first = chunk * POSITIONS_A_CHUNK, end = first + POSITIONS_A_CHUNK;
    for (int64_t position = first; position < end && position < task->capacity; position++) {
        int64_t length = task->prompt_length;
        if (position >= length && depends_on_length(task->facts))
            length = position + 1;
        if (length != known_length)
            architecture_rope_frequencies(task->facts, length, frequencies, &factor);
        known_length = length;
        for (int64_t i = 0; i < pairs; i++) {
            double angle = (double)position * frequencies[i];
            task->cosine[position * pairs + i] = (float)(cos(angle) * factor);
            task->sine[position * pairs + i] = (float)(sin(angle) * factor);
        }
    }
}

static int fill_tables(struct session *session, const struct rope_facts *facts,
                       const size_t tables[2], struct error *error)
{
    int64_t capacity = session->plan.capacity;
    int64_t floats = capacity * (facts->rotary_dim / 2);
    struct rope_task task = {facts, session->angles, session->angles + floats, session->rope_length,
                             capacity};
    thread_pool_run(session->engine->pool, fill_chunk, &task,
                    (capacity + POSITIONS_A_CHUNK - 1) / POSITIONS_A_CHUNK);
    const float *halves[] = {task.cosine, task.sine};
    for (int i = 0; i < 2; i++) {
        cudaError_t status = engine_upload(session->engine, session_at(session, tables[i]),
                                           halves[i], (size_t)floats * sizeof(float));
        int code = cuda_check(status, "uploading rotary angles", error);
        if (code != 0)
            return code;
    }
    return 0;
}

int session_rope_fill(struct session *session, int64_t length, struct error *error)
{
    const struct architecture *a = session->engine->architecture;
    if (a->position != POSITION_ROPE)
        return 0;
    bool depends =
        depends_on_length(&a->rope) || (a->has_rope_local && depends_on_length(&a->rope_local));
    if (session->rope_length != 0 && (session->rope_length == length || !depends))
        return 0;
    int64_t dim = a->rope.rotary_dim;
    if (a->has_rope_local && a->rope_local.rotary_dim > dim)
        dim = a->rope_local.rotary_dim;
    if (session->angles == NULL)
        session->angles = calloc((size_t)(session->plan.capacity * dim), sizeof(float));
    if (session->angles == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for the tables of rotary angles");
    session->rope_length = length;
    int code = fill_tables(session, &a->rope, session->plan.rope[0], error);
    if (code == 0 && a->has_rope_local)
        code = fill_tables(session, &a->rope_local, session->plan.rope[1], error);
    return code;
}
