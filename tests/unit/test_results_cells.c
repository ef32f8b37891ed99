/* What a cell's record says beside mean and deviation: intervals, steps, spread, drift, and the
 * facts that a reader must find again. */
#include "test.h"

#include "base/json.h"
#include "results/results.h"

static void add_cell(struct results *results)
{
    struct cell_record cell = {.batch_size = 2, .input_length = 8, .status = CELL_MEASURED};
    struct error error = {0};
    assert_int_equal(results_add_cell(results, &cell, &error), 0);
}

/* A run with `steps` decode steps of 1, 2, 3, ... milliseconds times `factor`. */
static void add_run(struct results *results, int64_t process, int64_t pass, double factor)
{
    enum { STEPS = 10 };
    struct run_record run;
    struct error error = {0};
    run_record_init(&run);
    (void)snprintf(run.model_name, sizeof run.model_name, "m");
    (void)snprintf(run.device, sizeof run.device, "fake");
    run.batch_size = 2;
    run.input_length = 8;
    run.actual_output_length = STEPS + 1;
    run.target_output_length = STEPS + 1;
    run.run_number = (int64_t)results->run_count + 1;
    run.process = process;
    run.pass = pass;
    run.prefill_time = factor;
    run.decode_step_times = malloc(STEPS * sizeof(double));
    run.decode_step_count = STEPS;
    run.decode_time = 0;
    for (int step = 0; step < STEPS; step++) {
        run.decode_step_times[step] = 1e-3 * (step + 1) * factor;
        run.decode_time += run.decode_step_times[step];
    }
    (void)snprintf(run.output_hash, sizeof run.output_hash, "0123456789abcdef");
    run_record_derive(&run);
    assert_int_equal(results_add_run(results, &run, &error), 0);
}

static json_t *written_cell(const struct results *results, json_t **document)
{
    struct text text = {0};
    struct error error = {0};
    assert_int_equal(results_write_json(results, &text, &error), 0);
    assert_int_equal(json_text_load(document, text_string(&text), text.length, "r", &error), 0);
    text_free(&text);
    return json_array_get(json_object_get(*document, "cells"), 0);
}

static double number_at(const json_t *object, const char *key, size_t index)
{
    return json_number_value(json_array_get(json_object_get(object, key), index));
}

static void test_intervals(void **state)
{
    (void)state;
    static const double factors[] = {1.02, 0.98, 1.00, 1.10, 0.99};
    struct results results;
    results_init(&results);
    add_cell(&results);
    add_run(&results, 1, 1, factors[0]);
    json_t *document = NULL;
    const json_t *cell = written_cell(&results, &document);
    assert_true(json_is_null(json_object_get(json_object_get(cell, "prefill_time"), "ci95")));
    assert_true(json_is_null(json_object_get(cell, "spread")));
    assert_true(json_is_null(json_object_get(cell, "drift")));
    json_decref(document);

    for (int i = 1; i < 5; i++)
        add_run(&results, 1, 1, factors[i]);
    cell = written_cell(&results, &document);
    const json_t *interval = json_object_get(json_object_get(cell, "prefill_time"), "ci95");
    assert_close(number_at(interval, "mean", 0), 0.958193542122192, 1e-12);
    assert_close(number_at(interval, "mean", 1), 1.07780645787781, 1e-12);
    assert_close(number_at(interval, "median", 0), 0.98, 1e-12);
    assert_close(number_at(interval, "median", 1), 1.10, 1e-12);
    json_decref(document);
    results_free(&results);
}

static void test_steps(void **state)
{
    (void)state;
    struct results results;
    results_init(&results);
    add_cell(&results);
    json_t *document = NULL;
    const json_t *cell = written_cell(&results, &document);
    assert_true(json_is_null(json_object_get(cell, "decode_step_time")));
    json_decref(document);

    /* Together 1, 2, ..., 10 and 11, 22, ..., 110 ms. */
    add_run(&results, 1, 1, 1.0);
    add_run(&results, 1, 1, 11.0);
    cell = written_cell(&results, &document);
    const json_t *steps = json_object_get(cell, "decode_step_time");
    assert_int_equal(json_integer_value(json_object_get(steps, "count")), 20);
    assert_close(json_real_value(json_object_get(steps, "p50")), 10.5e-3, 1e-12);
    assert_close(json_real_value(json_object_get(steps, "p90")), 89.1e-3, 1e-12);
    assert_close(json_real_value(json_object_get(steps, "p99")), 107.91e-3, 1e-12);
    assert_close(json_real_value(json_object_get(steps, "max")), 110e-3, 1e-12);
    json_decref(document);
    results_free(&results);
}

