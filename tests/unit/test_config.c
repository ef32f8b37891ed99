/* Configurations: presets as specified, files and flags taken whole or refused with the place,
 * the key, what was found and what is allowed. */
#include "test.h"

#include "base/file.h"
#include "base/json.h"
#include "config/config.h"
#include "folder.h"

static const struct config_key *key_named(const char *name)
{
    for (size_t i = 0; i < config_key_count; i++) {
        if (strcmp(config_keys[i].name, name) == 0)
            return &config_keys[i];
    }
    fail_msg("no key %s", name);
    return NULL;
}

static void assert_list(const struct config_list *list, const char *expected)
{
    char text[512] = "";
    for (size_t i = 0; i < list->count; i++)
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), "%s%lld", i > 0 ? "," : "",
                       (long long)list->values[i]);
    assert_string_equal(text, expected);
}

static void test_defaults(void **state)
{
    (void)state;
    struct config config;
    config_defaults(&config);
    assert_list(&config.batch_sizes, "1,2,4,8,16");
    assert_list(&config.input_lengths, "32,64,128,256,512,1024");
    assert_int_equal(config.output_length, 50);
    assert_int_equal(config.num_runs, 3);
    assert_close(config.temperature, 1.0, 0);
    assert_close(config.top_p, 0.9, 0);
    assert_int_equal(config.max_batch_input_product, 131072);
    assert_string_equal(config.device, "auto");
}

static void test_presets(void **state)
{
    (void)state;
    const char *large = "1,2,4,8,16,32,64,128,256";
    const struct {
        const char *name, *batch_sizes, *input_lengths;
        int64_t output_length, num_runs;
    } expected[] = {
        {"quick_test", "1,2", "32,64", 20, 1},
        {"small_scale", "1,2", "32,64,128", 30, 2},
        {"medium_scale", "1,2,4,8,16,32", "32,64,128,256,512,1024,2048", 50, 3},
        {"large_scale", large, "64,128,256,512,1024,2048,4096,8192,16384,32768,65536", 100, 5},
        {"batch_size_study", large, "256", 50, 5},
        {"input_length_study", "1", "16,32,64,128,256,512,1024,2048,4096,8192,16384,32768,65536",
         50, 5},
    };
    assert_int_equal(config_preset_count, sizeof expected / sizeof expected[0]);
    for (size_t i = 0; i < config_preset_count; i++) {
        const struct config_preset *preset = config_preset_find(expected[i].name);
        assert_non_null(preset);
        assert_ptr_equal(preset, &config_presets[i]);
        assert_list(&preset->config.batch_sizes, expected[i].batch_sizes);
        assert_list(&preset->config.input_lengths, expected[i].input_lengths);
        assert_int_equal(preset->config.output_length, expected[i].output_length);
        assert_int_equal(preset->config.num_runs, expected[i].num_runs);
        assert_close(preset->config.temperature, 1.0, 0);
        assert_close(preset->config.top_p, 0.9, 0);
        assert_int_equal(preset->config.max_batch_input_product, 131072);
        assert_string_equal(preset->config.device, "auto");
    }
    assert_null(config_preset_find("quick"));
}

static void test_saved_presets_load_as_they_were(void **state)
{
    (void)state;
    struct folder folder = folder_make();
    const char *path = folder_file(&folder, "config.json");
    for (size_t i = 0; i < config_preset_count; i++) {
        struct error error = {0};
        struct config loaded;
        assert_int_equal(config_save(&config_presets[i].config, path, &error), 0);
        assert_int_equal(config_load(&loaded, path, &error), 0);
        json_t *before = config_json(&config_presets[i].config);
        json_t *after = config_json(&loaded);
        assert_true(json_equal(before, after));
        assert_int_equal(json_object_size(before), 8);
        json_decref(before);
        json_decref(after);
    }
    folder_remove(folder.path);
}

static void test_file_text_is_for_people(void **state)
{
    (void)state;
    struct folder folder = folder_make();
    const char *path = folder_file(&folder, "config.json");
    char *text = NULL;
    size_t bytes = 0;
    struct error error = {0};
    assert_int_equal(config_save(&config_preset_find("quick_test")->config, path, &error), 0);
    assert_int_equal(file_read(&text, &bytes, path, 4096, &error), 0);
    assert_string_equal(text, "{\n"
                              "  \"batch_sizes\": [1, 2],\n"
                              "  \"input_lengths\": [32, 64],\n"
                              "  \"output_length\": 20,\n"
                              "  \"num_runs\": 1,\n"
                              "  \"temperature\": 1.0,\n"
                              "  \"top_p\": 0.9,\n"
                              "  \"max_batch_input_product\": 131072,\n"
                              "  \"device\": \"auto\"\n"
                              "}\n");
    free(text);
    folder_remove(folder.path);
}

