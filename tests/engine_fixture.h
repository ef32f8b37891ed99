/* A model and an engine opened from one of tests/golden's folders, and a sink that keeps all
 * tokens and logits of a run. Shared by the tests of the engine and of the goldens. */
#ifndef TOKENMARK_TESTS_ENGINE_FIXTURE_H
#define TOKENMARK_TESTS_ENGINE_FIXTURE_H

#include "test.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "engine/engine.h"
#include "kernels/kernels.h"

struct opened {
    const struct engine_ops *ops;
    struct model *model;
    struct engine *engine;
    int64_t vocabulary;
};

/* What a run gave: tokens [step][row], logits [step][row][id]. */
struct generation {
    int64_t batch, steps, vocabulary;
    int64_t steps_told;
    int32_t *tokens;
    float *logits;
    double last_s;
    int64_t stops_left; /* -1: never stop */
};

static inline void generation_init(struct generation *generation, int64_t batch, int64_t steps,
                                   int64_t vocabulary)
{
    *generation = (struct generation){batch, steps, vocabulary, 0, NULL, NULL, 0, -1};
    generation->tokens = calloc((size_t)(steps * batch), sizeof *generation->tokens);
    generation->logits = calloc((size_t)(steps * batch * vocabulary), sizeof(float));
    assert_true(generation->tokens != NULL && generation->logits != NULL);
}

static inline void generation_free(struct generation *generation)
{
    free(generation->tokens);
    free(generation->logits);
}

static inline void keep_step(void *context, int64_t step, const int32_t *tokens, double time_s)
{
    struct generation *generation = context;
    assert_int_equal(step, generation->steps_told);
    assert_true(step < generation->steps);
    assert_true(time_s >= generation->last_s);
    generation->last_s = time_s;
    generation->steps_told++;
    memcpy(generation->tokens + step * generation->batch, tokens,
           (size_t)generation->batch * sizeof *tokens);
}

static inline void keep_logits(void *context, int64_t step, const float *logits)
{
    struct generation *generation = context;
    int64_t count = generation->batch * generation->vocabulary;
    memcpy(generation->logits + step * count, logits, (size_t)count * sizeof *logits);
}

static inline bool ask_stop(void *context)
{
    struct generation *generation = context;
    return generation->stops_left >= 0 && generation->stops_left-- == 0;
}

static inline struct token_sink generation_sink(struct generation *generation)
{
    return (struct token_sink){keep_step, keep_logits, ask_stop, generation};
}

static inline const struct engine_ops *cpu_ops(void)
{
    const struct engine_ops *ops = NULL;
    int index = 0;
    struct error reason = {0}, error = {0};
    if (engine_choose(&ops, &index, "cpu", &reason, &error) != 0)
        fail_msg("%s", error.text);
    return ops;
}

/* The CUDA engine: on the emulated GPU, or on the device that TOKENMARK_TEST_DEVICE names. */
static inline const char *cuda_device(void)
{
    const char *device = getenv("TOKENMARK_TEST_DEVICE");
    return device != NULL && device[0] != '\0' ? device : "emu";
}

static inline const struct engine_ops *cuda_ops(void)
{
    const struct engine_ops *ops = NULL;
    int index = 0;
    struct error reason = {0}, error = {0};
    if (engine_choose(&ops, &index, cuda_device(), &reason, &error) != 0)
        fail_msg("%s", error.text);
    return ops;
}

static inline int try_open_model(struct opened *opened, const char *folder, int64_t max_positions,
                                 struct error *error)
{
    *opened = (struct opened){.ops = cpu_ops()};
    struct model_options options = {
        .name = folder, .weights = WEIGHTS_REAL, .max_positions = max_positions, .seed = 42};
    int code = model_open(&opened->model, &options, error);
    if (code == 0)
        opened->vocabulary = model_architecture(opened->model)->vocabulary_size;
    return code;
}

