/* Where the CPU engine says its time went, on a clock that moves a second with every look at it:
 * every part of the pass is marked, under its own name, and nothing is marked unasked. */
#include "engine_fixture.h"

enum { BATCH = 2, LENGTH = 5, STEPS = 4 };

static double count_look(void *context)
{
    double *now_s = context;
    *now_s += 1;
    return *now_s;
}

/* Marks of one pass over all layers. */
struct expected {
    const char *family;
    int norms, projections, attention, mlp; /* a layer */
    int last_norms;                         /* of the embedding and before the head */
};

static const struct expected families[] = {
    {"gpt2", 2, 2, 2, 1, 1},
    {"bloom_six_heads", 2, 2, 2, 1, 2}, /* the embedding is normed too */
    {"gptj", 1, 2, 2, 2, 1},            /* parallel: one norm, MLP in two parts */
    {"gemma2", 4, 2, 2, 1, 1},          /* norms before and after */
    {"olmo2", 2, 2, 2, 1, 1},           /* after only */
    {"qwen3_moe", 2, 2, 2, 1, 1},
};

static void open_counted(struct opened *opened, const char *name, const struct clock *clock)
{
    char folder[512];
    struct error error = {0};
    if (try_open_model(opened, golden_folder(folder, name), 0, &error) != 0)
        fail_msg("%s: %s", name, error.text);
    struct engine_options options = make_options("auto", 2);
    options.clock = clock;
    open_engine(opened, &options);
}

static void check_marks(const struct expected *expected, int64_t layers, const double *seconds,
                        double passes)
{
    double n = (double)layers * passes;
    assert_true(seconds[ENGINE_EMBEDDING] == passes);
    assert_true(seconds[ENGINE_ATTENTION_PROJECTIONS] == n * expected->projections);
    assert_true(seconds[ENGINE_ATTENTION] == n * expected->attention);
    assert_true(seconds[ENGINE_MLP] == n * expected->mlp);
    assert_true(seconds[ENGINE_NORMS] == n * expected->norms + passes * expected->last_norms);
    assert_true(seconds[ENGINE_HEAD] == passes);
    /* The stamp of the step falls into it. */
    assert_true(seconds[ENGINE_SAMPLING] == 2 * passes);
}

static double sum_of(const double *seconds)
{
    double sum = 0;
    for (int i = 0; i < ENGINE_COMPONENT_COUNT; i++)
        sum += seconds[i];
    return sum;
}

static void check_family(const struct expected *expected)
{
    struct opened opened;
    struct session *session;
    struct generation plain, marked;
    struct error error = {0};
    double now_s = 0, prefill[ENGINE_COMPONENT_COUNT] = {0}, decode[ENGINE_COMPONENT_COUNT] = {0};
    struct clock clock = {count_look, &now_s};
    open_counted(&opened, expected->family, &clock);
    struct session_shape shape = make_shape(BATCH, LENGTH, STEPS + 1);
    int64_t layers = model_architecture(opened.model)->layer_count;
    int32_t *ids = make_ids(BATCH * LENGTH, opened.vocabulary, 3);
    generation_init(&plain, BATCH, STEPS + 1, opened.vocabulary);
    generation_init(&marked, BATCH, STEPS + 1, opened.vocabulary);
    struct token_sink sink = generation_sink(&plain);
    assert_int_equal(opened.ops->session_open(&session, opened.engine, &shape, &error), 0);
    double begin_s = now_s;
    assert_int_equal(opened.ops->prefill(session, ids, LENGTH, &sink, &error), 0);
    assert_int_equal(opened.ops->decode(session, STEPS, &sink, &error), 0);
    assert_true(now_s - begin_s == STEPS + 1); /* one look a step, and no more */

    sink = generation_sink(&marked);
    opened.ops->time_components(session, prefill);
    begin_s = now_s;
    assert_int_equal(opened.ops->prefill(session, ids, LENGTH, &sink, &error), 0);
    check_marks(expected, layers, prefill, 1);
    assert_true(sum_of(prefill) == now_s - begin_s - 1); /* the first look begins it */
    opened.ops->time_components(session, decode);
    begin_s = now_s;
    assert_int_equal(opened.ops->decode(session, STEPS, &sink, &error), 0);
    check_marks(expected, layers, decode, STEPS);
    assert_true(sum_of(decode) == now_s - begin_s - STEPS);
    check_marks(expected, layers, prefill, 1);
    assert_memory_equal(marked.tokens, plain.tokens, BATCH * (STEPS + 1) * sizeof(int32_t));

    opened.ops->time_components(session, NULL);
    marked.steps_told = 0;
    assert_int_equal(opened.ops->prefill(session, ids, LENGTH, &sink, &error), 0);
    check_marks(expected, layers, decode, STEPS);
    opened.ops->session_close(session);
    generation_free(&plain);
    generation_free(&marked);
    free(ids);
    close_opened(&opened);
}

static void test_every_part_is_marked(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
        check_family(&families[i]);
}

/* Components of a prompt that goes through in chunks: every chunk is marked, all but the last
 * without an end. */
static void test_chunks_are_marked(void **state)
{
    (void)state;
    enum { LONG = 1100, CHUNKS = 3 };
    struct opened opened;
    struct session *session;
    struct generation run;
    struct error error = {0};
    double now_s = 0, seconds[ENGINE_COMPONENT_COUNT] = {0};
    struct clock clock = {count_look, &now_s};
    char folder[512];
    if (try_open_model(&opened, golden_folder(folder, "llama_tied_biased"), 2 * LONG, &error) != 0)
        fail_msg("%s", error.text);
    struct engine_options options = make_options("auto", 2);
    options.clock = &clock;
    open_engine(&opened, &options);
    struct session_shape shape = make_shape(1, LONG, 1);
    double layers = (double)model_architecture(opened.model)->layer_count;
    int32_t *ids = make_ids(LONG, opened.vocabulary, 3);
    generation_init(&run, 1, 1, opened.vocabulary);
    struct token_sink sink = generation_sink(&run);
    assert_int_equal(opened.ops->session_open(&session, opened.engine, &shape, &error), 0);
    opened.ops->time_components(session, seconds);
    double begin_s = now_s;
    assert_int_equal(opened.ops->prefill(session, ids, LONG, &sink, &error), 0);
    assert_true(sum_of(seconds) == now_s - begin_s - 1);
    assert_true(seconds[ENGINE_EMBEDDING] == CHUNKS);
    /* The last layer of a chunk without an end stops after its keys and values. */
    assert_true(seconds[ENGINE_MLP] == CHUNKS * layers - (CHUNKS - 1));
    assert_true(seconds[ENGINE_ATTENTION] == 2 * CHUNKS * layers - (CHUNKS - 1));
    assert_true(seconds[ENGINE_HEAD] == 1);
    opened.ops->session_close(session);
    generation_free(&run);
    free(ids);
    close_opened(&opened);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_part_is_marked),
        cmocka_unit_test(test_chunks_are_marked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
