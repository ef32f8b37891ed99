/* The report's words and picture of where the time goes, and runs that come in two files. */
#include "report_sample.h"

#include "report/analysis.h"
#include "report/report_text.h"

/* The section's text where the files hold one; "" otherwise. */
static void write_section(struct text *out, const struct results *const *files, size_t count)
{
    struct analysis analysis;
    struct error error = {0};
    assert_int_equal(analysis_build(&analysis, files, count, &error), 0);
    report_breakdown(out, &analysis);
    assert_false(out->failed);
    analysis_free(&analysis);
}

static void test_words_follow_from_the_numbers(void **state)
{
    (void)state;
    struct results results;
    const struct results *files[] = {&results};
    struct text text = {0};
    results_init(&results);
    sample_grid(&results, sample_gpt2, 1, 3, 2);
    write_section(&text, files, 1);
    assert_string_equal(text_string(&text), "");

    sample_breakdowns(&results);
    struct breakdown_times *other = &results.cells[1].breakdown.phases[BREAKDOWN_PREFILL];
    other->component_s[BREAKDOWN_MLP] = 0.1; /* sum 0.7 */
    other->undisturbed_s = 0.56;
    write_section(&text, files, 1);
    const char *section = text_string(&text);
    assert_contains(section, "## Where the time goes\n");
    assert_contains(section, "largest part of the prefill is **MLP** in 1 of 2 cells: 40 %.\n");
    assert_contains(section, "largest part of the prefill is **Attention projections** in 1 of 2 "
                             "cells: 36 %.\n");
    assert_contains(section, "largest part of a decode step is **Head** in 2 of 2 cells: 60 %.\n");
    assert_contains(section, "components of the prefill differs by +0.0 to +25.0 % from the "
                             "undisturbed time");
    assert_contains(section, "in 1 of 2 cells the difference is above 10 %");
    assert_contains(section, "components of a decode step differs by +0.0 % from");
    assert_contains(section, "|     1 |     16 |           5.0 |                      25.0 |");
    assert_contains(section, "|     1000 |             1000 |           +0.0 |\n");
    assert_contains(section, "|      700 |              560 |          +25.0 |\n");
    text_free(&text);
    results_free(&results);
}

static void test_one_token_has_no_table_of_steps(void **state)
{
    (void)state;
    struct results results;
    const struct results *files[] = {&results};
    struct text text = {0};
    results_init(&results);
    sample_grid(&results, sample_gpt2, 1, 1, 1);
    sample_breakdowns(&results);
    results.cells[0].breakdown.phases[BREAKDOWN_PREFILL].undisturbed_s = 0;
    results.cells[0].breakdown.phases[BREAKDOWN_DECODE_STEP] = (struct breakdown_times){0};
    write_section(&text, files, 1);
    assert_contains(text_string(&text), "**Prefill**");
    assert_null(strstr(text_string(&text), "part of a decode step"));
    assert_null(strstr(text_string(&text), "differs by")); /* from what is not known */
    text_free(&text);
    results_free(&results);
}

static void test_picture(void **state)
{
    (void)state;
    static const char *const picture = "analysis_plots/component_breakdown.png";
    struct results results;
    const struct results *files[] = {&results};
    struct text notices = {0};
    struct error error = {0};
    char folder[64];
    if (system("gnuplot -d -e exit >/dev/null 2>&1") != 0)
        skip();
    results_init(&results);
    sample_folder_make(folder);
    sample_grid(&results, sample_gpt2, 2, 3, 2);
    sample_breakdowns(&results);
    const struct report_options options = {
        .output_dir = folder, .notice = sample_notice, .notice_context = &notices};
    assert_int_equal(report_write(files, 1, &options, &error), 0);
    assert_true(sample_exists(folder, picture));
    char *report = sample_read(folder, "analysis_report.md");
    assert_contains(report, "](analysis_plots/component_breakdown.png)");
    free(report);

    /* Without data there is none, also none of another analysis, and no word about it. */
    for (size_t i = 0; i < results.cell_count; i++)
        results.cells[i].breakdown = (struct breakdown){0};
    assert_int_equal(report_write(files, 1, &options, &error), 0);
    assert_false(sample_exists(folder, picture));
    assert_null(strstr(text_string(&notices), "component_breakdown"));
    report = sample_read(folder, "analysis_report.md");
    assert_null(strstr(report, "component_breakdown"));
    assert_null(strstr(report, "Where the time goes"));
    free(report);
    sample_folder_remove(folder);
    text_free(&notices);
    results_free(&results);
}

