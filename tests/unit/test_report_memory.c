/* The report's table of predicted and measured memory. */
#include "report_sample.h"

#include "report/analysis.h"
#include "report/format.h"
#include "report/report_text.h"

static char *section_of(const struct results *const *files, size_t count)
{
    struct analysis analysis;
    struct text text = {0};
    struct error error = {0};
    assert_int_equal(analysis_build(&analysis, files, count, &error), 0);
    report_memory(&text, &analysis);
    assert_false(text.failed);
    analysis_free(&analysis);
    if (text.data == NULL)
        text_append(&text, "");
    return text.data;
}

static struct cell_record *last_cell(struct results *results)
{
    return &results->cells[results->cell_count - 1];
}

static void test_every_cell_has_a_line(void **state)
{
    (void)state;
    struct results results;
    const struct results *files[] = {&results};
    results_init(&results);
    sample_cell(&results, 2, 100, CELL_MEASURED, "");
    sample_run(&results, sample_gpt2, 2, 100, 1e-3, 9e-3);
    sample_cell(&results, 4, 100, CELL_FAILED, "out of memory: ...");
    sample_cell(&results, 8, 1000000, CELL_SKIPPED, "needs too much memory");
    char *section = section_of(files, 1);
    assert_contains(section, "## Memory");
    /* 480 + 20 + 5 MB predicted, 520 measured. */
    assert_contains(section, "|     2 |     100 | 480.0 MB |  20.0 MB |    5.0 MB |  505.0 MB | "
                             "520.0 MB |                 1.03 |\n");
    assert_contains(section, "|     4 |     100 | 480.0 MB |  40.0 MB |    5.0 MB |  525.0 MB |   "
                             "failed |                    - |\n");
    assert_contains(section, "|     8 | 1000000 | 480.0 MB | 781.2 GB |    5.0 MB |  781.7 GB |  "
                             "skipped |                    - |\n");
    free(section);
    results_free(&results);
}

/* What is in use on the device is held against a prediction for the device. */
static void test_memory_of_a_device(void **state)
{
    (void)state;
    struct results results;
    const struct results *files[] = {&results};
    results_init(&results);
    sample_cell(&results, 1, 100, CELL_MEASURED, "");
    sample_prediction(last_cell(&results), "device");
    sample_run(&results, (struct sample_group){"gpt2", "cuda:0", "float16"}, 1, 100, 1e-3, 9e-3);
    results.runs[0].gpu_memory_allocated_mb = 495;
    results.runs[0].gpu_memory_reserved_mb = 800;
    char *section = section_of(files, 1);
    assert_contains(section, "|  495.0 MB | 495.0 MB |                 1.00 |\n");
    free(section);
    results_free(&results);
}

/* A file without predictions says nothing; beside another one its cells have no line. */
static void test_files_without_predictions(void **state)
{
    (void)state;
    struct results old, new;
    const struct results *one[] = {&old}, *both[] = {&old, &new};
    results_init(&old);
    results_init(&new);
    sample_cell(&old, 2, 100, CELL_MEASURED, "");
    last_cell(&old)->prediction = (struct cell_prediction){0};
    sample_run(&old, sample_gpt2, 2, 100, 1e-3, 9e-3);
    char *section = section_of(one, 1);
    assert_string_equal(section, "");
    free(section);

    sample_cell(&new, 1, 100, CELL_MEASURED, "");
    sample_run(&new, sample_gpt2, 1, 100, 1e-3, 8e-3);
    section = section_of(both, 2);
    assert_contains(section, "|     1 |    100 |");
    assert_null(strstr(section, "|     2 |"));
    free(section);
    results_free(&old);
    results_free(&new);
}

static void test_units(void **state)
{
    (void)state;
    char text[FORMAT_MAX];
    format_memory(text, 0.04);
    assert_string_equal(text, "0.0 MB");
    format_memory(text, 8191.5);
    assert_string_equal(text, "8191.5 MB");
    format_memory(text, 10240);
    assert_string_equal(text, "10.0 GB");
    format_memory(text, NAN);
    assert_string_equal(text, "n/a");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_cell_has_a_line),
        cmocka_unit_test(test_memory_of_a_device),
        cmocka_unit_test(test_files_without_predictions),
        cmocka_unit_test(test_units),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
