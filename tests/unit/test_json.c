/* JSON: faults with their place, values with their path, text that reads back the same. */
#include "test.h"

#include "base/json.h"
#include "folder.h"

static void test_faults_name_line_and_column(void **state)
{
    (void)state;
    const struct {
        const char *json, *expected;
    } cases[] = {
        {"{\n  \"a\": NaN\n}", "f.json:2:8:"},
        {"{\"a\": 1,\n \"a\": 2}", "f.json:2:2:"},
        {"{\"a\": 1", "f.json:1:7:"},
        {"[1,2,]", "f.json:1:6:"},
        {"", "f.json:1:1:"},
        {"[1] x", "f.json:1:5:"},
        {"[\"\xC3\xA9\xC3\xA9\", q]", "f.json:1:8:"},
        {"\xEF\xBB\xBF[q]", "f.json:1:2:"},
        {"[1e999]", "overflow"},
        {"[99999999999999999999]", "too big"},
        {"[\"\xFF\"]", "f.json:1:"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_t *value = NULL;
        struct error error = {0};
        assert_int_equal(
            json_text_load(&value, cases[i].json, strlen(cases[i].json), "f.json", &error),
            ERROR_INPUT);
        assert_null(value);
        assert_contains(error.text, cases[i].expected);
        assert_contains(error.text, "f.json:");
    }
}

static void test_file_load(void **state)
{
    (void)state;
    struct folder folder = folder_make();
    const char *path = folder_file(&folder, "a.json");
    json_t *value = NULL;
    struct error error = {0};
    folder_write(path, "\xEF\xBB\xBF{\"a\": [1]}");
    assert_int_equal(json_file_load(&value, path, 100, &error), 0);
    assert_int_equal(json_array_size(json_object_get(value, "a")), 1);
    json_decref(value);
    assert_int_equal(json_file_load(&value, path, 5, &error), ERROR_INPUT);
    folder_remove(folder.path);
    assert_int_equal(json_file_load(&value, path, 100, &error), ERROR_INPUT);
    assert_contains(error.text, path);
}

static void test_dump_reads_back_and_is_laid_out(void **state)
{
    (void)state;
    json_t *value = json_pack("{s:f,s:[i,i],s:[{s:f,s:n}],s:{},s:s,s:[],s:b}", "z", 0.9, "b", 1, 2,
                              "c", "d", 1.0, "n", "e", "g", "h\n\"\xC3\xBC", "q", "t", 1);
    struct text text = {0};
    struct error error = {0};
    assert_int_equal(json_text_dump(&text, value, 2, &error), 0);
    assert_string_equal(text_string(&text), "{\n"
                                            "  \"z\": 0.9,\n"
                                            "  \"b\": [1, 2],\n"
                                            "  \"c\": [\n"
                                            "    {\n"
                                            "      \"d\": 1.0,\n"
                                            "      \"n\": null\n"
                                            "    }\n"
                                            "  ],\n"
                                            "  \"e\": {},\n"
                                            "  \"g\": \"h\\n\\\"\xC3\xBC\",\n"
                                            "  \"q\": [],\n"
                                            "  \"t\": true\n"
                                            "}");
    for (int indent = 0; indent < 5; indent++) {
        text_free(&text);
        assert_int_equal(json_text_dump(&text, value, indent, &error), 0);
        json_t *back = NULL;
        assert_int_equal(json_text_load(&back, text_string(&text), text.length, "dump", &error), 0);
        assert_true(json_equal(value, back));
        json_decref(back);
    }
    text_free(&text);
    json_decref(value);
}

static void test_numbers_that_json_lacks_are_null(void **state)
{
    (void)state;
    const double values[] = {NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < 3; i++) {
        json_t *value = json_number(values[i]);
        assert_true(json_is_null(value));
        json_decref(value);
    }
    json_t *value = json_number(0.5);
    assert_close(json_real_value(value), 0.5, 0);
    json_decref(value);
}

static void test_getters(void **state)
{
    (void)state;
    json_t *object = json_pack("{s:i,s:f,s:f,s:s,s:b,s:n,s:[]}", "whole", 7, "real", 2.5, "round",
                               3.0, "text", "abc", "yes", 1, "nothing", "list");
    struct json_place place = {"f.json", "runs[3]"};
    struct error error = {0};
    int64_t integer = 0;
    double real = 0;
    bool truth = false;
    bool found = false;
    const char *string = NULL;
    assert_int_equal(json_get_integer(object, place, "whole", 1, 7, &integer, NULL, &error), 0);
    assert_int_equal(integer, 7);
    assert_int_equal(json_get_integer(object, place, "round", 1, 7, &integer, NULL, &error), 0);
    assert_int_equal(integer, 3);
    assert_int_equal(json_get_real(object, place, "whole", &real, NULL, &error), 0);
    assert_close(real, 7, 0);
    assert_int_equal(json_get_string(object, place, "text", &string, &found, &error), 0);
    assert_string_equal(string, "abc");
    assert_true(found);
    assert_int_equal(json_get_boolean(object, place, "yes", &truth, NULL, &error), 0);
    assert_true(truth);
    assert_int_equal(json_get_real(object, place, "nothing", &real, &found, &error), 0);
    assert_false(found);

    assert_int_equal(json_get_integer(object, place, "whole", 8, 9, &integer, NULL, &error),
                     ERROR_INPUT);
    assert_string_equal(error.text, "f.json: runs[3].whole: is 7, allowed is 8 to 9");
    assert_int_equal(json_get_integer(object, place, "real", 0, 9, &integer, NULL, &error),
                     ERROR_INPUT);
    assert_int_equal(json_get_real(object, place, "text", &real, NULL, &error), ERROR_INPUT);
    assert_string_equal(error.text, "f.json: runs[3].text: is a string, a number is needed");
    assert_int_equal(json_get_string(object, place, "list", &string, NULL, &error), ERROR_INPUT);
    assert_int_equal(json_get_boolean(object, place, "whole", &truth, NULL, &error), ERROR_INPUT);
    place.path = "";
    assert_int_equal(json_get_real(object, place, "gone", &real, NULL, &error), ERROR_INPUT);
    assert_string_equal(error.text, "f.json: gone: is missing, a number is needed");
    json_decref(object);
}

static void test_locate_finds_keys_values_and_items(void **state)
{
    (void)state;
    const char *json = "\xEF\xBB\xBF { \"a\\\"}\" : [ {\"x\":[1,\"]\"]} , -2.5e3,\n \"s\" ],\n"
                       "  \"b\":\"t,}\",\"c\" :{\"d\":[]},\"e\":true}";
    const struct {
        size_t member;
        int64_t item;
        const char *at;
    } cases[] = {
        {0, JSON_AT_KEY, "\"a\\\"}\" :"},
        {0, JSON_AT_VALUE, "[ {"},
        {0, 0, "{\"x\""},
        {0, 1, "-2.5e3"},
        {0, 2, "\"s\" ]"},
        {1, JSON_AT_KEY, "\"b\":"},
        {1, JSON_AT_VALUE, "\"t,}\""},
        {2, JSON_AT_KEY, "\"c\""},
        {2, JSON_AT_VALUE, "{\"d\""},
        {3, JSON_AT_KEY, "\"e\""},
        {3, JSON_AT_VALUE, "true}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t offset = json_text_locate(json, strlen(json), cases[i].member, cases[i].item);
        assert_true(offset < strlen(json));
        if (strncmp(json + offset, cases[i].at, strlen(cases[i].at)) != 0)
            fail_msg("case %zu lies at \"%s\"", i, json + offset);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_faults_name_line_and_column),
        cmocka_unit_test(test_file_load),
        cmocka_unit_test(test_dump_reads_back_and_is_laid_out),
        cmocka_unit_test(test_numbers_that_json_lacks_are_null),
        cmocka_unit_test(test_getters),
        cmocka_unit_test(test_locate_finds_keys_values_and_items),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