/* As a CSV: without cells of its own and step times. */
static void copy_runs(struct results *copy, const struct results *from)
{
    struct text text = {0};
    struct error error = {0};
    assert_int_equal(results_write_csv(from, &text, &error), 0);
    assert_int_equal(results_parse_csv(copy, text_string(&text), text.length, "copy", &error), 0);
    text_free(&text);
}

static void test_runs_in_two_files_count_once(void **state)
{
    (void)state;
    struct results json, csv;
    struct analysis analysis;
    struct error error = {0};
    struct text text = {0};
    results_init(&json);
    sample_grid(&json, sample_gpt2, 2, 2, 3); /* the last cell is skipped: 9 runs */
    copy_runs(&csv, &json);
    csv.source_path = strdup("a.csv");
    const struct results *const orders[][2] = {{&json, &csv}, {&csv, &json}};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(analysis_build(&analysis, orders[i], 2, &error), 0);
        assert_int_equal(analysis.group_count, 1);
        assert_int_equal(analysis.groups[0].run_count, 9);
        assert_int_equal(analysis.groups[0].cells[0].run_count, 3);
        assert_int_equal(
            analysis_repeated_count(&analysis, 0) + analysis_repeated_count(&analysis, 1), 9);
        /* Those that know their steps stay, whichever come first. */
        size_t with_steps = 0;
        for (size_t r = 0; r < 9; r++)
            with_steps += analysis.groups[0].runs[r].decode_step_count > 0;
        assert_int_equal(with_steps, 9);
        analysis_free(&analysis);
    }

    assert_int_equal(analysis_build(&analysis, orders[0], 2, &error), 0);
    assert_int_equal(analysis.groups[0].file_count, 1);
    report_sources(&text, &analysis);
    assert_contains(text_string(&text),
                    "- 9 of the 9 runs of a.csv are in another file too: they are counted once.\n");
    text_free(&text);
    analysis_free(&analysis);

    /* Another time or number is another run; so is one without a time. */
    csv.runs[0].timestamp[0] = '3';
    csv.runs[1].run_number = 77;
    csv.runs[2].timestamp[0] = json.runs[2].timestamp[0] = '\0';
    assert_int_equal(analysis_build(&analysis, orders[0], 2, &error), 0);
    assert_int_equal(analysis.groups[0].run_count, 12);
    assert_int_equal(analysis.groups[0].file_count, 2);
    analysis_free(&analysis);
    results_free(&json);
    results_free(&csv);
}

static void test_equal_runs_of_one_file_stay(void **state)
{
    (void)state;
    struct results results;
    const struct results *files[] = {&results};
    struct analysis analysis;
    struct error error = {0};
    results_init(&results);
    sample_cell(&results, 1, 16, CELL_MEASURED, "");
    for (int i = 0; i < 61; i++) /* the sample's time stamps repeat after 60 */
        sample_run(&results, sample_gpt2, 1, 16, 0.1, 0.2);
    assert_int_equal(analysis_build(&analysis, files, 1, &error), 0);
    assert_int_equal(analysis.groups[0].run_count, 61);
    analysis_free(&analysis);
    results_free(&results);
}

static void test_lists_have_commas(void **state)
{
    (void)state;
    struct results results;
    const struct results *files[] = {&results};
    struct analysis analysis;
    struct error error = {0};
    struct text text = {0};
    results_init(&results);
    for (int64_t batch = 1; batch <= 2; batch++) {
        for (int64_t length = 32; length <= 128; length *= 2) {
            sample_cell(&results, batch, length, CELL_MEASURED, "");
            sample_run(&results, sample_gpt2, batch, length, 0.1, 0.2);
        }
    }
    assert_int_equal(analysis_build(&analysis, files, 1, &error), 0);
    report_impact(&text, &analysis, true);
    assert_contains(text_string(&text),
                    "Means over the input lengths that every row has: 32, 64, 128.\n");
    text_free(&text);
    analysis_free(&analysis);
    results_free(&results);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words_follow_from_the_numbers),
        cmocka_unit_test(test_one_token_has_no_table_of_steps),
        cmocka_unit_test(test_picture),
        cmocka_unit_test(test_runs_in_two_files_count_once),
        cmocka_unit_test(test_equal_runs_of_one_file_stay),
        cmocka_unit_test(test_lists_have_commas),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
