/* Grouping, the figures of an analysis, and the exact words of small reports. */
#include "report/analysis.h"
#include "report/report_text.h"
#include "report_sample.h"

/* Two batches and two lengths with round figures: 10 tokens in 1 s at batch 1. */
static void small_results(struct results *results)
{
    results_init(results);
    static const struct {
        int64_t batch, length;
        double prefill_s, decode_s;
    } cells[] = {{1, 32, 0.1, 0.9}, {1, 64, 0.2, 0.9}, {2, 32, 0.2, 1.05}, {2, 64, 0.4, 1.8}};
    for (size_t i = 0; i < 4; i++) {
        sample_cell(results, cells[i].batch, cells[i].length, CELL_MEASURED, "");
        for (int run = 0; run < 2; run++)
            sample_run(results, sample_gpt2, cells[i].batch, cells[i].length,
                       cells[i].prefill_s * (run == 0 ? 0.95 : 1.05), cells[i].decode_s);
    }
}

static void build(struct analysis *analysis, const struct results *const *files, size_t count)
{
    struct error error = {0};
    if (analysis_build(analysis, files, count, &error) != 0)
        fail_msg("%s", error.text);
}

static char *report_of(const struct results *const *files, size_t count)
{
    struct analysis analysis;
    struct text text = {0};
    struct report_facts facts = {.written_at = "2026-01-02T00:00:00+00:00"};
    build(&analysis, files, count);
    report_text_write(&text, &analysis, &facts);
    assert_false(text.failed);
    analysis_free(&analysis);
    return text.data;
}

/* Says which words are missing: a whole report would not fit into the message. */
static void assert_line(const char *report, const char *line)
{
    if (strstr(report, line) == NULL)
        fail_msg("the report does not contain: %s", line);
}

static void test_figures(void **state)
{
    (void)state;
    struct results results;
    struct analysis analysis;
    small_results(&results);
    const struct results *files[] = {&results};
    build(&analysis, files, 1);
    assert_int_equal(analysis.group_count, 1);
    assert_int_equal(analysis.batch_count, 2);
    assert_int_equal(analysis.length_count, 2);
    const struct analysis_group *group = &analysis.groups[0];
    assert_int_equal(group->run_count, 8);
    assert_int_equal(group->status_count[CELL_MEASURED], 4);
    const struct analysis_cell *cell = analysis_cell_at(&analysis, group, 1, 0);
    assert_int_equal(cell->batch_size, 2);
    assert_int_equal(cell->input_length, 32);
    assert_int_equal(cell->run_count, 2);
    assert_close(analysis_latency(cell).mean, 1.25, 1e-12);
    assert_close(analysis_latency(cell).std, 0.02 / sqrt(2), 1e-12);
    assert_close(cell->prefill_share, 0.16, 1e-12);
    /* 16.0 tokens/s against 2 × 10.0: means of rates, not rates of means. */
    double base = (10 / 0.995 + 10 / 1.005) / 2;
    double rate = (20 / 1.24 + 20 / 1.26) / 2;
    assert_close(cell->efficiency, rate / (2 * base), 1e-12);
    assert_close(analysis_cell_at(&analysis, group, 0, 0)->efficiency, 1, 1e-12);
    assert_ptr_equal(group->best_throughput, cell);
    assert_ptr_equal(group->best_latency, analysis_cell_at(&analysis, group, 0, 0));
    assert_ptr_equal(group->worst_latency, analysis_cell_at(&analysis, group, 1, 1));
    assert_close(group->measured_s, 2 * (1.0 + 1.1 + 1.25 + 2.2), 1e-9);
    analysis_free(&analysis);
    results_free(&results);
}

