/* tokenmark analyze: from what bench wrote to a report and pictures, and what is no results file
 * refused by name. */
#include "program.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define RUNS " --batch-sizes 1,2 --input-lengths 8,16 --output-length 5 --num-runs 2 "

static int measure_once(void **state)
{
    if (program_setup(state) != 0)
        return -1;
    static struct outcome outcome;
    program_run(&outcome, "$T bench --output-file one" RUNS FAKE);
    return outcome.exit_code;
}

static void writes_a_report(void **state)
{
    (void)state;
    static const struct program_case cases[] = {
        {"$T analyze one.json --report-only --output-dir words", 0, "words/analysis_report.md",
         NULL},
        {"test ! -e words/analysis_plots && grep -c '^#' words/analysis_report.md", 0, "", NULL},
        {"$T analyze one.json --report-only --output-dir words", 0, "best throughput", NULL},
        {"$T analyze one.json --no-plots --output-dir=words", 0, "best latency", NULL},
        {"$T analyze one.csv --report-only --output-dir words", 0, "tokens/s at batch 2", NULL},
        {"$T analyze one.json one.csv --report-only --output-dir a/b", 0, "a/b/analysis_report.md",
         NULL},
        {"mkdir default && cd default && $T analyze ../one.json --report-only", 0,
         "analysis_output/analysis_report.md", NULL},
    };
    program_check(cases, COUNT(cases));
}

static void draws_pictures(void **state)
{
    (void)state;
    static struct outcome outcome;
    program_run(&outcome, "command -v gnuplot");
    if (outcome.exit_code != 0)
        skip();
    static const char *const plots[] = {
        "latency_heatmap", "throughput_heatmap",     "batch_size_scaling", "input_length_scaling",
        "time_breakdown",  "performance_comparison", "memory_usage",       "time_vs_batched_tokens",
    };
    program_expect(&outcome, "$T analyze one.json --output-dir pictures", 0);
    for (size_t i = 0; i < COUNT(plots); i++) {
        char path[128], bytes[16];
        (void)snprintf(path, sizeof path, "pictures/analysis_plots/%s.png", plots[i]);
        program_read(path, bytes, sizeof bytes);
        assert_memory_equal(bytes, "\x89PNG", 4);
    }
}

static void works_without_gnuplot(void **state)
{
    (void)state;
    static struct outcome outcome;
    program_expect(&outcome,
                   "mkdir nothing; PATH=$PWD/nothing $T analyze one.json --output-dir bare", 0);
    assert_contains(outcome.out, "gnuplot");
    assert_true(program_has_file("bare/analysis_report.md"));
}

static void older_suite_is_read_with_a_warning(void **state)
{
    (void)state;
    static const char runs[] =
        "[{\"model_name\": \"gpt2\", \"device\": \"cpu\", \"batch_size\": 2, \"input_length\": 8,"
        " \"target_output_length\": 5, \"actual_output_length\": 5, \"run_number\": 1,"
        " \"total_latency\": 1.0, \"prefill_time\": 0.25, \"decode_time\": 0.75,"
        " \"decode_time_per_token\": 0.1875, \"decode_tokens_count\": 4,"
        " \"tokens_per_second\": 5.0, \"temperature\": 1.0, \"top_p\": 0.9,"
        " \"timestamp\": \"2025-01-01T00:00:00\"}]\n";
    FILE *file = fopen("old.json", "w");
    assert_non_null(file);
    (void)fputs(runs, file);
    assert_int_equal(fclose(file), 0);
    static const struct program_case cases[] = {
        /* Batch 2 times 5 tokens in 1 s: the rate is computed anew. */
        {"$T analyze old.json --report-only", 0, "best throughput  10.00 tokens/s",
         "second prefill"},
    };
    program_check(cases, COUNT(cases));
}

static void other_files_are_refused(void **state)
{
    (void)state;
    static const struct program_case cases[] = {
        {": >zero.json; $T analyze zero.json", 2, NULL, "zero.json"},
        {"echo '{}' >object.json; $T analyze object.json", 2, NULL, "object.json"},
        {"echo '{\"a\": ' >cut.json; $T analyze cut.json", 2, NULL, "cut.json"},
        {"head -c 600 one.json >half.json; $T analyze half.json", 2, NULL, "half.json"},
        {"head -c 4000 /dev/urandom >noise.json; $T analyze noise.json", 2, NULL, "noise.json"},
        {"$T config --create quick_test --output cfg.json >/dev/null; $T analyze cfg.json", 2, NULL,
         "cfg.json"},
        {"$T analyze .", 2, NULL, ".:"},
        {"$T analyze one.json missing.csv", 2, NULL, "missing.csv"},
        {"echo text >file; $T analyze one.json --report-only --output-dir file", 2, NULL, "file"},
        {"$T analyze one.json --output-dirr x", 2, NULL, "did you mean '--output-dir'?"},
    };
    program_check(cases, COUNT(cases));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_a_report),
        cmocka_unit_test(draws_pictures),
        cmocka_unit_test(works_without_gnuplot),
        cmocka_unit_test(older_suite_is_read_with_a_warning),
        cmocka_unit_test(other_files_are_refused),
    };
    return cmocka_run_group_tests(tests, measure_once, program_teardown);
}