static void test_a_file_changes_what_it_names(void **state)
{
    (void)state;
    struct config config;
    struct error error = {0};
    const char *json = "{\"batch_sizes\":[4,1],\"temperature\":0,\"device\":\"cuda:12\"}";
    assert_int_equal(config_parse(&config, json, strlen(json), "my.json", &error), 0);
    assert_list(&config.batch_sizes, "4,1");
    assert_list(&config.input_lengths, "32,64,128,256,512,1024");
    assert_close(config.temperature, 0, 0);
    assert_string_equal(config.device, "cuda:12");
    assert_int_equal(config_parse(&config, "{}", 2, "my.json", &error), 0);
    assert_list(&config.batch_sizes, "1,2,4,8,16");
}

static void test_files_that_are_refused(void **state)
{
    (void)state;
    const struct {
        const char *json;
        const char *parts[3];
    } cases[] = {
        {"{\n  \"batch_sizes\": 4\n}", {"my.json:2:18: batch_sizes: ", "found 4", "a list"}},
        {"{\"batch_sizes\": []}", {"my.json:1:17: batch_sizes: ", "an empty list", "1 to 1048576"}},
        {"{\"batch_sizes\": [1, 0]}", {"my.json:1:21: batch_sizes[1]: ", "found 0", "from 1"}},
        {"{\"batch_sizes\": [1, -2]}", {"batch_sizes[1]: ", "found -2", "from 1"}},
        {"{\"input_lengths\": [32, 64.0]}", {":1:24: input_lengths[1]: ", "found 64.0", "whole"}},
        {"{\"input_lengths\": [\"32\"]}", {"input_lengths[0]: ", "found \"32\"", "whole"}},
        {"{\"input_lengths\": [true]}", {"input_lengths[0]: ", "found true", "whole"}},
        {"{\"input_lengths\": [[1]]}", {"input_lengths[0]: ", "found a list", "whole"}},
        {"{\"input_lengths\": [32, 8, 32]}", {":1:27: input_lengths[2]", "32 twice", "different"}},
        {"{\"input_lengths\": [1048577]}", {"[0]", "found 1048577", "1048576"}},
        {"{\"output_length\": 0}", {"output_length: ", "found 0", "from 1"}},
        {"{\"output_length\": null}", {"output_length: ", "found null", "from 1"}},
        {"{\"num_runs\": 2.5}", {"num_runs: ", "found 2.5", "a whole number"}},
        {"{\"num_runs\": \"3\"}", {"num_runs: ", "found \"3\"", "a whole number"}},
        {"{\"temperature\": -0.1}", {"temperature: ", "found -0.1", "from 0"}},
        {"{\"temperature\": \"hot\"}", {"temperature: ", "found \"hot\"", "a number"}},
        {"{\"temperature\": NaN}", {"my.json:1:17: ", "NaN", "JSON"}},
        {"{\"top_p\": 0}", {"top_p: ", "found 0", "above 0"}},
        {"{\"top_p\": 1.01}", {"top_p: ", "found 1.01", "at most 1"}},
        {"{\"top_p\": {}}", {"top_p: ", "found an object", "at most 1"}},
        {"{\"max_batch_input_product\": 0}", {"max_batch_input_product: ", "found 0", "from 1"}},
        {"{\"max_batch_input_product\": 1e30}", {"product: ", "found 1e+30", "a whole number"}},
        {"{\"device\": \"gpu\"}", {"my.json:1:12: device: ", "found \"gpu\"", "\"cuda:N\""}},
        {"{\"device\": \"cuda:\"}", {"device: ", "found \"cuda:\"", "\"cuda:N\""}},
        {"{\"device\": \"cuda:1x\"}", {"device: ", "found \"cuda:1x\"", "\"cuda:N\""}},
        {"{\"device\": 0}", {"device: ", "found 0", "\"cuda:N\""}},
        {"{\"num_runs\": 1,\n \"batch_size\": [1]}",
         {"my.json:2:2: batch_size: ", "unknown key", "did you mean \"batch_sizes\""}},
        {"{\"zzz\": 1}", {"my.json:1:2: zzz: ", "unknown key", "batch_sizes, input_lengths"}},
        {"{\"num_runs\": 1, \"num_runs\": 2}", {"my.json:1:17: ", "duplicate", "num_runs"}},
        {"[1]", {"my.json:1:1: ", "found a list", "object"}},
        {"", {"my.json:1:1: ", "JSON", "expected"}},
        {"{\"num_runs\": 1", {"my.json:1:", "JSON", "expected"}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct config config;
        struct config before;
        struct error error = {0};
        config_defaults(&before);
        memcpy(&config, &before, sizeof config);
        assert_int_equal(
            config_parse(&config, cases[i].json, strlen(cases[i].json), "my.json", &error),
            ERROR_INPUT);
        for (size_t part = 0; part < 3; part++)
            assert_contains(error.text, cases[i].parts[part]);
        assert_memory_equal(&config, &before, sizeof config);
        assert_int_equal(
            config_parse(&config, cases[i].json, strlen(cases[i].json), "my.json", NULL),
            ERROR_INPUT);
    }
}

static void test_too_many_values_are_refused(void **state)
{
    (void)state;
    char json[4096] = "{\"batch_sizes\": [1";
    for (int i = 2; i <= CONFIG_LIST_MAX; i++)
        (void)snprintf(json + strlen(json), sizeof json - strlen(json), ", %d", i);
    struct config config;
    struct error error = {0};
    size_t length = strlen(json);
    strcpy(json + length, "]}");
    assert_int_equal(config_parse(&config, json, strlen(json), "my.json", &error), 0);
    strcpy(json + length, ", 999]}");
    assert_int_equal(config_parse(&config, json, strlen(json), "my.json", &error), ERROR_INPUT);
    assert_contains(error.text, "batch_sizes[256]: found more than 256");
}

static void test_flags(void **state)
{
    (void)state;
    const struct {
        const char *key, *words, *list;
    } lists[] = {
        {"batch_sizes", "1,2,4", "1,2,4"},
        {"batch_sizes", " 8 , 2 ", "8,2"},
        {"input_lengths", "32 64 128", "32,64,128"},
        {"input_lengths", "007", "7"},
    };
    struct config config;
    struct error error = {0};
    config_defaults(&config);
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        const struct config_key *key = key_named(lists[i].key);
        assert_int_equal(config_set(&config, key, lists[i].words, &error), 0);
        assert_list((struct config_list *)(void *)((char *)&config + key->offset), lists[i].list);
    }
    assert_int_equal(config_set(&config, key_named("temperature"), "0", &error), 0);
    assert_int_equal(config_set(&config, key_named("top_p"), "9e-1", &error), 0);
    assert_int_equal(config_set(&config, key_named("num_runs"), "7", &error), 0);
    assert_int_equal(config_set(&config, key_named("device"), "cuda:3", &error), 0);
    assert_close(config.temperature, 0, 0);
    assert_close(config.top_p, 0.9, 0);
    assert_int_equal(config.num_runs, 7);
    assert_string_equal(config.device, "cuda:3");
}

