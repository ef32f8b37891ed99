/* Properties of the CPU engine that hold for every model: rows do not see each other, decoding
 * continues prefill, chunks, threads and reuse do not show. Models are those of tests/golden. */
#include "engine_fixture.h"

/* Sums in another order; logits are compared relative to the largest. */
static const double rounding = 1e-5;

static const char *const families[] = {
    "gpt2",   "gpt_neo_local", "bloom_six_heads",   "falcon_7b", "mistral_window",
    "gemma2", "qwen3_moe",     "stablelm_parallel", "olmo2",     "llama_yarn",
};
enum { FAMILY_COUNT = sizeof families / sizeof families[0] };

static void check_close(const char *name, const float *actual, const float *expected, int64_t count)
{
    double difference = logit_difference(actual, expected, count);
    if (!(difference <= rounding))
        fail_msg("%s: logits differ by %g of the largest", name, difference);
}

static void test_rows_do_not_see_each_other(void **state)
{
    (void)state;
    enum { BATCH = 5, LENGTH = 19, STEPS = 4 };
    for (int f = 0; f < FAMILY_COUNT; f++) {
        struct opened opened;
        open_named(&opened, families[f], 0, 2);
        int32_t *ids = make_ids(BATCH * LENGTH, opened.vocabulary, 1);
        struct session_shape together = make_shape(BATCH, LENGTH, STEPS);
        struct session_shape alone = make_shape(1, LENGTH, STEPS);
        struct generation batch;
        generate(&opened, &together, ids, LENGTH, &batch);
        for (int64_t row = 0; row < BATCH; row++) {
            struct generation single;
            generate(&opened, &alone, ids + row * LENGTH, LENGTH, &single);
            for (int64_t step = 0; step < STEPS; step++) {
                check_close(families[f], batch.logits + (step * BATCH + row) * opened.vocabulary,
                            single.logits + step * opened.vocabulary, opened.vocabulary);
                assert_int_equal(batch.tokens[step * BATCH + row], single.tokens[step]);
            }
            generation_free(&single);
        }
        generation_free(&batch);
        free(ids);
        close_opened(&opened);
    }
}

/* The logits after `length` known tokens, of which `prefilled` were the prompt. */
static void logits_after(const struct opened *opened, const int32_t *ids, int64_t prefilled,
                         int64_t length, float *out)
{
    struct session_shape shape = make_shape(1, prefilled, length - prefilled + 1);
    shape.forced_tokens = ids + prefilled;
    struct generation run;
    /* The last step's own token is forced too, but nothing reads it. */
    generate(opened, &shape, ids, prefilled, &run);
    memcpy(out, run.logits + (length - prefilled) * opened->vocabulary,
           (size_t)opened->vocabulary * sizeof *out);
    generation_free(&run);
}

static void check_continuation(const char *name, int64_t max_positions, int64_t prefilled,
                               int64_t length, int threads)
{
    struct opened opened;
    open_named(&opened, name, max_positions, threads);
    int32_t *ids = make_ids(length + 1, opened.vocabulary, 2);
    float *whole = calloc((size_t)opened.vocabulary * 2, sizeof *whole);
    assert_non_null(whole);
    float *parts = whole + opened.vocabulary;
    logits_after(&opened, ids, length, length, whole);
    logits_after(&opened, ids, prefilled, length, parts);
    check_close(name, parts, whole, opened.vocabulary);
    free(whole);
    free(ids);
    close_opened(&opened);
}

static void test_decode_continues_prefill(void **state)
{
    (void)state;
    for (int f = 0; f < FAMILY_COUNT; f++)
        for (int threads = 1; threads <= 2; threads++) {
            check_continuation(families[f], 0, 11, 30, threads);
            check_continuation(families[f], 0, 1, 9, threads);
        }
}