static inline struct engine_options make_options(const char *isa, int threads)
{
    return (struct engine_options){
        .dtype = "auto",
        .kv_dtype = "auto",
        .isa = isa,
        .threads = threads,
        .pin = false,
        .clock = clock_monotonic(),
    };
}

/* Another engine of the same model; the last one is closed. */
static inline void open_engine(struct opened *opened, const struct engine_options *options)
{
    struct error error = {0};
    opened->ops->close(opened->engine);
    if (opened->ops->open(&opened->engine, opened->model, options, &error) != 0)
        fail_msg("%s", error.text);
}

static inline int try_open(struct opened *opened, const char *folder, int64_t max_positions,
                           const char *isa, int threads, struct error *error)
{
    int code = try_open_model(opened, folder, max_positions, error);
    if (code != 0)
        return code;
    struct engine_options options = make_options(isa, threads);
    return opened->ops->open(&opened->engine, opened->model, &options, error);
}

static inline void open_folder(struct opened *opened, const char *folder, const char *isa,
                               int threads)
{
    struct error error = {0};
    if (try_open(opened, folder, 0, isa, threads, &error) != 0)
        fail_msg("%s: %s", folder, error.text);
}

static inline void close_opened(struct opened *opened)
{
    if (opened->ops != NULL)
        opened->ops->close(opened->engine);
    model_close(opened->model);
    *opened = (struct opened){0};
}

static inline const char *golden_folder(char out[512], const char *name)
{
    (void)snprintf(out, 512, "%s/tests/golden/%s", TEST_SOURCE_DIR, name);
    return out;
}

static inline void open_named(struct opened *opened, const char *name, int64_t max_positions,
                              int threads)
{
    char folder[512];
    struct error error = {0};
    if (try_open(opened, golden_folder(folder, name), max_positions, "auto", threads, &error) != 0)
        fail_msg("%s: %s", name, error.text);
}

/* Ids that differ from row to row and from place to place, the same for the same arguments. */
static inline int32_t *make_ids(int64_t count, int64_t vocabulary, uint32_t seed)
{
    int32_t *ids = calloc((size_t)count, sizeof *ids);
    assert_non_null(ids);
    for (int64_t i = 0; i < count; i++) {
        seed = seed * 1664525U + 1013904223U;
        ids[i] = (int32_t)((seed >> 8) % (uint32_t)vocabulary);
    }
    return ids;
}

static inline struct session_shape make_shape(int64_t batch, int64_t length, int64_t steps)
{
    return (struct session_shape){
        .batch_size = batch,
        .input_length = length,
        .output_length = steps,
        .top_p = 1,
        .seed = 7,
        .want_logits = true,
    };
}

/* One whole generation in a session of its own. */
static inline void generate(const struct opened *opened, const struct session_shape *shape,
                            const int32_t *ids, int64_t length, struct generation *out)
{
    generation_init(out, shape->batch_size, shape->output_length, opened->vocabulary);
    struct token_sink sink = generation_sink(out);
    struct error error = {0};
    struct session *session = NULL;
    if (opened->ops->session_open(&session, opened->engine, shape, &error) != 0 ||
        opened->ops->prefill(session, ids, length, &sink, &error) != 0 ||
        opened->ops->decode(session, shape->output_length - 1, &sink, &error) != 0)
        fail_msg("%s", error.text);
    opened->ops->session_close(session);
    assert_int_equal(out->steps_told, shape->output_length);
}

/* The largest difference of two runs' logits, relative to the largest logit. */
static inline double logit_difference(const float *actual, const float *expected, int64_t count)
{
    double difference = 0, magnitude = 0;
    for (int64_t i = 0; i < count; i++) {
        if (!isfinite(actual[i]))
            return INFINITY;
        difference = fmax(difference, fabs((double)actual[i] - (double)expected[i]));
        magnitude = fmax(magnitude, fabs((double)expected[i]));
    }
    return magnitude > 0 ? difference / magnitude : difference;
}

#endif