static void test_flags_that_are_refused(void **state)
{
    (void)state;
    const struct {
        const char *key, *words, *parts[2];
    } cases[] = {
        {"batch_sizes", "", {"--batch-sizes: ", "found \"\""}},
        {"batch_sizes", "1,,2", {"--batch-sizes: ", "found \"\""}},
        {"batch_sizes", "1,2,", {"--batch-sizes: ", "found \"\""}},
        {"batch_sizes", "1,x", {"--batch-sizes: ", "found \"x\""}},
        {"batch_sizes", "0", {"--batch-sizes: ", "found \"0\""}},
        {"batch_sizes", "4,4", {"--batch-sizes: ", "4 twice"}},
        {"batch_sizes", "99999999999999999999", {"--batch-sizes: ", "from 1"}},
        {"input_lengths", "1.5", {"--input-lengths: ", "whole numbers"}},
        {"output_length", "-3", {"--output-length: ", "found \"-3\""}},
        {"num_runs", "3 4", {"--num-runs: ", "found \"3 4\""}},
        {"temperature", "nan", {"--temperature: ", "found \"nan\""}},
        {"temperature", "inf", {"--temperature: ", "found \"inf\""}},
        {"temperature", "0x1", {"--temperature: ", "found \"0x1\""}},
        {"temperature", "0,5", {"--temperature: ", "found \"0,5\""}},
        {"temperature", "1e", {"--temperature: ", "found \"1e\""}},
        {"temperature", "", {"--temperature: ", "found \"\""}},
        {"top_p", "0", {"--top-p: ", "above 0"}},
        {"top_p", "1.5", {"--top-p: ", "at most 1"}},
        {"max_batch_input_product", "1e5", {"--max-batch-input-product: ", "found \"1e5\""}},
        {"device", "tpu", {"--device: ", "found \"tpu\""}},
        {"device", "cuda:1000000000000000000000000000000000", {"--device: ", "\"cuda:N\""}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct config config;
        struct config before;
        struct error error = {0};
        config_defaults(&before);
        memcpy(&config, &before, sizeof config);
        assert_int_equal(config_set(&config, key_named(cases[i].key), cases[i].words, &error),
                         ERROR_INPUT);
        assert_contains(error.text, cases[i].parts[0]);
        assert_contains(error.text, cases[i].parts[1]);
        assert_memory_equal(&config, &before, sizeof config);
        assert_int_equal(config_set(&config, key_named(cases[i].key), cases[i].words, NULL),
                         ERROR_INPUT);
    }
}

static void test_load_names_the_file(void **state)
{
    (void)state;
    struct folder folder = folder_make();
    struct config config;
    struct error error = {0};
    const char *path = folder_file(&folder, "bad.json");
    assert_int_equal(config_load(&config, path, &error), ERROR_INPUT);
    assert_contains(error.text, path);
    folder_write(path, "{\"num_runs\": 0}");
    assert_int_equal(config_load(&config, path, &error), ERROR_INPUT);
    assert_contains(error.text, path);
    folder_remove(folder.path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_presets),
        cmocka_unit_test(test_saved_presets_load_as_they_were),
        cmocka_unit_test(test_file_text_is_for_people),
        cmocka_unit_test(test_a_file_changes_what_it_names),
        cmocka_unit_test(test_files_that_are_refused),
        cmocka_unit_test(test_too_many_values_are_refused),
        cmocka_unit_test(test_flags),
        cmocka_unit_test(test_flags_that_are_refused),
        cmocka_unit_test(test_load_names_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
