/* What the CPU engine tells of itself, and what it does when asked for too much, for the
 * impossible or with weights that make no sense. */
#include "engine_fixture.h"

#include "base/memory.h"

static void test_absurd_sizes_are_refused(void **state)
{
    (void)state;
    static const struct {
        int64_t batch, length, steps;
        int code;
    } cases[] = {
        {64, 1 << 30, 2, ERROR_MEMORY},
        {1 << 30, 1 << 30, 1 << 30, ERROR_MEMORY},
        {INT32_MAX, INT32_MAX, INT32_MAX, ERROR_MEMORY},
        {1 << 20, 4096, 4096, ERROR_MEMORY},
        {INT64_MAX, 1, 1, ERROR_INPUT},
        {1, INT64_MAX, 1, ERROR_INPUT},
        {1, 1, INT64_MAX, ERROR_INPUT},
        {0, 1, 1, ERROR_INPUT},
        {1, 0, 1, ERROR_INPUT},
        {1, 1, 0, ERROR_INPUT},
        {-1, 8, 8, ERROR_INPUT},
    };
    struct opened opened;
    open_named(&opened, "bloom_six_heads", 0, 2);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct session_shape shape = make_shape(cases[i].batch, cases[i].length, cases[i].steps);
        struct session *session = NULL;
        struct error error = {0};
        assert_int_equal(opened.ops->session_open(&session, opened.engine, &shape, &error),
                         cases[i].code);
        assert_null(session);
        assert_true(error.text[0] != '\0');
    }
    close_opened(&opened);
}

static void test_positions_are_limited(void **state)
{
    (void)state;
    struct opened opened;
    open_named(&opened, "gpt2", 0, 1);
    struct session_shape fits = make_shape(1, 60, 5), too_long = make_shape(1, 60, 6);
    struct session *session = NULL;
    struct error error = {0};
    assert_int_equal(opened.ops->session_open(&session, opened.engine, &too_long, &error),
                     ERROR_INPUT);
    assert_contains(error.text, "--max-positions");
    assert_int_equal(opened.ops->session_open(&session, opened.engine, &fits, &error), 0);
    int32_t *ids = make_ids(61, opened.vocabulary, 8);
    struct generation run;
    generation_init(&run, 1, 8, opened.vocabulary);
    struct token_sink sink = generation_sink(&run);
    assert_int_equal(opened.ops->decode(session, 1, &sink, &error), ERROR_INPUT);
    assert_int_equal(opened.ops->prefill(session, ids, 61, &sink, &error), ERROR_INPUT);
    assert_int_equal(opened.ops->prefill(session, ids, 60, &sink, &error), 0);
    assert_int_equal(opened.ops->decode(session, 5, &sink, &error), ERROR_INPUT);
    assert_int_equal(opened.ops->decode(session, 4, &sink, &error), 0);
    assert_int_equal(run.steps_told, 5);
    opened.ops->session_close(session);
    generation_free(&run);
    free(ids);
    close_opened(&opened);
}

static void test_prediction_is_what_is_taken(void **state)
{
    (void)state;
    struct opened opened;
    open_named(&opened, "bloom_six_heads", 0, 2);
    struct session_shape shape = make_shape(4, 16000, 16);
    struct session_memory predicted;
    struct session *session = NULL;
    struct error error = {0};
    assert_int_equal(opened.ops->predict(opened.engine, &shape, &predicted, &error), 0);
    assert_true(predicted.kv_bytes > (int64_t)4 * 16015 * 2 * 48 * 2 * 4);
    assert_true(predicted.workspace_bytes > 0);
    assert_false(predicted.on_device);
    int64_t before = memory_resident_bytes();
    assert_int_equal(opened.ops->session_open(&session, opened.engine, &shape, &error), 0);
    int64_t taken = memory_resident_bytes() - before;
    int64_t total = predicted.kv_bytes + predicted.workspace_bytes;
    struct memory_usage usage;
    assert_int_equal(opened.ops->memory_usage(session, &usage, &error), 0);
    opened.ops->session_close(session);
    /* All of it touched; besides, pages are rounded up to 2 MB. */
    enum { SLACK_BYTES = 8 << 20 };
    assert_true(taken >= total - (1 << 20));
#ifndef __SANITIZE_THREAD__
    assert_true(taken <= total + SLACK_BYTES);
#endif
    assert_true(usage.host_peak_bytes >= total);
    assert_true(usage.host_peak_bytes >= before + taken - SLACK_BYTES);
    assert_int_equal(usage.device_allocated_bytes, -1);
    close_opened(&opened);
}

