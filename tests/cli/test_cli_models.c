/* tokenmark models: a cache with everything that a cache can hold, what is said of each, and the
 * memory that a model would need. */
#include "program.h"

#include <jansson.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define GOLDEN TEST_SOURCE_DIR "/tests/golden/"
#define COMMIT "0123456789abcdef0123456789abcdef01234567"
#define OTHER "89abcdef0123456789abcdef0123456789abcdef"

/* A cache with one model of each kind, made by the shell: good, not readable, not a model. */
static void make_cache(void)
{
    static const char script[] =
        "mkdir -p hub && cd hub\n"
        "make() { mkdir -p models--$1/blobs models--$1/refs models--$1/snapshots/$3\n"
        "  printf %s $3 >models--$1/refs/$2; }\n"
        "make org--tiny main " COMMIT "\n"
        "cp " GOLDEN "gpt2/config.json models--org--tiny/blobs/a\n"
        "cp " GOLDEN "gpt2/model.safetensors models--org--tiny/blobs/b\n"
        "ln -s ../../blobs/a models--org--tiny/snapshots/" COMMIT "/config.json\n"
        "ln -s ../../blobs/b models--org--tiny/snapshots/" COMMIT "/model.safetensors\n"
        "mkdir -p models--org--tiny/refs/pr models--org--tiny/snapshots/" OTHER "\n"
        "printf %s " OTHER " >models--org--tiny/refs/pr/1\n"
        "make alone main " COMMIT "\n"
        "rm -r models--alone/refs\n"
        "cp " GOLDEN "llama/config.json " GOLDEN
        "llama/model.safetensors models--alone/snapshots/*\n"
        "make org--pickled main " COMMIT "\n"
        "cp " GOLDEN "gpt2/config.json models--org--pickled/snapshots/*\n"
        "echo x >models--org--pickled/snapshots/" COMMIT "/pytorch_model.bin\n"
        "make org--cut main " COMMIT "\n"
        "cp " GOLDEN "gpt2/config.json models--org--cut/snapshots/*\n"
        "echo '{\"weight_map\": {\"a\": \"model-00001-of-00002.safetensors\"}}' "
        ">models--org--cut/snapshots/" COMMIT "/model.safetensors.index.json\n"
        "make org--gone main " COMMIT "\n"
        "rm -r models--org--gone/snapshots\n"
        "mkdir -p datasets--org--text/snapshots/" COMMIT " models--a--b--c .locks\n"
        "echo x >version.txt\n";
    static struct outcome outcome;
    program_expect(&outcome, script, 0);
}

static json_t *run_json(const char *line)
{
    static struct outcome outcome;
    program_expect(&outcome, line, 0);
    json_error_t where;
    json_t *root = json_loads(outcome.out, JSON_REJECT_DUPLICATES, &where);
    if (root == NULL)
        fail_msg("%s: %s", line, where.text);
    return root;
}

static json_t *find(const json_t *list, const char *name, const char *revision)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *item = json_array_get(list, i);
        const char *found = json_string_value(json_object_get(item, "revision"));
        if (strcmp(json_string_value(json_object_get(item, "name")), name) == 0 &&
            (revision == NULL || strcmp(found, revision) == 0))
            return item;
    }
    fail_msg("%s %s is not listed", name, revision != NULL ? revision : "");
    return NULL;
}

static int64_t number(const json_t *item, const char *key)
{
    if (!json_is_integer(json_object_get(item, key)))
        fail_msg("%s is no number", key);
    return json_integer_value(json_object_get(item, key));
}

static const char *word(const json_t *item, const char *key)
{
    const char *value = json_string_value(json_object_get(item, key));
    if (value == NULL)
        fail_msg("%s is no text", key);
    return value;
}

static void known_models_are_listed(void **state)
{
    (void)state;
    static const struct program_case cases[] = {
        {"$T models", 0, "nothing", NULL},
        {"$T models", 0, "microsoft/DialoGPT-small", NULL},
        {"$T models", 0, "124.4 M       1024     475 MB     237 MB", NULL},
    };
    program_check(cases, COUNT(cases));
    json_t *root = run_json("$T models --json");
    assert_int_equal(json_array_size(json_object_get(root, "cached")), 0);
    json_t *gpt2 = find(json_object_get(root, "known"), "gpt2", NULL);
    assert_int_equal(number(gpt2, "parameters"), 124439808);
    assert_int_equal(number(gpt2, "float32_bytes"), 4 * 124439808);
    assert_int_equal(number(gpt2, "bfloat16_bytes"), 2 * 124439808);
    assert_int_equal(number(gpt2, "positions"), 1024);
    assert_string_equal(word(gpt2, "family"), "gpt2");
    json_decref(root);
}

