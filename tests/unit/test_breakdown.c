/* A cell's breakdown in the JSON: every key, read back as it was, null where there is none, refused
 * where it is nonsense. */
#include "test.h"

#include "base/json.h"
#include "results/results.h"

static struct breakdown make_breakdown(void)
{
    return (struct breakdown){
        .phases =
            {
                {{0.5, 1, 1.5, 2, 0.25, 0.5, 0.25}, 4.8},
                {{0.125, 0.25, 0.125, 0.375, 0.0625, 0.03125, 0.03125}, 1.25},
            },
        .decode_steps = 8,
    };
}

static json_t *write_cell(const struct breakdown *breakdown, struct text *text)
{
    struct results results;
    struct error error = {0};
    struct cell_record cell = {1, 2, .status = CELL_MEASURED, .breakdown = *breakdown};
    json_t *document = NULL;
    results_init(&results);
    assert_int_equal(results_add_cell(&results, &cell, &error), 0);
    assert_int_equal(results_write_json(&results, text, &error), 0);
    results_free(&results);
    assert_int_equal(json_text_load(&document, text_string(text), text->length, "r", &error), 0);
    return document;
}

static const json_t *breakdown_of(const json_t *document)
{
    const json_t *cell = json_array_get(json_object_get(document, "cells"), 0);
    return json_object_get(cell, "breakdown");
}

static double number_of(const json_t *object, const char *key, const char *inner)
{
    const json_t *value = json_object_get(object, key);
    return json_number_value(inner != NULL ? json_object_get(value, inner) : value);
}

static void test_every_key(void **state)
{
    (void)state;
    struct text text = {0};
    struct breakdown breakdown = make_breakdown();
    json_t *document = write_cell(&breakdown, &text);
    const json_t *object = breakdown_of(document);
    assert_int_equal(json_object_size(object), 11);
    assert_true(number_of(object, "prefill", "attention_projections") == 1.0);
    assert_true(number_of(object, "prefill", "attention") == 1.5);
    assert_true(number_of(object, "prefill_sum_s", NULL) == 6.0);
    assert_true(number_of(object, "prefill_undisturbed_s", NULL) == 4.8);
    assert_close(number_of(object, "prefill_difference_percent", NULL), 25.0, 1e-12);
    assert_close(number_of(object, "prefill_shares", "mlp"), 1.0 / 3.0, 1e-12);
    assert_true(number_of(object, "decode_step", "norms") == 0.0625);
    assert_true(number_of(object, "decode_step_sum_s", NULL) == 1.0);
    assert_close(number_of(object, "decode_step_difference_percent", NULL), -20.0, 1e-12);
    assert_true(number_of(object, "decode_step_shares", "sampling") == 0.03125);
    assert_true(number_of(object, "decode_steps", NULL) == 8.0);
    json_decref(document);
    text_free(&text);
}

static void test_it_is_found_again(void **state)
{
    (void)state;
    struct text text = {0};
    struct results back;
    struct error error = {0};
    struct breakdown breakdown = make_breakdown();
    json_decref(write_cell(&breakdown, &text));
    assert_int_equal(results_parse_json(&back, text_string(&text), text.length, "r", &error), 0);
    assert_memory_equal(&back.cells[0].breakdown, &breakdown, sizeof breakdown);
    results_free(&back);
    text_free(&text);
}

static void test_what_is_missing_is_null(void **state)
{
    (void)state;
    struct text text = {0};
    struct breakdown none = {0}, one_token = make_breakdown();
    one_token.phases[BREAKDOWN_DECODE_STEP] = (struct breakdown_times){0};
    one_token.phases[BREAKDOWN_PREFILL].undisturbed_s = 0.0;
    json_t *document = write_cell(&none, &text);
    assert_true(json_is_null(breakdown_of(document)));
    json_decref(document);
    text_free(&text);

    document = write_cell(&one_token, &text);
    static const char *const nulls[] = {
        "prefill_undisturbed_s", "prefill_difference_percent", "decode_step",
        "decode_step_shares",    "decode_step_sum_s",          "decode_step_difference_percent",
    };
    for (size_t i = 0; i < sizeof nulls / sizeof nulls[0]; i++)
        assert_true(json_is_null(json_object_get(breakdown_of(document), nulls[i])));
    assert_true(number_of(breakdown_of(document), "prefill_sum_s", NULL) == 6.0);
    json_decref(document);
    text_free(&text);
}

static void test_what_is_refused(void **state)
{
    (void)state;
    static const char *const faults[][2] = {
        {"3", "cells[0].breakdown: is a whole number, an object is needed"},
        {"{\"prefill\":[]}", "cells[0].breakdown.prefill: is a list, an object is needed"},
        {"{\"prefill\":{\"mlp\":-1}}", "cells[0].breakdown.prefill.mlp: is negative"},
        {"{\"decode_step\":{\"head\":\"1\"}}", "cells[0].breakdown.decode_step.head"},
        {"{\"prefill_undisturbed_s\":-1}", "cells[0].breakdown.prefill_undisturbed_s"},
        {"{\"decode_steps\":1.5}", "cells[0].breakdown.decode_steps"},
    };
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        struct results results;
        struct error error = {0};
        char json[512];
        int length = snprintf(json, sizeof json,
                              "{\"schema_version\":1,\"runs\":[],\"cells\":[{\"batch_size\":1,"
                              "\"input_length\":1,\"status\":\"pending\",\"breakdown\":%s}]}",
                              faults[i][0]);
        assert_int_equal(results_parse_json(&results, json, (size_t)length, "r", &error),
                         ERROR_INPUT);
        assert_contains(error.text, faults[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_key),
        cmocka_unit_test(test_it_is_found_again),
        cmocka_unit_test(test_what_is_missing_is_null),
        cmocka_unit_test(test_what_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
