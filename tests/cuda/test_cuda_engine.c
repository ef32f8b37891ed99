/* The CUDA engine on the emulated GPU (or a real one) beside the CPU engine: the same logits give
 * the same random token; queued steps tell what steps one by one tell, at times that rise; keys in
 * parts; memory that is just enough and just not; refusals. */
#include "engine_fixture.h"

#include "engine/sampler.h"

static void open_emulated(struct opened *opened, const char *folder_name, const char *dtype)
{
    char folder[512];
    int64_t positions = strcmp(folder_name, "gpt2") == 0 ? 0 : 4096; /* a table cannot grow */
    struct error error = {0};
    if (try_open_model(opened, golden_folder(folder, folder_name), positions, &error) != 0)
        fail_msg("%s", error.text);
    opened->ops = cuda_ops();
    struct engine_options options = make_options("auto", 2);
    options.dtype = dtype;
    open_engine(opened, &options);
}

static void test_the_same_logits_give_the_same_token(void **state)
{
    (void)state;
    static const struct {
        double temperature, top_p;
    } cases[] = {{0, 1}, {1, 1}, {1, 0.9}, {0.3, 0.5}, {5, 0.99}, {30, 0.001}, {0.01, 1}};
    enum { BATCH = 3, LENGTH = 5, STEPS = 6 };
    struct opened opened;
    open_emulated(&opened, "llama", "float32");
    int32_t *ids = make_ids(BATCH * LENGTH, opened.vocabulary, 3);
    uint32_t *workspace =
        calloc(kernel_sample_workspace_words(opened.vocabulary), sizeof *workspace);
    const struct kernels *kernels = kernels_choose("c");
    int different = 0;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct session_shape shape = make_shape(BATCH, LENGTH, STEPS);
        shape.temperature = cases[i].temperature;
        shape.top_p = cases[i].top_p;
        struct generation run;
        generate(&opened, &shape, ids, LENGTH, &run);
        for (int64_t k = 0; k < BATCH * STEPS; k++) {
            struct sample_call call = {
                .logits = run.logits + k * opened.vocabulary,
                .count = opened.vocabulary,
                .temperature = (float)shape.temperature,
                .top_p = shape.top_p,
                .draw = sampler_draw(shape.seed, k % BATCH, k / BATCH),
                .workspace = workspace,
            };
            assert_int_equal(run.tokens[k], kernels->sample(&call));
            call.temperature = 0;
            different += run.tokens[k] != kernels->sample(&call);
        }
        generation_free(&run);
    }
    assert_true(different > BATCH * STEPS); /* it was not greedy all along */
    free(workspace);
    free(ids);
    close_opened(&opened);
}

static void test_queued_steps_are_steps_one_by_one(void **state)
{
    (void)state;
    enum { BATCH = 2, LENGTH = 7, STEPS = 50 }; /* more than are queued at once */
    struct opened opened;
    open_emulated(&opened, "gpt2", "float16");
    int32_t *ids = make_ids(BATCH * LENGTH, opened.vocabulary, 5);
    struct generation runs[3];
    for (int i = 0; i < 3; i++) {
        if (i == 2) {
            struct engine_options options = make_options("auto", 2);
            options.no_graph = true;
            open_engine(&opened, &options);
        }
        struct session_shape shape = make_shape(BATCH, LENGTH, STEPS);
        shape.want_logits = i == 0;
        shape.temperature = 2;
        generate(&opened, &shape, ids, LENGTH, &runs[i]);
    }
    int64_t count = BATCH * STEPS;
    assert_memory_equal(runs[0].tokens, runs[1].tokens, (size_t)count * sizeof(int32_t));
    assert_memory_equal(runs[0].tokens, runs[2].tokens, (size_t)count * sizeof(int32_t));
    for (int i = 0; i < 3; i++)
        generation_free(&runs[i]);
    free(ids);
    close_opened(&opened);
}

/* A prompt of more keys than a part holds: steps cut them, the last block puts them together. */
static void test_long_caches_are_cut_into_parts(void **state)
{
    (void)state;
    enum { LENGTH = 600, STEPS = 3 };
    struct opened opened;
    open_emulated(&opened, "llama", "float32");
    int32_t *ids = make_ids(LENGTH, opened.vocabulary, 9);
    struct session_shape shape = make_shape(1, LENGTH, STEPS);
    struct generation run, expected;
    generate(&opened, &shape, ids, LENGTH, &run);
    struct opened cpu;
    open_named(&cpu, "llama", 4096, 2);
    generate(&cpu, &shape, ids, LENGTH, &expected);
    double difference = logit_difference(run.logits, expected.logits, STEPS * opened.vocabulary);
    if (!(difference <= 1e-5))
        fail_msg("logits differ by %g of the largest", difference);
    generation_free(&run);
    generation_free(&expected);
    free(ids);
    close_opened(&cpu);
    close_opened(&opened);
}

