/* Quantised GGUF files, in float32 and as they are, against transformers on the same files: every
 * folder of tests/golden/gguf_quantised on every instruction set of this CPU. In float32 the greedy
 * tokens are the same and logits differ by at most 1e-5 of the largest. As they are, only the
 * rounding of activations is between: on the reference's own tokens, and with a float32 cache, at
 * most 0.06 of the largest logit and 0.012 in the root mean square. */
#include "golden_fixture.h"

#include <jansson.h>

enum { THREADS = 2 };
static const double exact = 1e-5, largest_bound = 6e-2, root_bound = 1.2e-2, same_bound = 6e-3;

/* Folders, the dtype that "auto" is, and how much larger packed weights may be than the file: five
 * and six bits lie in eight. */
static const struct folder {
    const char *name, *dtype;
    double growth;
} folders[] = {
    {"q8_0", "gguf-q8_0", 1.2},
    {"q4_0", "gguf-q4_0", 1.4},
    {"mixed", "gguf-q5_1", 1.6},
    {"mixed_k", "gguf-q4_k", 1.35},
};

static double root_mean_square(const float *actual, const float *expected, int64_t count)
{
    double squares = 0, largest = 0;
    for (int64_t i = 0; i < count; i++) {
        squares += pow((double)actual[i] - (double)expected[i], 2);
        largest = fmax(largest, fabs((double)expected[i]));
    }
    return sqrt(squares / (double)count) / largest;
}

static void open_as(struct opened *opened, const char *dtype, const char *kv_dtype, const char *isa)
{
    struct engine_options options = make_options(isa, THREADS);
    options.dtype = dtype;
    options.kv_dtype = kv_dtype;
    open_engine(opened, &options);
}

/* Logits of a case on the reference's own tokens. */
static void run(const struct opened *opened, const struct golden *golden,
                const struct golden_case *item, struct generation *out)
{
    struct session_shape shape = golden_shape(golden, item);
    shape.forced_tokens = item->tokens;
    generate(opened, &shape, item->ids, item->length, out);
}

static void check_float32(struct opened *opened, const struct golden *golden)
{
    open_as(opened, "float32", "auto", "auto");
    for (size_t i = 0; i < golden->case_count; i++) {
        const struct golden_case *item = &golden->cases[i];
        struct session_shape shape = golden_shape(golden, item);
        struct generation made;
        generate(opened, &shape, item->ids, item->length, &made);
        int64_t count = golden->steps * item->batch * golden->vocabulary;
        double difference = logit_difference(made.logits, item->logits, count);
        if (!(difference <= exact))
            fail_msg("%s: logits differ by %g of the largest", golden->name, difference);
        for (int64_t k = 0; k < golden->steps * item->batch; k++)
            assert_int_equal(made.tokens[k], item->tokens[k]);
        generation_free(&made);
    }
}

static void check_stored(struct opened *opened, const struct golden *golden, const char *isa)
{
    open_as(opened, "gguf", "float32", isa);
    for (size_t i = 0; i < golden->case_count; i++) {
        const struct golden_case *item = &golden->cases[i];
        struct generation made;
        run(opened, golden, item, &made);
        int64_t count = golden->steps * item->batch * golden->vocabulary;
        double difference = logit_difference(made.logits, item->logits, count);
        double root = root_mean_square(made.logits, item->logits, count);
        if (!(difference <= largest_bound && root <= root_bound))
            fail_msg("%s, %s: logits differ by %g of the largest, root mean square %g",
                     golden->name, isa, difference, root);
        /* As near as float32: the activations were not rounded. */
        assert_true(difference > exact);
        generation_free(&made);
    }
}

/* Each row of a batch is what it is alone, also when its prompt comes one token at a time. */
static void check_alone(const struct opened *opened, const struct golden *golden,
                        const struct golden_case *item, int64_t row, int64_t prefilled,
                        const float *batch_logits)
{
    int64_t total = item->length + golden->steps, width = golden->vocabulary;
    int32_t *all = calloc((size_t)total, sizeof *all);
    assert_non_null(all);
    memcpy(all, item->ids + row * item->length, (size_t)item->length * sizeof *all);
    for (int64_t step = 0; step < golden->steps; step++)
        all[item->length + step] = item->tokens[step * item->batch + row];
    struct session_shape shape = make_shape(1, prefilled, total - prefilled);
    shape.forced_tokens = all + prefilled;
    struct generation made;
    generate(opened, &shape, all, prefilled, &made);
    for (int64_t step = 0; step < golden->steps; step++) {
        const float *alone = made.logits + (item->length - prefilled + step) * width;
        const float *together = batch_logits + (step * item->batch + row) * width;
        double same = root_mean_square(alone, together, width);
        if (!(same <= same_bound))
            fail_msg("%s, row %lld alone with a prompt of %lld: root mean square %g", golden->name,
                     (long long)row, (long long)prefilled, same);
    }
    generation_free(&made);
    free(all);
}

