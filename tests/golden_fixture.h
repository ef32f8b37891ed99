/* The folders of tests/golden as Hugging Face transformers answered them: prompts, greedy tokens
 * and the logits of every step. Shared by the tests that run them all. */
#ifndef TOKENMARK_TESTS_GOLDEN_FIXTURE_H
#define TOKENMARK_TESTS_GOLDEN_FIXTURE_H

#include "engine_fixture.h"

#include <dirent.h>
#include <jansson.h>

enum { GOLDEN_CASES_MAX = 4, GOLDEN_FOLDERS_MIN = 40, GOLDEN_FOLDERS_MAX = 128 };

/* One batch of prompts of the same length. */
struct golden_case {
    int64_t batch, length;
    int32_t *ids;        /* [batch, length] */
    int32_t *tokens;     /* [steps, batch] */
    const float *logits; /* [steps, batch, vocabulary] */
};

struct golden {
    const char *name;
    int64_t steps, vocabulary, max_positions;
    size_t case_count;
    struct golden_case cases[GOLDEN_CASES_MAX];
    char *logits; /* float32, of all cases one after the other */
};

static inline int64_t golden_integer(const json_t *array, int64_t row, int64_t column)
{
    const json_t *line = json_array_get(array, (size_t)row);
    return json_integer_value(json_array_get(line, (size_t)column));
}

/* Returns how many logits the case has. */
static inline int64_t golden_read_case(const struct golden *golden, struct golden_case *out,
                                       const json_t *item, const float *logits)
{
    const json_t *prompts = json_object_get(item, "prompts");
    const json_t *tokens = json_object_get(item, "tokens");
    out->batch = (int64_t)json_array_size(prompts);
    out->length = (int64_t)json_array_size(json_array_get(prompts, 0));
    out->ids = calloc((size_t)(out->batch * out->length), sizeof *out->ids);
    out->tokens = calloc((size_t)(out->batch * golden->steps), sizeof *out->tokens);
    assert_true(out->ids != NULL && out->tokens != NULL);
    for (int64_t i = 0; i < out->batch * out->length; i++)
        out->ids[i] = (int32_t)golden_integer(prompts, i / out->length, i % out->length);
    for (int64_t i = 0; i < out->batch * golden->steps; i++)
        out->tokens[i] = (int32_t)golden_integer(tokens, i % out->batch, i / out->batch);
    out->logits = logits;
    return golden->steps * out->batch * golden->vocabulary;
}

static inline void golden_load(struct golden *golden, const char *name)
{
    char folder[512], path[600];
    struct error error = {0};
    size_t bytes = 0;
    *golden = (struct golden){.name = name};
    golden_folder(folder, name);
    (void)snprintf(path, sizeof path, "%s/expected_logits.bin", folder);
    if (file_read(&golden->logits, &bytes, path, (size_t)1 << 24, &error) != 0)
        fail_msg("%s", error.text);
    (void)snprintf(path, sizeof path, "%s/expected.json", folder);
    json_error_t json_error;
    json_t *root = json_load_file(path, 0, &json_error);
    if (root == NULL)
        fail_msg("%s: %s", path, json_error.text);
    golden->steps = json_integer_value(json_object_get(root, "steps"));
    golden->vocabulary = json_integer_value(json_object_get(root, "vocabulary_size"));
    golden->max_positions = json_integer_value(json_object_get(root, "max_positions"));
    const json_t *cases = json_object_get(root, "cases");
    golden->case_count = json_array_size(cases);
    assert_in_range(golden->case_count, 1, GOLDEN_CASES_MAX);
    const float *logits = (const float *)(const void *)golden->logits;
    int64_t used = 0;
    for (size_t i = 0; i < golden->case_count; i++)
        used +=
            golden_read_case(golden, &golden->cases[i], json_array_get(cases, i), logits + used);
    assert_int_equal((size_t)used * sizeof(float), bytes);
    json_decref(root);
}

static inline void golden_free(struct golden *golden)
{
    for (size_t i = 0; i < golden->case_count; i++) {
        free(golden->cases[i].ids);
        free(golden->cases[i].tokens);
    }
    free(golden->logits);
}

/* The model at `path`, an answer's folder or file, without an engine yet. */
static inline void golden_open(struct opened *opened, const struct golden *golden, const char *path)
{
    struct error error = {0};
    if (try_open_model(opened, path, golden->max_positions, &error) != 0)
        fail_msg("%s: %s", path, error.text);
    assert_int_equal(opened->vocabulary, golden->vocabulary);
}

static inline struct session_shape golden_shape(const struct golden *golden,
                                                const struct golden_case *item)
{
    return make_shape(item->batch, item->length, golden->steps);
}

static inline int golden_is_folder(const struct dirent *entry)
{
    char path[1100], folder[512];
    (void)snprintf(path, sizeof path, "%s/expected.json", golden_folder(folder, entry->d_name));
    return entry->d_name[0] != '.' && file_exists(path);
}

/* `test` on every folder, whose name is its state; argv[1] filters them: a pattern of names, or
 * "1/4", the second of four even parts. */
static inline int golden_main(CMUnitTestFunction test, int argc, char **argv)
{
    struct dirent **entries = NULL;
    char folder[512];
    int count = scandir(golden_folder(folder, ""), &entries, golden_is_folder, alphasort);
    if (count < GOLDEN_FOLDERS_MIN || count > GOLDEN_FOLDERS_MAX) {
        (void)fprintf(stderr, "%d golden folders, at least %d expected\n", count,
                      GOLDEN_FOLDERS_MIN);
        return 1;
    }
    struct CMUnitTest tests[GOLDEN_FOLDERS_MAX];
    int part = 0, parts = 1;
    bool is_part = argc > 1 && sscanf(argv[1], "%d/%d", &part, &parts) == 2 && parts > 0;
    size_t chosen = 0;
    for (int i = 0; i < count; i++)
        if (!is_part || i % parts == part)
            tests[chosen++] =
                (struct CMUnitTest){entries[i]->d_name, test, NULL, NULL, entries[i]->d_name};
    if (argc > 1 && !is_part)
        cmocka_set_test_filter(argv[1]);
    int failed = chosen == 0 ? 1 : _cmocka_run_group_tests("golden", tests, chosen, NULL, NULL);
    for (int i = 0; i < count; i++)
        free(entries[i]);
    free(entries);
    return failed;
}

#endif