static void test_what_is_predicted_is_taken_and_given_back(void **state)
{
    (void)state;
    struct opened opened;
    open_emulated(&opened, "qwen2", "bfloat16");
    struct session_shape shape = make_shape(2, 40, 4);
    struct session_memory before, after;
    struct memory_usage usage;
    struct error error = {0};
    assert_int_equal(opened.ops->predict(opened.engine, &shape, &before, &error), 0);
    assert_true(before.on_device);
    for (int i = 0; i < 3; i++) {
        struct session *session = NULL;
        assert_int_equal(opened.ops->session_open(&session, opened.engine, &shape, &error), 0);
        assert_int_equal(opened.ops->memory_usage(session, &usage, &error), 0);
        json_t *facts = opened.ops->facts(opened.engine);
        int64_t weights = json_integer_value(json_object_get(facts, "weight_bytes"));
        json_decref(facts);
        assert_int_equal(usage.device_allocated_bytes,
                         weights + before.kv_bytes + before.workspace_bytes);
        assert_true(usage.device_reserved_bytes >= usage.device_allocated_bytes);
        opened.ops->session_close(session);
        assert_int_equal(opened.ops->predict(opened.engine, &shape, &after, &error), 0);
        assert_int_equal(after.available_bytes, before.available_bytes);
    }
    close_opened(&opened);
}

/* A cell larger than the device fails by name, and the next one runs. */
static void test_a_cell_without_memory_leaves_the_engine_usable(void **state)
{
    (void)state;
    struct opened opened;
    open_emulated(&opened, "llama", "float32");
    struct session_shape large = make_shape(4096, 4000, 2), small = make_shape(1, 4, 2);
    struct session_memory memory;
    struct session *session = NULL;
    struct error error = {0};
    assert_int_equal(opened.ops->predict(opened.engine, &large, &memory, &error), 0);
    if (memory.kv_bytes + memory.workspace_bytes <= memory.available_bytes) {
        close_opened(&opened);
        skip(); /* a real device that holds it */
    }
    assert_int_equal(opened.ops->session_open(&session, opened.engine, &large, &error),
                     ERROR_MEMORY);
    assert_contains(error.text, "MB for the cache");
    assert_null(session);
    int32_t *ids = make_ids(4, opened.vocabulary, 1);
    struct generation run;
    generate(&opened, &small, ids, 4, &run);
    generation_free(&run);
    free(ids);
    close_opened(&opened);
}

static void test_options_are_refused_by_name(void **state)
{
    (void)state;
    struct opened opened;
    open_emulated(&opened, "gpt2", "auto");
    struct engine *engine = NULL;
    struct error error = {0};
    struct engine_options options = make_options("auto", 1);
    options.dtype = "int8";
    assert_int_equal(opened.ops->open(&engine, opened.model, &options, &error), ERROR_INPUT);
    assert_contains(error.text, "\"int8\"");
    options.dtype = "float16";
    options.kv_dtype = "float32";
    assert_int_equal(opened.ops->open(&engine, opened.model, &options, &error), ERROR_INPUT);
    assert_contains(error.text, "--kv-dtype");
    options.kv_dtype = "float16";
    options.plan_only = true;
    assert_int_equal(opened.ops->open(&engine, opened.model, &options, &error), 0);
    struct session *session = NULL;
    struct session_shape shape = make_shape(1, 4, 2);
    assert_int_equal(opened.ops->session_open(&session, engine, &shape, &error), ERROR_INPUT);
    opened.ops->close(engine);
    json_t *facts = opened.ops->facts(opened.engine);
    assert_string_equal(json_string_value(json_object_get(facts, "dtype")), "float16");
    assert_string_equal(json_string_value(json_object_get(facts, "device")),
                        strcmp(cuda_device(), "emu") == 0 ? "emu:0" : "cuda:0");
    json_decref(facts);
    close_opened(&opened);
}