static void cached_models_are_listed(void **state)
{
    (void)state;
    make_cache();
    json_t *root = run_json("$T models --json");
    json_t *cached = json_object_get(root, "cached");
    assert_int_equal(json_array_size(cached), 5);
    assert_contains(word(root, "cache"), program_folder);

    json_t *tiny = find(cached, "org/tiny", "main");
    struct stat config, weights;
    assert_int_equal(stat(GOLDEN "gpt2/config.json", &config), 0);
    assert_int_equal(stat(GOLDEN "gpt2/model.safetensors", &weights), 0);
    assert_true(json_is_true(json_object_get(tiny, "readable")));
    assert_int_equal(number(tiny, "size_bytes"), config.st_size + weights.st_size);
    assert_string_equal(word(tiny, "commit"), COMMIT);
    assert_string_equal(word(tiny, "weights_dtype"), "float32");
    assert_true(number(tiny, "parameters") > 0);

    static const struct {
        const char *name, *revision, *reason;
    } unreadable[] = {
        {"org/tiny", "pr/1", "config.json"},
        {"org/pickled", "main", "pickle"},
        {"org/cut", "main", "model-00001-of-00002.safetensors"},
    };
    for (size_t i = 0; i < COUNT(unreadable); i++) {
        json_t *item = find(cached, unreadable[i].name, unreadable[i].revision);
        assert_true(json_is_false(json_object_get(item, "readable")));
        assert_contains(word(item, "reason"), unreadable[i].reason);
    }
    assert_true(json_is_true(json_object_get(find(cached, "alone", COMMIT), "readable")));
    json_decref(root);

    static struct outcome outcome;
    program_expect(&outcome, "$T models", 0);
    assert_contains(outcome.out, "not readable:");
    assert_contains(outcome.out, "save_pretrained");
    assert_contains(outcome.out, "org/tiny     main        0123456");
    assert_contains(outcome.out, "alone        0123456789  0123456");
    assert_null(strstr(outcome.out, "datasets"));
    assert_null(strstr(outcome.out, "org/gone"));
    program_expect(&outcome, "rm -r hub", 0);
}

static void inspecting_tells_the_memory(void **state)
{
    (void)state;
    make_cache();
    static const struct program_case cases[] = {
        {"$T models --inspect gpt2", 0, "weights 475 MB in float32", NULL},
        {"$T models --inspect gpt2 --dtype bfloat16", 0, "KV cache in bfloat16", NULL},
        {"$T models --inspect gpt2", 0, "not in the cache", NULL},
        {"$T models --inspect Qwen/Qwen2.5-7B --batch-sizes 2 --input-lengths 100 --device fake", 0,
         "on the host", NULL},
        {"$T models --inspect org/tiny", 0, "source             cache", NULL},
        {"$T models --inspect org/pickled", 0, "cannot be read; 'tokenmark models' says why", NULL},
        {"$T models --inspect " GOLDEN "llama", 0, "rotary", NULL},
        {"$T models --inspect hub/models--org--pickled/snapshots/" COMMIT, 0, "pickle", NULL},
        {"$T models --inspect gpt2 --input-lengths 2000", 0, "would be skipped", NULL},
        {"$T models --inspect gpt2 --input-lengths 2000 --max-positions 4096", 0, "2000", NULL},
        {"$T models --inspect gpt2 --batch-sizes 1048576 --input-lengths 900", 0, "of host memory",
         NULL},
        {"$T models --inspect gpt3", 2, NULL, "did you mean"},
        {"$T models --inspect ./nowhere", 2, NULL, "no such file or directory"},
        {"$T models --inspect gpt2 --dtype float99", 2, NULL, "float99"},
        {"$T models --inspect gpt2 --batch-sizes 0", 2, NULL, "--batch-sizes"},
        {"$T models gpt2", 2, NULL, "unexpected argument"},
        {"$T models --inspec gpt2", 2, NULL, "did you mean '--inspect'"},
    };
    program_check(cases, COUNT(cases));
    static struct outcome outcome;
    program_expect(&outcome, "rm -r hub", 0);
}

/* The numbers are those that bench finds: its own predictions, and the weights that it loads. */
static void inspecting_agrees_with_bench(void **state)
{
    (void)state;
    json_t *root = run_json("$T models --json --inspect " GOLDEN "gemma2 --device cpu "
                            "--batch-sizes 3 --input-lengths 10,999999 --output-length 7");
    json_t *cells = json_object_get(root, "cells");
    assert_int_equal(json_array_size(cells), 2);
    const json_t *cell = json_array_get(cells, 0);
    int64_t weights = number(json_object_get(root, "engine"), "weight_bytes");
    assert_true(json_is_true(json_object_get(cell, "fits")));
    assert_int_equal(number(cell, "output_length"), 7);
    assert_int_equal(number(cell, "total_bytes"),
                     weights + number(cell, "kv_bytes") + number(cell, "workspace_bytes"));
    int64_t kv_bytes = number(cell, "kv_bytes"), total_bytes = number(cell, "total_bytes");
    cell = json_array_get(cells, 1);
    assert_true(json_is_false(json_object_get(cell, "fits")));
    assert_true(number(cell, "kv_bytes") > 10000 * kv_bytes);
    assert_contains(word(cell, "reason"), "positions");

    static struct outcome outcome;
    program_expect(&outcome,
                   "$T bench --model " GOLDEN "gemma2 --device cpu --batch-sizes 3 "
                   "--input-lengths 10 --output-length 7 --num-runs 1 --output-file seen",
                   0);
    json_error_t where;
    json_t *seen = json_load_file("seen.json", 0, &where);
    json_t *system = json_object_get(seen, "system");
    assert_int_equal(number(json_object_get(system, "engine"), "weight_bytes"), weights);
    const json_t *measured = json_array_get(json_object_get(seen, "cells"), 0);
    const json_t *predicted = json_object_get(measured, "predicted_memory");
    assert_string_equal(word(predicted, "place"), "host");
    assert_close(json_number_value(json_object_get(predicted, "weights_mb")),
                 (double)weights / 1048576, 1e-6);
    assert_close(json_number_value(json_object_get(predicted, "total_mb")),
                 (double)total_bytes / 1048576, 1e-6);
    json_decref(seen);
    json_decref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_models_are_listed),
        cmocka_unit_test(cached_models_are_listed),
        cmocka_unit_test(inspecting_tells_the_memory),
        cmocka_unit_test(inspecting_agrees_with_bench),
    };
    return cmocka_run_group_tests(tests, program_setup, program_teardown);
}