static void test_batch_scaling(void **state)
{
    (void)state;
    /* Throughput by batch: 100, 180, 240, 245 tokens/s, then 200. */
    static const double rates[] = {100, 180, 240, 245, 200};
    for (int last = 3; last <= 4; last++) {
        struct results results;
        struct analysis analysis;
        struct batch_scaling scaling;
        results_init(&results);
        for (int b = 0; b <= last; b++) {
            double total = (double)(SAMPLE_OUTPUT_LENGTH << b) / rates[b];
            sample_run(&results, sample_gpt2, 1 << b, 32, 0.1 * total, 0.9 * total);
        }
        const struct results *files[] = {&results};
        build(&analysis, files, 1);
        assert_true(analysis_batch_scaling(&analysis, &analysis.groups[0], 0, &scaling));
        assert_int_equal(scaling.best->batch_size, 8);
        assert_int_equal(scaling.knee->batch_size, 4);
        assert_int_equal(scaling.last->batch_size, 1 << last);
        assert_close(scaling.growth, rates[last] / 100, 1e-9);
        assert_close(scaling.efficiency, rates[last] / 100 / (1 << last), 1e-9);
        assert_close(scaling.last_gain, rates[last] / rates[last - 1], 1e-9);
        analysis_free(&analysis);
        results_free(&results);
    }
}

static void test_length_scaling(void **state)
{
    (void)state;
    struct results results;
    struct analysis analysis;
    struct length_scaling scaling;
    results_init(&results);
    for (int l = 0; l < 5; l++)
        sample_run(&results, sample_gpt2, 1, 16 << l, 0.001 * pow(16 << l, 1.5), 0.5);
    const struct results *files[] = {&results};
    build(&analysis, files, 1);
    assert_true(
        analysis_length_scaling(&analysis, &analysis.groups[0], 0, analysis_prefill, &scaling));
    assert_close(scaling.exponent, 1.5, 1e-9);
    assert_close(scaling.last_exponent, 1.5, 1e-9);
    assert_close(scaling.growth, pow(16, 1.5), 1e-6);
    analysis_free(&analysis);
    results_free(&results);
}

static void test_groups(void **state)
{
    (void)state;
    static const struct sample_group others[] = {{"gpt2", "cuda:0", "float32"},
                                                 {"gpt2", "cpu", "bfloat16"},
                                                 {"distilgpt2", "cpu", "float32"}};
    struct results first;
    struct results second;
    struct analysis analysis;
    results_init(&first);
    results_init(&second);
    sample_run(&first, sample_gpt2, 1, 32, 0.1, 0.9);
    for (size_t i = 0; i < 3; i++)
        sample_run(&first, others[i], 2, 64, 0.1, 0.9);
    /* The same group again: its runs join, and a measured cell beats a skipped one. */
    sample_run(&second, sample_gpt2, 1, 32, 0.3, 0.9);
    second.runs[0].timestamp[0] = '3';
    sample_cell(&first, 4, 32, CELL_SKIPPED, "not enough memory");
    sample_cell(&second, 4, 32, CELL_MEASURED, "");
    sample_run(&second, sample_gpt2, 4, 32, 0.3, 0.9);
    const struct results *files[] = {&first, &second};
    build(&analysis, files, 2);
    assert_int_equal(analysis.group_count, 4);
    const struct analysis_group *group = &analysis.groups[0];
    assert_string_equal(group->model_name, "gpt2");
    assert_int_equal(group->file_count, 2);
    assert_int_equal(analysis_cell_at(&analysis, group, 0, 0)->run_count, 2);
    assert_int_equal(analysis_cell_at(&analysis, group, 2, 0)->status, CELL_MEASURED);
    assert_false(analysis_cell_at(&analysis, group, 1, 1)->present);
    /* The skipped cell names no model: it holds for every group of its file. */
    const struct analysis_cell *skipped = analysis_cell_at(&analysis, &analysis.groups[1], 2, 0);
    assert_int_equal(skipped->status, CELL_SKIPPED);
    assert_int_equal(analysis_cell_cause(skipped), CAUSE_MEMORY);
    analysis_free(&analysis);
    results_free(&first);
    results_free(&second);
}