/* An engine that only plans says what the loaded one says, reads nothing and opens nothing. */
static void test_planning_needs_no_weights(void **state)
{
    (void)state;
    static const char *const folders[] = {"gpt2", "gemma2", "qwen3_moe"};
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        struct opened opened;
        open_named(&opened, folders[i], 0, 2);
        struct session_shape shape = make_shape(3, 5, 4);
        struct session_memory loaded, planned;
        struct session *session = NULL;
        struct error error = {0};
        assert_int_equal(opened.ops->predict(opened.engine, &shape, &loaded, &error), 0);
        json_t *loaded_facts = opened.ops->facts(opened.engine);
        struct engine_options options = make_options("auto", 2);
        options.plan_only = true;
        open_engine(&opened, &options);
        json_t *planned_facts = opened.ops->facts(opened.engine);
        assert_true(json_integer_value(json_object_get(planned_facts, "weight_bytes")) > 0);
        assert_true(json_equal(loaded_facts, planned_facts));
        assert_int_equal(opened.ops->predict(opened.engine, &shape, &planned, &error), 0);
        assert_int_equal(planned.kv_bytes, loaded.kv_bytes);
        assert_int_equal(planned.workspace_bytes, loaded.workspace_bytes);
        assert_int_equal(opened.ops->session_open(&session, opened.engine, &shape, &error),
                         ERROR_FAILED);
        assert_contains(error.text, "planning");
        json_decref(loaded_facts);
        json_decref(planned_facts);
        close_opened(&opened);
    }
}

/* gpt2 of the goldens with every weight a NaN. */
static void test_logits_that_are_not_finite_fail(void **state)
{
    (void)state;
    char source[600], folder[512], view[] = "/tmp/tokenmark_nan_XXXXXX", path[600];
    struct error error = {0};
    char *bytes = NULL;
    size_t count = 0;
    golden_folder(folder, "gpt2");
    assert_non_null(mkdtemp(view));
    (void)snprintf(source, sizeof source, "%s/config.json", folder);
    (void)snprintf(path, sizeof path, "%s/config.json", view);
    assert_int_equal(symlink(source, path), 0);
    (void)snprintf(source, sizeof source, "%s/model.safetensors", folder);
    assert_int_equal(file_read(&bytes, &count, source, (size_t)1 << 24, &error), 0);
    uint64_t header = 0;
    memcpy(&header, bytes, sizeof header);
    memset(bytes + 8 + header, 0xFF, count - 8 - header);
    (void)snprintf(source, sizeof source, "%s/model.safetensors", view);
    assert_int_equal(file_write_atomic(source, bytes, count, &error), 0);
    free(bytes);

    for (int greedy = 0; greedy < 2; greedy++) {
        struct opened opened;
        open_folder(&opened, view, "auto", 1);
        struct session_shape shape = make_shape(1, 3, 2);
        shape.temperature = greedy ? 0 : 1;
        struct session *session = NULL;
        struct generation run;
        generation_init(&run, 1, 2, opened.vocabulary);
        struct token_sink sink = generation_sink(&run);
        const int32_t ids[] = {1, 2, 3};
        assert_int_equal(opened.ops->session_open(&session, opened.engine, &shape, &error), 0);
        assert_int_equal(opened.ops->prefill(session, ids, 3, &sink, &error), ERROR_FAILED);
        assert_contains(error.text, "not finite");
        assert_int_equal(run.steps_told, 0);
        opened.ops->session_close(session);
        generation_free(&run);
        close_opened(&opened);
    }
    assert_int_equal(unlink(source), 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(view), 0);
}