static void test_spread_of_processes_and_passes(void **state)
{
    (void)state;
    struct results results;
    results_init(&results);
    add_cell(&results);
    /* Process 2 is slower by 0.1; inside a pass runs differ by 0.02, passes by nothing. */
    for (int64_t process = 1; process <= 2; process++)
        for (int64_t pass = 1; pass <= 2; pass++)
            for (int run = 0; run < 2; run++)
                add_run(&results, process, pass, 1.0 + 0.1 * (double)process + 0.02 * run);
    json_t *document = NULL;
    const json_t *cell = written_cell(&results, &document);
    const json_t *spread = json_object_get(json_object_get(cell, "spread"), "prefill_time");
    assert_close(json_number_value(json_object_get(spread, "between_processes")), 0.1 / sqrt(2),
                 1e-12);
    assert_close(json_number_value(json_object_get(spread, "within_processes")), sqrt(8 * 1e-4 / 6),
                 1e-12);
    assert_close(json_number_value(json_object_get(spread, "within_passes")), sqrt(8 * 1e-4 / 4),
                 1e-12);
    assert_close(json_number_value(json_object_get(spread, "between_passes")), sqrt(4 * 0.0025 / 3),
                 1e-12);
    /* A process that is slower as a whole is no drift. */
    assert_true(json_is_false(json_object_get(cell, "drift")));
    json_decref(document);
    results_free(&results);
}

static void test_drift(void **state)
{
    (void)state;
    static const struct {
        double first, second; /* of the passes */
        double noise;
        int drift;
    } cases[] = {
        {1.00, 1.00, 0.01, 0}, {1.00, 1.10, 0.001, 1}, {1.10, 1.00, 0.001, 1},
        {1.00, 1.02, 0.05, 0}, {1.00, 1.005, 1e-5, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct results results;
        struct error error = {0};
        int drift = -1;
        results_init(&results);
        add_cell(&results);
        for (int run = -1; run <= 1; run++)
            add_run(&results, 1, 1, cases[i].first + cases[i].noise * run);
        assert_int_equal(results_find_drift(&results, results.cells, &drift, &error), 0);
        assert_int_equal(drift, -1);
        for (int run = -1; run <= 1; run++)
            add_run(&results, 1, 2, cases[i].second + cases[i].noise * run);
        assert_int_equal(results_find_drift(&results, results.cells, &drift, &error), 0);
        assert_int_equal(drift, cases[i].drift);
        results_free(&results);
    }
}

static void test_facts_are_found_again(void **state)
{
    (void)state;
    struct results results, back;
    struct text text = {0};
    struct error error = {0};
    results_init(&results);
    results.elapsed_s = 12.5;
    add_cell(&results);
    add_run(&results, 3, 2, 1.0);
    struct cell_record *cell = &results.cells[0];
    cell->warm_up_runs = 4;
    (void)snprintf(cell->warm_up_reason, sizeof cell->warm_up_reason, "steady");
    (void)snprintf(cell->stop_reason, sizeof cell->stop_reason, "precise");
    (void)snprintf(cell->output_check, sizeof cell->output_check, "passed");
    cell->prediction = (struct cell_prediction){474.75, 5.5, 3.25, 483.5, "host"};
    assert_int_equal(results_write_json(&results, &text, &error), 0);
    assert_int_equal(results_parse_json(&back, text_string(&text), text.length, "r", &error), 0);
    assert_true(back.elapsed_s == 12.5);
    assert_int_equal(back.cells[0].warm_up_runs, 4);
    assert_string_equal(back.cells[0].warm_up_reason, "steady");
    assert_string_equal(back.cells[0].stop_reason, "precise");
    assert_string_equal(back.cells[0].output_check, "passed");
    assert_memory_equal(&back.cells[0].prediction, &cell->prediction, sizeof cell->prediction);
    assert_int_equal(back.runs[0].process, 3);
    assert_int_equal(back.runs[0].pass, 2);
    assert_string_equal(back.runs[0].output_hash, "0123456789abcdef");
    results_free(&back);
    text_free(&text);

    assert_int_equal(results_write_csv(&results, &text, &error), 0);
    assert_int_equal(results_parse_csv(&back, text_string(&text), text.length, "r", &error), 0);
    assert_int_equal(back.runs[0].process, 3);
    assert_int_equal(back.runs[0].pass, 2);
    assert_string_equal(back.runs[0].output_hash, "0123456789abcdef");
    results_free(&back);
    text_free(&text);
    results_free(&results);
}

static void test_facts_that_are_refused(void **state)
{
    (void)state;
    static const char *const faults[][2] = {
        {"\"warm_up\":3", "cells[0].warm_up: is a whole number, an object is needed"},
        {"\"warm_up\":{\"runs\":-1}", "cells[0].warm_up.runs"},
        {"\"stop_reason\":1", "cells[0].stop_reason"},
        {"\"predicted_memory\":7", "cells[0].predicted_memory: is a whole number, an object"},
        {"\"predicted_memory\":{\"total_mb\":\"7\"}", "cells[0].predicted_memory.total_mb"},
        {"\"stop_reason\":\"0123456789012345678901234567890123456789\"", "cells[0].stop_reason"},
    };
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        struct results results;
        struct error error = {0};
        char json[512];
        int length = snprintf(json, sizeof json,
                              "{\"schema_version\":1,\"runs\":[],\"cells\":[{\"batch_size\":1,"
                              "\"input_length\":1,\"status\":\"pending\",%s}]}",
                              faults[i][0]);
        assert_int_equal(results_parse_json(&results, json, (size_t)length, "r", &error),
                         ERROR_INPUT);
        assert_contains(error.text, faults[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_intervals),
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_spread_of_processes_and_passes),
        cmocka_unit_test(test_drift),
        cmocka_unit_test(test_facts_are_found_again),
        cmocka_unit_test(test_facts_that_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
