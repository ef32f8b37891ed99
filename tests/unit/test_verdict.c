/* Verdicts: the table is whole, the worst reason decides, and a cell's verdict and limits survive a
 * trip through JSON. */
#include "test.h"

#include "results/results.h"

static void every_cause_has_words(void **state)
{
    (void)state;
    for (int i = 0; i < VERDICT_CAUSE_COUNT; i++) {
        const struct verdict_cause_facts *facts = &verdict_causes[i];
        assert_non_null(facts->name);
        assert_non_null(facts->advice);
        assert_true(facts->level == VERDICT_NOISY || facts->level == VERDICT_INVALID);
        for (int j = 0; j < i; j++)
            assert_string_not_equal(facts->name, verdict_causes[j].name);
    }
}

static void the_worst_reason_decides(void **state)
{
    (void)state;
    struct verdict verdict;
    verdict_clear(&verdict);
    assert_int_equal(verdict.level, VERDICT_VALID);
    verdict_add(&verdict, VERDICT_STEAL, "%d %%", 7);
    assert_int_equal(verdict.level, VERDICT_NOISY);
    assert_string_equal(verdict.texts[VERDICT_STEAL], "7 %");
    verdict_add(&verdict, VERDICT_OUTPUT_CHECK, "rows are equal");
    verdict_add(&verdict, VERDICT_SWAP, "2 pages");
    assert_int_equal(verdict.level, VERDICT_INVALID);
    assert_true(verdict.given[VERDICT_SWAP]);
    assert_false(verdict.given[VERDICT_SPREAD]);
}

static void fill(struct results *results, struct error *error)
{
    struct cell_record cell = {.batch_size = 2, .input_length = 8, .status = CELL_MEASURED};
    verdict_clear(&cell.verdict);
    verdict_add(&cell.verdict, VERDICT_PREEMPTED, "12 involuntary context switches in 1.5 s");
    verdict_add(&cell.verdict, VERDICT_BANDWIDTH_EXCEEDED, "MBU 1.20");
    cell.limits = (struct cell_limits){.bandwidth_before = 30.5,
                                       .bandwidth_after = 31.25,
                                       .peak_flops_per_s = 1e11,
                                       .prefill_floor_s = 0.25,
                                       .mbu = 1.2,
                                       .bound = "memory",
                                       .prefill_bound = "compute"};
    assert_int_equal(results_add_cell(results, &cell, error), 0);
    struct run_record run;
    run_record_init(&run);
    (void)snprintf(run.model_name, sizeof run.model_name, "m");
    (void)snprintf(run.device, sizeof run.device, "cpu");
    run.batch_size = 2;
    run.input_length = 8;
    run.run_number = 1;
    run.actual_output_length = 2;
    run.target_output_length = 2;
    run.prefill_time = 0.5;
    run.decode_time = 0.25;
    run.conditions.involuntary_switches = 12.0;
    run.conditions.bandwidth_after = 31.25;
    run_record_derive(&run);
    assert_int_equal(results_add_run(results, &run, error), 0);
}

static void check_trip(const struct results *again)
{
    const struct cell_record *cell = &again->cells[0];
    assert_int_equal(cell->verdict.level, VERDICT_INVALID);
    assert_true(cell->verdict.given[VERDICT_PREEMPTED]);
    assert_string_equal(cell->verdict.texts[VERDICT_PREEMPTED],
                        "12 involuntary context switches in 1.5 s");
    assert_false(cell->verdict.given[VERDICT_SWAP]);
    assert_true(cell->limits.mbu == 1.2 && cell->limits.mfu == 0.0);
    assert_true(cell->limits.bandwidth_before == 30.5 && cell->limits.bandwidth_after == 31.25);
    assert_string_equal(cell->limits.bound, "memory");
    assert_string_equal(cell->limits.prefill_bound, "compute");
    assert_true(again->runs[0].conditions.involuntary_switches == 12.0);
    assert_true(again->runs[0].conditions.bandwidth_after == 31.25);
    assert_true(isnan(again->runs[0].conditions.energy_j));
}

static void a_verdict_survives_the_file(void **state)
{
    (void)state;
    struct results results, again;
    struct text json = {0}, csv = {0};
    struct error error = {0};
    results_init(&results);
    fill(&results, &error);
    assert_int_equal(results_write_json(&results, &json, &error), 0);
    assert_contains(json.data, "\"verdict\": \"INVALID\"");
    assert_contains(json.data, verdict_causes[VERDICT_PREEMPTED].advice);
    assert_int_equal(results_parse_json(&again, json.data, json.length, "x", &error), 0);
    check_trip(&again);
    results_free(&again);
    assert_int_equal(results_write_csv(&results, &csv, &error), 0);
    assert_int_equal(results_parse_csv(&again, csv.data, csv.length, "x", &error), 0);
    assert_true(again.runs[0].conditions.involuntary_switches == 12.0);
    assert_true(isnan(again.runs[0].conditions.steal_s));
    assert_int_equal(again.cells[0].verdict.level, VERDICT_NONE);
    results_free(&again);
    results_free(&results);
    text_free(&json);
    text_free(&csv);
}

static void what_is_no_verdict_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *member, *says;
    } cases[] = {
        {"\"verdict\": \"GOOD\"", "cells[0].verdict"},
        {"\"verdict\": 1", "cells[0].verdict"},
        {"\"verdict_reasons\": 3", "cells[0].verdict_reasons"},
        {"\"verdict_reasons\": [\"spread\"]", "cells[0].verdict_reasons[0]"},
        {"\"verdict_reasons\": [{\"cause\": \"spread\"}]", "text"},
        {"\"bandwidth_gb_per_s\": [1]", "cells[0].bandwidth_gb_per_s"},
        {"\"bandwidth_gb_per_s\": [1, \"2\"]", "cells[0].bandwidth_gb_per_s"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char json[512];
        struct results results;
        struct error error = {0};
        (void)snprintf(json, sizeof json,
                       "{\"schema_version\": 1, \"runs\": [], \"cells\": [{\"batch_size\": 1, "
                       "\"input_length\": 1, \"status\": \"measured\", %s}]}",
                       cases[i].member);
        assert_int_equal(results_parse_json(&results, json, strlen(json), "x.json", &error),
                         ERROR_INPUT);
        assert_contains(error.text, cases[i].says);
    }
}

static void an_unknown_cause_is_passed_over(void **state)
{
    (void)state;
    static const char json[] =
        "{\"schema_version\": 1, \"runs\": [], \"cells\": [{\"batch_size\": 1, \"input_length\": "
        "1, "
        "\"status\": \"measured\", \"verdict\": \"NOISY\", \"verdict_reasons\": "
        "[{\"cause\": \"sunspots\", \"text\": \"many\"}]}]}";
    struct results results;
    struct error error = {0};
    assert_int_equal(results_parse_json(&results, json, strlen(json), "x", &error), 0);
    assert_int_equal(results.cells[0].verdict.level, VERDICT_NOISY);
    for (int i = 0; i < VERDICT_CAUSE_COUNT; i++)
        assert_false(results.cells[0].verdict.given[i]);
    results_free(&results);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cause_has_words),
        cmocka_unit_test(the_worst_reason_decides),
        cmocka_unit_test(a_verdict_survives_the_file),
        cmocka_unit_test(what_is_no_verdict_is_refused),
        cmocka_unit_test(an_unknown_cause_is_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