static void test_options_are_refused_by_name(void **state)
{
    (void)state;
    struct opened opened;
    open_named(&opened, "gpt2", 0, 1);
    static const struct engine_options cases[] = {
        {.dtype = "float31", .kv_dtype = "auto", .isa = "auto", .threads = 1},
        {.dtype = "auto", .kv_dtype = "float31", .isa = "auto", .threads = 1},
        {.dtype = "auto", .kv_dtype = "auto", .isa = "float31", .threads = 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct engine_options options = cases[i];
        options.clock = clock_monotonic();
        struct engine *engine = NULL;
        struct error error = {0};
        assert_int_equal(opened.ops->open(&engine, opened.model, &options, &error), ERROR_INPUT);
        assert_null(engine);
        assert_contains(error.text, "float31");
        if (strcmp(cases[i].isa, "auto") == 0)
            assert_contains(error.text, "float32, float16, bfloat16, int8");
    }
    /* Weights "as they are" are a GGUF file's; a cache has no 4 bits. */
    struct engine_options wrong = {
        .dtype = "gguf", .kv_dtype = "auto", .isa = "auto", .threads = 1};
    struct engine *engine = NULL;
    struct error error = {0};
    wrong.clock = clock_monotonic();
    assert_int_equal(opened.ops->open(&engine, opened.model, &wrong, &error), ERROR_INPUT);
    assert_contains(error.text, "GGUF file");
    wrong.dtype = "int4";
    wrong.kv_dtype = "int4";
    assert_int_equal(opened.ops->open(&engine, opened.model, &wrong, &error), ERROR_INPUT);
    assert_contains(error.text, "KV cache dtype \"int4\"");
    close_opened(&opened);
}

static void test_facts_tell_what_is_in_force(void **state)
{
    (void)state;
    struct opened opened;
    open_named(&opened, "gpt2", 0, 2);
    json_t *facts = opened.ops->facts(opened.engine);
    assert_string_equal(json_string_value(json_object_get(facts, "device")), "cpu");
    assert_int_equal(json_integer_value(json_object_get(facts, "threads")), 2);
    assert_string_equal(json_string_value(json_object_get(facts, "isa")),
                        kernels_choose(NULL)->isa);
    json_decref(facts);
    close_opened(&opened);
}

/* Sizes are not round in this tiny model: its 101 ids fill four panels of 32, its 48 inputs two
 * groups of 32, and its heads of 8 lie as 16 in the cache's values; int8 has scales besides. */
static void test_dtypes_set_the_sizes(void **state)
{
    (void)state;
    static const struct {
        const char *dtype, *kv_dtype; /* asked for */
        const char *dtype_told, *kv_dtype_told;
        double weight_bytes, kv_bytes; /* of one parameter, of one element of the cache */
    } cases[] = {
        {"auto", "auto", "float32", "float32", 4, 4},
        {"float32", "auto", "float32", "float32", 4, 4},
        {"float16", "auto", "float16", "float16", 2, 2},
        {"bfloat16", "auto", "bfloat16", "bfloat16", 2, 2},
        {"int8", "auto", "int8", "bfloat16", 1, 2},
        {"auto", "float16", "float32", "float16", 4, 2},
        {"float32", "int8", "float32", "int8", 4, 1},
        {"int8", "float32", "int8", "float32", 1, 4},
        {"int4", "auto", "int4", "bfloat16", 0.75, 2},
    };
    enum { POSITIONS = 4096 };
    struct opened opened;
    open_named(&opened, "bloom_six_heads", 0, 1);
    const struct architecture *a = model_architecture(opened.model);
    double parameters = (double)architecture_parameter_count(a);
    double elements = 2.0 * POSITIONS * (double)(a->layer_count * a->kv_head_count * a->head_dim);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct engine_options options = make_options("auto", 1);
        options.dtype = cases[i].dtype;
        options.kv_dtype = cases[i].kv_dtype;
        open_engine(&opened, &options);
        json_t *facts = opened.ops->facts(opened.engine);
        assert_string_equal(json_string_value(json_object_get(facts, "dtype")),
                            cases[i].dtype_told);
        assert_string_equal(json_string_value(json_object_get(facts, "kv_dtype")),
                            cases[i].kv_dtype_told);
        double bytes = json_number_value(json_object_get(facts, "weight_bytes"));
        assert_true(bytes >= cases[i].weight_bytes * parameters);
        assert_true(bytes <= 1.45 * cases[i].weight_bytes * parameters);
        json_decref(facts);
        struct session_shape shape = make_shape(1, POSITIONS, 1);
        struct session_memory memory;
        struct error error = {0};
        assert_int_equal(opened.ops->predict(opened.engine, &shape, &memory, &error), 0);
        assert_true((double)memory.kv_bytes >= cases[i].kv_bytes * elements);
        assert_true((double)memory.kv_bytes <= 1.5 * (cases[i].kv_bytes + 0.5) * elements);
    }
    close_opened(&opened);
}

