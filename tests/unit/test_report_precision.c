/* The report's words on how cells were measured and how well their means are known. */
#include "report_sample.h"

#include "report/analysis.h"
#include "report/format.h"
#include "report/report_text.h"

static void write_section(struct text *out, const struct results *const *files, size_t count)
{
    struct analysis analysis;
    struct error error = {0};
    assert_int_equal(analysis_build(&analysis, files, count, &error), 0);
    report_trust(out, &analysis);
    assert_false(out->failed);
    analysis_free(&analysis);
}

static void measured_cell(struct results *results, int64_t batch, const char *warm_up,
                          const char *stop)
{
    sample_cell(results, batch, 32, CELL_MEASURED, "");
    struct cell_record *cell = &results->cells[results->cell_count - 1];
    cell->warm_up_runs = 5;
    snprintf(cell->warm_up_reason, sizeof cell->warm_up_reason, "%s", warm_up);
    snprintf(cell->stop_reason, sizeof cell->stop_reason, "%s", stop);
}

/* A run of a tenth prefill and nine steps of a tenth. */
static void measured_run(struct results *results, int64_t batch, double total_s, int process,
                         int pass)
{
    sample_run(results, sample_gpt2, batch, 32, 0.1 * total_s, 0.9 * total_s);
    struct run_record *run = &results->runs[results->run_count - 1];
    run->process = process;
    run->pass = pass;
    for (size_t step = 0; step < run->decode_step_count; step++)
        run->decode_step_times[step] = 0.1 * total_s;
}

static void two_cells(struct results *results)
{
    static const double first[] = {0.99, 1.01, 1.09, 1.11};
    static const double second[] = {1.9, 2.1, 2.0, 2.0};
    results_init(results);
    measured_cell(results, 1, "steady", "num_runs");
    measured_cell(results, 2, "cap", "max_cell_time");
    for (int i = 0; i < 4; i++)
        measured_run(results, 1, first[i], 1, 1 + i / 2);
    for (int i = 0; i < 4; i++)
        measured_run(results, 2, second[i], 1, 1 + i / 2);
}

static void test_intervals(void **state)
{
    (void)state;
    struct results results;
    const struct results *files[] = {&results};
    struct text text = {0};
    two_cells(&results);
    write_section(&text, files, 1);
    /* t(3) = 3.182: 1.05 ± 3.182 × 0.0589 / 2, and 2 ± 3.182 × 0.0816 / 2. */
    assert_contains(text_string(&text), "| Batch | Length | Runs | Warm-ups  | Measuring ended |   "
                                        "    Latency (s) |   Prefill (ms) "
                                        "| Decode per token (ms) | Step p50 / p90 / p99 (ms) |\n");
    assert_contains(text_string(&text),
                    "|     1 |     32 |    4 | 5, steady | all runs made   | 1.05 [0.96, 1.14] | "
                    " 105 [96, 114] |         105 [96, 114] |           105 / 111 / 111 |\n");
    assert_contains(text_string(&text),
                    "|     2 |     32 |    4 | 5, cap    | time of a cell  | 2.00 [1.87, 2.13] | "
                    "200 [187, 213] |        200 [187, 213] |           200 / 210 / 210 |\n");
    assert_null(strstr(text_string(&text), "between the means of the processes"));
    text_free(&text);
    results_free(&results);
}

static void test_drift(void **state)
{
    (void)state;
    struct results results;
    const struct results *files[] = {&results};
    struct text text = {0};
    two_cells(&results);
    write_section(&text, files, 1);
    assert_contains(text_string(&text), "No drift between passes in the 2 cells that have several."
                                        "\n\n");
    text_free(&text);
    /* The first cell's second pass takes 1.2 s. */
    results.runs[2].decode_time += 0.105;
    results.runs[3].decode_time += 0.085;
    for (size_t i = 2; i < 4; i++)
        run_record_derive(&results.runs[i]);
    results.runs[0].decode_time += 0.005;
    results.runs[1].decode_time -= 0.005;
    run_record_derive(&results.runs[0]);
    run_record_derive(&results.runs[1]);
    write_section(&text, files, 1);
    assert_contains(text_string(&text),
                    "Drift: the slowest pass is above the fastest by more than the spread inside "
                    "the passes explains at batch 1, length 32 (19.5 %).\n\n");
    text_free(&text);
    results_free(&results);
}

static void test_processes(void **state)
{
    (void)state;
    struct results results;
    const struct results *files[] = {&results};
    struct text text = {0};
    static const double totals[] = {0.99, 1.01, 1.09, 1.11};
    results_init(&results);
    measured_cell(&results, 1, "steady", "precise");
    for (int i = 0; i < 4; i++)
        measured_run(&results, 1, totals[i], 1 + i / 2, 1);
    write_section(&text, files, 1);
    /* 0.1 / √2 and 0.02 / √2 of 1.05. */
    assert_contains(
        text_string(&text),
        "| Batch | Length | Processes | Latency: between | within | Prefill: between | within | "
        "Decode per token: between | within |\n");
    assert_contains(
        text_string(&text),
        "|     1 |     32 |         2 |             6.73 |   1.35 |             6.73 |   1.35 | "
        "                     6.73 |   1.35 |\n");
    assert_contains(text_string(&text), "| precise enough ");
    assert_null(strstr(text_string(&text), "rift")); /* each process has one pass */
    text_free(&text);
    results_free(&results);
}

/* One run has no interval; a second file's runs do not mix with the first's; older files, whose
 * cells have a verdict and no more, have no table. */
static void test_what_is_not_known(void **state)
{
    (void)state;
    struct results first;
    struct results second;
    const struct results *files[] = {&first, &second};
    struct text text = {0};
    results_init(&first);
    results_init(&second);
    measured_cell(&first, 1, "budget", "");
    measured_run(&first, 1, 1.0, 1, 1);
    measured_cell(&second, 1, "steady", "num_runs");
    measured_run(&second, 1, 3.0, 1, 1);
    second.runs[0].timestamp[0] = '3';
    write_section(&text, files, 2);
    assert_contains(text_string(&text),
                    "|     1 |     32 |    1 | 5, budget | not ended       |        1.00 |");
    text_free(&text);
    first.cells[0].warm_up_reason[0] = '\0';
    write_section(&text, files, 1);
    assert_contains(text_string(&text), "## Can these numbers be trusted?");
    assert_null(strstr(text_string(&text), "How each cell was measured"));
    text_free(&text);
    results_free(&first);
    results_free(&second);
}

static void test_format(void **state)
{
    (void)state;
    static const struct {
        double mean, low, high;
        const char *expected;
    } cases[] = {
        {12.345, 12, 12.69, "12.3 [12.0, 12.7]"},
        {12.345, 12.34, 12.35, "12.345 [12.340, 12.350]"},
        {100, -50, 250, "100 [-50, 250]"},
        {12.345, NAN, NAN, "12.3"},
        {NAN, 1, 2, "n/a"},
        {1, -1e300, 1e300, "1.00"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[FORMAT_MAX];
        format_interval(text, cases[i].mean, cases[i].low, cases[i].high);
        assert_string_equal(text, cases[i].expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_intervals), cmocka_unit_test(test_drift),
        cmocka_unit_test(test_processes), cmocka_unit_test(test_what_is_not_known),
        cmocka_unit_test(test_format),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
