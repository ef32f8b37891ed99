/* The engine against Hugging Face transformers: every folder of tests/golden, with today's and
 * with older config keys, on every instruction set of this CPU, one and two threads. The greedy
 * tokens are the same; logits differ by at most 1e-5 of the largest logit. */
#include "engine_fixture.h"

#include <dirent.h>
#include <jansson.h>

static const double tolerance = 1e-5;

/* A folder that holds `config` as its config.json, beside the model's other files. */
static void make_view(char out[512], const char *folder, const char *config)
{
    (void)snprintf(out, 512, "/tmp/tokenmark_golden_XXXXXX");
    assert_non_null(mkdtemp(out));
    const char *names[2][2] = {{config, "config.json"}, {"model.safetensors", "model.safetensors"}};
    for (int i = 0; i < 2; i++) {
        char from[1100], to[600];
        (void)snprintf(from, sizeof from, "%s/%s", folder, names[i][0]);
        (void)snprintf(to, sizeof to, "%s/%s", out, names[i][1]);
        assert_int_equal(symlink(from, to), 0);
    }
}

static void remove_view(const char *view)
{
    static const char *const names[] = {"config.json", "model.safetensors"};
    for (int i = 0; i < 2; i++) {
        char path[600];
        (void)snprintf(path, sizeof path, "%s/%s", view, names[i]);
        assert_int_equal(unlink(path), 0);
    }
    assert_int_equal(rmdir(view), 0);
}

struct expected {
    json_t *root;
    char *logits; /* float32, of all cases one after the other */
    size_t logit_bytes;
};

static void expected_load(struct expected *expected, const char *folder)
{
    char path[1100];
    struct error error = {0};
    (void)snprintf(path, sizeof path, "%s/expected.json", folder);
    json_error_t json_error;
    expected->root = json_load_file(path, 0, &json_error);
    if (expected->root == NULL)
        fail_msg("%s: %s", path, json_error.text);
    (void)snprintf(path, sizeof path, "%s/expected_logits.bin", folder);
    if (file_read(&expected->logits, &expected->logit_bytes, path, (size_t)1 << 24, &error) != 0)
        fail_msg("%s", error.text);
}

/* Runs one case; returns how many logits it has. */
static int64_t check_case(const struct opened *opened, const char *label, const json_t *item,
                          int64_t steps, const float *logits)
{
    const json_t *prompts = json_object_get(item, "prompts");
    const json_t *tokens = json_object_get(item, "tokens");
    int64_t batch = (int64_t)json_array_size(prompts);
    int64_t length = (int64_t)json_array_size(json_array_get(prompts, 0));
    int32_t *ids = calloc((size_t)(batch * length), sizeof *ids);
    assert_non_null(ids);
    for (int64_t i = 0; i < batch * length; i++)
        ids[i] = (int32_t)json_integer_value(
            json_array_get(json_array_get(prompts, (size_t)(i / length)), (size_t)(i % length)));
    struct session_shape shape = {
        .batch_size = batch,
        .input_length = length,
        .output_length = steps,
        .top_p = 1,
        .want_logits = true,
    };
    struct generation run;
    generate(opened, &shape, ids, length, &run);
    int64_t a_step = batch * run.vocabulary;
    for (int64_t step = 0; step < steps; step++) {
        double difference =
            logit_difference(run.logits + step * a_step, logits + step * a_step, a_step);
        if (!(difference <= tolerance))
            fail_msg("%s, batch %lld, step %lld: logits differ by %g of the largest", label,
                     (long long)batch, (long long)step, difference);
        for (int64_t row = 0; row < batch; row++)
            assert_int_equal(run.tokens[step * batch + row],
                             json_integer_value(json_array_get(json_array_get(tokens, (size_t)row),
                                                               (size_t)step)));
    }
    generation_free(&run);
    free(ids);
    return steps * a_step;
}

static void check_view(const char *view, const char *label, const struct expected *expected,
                       const char *isa, int threads)
{
    struct opened opened;
    char full_label[256];
    (void)snprintf(full_label, sizeof full_label, "%s, %s, %d threads", label, isa, threads);
    struct error error = {0};
    int64_t positions = json_integer_value(json_object_get(expected->root, "max_positions"));
    if (try_open(&opened, view, positions, isa, threads, &error) != 0)
        fail_msg("%s: %s", full_label, error.text);
    int64_t steps = json_integer_value(json_object_get(expected->root, "steps"));
    assert_int_equal(opened.vocabulary,
                     json_integer_value(json_object_get(expected->root, "vocabulary_size")));
    const float *logits = (const float *)(const void *)expected->logits;
    int64_t used = 0;
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(expected->root, "cases"), i, item) used +=
        check_case(&opened, full_label, item, steps, logits + used);
    assert_int_equal((size_t)used * sizeof(float), expected->logit_bytes);
    close_opened(&opened);
}

static void check_everywhere(const char *model, const char *label, const struct expected *expected)
{
    for (size_t isa = 0; isa < kernels_count(); isa++)
        if (kernels_runnable(isa))
            for (int threads = 1; threads <= 2; threads++)
                check_view(model, label, expected, kernels_name(isa), threads);
}

/* One folder: state is its name. */
static void test_folder(void **state)
{
    static const char *const configs[] = {"config.json", "config_old.json"};
    const char *name = *state;
    char folder[512];
    golden_folder(folder, name);
    struct expected expected;
    expected_load(&expected, folder);
    for (int config = 0; config < 2; config++) {
        char view[512], label[128];
        make_view(view, folder, configs[config]);
        (void)snprintf(label, sizeof label, "%s/%s", name, configs[config]);
        check_everywhere(view, label, &expected);
        remove_view(view);
    }
    char gguf[600];
    (void)snprintf(gguf, sizeof gguf, "%s/model.gguf", folder);
    if (file_exists(gguf))
        check_everywhere(gguf, gguf, &expected);
    json_decref(expected.root);
    free(expected.logits);
}

enum { FOLDERS_MAX = 128, FOLDERS_MIN = 40 };

static int is_golden(const struct dirent *entry)
{
    char path[1100], folder[512];
    (void)snprintf(path, sizeof path, "%s/expected.json", golden_folder(folder, entry->d_name));
    return entry->d_name[0] != '.' && file_exists(path);
}

int main(int argc, char **argv)
{
    struct dirent **entries = NULL;
    char folder[512];
    int count = scandir(golden_folder(folder, ""), &entries, is_golden, alphasort);
    if (count < FOLDERS_MIN || count > FOLDERS_MAX) {
        (void)fprintf(stderr, "%d golden folders, at least %d expected\n", count, FOLDERS_MIN);
        return 1;
    }
    struct CMUnitTest tests[FOLDERS_MAX];
    for (int i = 0; i < count; i++)
        tests[i] =
            (struct CMUnitTest){entries[i]->d_name, test_folder, NULL, NULL, entries[i]->d_name};
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    int failed = _cmocka_run_group_tests("golden", tests, (size_t)count, NULL, NULL);
    for (int i = 0; i < count; i++)
        free(entries[i]);
    free(entries);
    return failed;
}