static void check_same(struct opened *opened, const struct golden *golden)
{
    open_as(opened, "gguf", "auto", "auto");
    for (size_t i = 0; i < golden->case_count; i++) {
        const struct golden_case *item = &golden->cases[i];
        struct generation batch;
        run(opened, golden, item, &batch);
        for (int64_t row = 0; row < item->batch; row++) {
            check_alone(opened, golden, item, row, item->length, batch.logits);
            if (item->length > 1)
                check_alone(opened, golden, item, row, 1, batch.logits);
        }
        generation_free(&batch);
    }
}

static void expect_dtype(struct opened *opened, const char *dtype, const char *isa,
                         const char *expected)
{
    open_as(opened, dtype, "auto", isa);
    json_t *facts = opened->ops->facts(opened->engine);
    assert_string_equal(json_string_value(json_object_get(facts, "dtype")), expected);
    json_decref(facts);
}

/* "auto" is the file's own type where this CPU has kernels for it, whichever are forced. */
static void check_auto(struct opened *opened, const struct folder *folder)
{
    bool has_kernels =
        kernels_choose("auto")->grouped_linear != kernels_choose("c")->grouped_linear;
    const char *expected = has_kernels ? folder->dtype : "float32";
    expect_dtype(opened, "auto", "auto", expected);
    expect_dtype(opened, "auto", "c", expected);
    expect_dtype(opened, "gguf", "c", folder->dtype);
    expect_dtype(opened, "int8", "auto", "int8");
}

/* The results name the type; what is predicted and divided by is what was packed. */
static void check_facts(struct opened *opened, const struct folder *folder, const char *path)
{
    struct error error = {0};
    struct file_map map;
    assert_int_equal(file_map_open(&map, path, &error), 0);
    double file_bytes = (double)map.bytes;
    file_map_close(&map);
    open_as(opened, "gguf", "auto", "auto");
    json_t *facts = opened->ops->facts(opened->engine);
    assert_string_equal(json_string_value(json_object_get(facts, "dtype")), folder->dtype);
    assert_string_equal(json_string_value(json_object_get(facts, "kv_dtype")), "bfloat16");
    double bytes = json_number_value(json_object_get(facts, "weight_bytes"));
    double element = json_number_value(json_object_get(facts, "weight_element_bytes"));
    if (!(bytes >= 0.9 * file_bytes && bytes <= folder->growth * file_bytes))
        fail_msg("%s: %g bytes of a file of %g", folder->name, bytes, file_bytes);
    assert_true(element >= 0.56 && element <= 1.5);
    json_decref(facts);
    open_as(opened, "int8", "auto", "auto");
    facts = opened->ops->facts(opened->engine);
    assert_null(json_object_get(facts, "weight_element_bytes"));
    json_decref(facts);
}

static void test_folder(void **state)
{
    const struct folder *folder = *state;
    struct golden golden;
    struct opened opened;
    char name[128], path[512], file[600];
    (void)snprintf(name, sizeof name, "gguf_quantised/%s", folder->name);
    golden_load(&golden, name);
    (void)snprintf(file, sizeof file, "%s/model.gguf", golden_folder(path, name));
    golden_open(&opened, &golden, file);
    check_float32(&opened, &golden);
    for (size_t isa = 0; isa < kernels_count(); isa++)
        if (kernels_runnable(isa))
            check_stored(&opened, &golden, kernels_name(isa));
    check_same(&opened, &golden);
    check_auto(&opened, folder);
    check_facts(&opened, folder, file);
    close_opened(&opened);
    golden_free(&golden);
}

int main(void)
{
    enum { COUNT = sizeof folders / sizeof folders[0] };
    struct CMUnitTest tests[COUNT];
    for (int i = 0; i < COUNT; i++)
        tests[i] = (struct CMUnitTest){folders[i].name, test_folder, NULL, NULL,
                                       (void *)(uintptr_t)&folders[i]};
    return _cmocka_run_group_tests("golden gguf", tests, COUNT, NULL, NULL);
}