/* Prompts past one chunk, and contexts so long that decode splits one head's keys. */
static void test_chunks_and_splits_do_not_show(void **state)
{
    (void)state;
    static const char *const names[] = {"bloom_six_heads", "falcon_7b", "mistral_window", "gemma",
                                        "mixtral"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        for (int threads = 1; threads <= 3; threads += 2) {
            check_continuation(names[i], 2048, 1100, 1103, threads);
            check_continuation(names[i], 2048, 500, 1040, threads);
        }
}

static void check_batch_of_long_prompts(int64_t length, int threads)
{
    enum { BATCH = 7, STEPS = 2 };
    struct opened opened;
    open_named(&opened, "llama", 1024, threads);
    int32_t *ids = make_ids(BATCH * length, opened.vocabulary, 3);
    struct session_shape together = make_shape(BATCH, length, STEPS);
    struct session_shape alone = make_shape(1, length, STEPS);
    struct generation batch, single;
    generate(&opened, &together, ids, length, &batch);
    for (int64_t row = 0; row < BATCH; row++) {
        generate(&opened, &alone, ids + row * length, length, &single);
        check_close("llama", batch.logits + row * opened.vocabulary, single.logits,
                    opened.vocabulary);
        generation_free(&single);
    }
    generation_free(&batch);
    free(ids);
    close_opened(&opened);
}

/* Batches that go through the layers in parts: some rows at a time, one row at a time (whose keys
 * the last layer splits where it would not split the whole batch's), a row in parts. */
static void test_batches_of_long_prompts(void **state)
{
    (void)state;
    static const int64_t lengths[] = {150, 384, 700};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
        for (int threads = 1; threads <= 4; threads++)
            check_batch_of_long_prompts(lengths[i], threads);
}

static void test_threads_do_not_show(void **state)
{
    (void)state;
    enum { BATCH = 2, LENGTH = 40, STEPS = 6 };
    for (int f = 0; f < FAMILY_COUNT; f++) {
        struct generation runs[2];
        for (int i = 0; i < 2; i++) {
            struct opened opened;
            open_named(&opened, families[f], 0, i == 0 ? 1 : 4);
            int32_t *ids = make_ids(BATCH * LENGTH, opened.vocabulary, 4);
            struct session_shape shape = make_shape(BATCH, LENGTH, STEPS);
            generate(&opened, &shape, ids, LENGTH, &runs[i]);
            free(ids);
            close_opened(&opened);
        }
        check_close(families[f], runs[1].logits, runs[0].logits,
                    BATCH * STEPS * runs[0].vocabulary);
        generation_free(&runs[0]);
        generation_free(&runs[1]);
    }
}

/* Narrower weights and caches compute the same function, as near as their digits allow. */
static void test_lower_precision_is_near(void **state)
{
    (void)state;
    static const char *const names[] = {"gpt2", "llama", "falcon_7b"};
    static const struct {
        const char *dtype, *kv_dtype;
        double tolerance;
    } cases[] = {
        {"float16", "float32", 5e-3},  {"float32", "float16", 5e-3}, {"bfloat16", "float32", 4e-2},
        {"float32", "bfloat16", 4e-2}, {"int8", "float32", 2e-1},    {"float32", "int8", 8e-2},
    };
    enum { BATCH = 2, LENGTH = 21 };
    for (size_t n = 0; n < sizeof names / sizeof names[0]; n++) {
        struct opened opened;
        open_named(&opened, names[n], 0, 2);
        int32_t *ids = make_ids(BATCH * LENGTH, opened.vocabulary, 9);
        struct session_shape shape = make_shape(BATCH, LENGTH, 1);
        struct generation exact, rounded;
        generate(&opened, &shape, ids, LENGTH, &exact);
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            opened.ops->close(opened.engine);
            struct engine_options options = {.dtype = cases[i].dtype,
                                             .kv_dtype = cases[i].kv_dtype,
                                             .isa = "auto",
                                             .threads = 2,
                                             .clock = clock_monotonic()};
            struct error error = {0};
            if (opened.ops->open(&opened.engine, opened.model, &options, &error) != 0)
                fail_msg("%s", error.text);
            generate(&opened, &shape, ids, LENGTH, &rounded);
            double difference =
                logit_difference(rounded.logits, exact.logits, BATCH * opened.vocabulary);
            if (!(difference > rounding && difference <= cases[i].tolerance))
                fail_msg("%s, %s, cache %s: logits differ by %g of the largest", names[n],
                         cases[i].dtype, cases[i].kv_dtype, difference);
            generation_free(&rounded);
        }
        generation_free(&exact);
        free(ids);
        close_opened(&opened);
    }
}

static void run_again(const struct opened *opened, struct session *session, const int32_t *ids,
                      int64_t length, int64_t steps, struct generation *run)
{
    generation_init(run, 2, steps, opened->vocabulary);
    struct token_sink sink = generation_sink(run);
    struct error error = {0};
    assert_int_equal(opened->ops->prefill(session, ids, length, &sink, &error), 0);
    assert_int_equal(opened->ops->decode(session, steps - 1, &sink, &error), 0);
}

