/* tokenmark limits and doctor, and what bench says of limits and verdicts; a really disturbed
 * measurement is called NOISY. */
#include "program.h"

#include <jansson.h>
#include <sched.h>

static struct outcome outcome;

static json_t *parse_output(void)
{
    json_error_t error;
    json_t *document = json_loads(outcome.out, 0, &error);
    if (document == NULL)
        fail_msg("line %d: %s\n%s", error.line, error.text, outcome.out);
    return document;
}

static void limits_say_what_the_script_allows(void **state)
{
    (void)state;
    program_expect(&outcome, "$T limits --device fake --json", 0);
    json_t *document = parse_output();
    const json_t *bandwidth = json_object_get(document, "read_bandwidth");
    const json_t *multiply = json_object_get(document, "multiply_add");
    assert_int_equal(json_array_size(bandwidth), 6);
    assert_int_equal(json_array_size(multiply), 5); /* a reading for each compute type */
    double last = json_number_value(json_object_get(json_array_get(bandwidth, 5), "gb_per_s"));
    assert_true(last > 100.0 && last <= 1000.0); /* 1 GB at 1 TB/s, and the sleep's delay */
    json_decref(document);
    program_expect(&outcome, "$T limits --device fake", 0);
    assert_contains(outcome.out, "GB/s");
    assert_contains(outcome.out, "bfloat16");
}

static void the_peak_is_kept(void **state)
{
    (void)state;
    program_expect(&outcome, "$T limits --device cpu --threads 1 --json", 0);
    json_t *document = parse_output();
    double best = json_number_value(
        json_object_get(json_array_get(json_object_get(document, "multiply_add"), 0), "best"));
    assert_true(best > 0.0);
    json_decref(document);
    char kept[4096];
    program_read("tokenmark/peaks.json", kept, sizeof kept);
    assert_contains(kept, "|float32|1\": ");
    assert_contains(kept, "|int8|1\": ");
    assert_contains(kept, "|int4|1\": ");
    /* A damaged file is measured anew. */
    program_expect(&outcome,
                   "echo '{' > tokenmark/peaks.json && $T bench --model " TEST_SOURCE_DIR
                   "/tests/golden/gpt2 "
                   "--device cpu --isa c --threads 1 --batch-sizes 1 --input-lengths 4 "
                   "--output-length 2 --num-runs 1 --output-file kept",
                   0);
    program_read("tokenmark/peaks.json", kept, sizeof kept);
    assert_contains(kept, "|c|float32|1\": ");
}

static void doctor_warns_with_advice(void **state)
{
    (void)state;
    program_expect(&outcome, "$T doctor --threads 1000 --isa c", 0);
    assert_contains(outcome.out, "findings");
    assert_contains(outcome.out, "compiler");
    assert_contains(outcome.out, "1000 threads on ");
    assert_contains(outcome.out, "threads cannot be bound");
    program_expect(&outcome, "$T doctor --json --pin off", 0);
    json_t *document = parse_output();
    assert_true(json_is_object(json_object_get(document, "system")));
    const json_t *findings = json_object_get(document, "findings");
    bool found = false;
    for (size_t i = 0; i < json_array_size(findings); i++) {
        const json_t *item = json_array_get(findings, i);
        found = found || strcmp(json_string_value(json_object_get(item, "name")), "pinning") == 0;
        assert_true(json_string_length(json_object_get(item, "advice")) > 0);
    }
    assert_true(found);
    json_decref(document);
}

static void words_are_refused_as_everywhere(void **state)
{
    (void)state;
    static const struct program_case cases[] = {
        {"$T limits --threads 0", 2, NULL, "--threads"},
        {"$T limits --isa nonsense", 2, NULL, "nonsense"},
        {"$T limits gpt2", 2, NULL, "gpt2"},
        {"$T doctor --pin maybe", 2, NULL, "on"},
        {"$T docter", 2, NULL, "doctor"},
        {"$T limits --help", 0, "tokenmark limits", NULL},
    };
    program_check(cases, sizeof cases / sizeof cases[0]);
}

static void a_cell_shows_limits_and_verdict(void **state)
{
    (void)state;
    program_expect(&outcome,
                   "$T bench" FAKE "--batch-sizes 1 --input-lengths 8 --output-length 4 "
                   "--num-runs 1 --output-file one",
                   0);
    assert_contains(outcome.out, "verdict");
    assert_contains(outcome.out, "NOISY");
    assert_contains(outcome.out, "single run: spread unknown");
    assert_contains(outcome.out, "--num-runs 3");
    assert_contains(outcome.out, "MBU");
    json_error_t error;
    json_t *document = json_load_file("one.json", 0, &error);
    assert_non_null(document);
    const json_t *cell = json_array_get(json_object_get(document, "cells"), 0);
    assert_string_equal(json_string_value(json_object_get(cell, "bound")), "memory");
    assert_true(json_number_value(json_object_get(cell, "mbu")) > 0.0);
    assert_true(json_number_value(json_object_get(cell, "mfu")) > 0.0);
    assert_int_equal(json_array_size(json_object_get(cell, "bandwidth_gb_per_s")), 2);
    const json_t *system = json_object_get(document, "system");
    assert_true(json_is_object(json_object_get(system, "build")));
    json_decref(document);
}

/* Keeps the first CPU of this process' mask busy until it is killed. */
static pid_t start_neighbour(const cpu_set_t *cpu)
{
    pid_t child = fork();
    if (child != 0)
        return child;
    (void)sched_setaffinity(0, sizeof *cpu, cpu);
    for (volatile unsigned long i = 0;; i++)
        continue;
}

/* What disturbs is beyond doubt: one thread, bound to a CPU that another process keeps busy. */
static void a_disturbed_measurement_is_noisy(void **state)
{
    (void)state;
    cpu_set_t mine, one;
    if (sched_getaffinity(0, sizeof mine, &mine) != 0)
        skip();
    int cpu = 0;
    while (cpu < CPU_SETSIZE && !CPU_ISSET(cpu, &mine))
        cpu++;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    bool named = false;
    for (int attempt = 0; attempt < 3 && !named; attempt++) {
        pid_t neighbour = start_neighbour(&one);
        assert_true(neighbour > 0);
        char line[512];
        (void)snprintf(line, sizeof line,
                       "taskset -c %d $T bench --model " TEST_SOURCE_DIR
                       "/tests/golden/gpt2 --device cpu "
                       "--batch-sizes 512 --input-lengths 32 --output-length 32 --num-runs 4 "
                       "--threads 1 --output-file noisy%d",
                       cpu, attempt);
        program_run(&outcome, line);
        (void)kill(neighbour, SIGKILL);
        (void)waitpid(neighbour, NULL, 0);
        if (outcome.exit_code == 127)
            skip(); /* no taskset */
        assert_int_equal(outcome.exit_code, 0);
        named = strstr(outcome.out, "NOISY") != NULL &&
                strstr(outcome.out, "involuntary context switches") != NULL;
    }
    if (!named)
        fail_msg("the neighbour was not noticed:\n%s", outcome.out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_say_what_the_script_allows),
        cmocka_unit_test(the_peak_is_kept),
        cmocka_unit_test(doctor_warns_with_advice),
        cmocka_unit_test(words_are_refused_as_everywhere),
        cmocka_unit_test(a_cell_shows_limits_and_verdict),
        cmocka_unit_test(a_disturbed_measurement_is_noisy),
    };
    return cmocka_run_group_tests(tests, program_setup, program_teardown);
}