static void test_limits_do_the_work_they_tell(void **state)
{
    (void)state;
    struct opened opened;
    open_named(&opened, "gpt2", 0, 2);
    struct error error = {0};
    enum { BUFFER_BYTES = 24 << 20 };
    struct limit_probe probe = {.kind = LIMIT_READ_BANDWIDTH, .working_bytes = BUFFER_BYTES};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(opened.ops->limit_run(opened.engine, &probe, &error), 0);
        assert_close(probe.work, BUFFER_BYTES, 0);
    }
    struct limit_probe multiply = {.kind = LIMIT_MULTIPLY_ADD};
    assert_int_equal(opened.ops->limit_run(opened.engine, &multiply, &error), 0);
    assert_true(multiply.work > 1e6);
    assert_int_equal(multiply.threads, 2);
    probe.working_bytes = 4096;
    assert_int_equal(opened.ops->limit_run(opened.engine, &probe, &error), ERROR_INPUT);
    probe.working_bytes = 0; /* gives the memory back */
    assert_int_equal(opened.ops->limit_run(opened.engine, &probe, &error), 0);
    assert_true(probe.work == 0.0);
    close_opened(&opened);
}

struct notices {
    int count;
    double last;
};

static void count_notice(void *context, const char *text, double fraction)
{
    struct notices *notices = context;
    assert_contains(text, "MB/s");
    assert_true(fraction >= notices->last && fraction <= 1);
    notices->last = fraction;
    notices->count++;
}

static void test_loading_is_told(void **state)
{
    (void)state;
    struct opened opened;
    open_named(&opened, "gpt2", 0, 1);
    struct notices notices = {0, 0};
    struct engine_options options = {.dtype = "float32",
                                     .kv_dtype = "float32",
                                     .isa = "c",
                                     .threads = 1,
                                     .clock = clock_monotonic(),
                                     .notice = count_notice,
                                     .notice_context = &notices};
    struct engine *engine = NULL;
    struct error error = {0};
    assert_int_equal(opened.ops->open(&engine, opened.model, &options, &error), 0);
    assert_true(notices.count >= 1);
    assert_close(notices.last, 1, 0);
    opened.ops->close(engine);
    close_opened(&opened);
}

static void test_choice_by_device(void **state)
{
    (void)state;
    const struct engine_ops *ops = NULL;
    int index = -1;
    struct error reason = {0}, error = {0};
    assert_int_equal(engine_choose(&ops, &index, "auto", &reason, &error), 0);
    assert_string_equal(ops->device, "cpu");
    assert_contains(reason.text, "cuda");
    assert_int_equal(engine_choose(&ops, &index, "cpu", &reason, &error), 0);
    assert_string_equal(ops->name, "native-cpu");
    assert_string_equal(reason.text, "");
    assert_int_equal(index, 0);
    static const char *const refused[] = {"cuda", "cuda:1",  "cpu:1", "cpu:",           "cpu:x",
                                          "cud",  "cpu:0:0", "",      "cpu:99999999999"};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        assert_int_equal(engine_choose(&ops, &index, refused[i], &reason, &error), ERROR_INPUT);
        assert_null(ops);
        assert_contains(error.text, refused[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_absurd_sizes_are_refused),
        cmocka_unit_test(test_positions_are_limited),
        cmocka_unit_test(test_prediction_is_what_is_taken),
        cmocka_unit_test(test_planning_needs_no_weights),
        cmocka_unit_test(test_logits_that_are_not_finite_fail),
        cmocka_unit_test(test_options_are_refused_by_name),
        cmocka_unit_test(test_facts_tell_what_is_in_force),
        cmocka_unit_test(test_dtypes_set_the_sizes),
        cmocka_unit_test(test_limits_do_the_work_they_tell),
        cmocka_unit_test(test_loading_is_told),
        cmocka_unit_test(test_choice_by_device),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