static void test_causes(void **state)
{
    (void)state;
    static const struct {
        enum cell_status status;
        const char *reason;
        enum analysis_cause expected;
    } cases[] = {
        {CELL_SKIPPED, "batch 2 x length 4 = 8 exceeds max_batch_input_product 4", CAUSE_PRODUCT},
        {CELL_SKIPPED, "needs 1073 positions, the model has 1024", CAUSE_POSITIONS},
        {CELL_SKIPPED, "needs 3.1 GB of memory", CAUSE_MEMORY},
        {CELL_SKIPPED, "because", CAUSE_SKIPPED},
        {CELL_FAILED, "out of memory", CAUSE_FAILED_MEMORY},
        {CELL_FAILED, "NaN in the logits", CAUSE_FAILED},
        {CELL_PENDING, "", CAUSE_PENDING},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct analysis_cell cell = {
            .present = true, .status = cases[i].status, .reason = cases[i].reason};
        assert_int_equal(analysis_cell_cause(&cell), cases[i].expected);
    }
}

static void test_words(void **state)
{
    (void)state;
    struct results results;
    small_results(&results);
    results.source_path = strdup("my_run.json");
    const struct results *files[] = {&results};
    char *report = report_of(files, 1);
    static const char *const lines[] = {
        "# Inference performance report\n\n- **Report written:** 2026-01-02T00:00:00+00:00\n"
        "- **First run:** 2026-01-02T03:04:00+00:00\n- **Last run:** 2026-01-02T03:04:07+00:00\n"
        "- **Model:** gpt2 (cpu, float32)\n\n## Summary\n",
        "| Runs                      |             8 |\n",
        "| Cells measured            |             4 |\n",
        "| Cells skipped             |             0 |\n",
        "| Total runtime of all runs |        11.1 s |\n",
        "| Mean latency of a run     |        1.39 s |\n",
        "| Mean throughput of a run  | 11.0 tokens/s |\n",
        "- **Best throughput:** batch 2, length 32: 16.0 tokens/s, latency 1.25 s\n",
        "- **Best latency:** batch 1, length 32: 10.0 tokens/s, latency 1.00 s\n",
        "- **Worst latency:** batch 2, length 64: 9.09 tokens/s, latency 2.20 s\n",
        "|     2 |     32 |    2 |   1.25 ± 0.01 |     200 ± 14 |               117 ± 0 |    "
        "        16.0 ± 0.2 |           80.0 |         506 ± 0 |\n",
        "Means over the input lengths that every row has: 32, 64.\n",
        "- At length 32, throughput grows 1.60-fold from batch 1 to 2, 80 % of perfect scaling; it "
        "has not saturated: the last step still brings 60 % per doubling of the batch.\n",
        "- At length 64, throughput grows 1.00-fold from batch 1 to 2, 50 % of perfect scaling; ",
        "- At batch 1, prefill time grows 2.00-fold from length 32 to 64, as length^1.00; it grows "
        "about in proportion to the length.\n",
        "- At batch 2, a decode step takes 117 ms at length 32 and 200 ms at length 64 (+71 %): "
        "reading the longer KV cache costs that much.\n",
        "- The prefill takes from 10 % of the latency (batch 1, length 32) to 18 % (batch 1, "
        "length 64).\n",
        "- **Most tokens:** run batch 2 with prompts of 32 tokens: 16.0 tokens/s, each request "
        "answered after 1.25 s.\n",
        "- **Fastest answer:** batch 1 and length 32 take 1.00 s, the first token after 100 ms.\n",
        "- **Decode:** in every cell the decode steps take at least half of the latency",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        assert_line(report, lines[i]);
    assert_contains(report, "| my_run.json | tokenmark JSON |    8 |     4 |\n");
    assert_null(strstr(report, "## Comparison"));
    assert_null(strstr(report, "nan"));
    free(report);
    results_free(&results);
}

static void test_comparison(void **state)
{
    (void)state;
    struct results first;
    struct results second;
    small_results(&first);
    results_init(&second);
    struct sample_group fast = {"a|b", "cuda:0", "float16"};
    sample_run(&second, fast, 1, 32, 0.01, 0.09);
    sample_run(&second, fast, 2, 32, 0.025, 0.1);
    const struct results *files[] = {&first, &second};
    char *report = report_of(files, 2);
    assert_contains(report, "## Comparison\n\nGeometric means over the 2 cells that all have, "
                            "relative to gpt2 (cpu, float32)");
    assert_contains(report, "| a\\|b (cuda:0, float16) |  0.100× |");
    assert_contains(report, "- a\\|b (cuda:0, float16) has the lowest latency in 2 of 2 common "
                            "cells.\n");
    assert_contains(report, "### a\\|b (cuda:0, float16)\n");
    free(report);
    results_free(&first);
    results_free(&second);
}

static void test_warnings(void **state)
{
    (void)state;
    struct results results;
    small_results(&results);
    results.origin = RESULTS_PYTHON_SUITE;
    results.source_path = strdup("old.json");
    results.model = json_pack("{s:s, s:s}", "name", "gpt2", "weights", "random");
    results.runs[0].actual_output_length = 5;
    sample_cell(&results, 4, 32, CELL_FAILED, "boom | bang");
    const struct results *files[] = {&results};
    char *report = report_of(files, 1);
    static const char second_prefill[] =
        "- old.json comes from the Python suite: its decode times include a second prefill, and "
        "its tokens/s ignore the batch.";
    static const char *const lines[] = {
        second_prefill,
        "- The weights of gpt2 are random numbers.",
        "has runs of different output lengths",
        "has runs that did not generate as many tokens as asked",
        "- gpt2 (cpu, float32): 1 of 5 cells failed; their reasons are in the table of all cells",
        "failed: boom \\| bang |\n",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        assert_line(report, lines[i]);
    free(report);
    results_free(&results);
}

static void test_degenerate(void **state)
{
    (void)state;
    struct results results;
    const struct results *files[] = {&results};
    struct analysis analysis;
    struct error error = {0};
    results_init(&results);
    assert_int_equal(analysis_build(&analysis, files, 1, &error), ERROR_INPUT);
    assert_contains(error.text, "nothing to analyse");
    /* All skipped. */
    sample_cell(&results, 1, 32, CELL_SKIPPED, "needs 3 TB of memory");
    results.config = json_pack("{s:s}", "device", "cpu");
    char *report = report_of(files, 1);
    assert_contains(report, "- **Model:** unknown model (cpu)\n");
    assert_contains(report, "No cell was measured, so there is nothing to rank.\n");
    assert_contains(report, "- **Not measured:** 1 cell, skipped for lack of memory");
    free(report);
    /* One run whose times are not known, and one single cell beside it. */
    sample_run(&results, sample_gpt2, 1, 64, NAN, NAN);
    sample_run(&results, sample_gpt2, 2, 64, 0.1, 0.9);
    report = report_of(files, 1);
    assert_contains(report, "Fewer than two batch sizes were measured.\n");
    assert_contains(report, "- **Best latency:** batch 2, length 64: 20.0 tokens/s");
    assert_contains(report, "**Spread unknown:** 1 cell has one run only");
    free(report);
    results_free(&results);
}

static void test_too_many_cells(void **state)
{
    (void)state;
    struct results results;
    const struct results *files[] = {&results};
    struct analysis analysis;
    struct error error = {0};
    results_init(&results);
    for (int64_t i = 1; i <= 600; i++)
        sample_cell(&results, i, i, CELL_PENDING, "");
    assert_int_equal(analysis_build(&analysis, files, 1, &error), ERROR_INPUT);
    assert_contains(error.text, "600 batch sizes × 600 input lengths");
    results_free(&results);
}

static void test_trust_and_limits(void **state)
{
    (void)state;
    struct results results;
    const struct results *files[] = {&results};
    results_init(&results);
    sample_cell(&results, 2, 16, CELL_MEASURED, "");
    sample_run(&results, sample_gpt2, 2, 16, 1e-3, 9e-3);
    char *report = report_of(files, 1);
    assert_contains(report, "## Can these numbers be trusted?");
    assert_contains(report, "0 of 1 cell are VALID, 1 NOISY");
    assert_contains(report, "preempted: 12 involuntary context switches in 1.5 s");
    assert_contains(report, verdict_causes[VERDICT_PREEMPTED].advice);
    assert_contains(report, "## How far from the limit");
    /* Floors of 0.32 ms and 0.15 ms; a step of 1 ms. */
    assert_contains(report, "| 50 % | 25 % | compute");
    assert_contains(report, "320 µs");
    assert_contains(report, "15 %");
    assert_contains(report, "29.0, 31.0");
    assert_contains(report, "Energy per token: not available");
    free(report);
    verdict_clear(&results.cells[0].verdict);
    results.cells[0].limits.energy_per_token_j = 2.5;
    report = report_of(files, 1);
    assert_contains(report, "1 of 1 cell is VALID.");
    assert_null(strstr(report, "What to do:"));
    assert_contains(report, "2.5 J per generated token");
    assert_null(strstr(report, "## The GPU beside the runs"));
    free(report);
    results_free(&results);
}

static void test_the_gpu_beside_the_runs(void **state)
{
    (void)state;
    struct results results;
    const struct results *files[] = {&results};
    results_init(&results);
    sample_cell(&results, 2, 16, CELL_MEASURED, "");
    sample_run(&results, sample_gpt2, 2, 16, 1e-3, 9e-3);
    results.cells[0].conditions = (struct device_conditions){
        .power_w = 412.4,
        .energy_per_token_j = 0.25,
        .core_mhz = 1755,
        .temperature_c = 71,
        .other_processes = 1,
        .energy_source = "counter",
        .throttle_reasons = "power limit",
    };
    char *report = report_of(files, 1);
    assert_contains(report, "## The GPU beside the runs");
    assert_contains(report, "0.25 |     412 |   1755 |        n/a |        71 | power limit");
    assert_contains(report, "by its energy counter.");
    assert_null(strstr(report, "Energy per token: not available"));
    free(report);
    (void)snprintf(results.cells[0].conditions.energy_source, RECORD_WORD_MAX, "power");
    report = report_of(files, 1);
    assert_contains(report, "by mean power times time");
    free(report);
    /* None and not known are two things. */
    results.cells[0].conditions.other_processes = 0;
    report = report_of(files, 1);
    assert_contains(report, "power limit      |             n/a |");
    free(report);
    results.runs[0].conditions.device.other_processes = 0;
    report = report_of(files, 1);
    assert_contains(report, "power limit      |               0 |");
    free(report);
    results_free(&results);
}

/* Older files and CSV files know nothing of either. */
static void test_without_trust_and_limits(void **state)
{
    (void)state;
    struct results results;
    const struct results *files[] = {&results};
    results_init(&results);
    sample_run(&results, sample_gpt2, 2, 16, 1e-3, 9e-3);
    char *report = report_of(files, 1);
    assert_null(strstr(report, "Can these numbers"));
    assert_null(strstr(report, "How far from the limit"));
    free(report);
    results_free(&results);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_figures),
        cmocka_unit_test(test_batch_scaling),
        cmocka_unit_test(test_length_scaling),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_causes),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_comparison),
        cmocka_unit_test(test_warnings),
        cmocka_unit_test(test_degenerate),
        cmocka_unit_test(test_too_many_cells),
        cmocka_unit_test(test_trust_and_limits),
        cmocka_unit_test(test_without_trust_and_limits),
        cmocka_unit_test(test_the_gpu_beside_the_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