/* An engine that only plans takes nothing of the device and predicts what a loaded one does. */
static void test_a_plan_is_what_a_loaded_engine_predicts(void **state)
{
    (void)state;
    static const char *const folders[] = {"gpt2", "llama", "qwen3_moe", "gemma2"};
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        struct opened opened;
        open_emulated(&opened, folders[i], "bfloat16");
        struct session_shape shape = make_shape(2, 9, 4);
        struct session_memory loaded, planned;
        struct error error = {0};
        assert_int_equal(opened.ops->predict(opened.engine, &shape, &loaded, &error), 0);
        json_t *facts = opened.ops->facts(opened.engine);
        struct engine_options options = make_options("auto", 2);
        options.dtype = "bfloat16";
        options.plan_only = true;
        open_engine(&opened, &options);
        json_t *plan = opened.ops->facts(opened.engine);
        assert_int_equal(opened.ops->predict(opened.engine, &shape, &planned, &error), 0);
        assert_int_equal(planned.kv_bytes, loaded.kv_bytes);
        assert_int_equal(planned.workspace_bytes, loaded.workspace_bytes);
        assert_int_equal(planned.on_device, true);
        if (strcmp(cuda_device(), "emu") == 0) /* a driver rounds, others come and go */
            assert_int_equal(planned.available_bytes, loaded.available_bytes);
        /* Measured anew by each. */
        assert_int_equal(json_object_del(facts, "device_clock_resolution_ns"), 0);
        assert_int_equal(json_object_del(plan, "device_clock_resolution_ns"), 0);
        assert_true(json_equal(facts, plan));
        json_decref(facts);
        json_decref(plan);
        close_opened(&opened);
    }
}

/* A real device moves more and multiplies larger matrices: whole multiples of what is expected. */
static void check_limit(const struct opened *opened, enum limit_kind kind, int64_t bytes,
                        double expected)
{
    struct error error = {0};
    struct limit_probe probe = {.kind = kind, .working_bytes = bytes, .threads = -1};
    if (opened->ops->limit_run(opened->engine, &probe, &error) != 0)
        fail_msg("%s", error.text);
    assert_int_equal(probe.threads, 0);
    if (strcmp(cuda_device(), "emu") == 0)
        assert_close(probe.work, expected, 0);
    else
        assert_true(expected == 0 ? probe.work == 0 : probe.work >= expected && probe.work < 1e15);
}

/* The emulated engine moves 2 MB a call, in whole passes, and makes 4 products of 64 x 64 x 64. */
static void test_limits_do_the_work_they_tell(void **state)
{
    (void)state;
    static const char *const dtypes[] = {"float16", "bfloat16", "float32"};
    enum { MB = 1 << 20 };
    for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++) {
        struct opened opened;
        open_emulated(&opened, "gpt2", dtypes[i]);
        check_limit(&opened, LIMIT_READ_BANDWIDTH, MB, 2 * MB);
        check_limit(&opened, LIMIT_READ_BANDWIDTH, MB + MB / 2 + 100, MB + MB / 2);
        check_limit(&opened, LIMIT_READ_BANDWIDTH, 3 * MB, 3 * MB);
        check_limit(&opened, LIMIT_COPY_BANDWIDTH, MB, 2 * MB);
        check_limit(&opened, LIMIT_COPY_BANDWIDTH, 3 * MB, 3 * MB);
        check_limit(&opened, LIMIT_MULTIPLY_ADD, 0, 4 * 2.0 * 64 * 64 * 64);
        check_limit(&opened, LIMIT_READ_BANDWIDTH, 0, 0);
        struct error error = {0};
        struct limit_probe small = {.kind = LIMIT_COPY_BANDWIDTH, .working_bytes = 4096};
        assert_int_equal(opened.ops->limit_run(opened.engine, &small, &error), ERROR_INPUT);
        close_opened(&opened);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_same_logits_give_the_same_token),
        cmocka_unit_test(test_queued_steps_are_steps_one_by_one),
        cmocka_unit_test(test_long_caches_are_cut_into_parts),
        cmocka_unit_test(test_what_is_predicted_is_taken_and_given_back),
        cmocka_unit_test(test_a_cell_without_memory_leaves_the_engine_usable),
        cmocka_unit_test(test_options_are_refused_by_name),
        cmocka_unit_test(test_a_plan_is_what_a_loaded_engine_predicts),
        cmocka_unit_test(test_limits_do_the_work_they_tell),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