/* Sampled tokens too: a run's draws depend on seed, row and step alone. */
static void test_a_session_can_be_used_again(void **state)
{
    (void)state;
    static const char *const names[] = {"gpt2", "llama_dynamic", "phi3_longrope"};
    enum { LENGTH = 12, STEPS = 8 };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct opened opened;
        open_named(&opened, names[i], 64, 2);
        int32_t *ids = make_ids(2 * LENGTH, opened.vocabulary, 5);
        struct session_shape shape = make_shape(2, LENGTH, STEPS);
        shape.temperature = 1;
        shape.top_p = 0.9;
        struct session *session = NULL;
        struct error error = {0};
        assert_int_equal(opened.ops->session_open(&session, opened.engine, &shape, &error), 0);
        struct generation first, shorter, again;
        run_again(&opened, session, ids, LENGTH, STEPS, &first);
        run_again(&opened, session, ids, LENGTH / 2, STEPS, &shorter);
        run_again(&opened, session, ids, LENGTH, STEPS, &again);
        assert_memory_equal(first.tokens, again.tokens, 2 * STEPS * sizeof *first.tokens);
        assert_memory_equal(first.logits, again.logits,
                            (size_t)(2 * STEPS * opened.vocabulary) * sizeof *first.logits);
        generation_free(&first);
        generation_free(&shorter);
        generation_free(&again);
        opened.ops->session_close(session);
        free(ids);
        close_opened(&opened);
    }
}

static void test_seed_decides_the_draws(void **state)
{
    (void)state;
    enum { LENGTH = 12, STEPS = 16 };
    struct opened opened;
    open_named(&opened, "llama", 0, 2);
    int32_t *ids = make_ids(LENGTH, opened.vocabulary, 6);
    struct session_shape shape = make_shape(1, LENGTH, STEPS);
    shape.temperature = 2;
    struct generation runs[2];
    for (int i = 0; i < 2; i++) {
        shape.seed = (uint64_t)i;
        generate(&opened, &shape, ids, LENGTH, &runs[i]);
    }
    assert_memory_not_equal(runs[0].tokens, runs[1].tokens, STEPS * sizeof *runs[0].tokens);
    generation_free(&runs[0]);
    generation_free(&runs[1]);
    free(ids);
    close_opened(&opened);
}

static void test_stop_acts_between_layers(void **state)
{
    (void)state;
    enum { LENGTH = 12, STEPS = 8 };
    struct opened opened;
    open_named(&opened, "gpt2", 0, 2);
    int32_t *ids = make_ids(LENGTH, opened.vocabulary, 7);
    struct session_shape shape = make_shape(1, LENGTH, STEPS);
    struct session *session = NULL;
    struct error error = {0};
    assert_int_equal(opened.ops->session_open(&session, opened.engine, &shape, &error), 0);
    for (int64_t stops = 0; stops < 6; stops++) {
        struct generation run;
        generation_init(&run, 1, STEPS, opened.vocabulary);
        struct token_sink sink = generation_sink(&run);
        run.stops_left = stops;
        int code = opened.ops->prefill(session, ids, LENGTH, &sink, &error);
        if (code == 0)
            code = opened.ops->decode(session, STEPS - 1, &sink, &error);
        assert_int_equal(code, ERROR_STOPPED);
        assert_int_equal(error.code, ERROR_STOPPED);
        /* gpt2 of the goldens has two layers, each asks once. */
        assert_int_equal(run.steps_told, stops / 2);
        generation_free(&run);
    }
    opened.ops->session_close(session);
    struct generation whole;
    generate(&opened, &shape, ids, LENGTH, &whole);
    generation_free(&whole);
    free(ids);
    close_opened(&opened);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_do_not_see_each_other),
        cmocka_unit_test(test_decode_continues_prefill),
        cmocka_unit_test(test_chunks_and_splits_do_not_show),
        cmocka_unit_test(test_batches_of_long_prompts),
        cmocka_unit_test(test_threads_do_not_show),
        cmocka_unit_test(test_lower_precision_is_near),
        cmocka_unit_test(test_a_session_can_be_used_again),
        cmocka_unit_test(test_seed_decides_the_draws),
        cmocka_unit_test(test_stop_acts_between_layers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
