/* The timed window of generation.h.
 *
 * In the window: everything the engine does from the moment it is handed the prompts' ids until
 * the last token of every row is known on the host (forward pass, cache, sampling), and of ours
 * one copy of batch_size ids and one stamp a step.
 * Outside it: making the ids, allocating and touching memory, warm-up, memory readings, hashing
 * and checking, records, progress, saving. */
#include "bench/generation.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "bench/tokens.h"

/* Writes to every page, so that no first touch falls into a window. */
static void *allocate_touched(int64_t count, int64_t width, size_t size)
{
    size_t bytes = 0;
    if (count < 0 || width < 0 || !size_multiply((size_t)count, (size_t)width, &bytes) ||
        !size_multiply(bytes, size, &bytes))
        return NULL;
    void *memory = malloc(bytes > 0 ? bytes : 1);
    if (memory != NULL)
        memset(memory, 0xff, bytes);
    return memory;
}

int generation_open(struct generation *generation, const struct session_shape *shape,
                    int64_t vocabulary_size, struct error *error)
{
    *generation = (struct generation){
        .batch_size = shape->batch_size,
        .input_length = shape->input_length,
        .output_length = shape->output_length,
        .vocabulary_size = vocabulary_size,
        .ids = allocate_touched(shape->batch_size, shape->input_length, sizeof(int32_t)),
        .tokens = allocate_touched(shape->output_length, shape->batch_size, sizeof(int32_t)),
        .stamps = allocate_touched(shape->output_length, 1, sizeof(double)),
    };
    int code = 0;
    if (generation->ids == NULL || generation->tokens == NULL || generation->stamps == NULL)
        code = error_set(error, ERROR_MEMORY, "no memory on the host for prompts and tokens");
    else
        code = tokens_fill(generation->ids, shape->batch_size, shape->input_length, vocabulary_size,
                           shape->seed, error);
    if (code != 0)
        generation_close(generation);
    return code;
}

void generation_close(struct generation *generation)
{
    free(generation->ids);
    free(generation->tokens);
    free(generation->stamps);
    *generation = (struct generation){0};
}

static void receive_step(void *context, int64_t step, const int32_t *tokens, double time_s)
{
    struct generation *generation = context;
    if (step != generation->delivered || step >= generation->output_length) {
        generation->out_of_order = true;
        return;
    }
    memcpy(generation->tokens + step * generation->batch_size, tokens,
           (size_t)generation->batch_size * sizeof *tokens);
    generation->stamps[step] = time_s;
    generation->delivered = step + 1;
}

static bool asked_to_stop(void *context)
{
    const struct generation *generation = context;
    return generation->stop != NULL && generation->stop(generation->stop_context);
}

static int check_stamps(const struct generation *generation, double start_s, int64_t count,
                        struct error *error)
{
    double previous_s = start_s;
    for (int64_t step = 0; step < count; step++) {
        /* Written so that NaN fails too. */
        if (!(generation->stamps[step] >= previous_s))
            return error_set(error, ERROR_FAILED,
                             "the engine's time stamp of step %lld lies before the one before it",
                             (long long)step);
        previous_s = generation->stamps[step];
    }
    return 0;
}

static int check_tokens(struct generation *generation, int64_t count, struct error *error)
{
    if (generation->out_of_order || generation->delivered != count)
        return error_set(error, ERROR_FAILED,
                         "the engine delivered %lld steps in order%s, %lld were asked for",
                         (long long)generation->delivered,
                         generation->out_of_order ? " and one out of order" : "", (long long)count);
    for (int64_t step = 0; step < count; step++) {
        for (int64_t row = 0; row < generation->batch_size; row++) {
            int32_t token = generation->tokens[step * generation->batch_size + row];
            generation->outside_vocabulary = token < 0 || token >= generation->vocabulary_size;
            if (generation->outside_vocabulary)
                return error_set(error, ERROR_FAILED,
                                 "row %lld, step %lld: token %ld is outside the vocabulary of %lld",
                                 (long long)row, (long long)step, (long)token,
                                 (long long)generation->vocabulary_size);
        }
    }
    return 0;
}

/* FNV-1a over the ids as 32-bit values: equal runs are told from different ones. */
static uint64_t hash_tokens(const struct generation *generation, int64_t count)
{
    uint64_t hash = 0xCBF29CE484222325U;
    for (int64_t i = 0; i < count * generation->batch_size; i++) {
        hash ^= (uint32_t)generation->tokens[i];
        hash *= 0x100000001B3U;
    }
    return hash;
}

static bool rows_are_equal(const struct generation *generation, int64_t count)
{
    for (int64_t step = 0; step < count; step++) {
        const int32_t *tokens = generation->tokens + step * generation->batch_size;
        for (int64_t row = 1; row < generation->batch_size; row++) {
            if (tokens[row] != tokens[0])
                return false;
        }
    }
    return true;
}

int generation_run(struct generation *generation, int64_t steps, struct generation_times *times,
                   struct error *error)
{
    const struct engine_ops *ops = generation->ops;
    const struct token_sink sink = {
        .step = receive_step,
        .stop = asked_to_stop,
        .context = generation,
    };
    generation->delivered = 0;
    generation->out_of_order = false;

    double start_s = clock_now_s(generation->clock);
    int code =
        ops->prefill(generation->session, generation->ids, generation->input_length, &sink, error);
    if (code == 0 && steps > 0)
        code = ops->decode(generation->session, steps, &sink, error);
    /* The window ended with the last stamp. */
    if (code != 0)
        return code;
    code = check_tokens(generation, steps + 1, error);
    if (code == 0)
        code = check_stamps(generation, start_s, steps + 1, error);
    if (code != 0)
        return code;
    *times = (struct generation_times){
        .prefill_s = generation->stamps[0] - start_s,
        .decode_s = generation->stamps[steps] - generation->stamps[0],
        .hash = hash_tokens(generation, steps + 1),
        .rows_equal = rows_are_equal(generation, steps + 1),
    };
    return 0;
}
