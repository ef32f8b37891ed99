/* The GPU beside runs as a person sees it: the emulated engine with a management library that plays
 * a quiet card, every disturbance, old drivers and errors. */
#include "cli/program.h"

#include <jansson.h>

#define NVML(script) "LD_LIBRARY_PATH=" TEST_FAKE_DRIVER " TOKENMARK_FAKE_NVML=" script " "
#define BENCH                                                                                      \
    "$T bench --model " TEST_SOURCE_DIR "/tests/golden/gpt2 --device emu --batch-sizes 1 "         \
    "--input-lengths 4 --output-length 4 --num-runs 3 --force --output-file run"
/* No room for readings of the bandwidth, which take an emulator longest. */
#define SMALL "CUDA_EMULATOR=capacity=8388608"

static struct outcome outcome;

static json_t *load_run(void)
{
    json_error_t error;
    json_t *document = json_load_file("run.json", 0, &error);
    if (document == NULL)
        fail_msg("line %d: %s", error.line, error.text);
    return document;
}

static json_t *parse_output(void)
{
    json_error_t error;
    json_t *document = json_loads(outcome.out, 0, &error);
    if (document == NULL)
        fail_msg("line %d: %s\n%s", error.line, error.text, outcome.out);
    return document;
}

static const json_t *only_cell(const json_t *document)
{
    return json_array_get(json_object_get(document, "cells"), 0);
}

static const json_t *first_run(const json_t *document)
{
    return json_array_get(json_object_get(document, "runs"), 0);
}

static double number_of(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

/* Is a cause that speaks of the GPU among the reasons? */
static const char *gpu_reason(const json_t *document, const char *cause)
{
    const json_t *reasons = json_object_get(only_cell(document), "verdict_reasons");
    for (size_t i = 0; i < json_array_size(reasons); i++) {
        const json_t *item = json_array_get(reasons, i);
        if (strncmp(text_of(item, "cause"), cause, strlen(cause)) == 0) {
            assert_true(json_string_length(json_object_get(item, "advice")) > 0);
            return text_of(item, "text");
        }
    }
    return NULL;
}

/* The card's used memory grows by 300 MiB when this process gets its context. */
static void the_context_is_reserved_memory(void **state)
{
    (void)state;
    static const char *const scripts[] = {NVML("used=1000000000"),
                                          NVML("used=1000000000/1314572800")};
    double reserved[2];
    for (int i = 0; i < 2; i++) {
        char line[1024];
        (void)snprintf(line, sizeof line, "%s%s", scripts[i], SMALL " " BENCH);
        program_expect(&outcome, line, 0);
        json_t *document = load_run();
        reserved[i] = number_of(json_object_get(first_run(document), "memory_usage"),
                                "gpu_memory_reserved_mb");
        json_decref(document);
    }
    assert_close(reserved[1] - reserved[0], 300, 1e-6);
}

static void a_quiet_card_is_on_record(void **state)
{
    (void)state;
    program_expect(&outcome, NVML("") BENCH, 0);
    assert_contains(outcome.out, "emu:0, Emulated GPU, driver 580.65.06");
    json_t *document = load_run();
    const json_t *run = first_run(document), *cell = only_cell(document);
    const json_t *gpu = json_object_get(json_object_get(document, "system"), "gpu");
    assert_null(gpu_reason(document, "gpu"));
    assert_string_equal(text_of(gpu, "driver_version"), "580.65.06");
    assert_string_equal(text_of(gpu, "nvml"), "available");
    assert_close(number_of(gpu, "power_limit_w"), 700, 0);
    assert_close(number_of(gpu, "max_sm_mhz"), 1980, 0);
    assert_true(json_is_true(json_object_get(gpu, "persistence_mode")));
    assert_true(json_is_false(json_object_get(gpu, "mig")));
    assert_close(number_of(gpu, "memory_total_mb"), 81920, 0);
    assert_null(
        json_object_get(json_object_get(json_object_get(document, "system"), "engine"), "gpu"));
    assert_close(number_of(run, "gpu_power_w"), 350, 1e-9);
    assert_close(number_of(run, "gpu_sm_mhz"), 1980, 0);
    assert_close(number_of(run, "gpu_memory_mhz"), 2619, 0);
    assert_close(number_of(run, "gpu_temperature_c"), 55, 0);
    assert_close(number_of(run, "gpu_memory_used_mb"), 1024, 0);
    assert_true(json_is_number(json_object_get(run, "gpu_other_processes")));
    assert_close(number_of(run, "gpu_other_processes"), 0, 0);
    assert_string_equal(text_of(run, "gpu_throttle_reasons"), "none seen");
    assert_string_equal(text_of(cell, "gpu_throttle_reasons"), "none seen");
    assert_close(number_of(cell, "gpu_power_w"), 350, 1e-9);
    /* The counter stood still. */
    assert_string_equal(text_of(run, "gpu_energy_source"), "power");
    json_decref(document);
}

static void the_counter_is_the_energy(void **state)
{
    (void)state;
    program_expect(&outcome, NVML("energy=+4000") BENCH, 0);
    json_t *document = load_run();
    for (size_t i = 0; i < 3; i++) {
        const json_t *run = json_array_get(json_object_get(document, "runs"), i);
        assert_close(number_of(run, "gpu_energy_j"), 4, 1e-9);
        assert_string_equal(text_of(run, "gpu_energy_source"), "counter");
    }
    assert_close(number_of(only_cell(document), "gpu_energy_per_token_j"), 1, 1e-9);
    assert_string_equal(text_of(only_cell(document), "gpu_energy_source"), "counter");
    json_decref(document);
    program_expect(&outcome, "$T analyze run.json --output-dir out --no-plots", 0);
    program_expect(&outcome, "cat out/analysis_report.md", 0);
    assert_contains(outcome.out, "J per generated token");
    assert_contains(outcome.out, "energy counter");
}

/* Several at a time, each with a reason of its own. */
static void every_disturbance_is_named_with_advice(void **state)
{
    (void)state;
    static const struct {
        const char *script;
        const char *found[4][2]; /* cause, text */
    } cases[] = {
        {"others=2,throttle=0x20,cap=+60000000000,sm=1980/1980/1980/1980/1500",
         {{"gpu shared", "2 other processes computed on the GPU"},
          {"gpu throttled", "heat by driver"},
          {"gpu power limit", "held down for"},
          {"gpu clocks", "SM clock was 1500 to 1980 MHz"}}},
        {"others=80,throttle=0x4,heat=+60000000000,mem=2619/2619/2619/2619/1593",
         {{"gpu shared", "80 other processes"},
          {"gpu throttled", "held down for"},
          {"gpu power limit", "beside 3 of 3 runs"},
          {"gpu clocks", "memory clock was 1593 to 2619 MHz"}}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char line[2048];
        (void)snprintf(line, sizeof line, NVML("%s") BENCH, cases[i].script);
        program_expect(&outcome, line, 0);
        assert_contains(outcome.out, "NOISY");
        json_t *document = load_run();
        for (size_t k = 0; k < 4; k++) {
            const char *reason = gpu_reason(document, cases[i].found[k][0]);
            if (reason == NULL)
                fail_msg("%s: no %s\n%s", cases[i].script, cases[i].found[k][0], outcome.out);
            assert_contains(reason, cases[i].found[k][1]);
            assert_contains(outcome.out, reason);
        }
        json_decref(document);
    }
}

/* One bit of the library's a run; the first reading is that of `system`. */
static void throttle_reasons_are_told_by_name(void **state)
{
    (void)state;
    static const char *const names[] = {"none seen",         "clocks set", "power limit",
                                        "hardware slowdown", "sync boost", "heat by driver",
                                        "heat by hardware",  "power brake"};
    enum { RUNS = sizeof names / sizeof names[0] };
    program_expect(&outcome,
                   NVML("throttle=0/1/1/2/2/4/4/8/8/16/16/32/32/64/64/128/128") BENCH
                   " --num-runs 8 --passes 1",
                   0);
    json_t *document = load_run();
    for (size_t i = 0; i < RUNS; i++) {
        const json_t *run = json_array_get(json_object_get(document, "runs"), i);
        assert_string_equal(text_of(run, "gpu_throttle_reasons"), names[i]);
    }
    assert_string_equal(text_of(only_cell(document), "gpu_throttle_reasons"),
                        "power limit, heat by driver, heat by hardware, hardware slowdown, power "
                        "brake, clocks set, sync boost");
    assert_contains(gpu_reason(document, "gpu throttled"), "beside 5 of 8 runs");
    assert_contains(gpu_reason(document, "gpu power limit"), "beside 1 of 8 runs");
    json_decref(document);
}

static void clocks_that_are_set_are_no_reason(void **state)
{
    (void)state;
    program_expect(&outcome, NVML("throttle=0x3") BENCH, 0);
    json_t *document = load_run();
    assert_null(gpu_reason(document, "gpu"));
    json_decref(document);
}

static void an_old_driver_shows_less(void **state)
{
    (void)state;
    program_expect(&outcome,
                   "LD_LIBRARY_PATH=" TEST_FAKE_DRIVER "/old TOKENMARK_FAKE_NVML=others=1 " BENCH,
                   0);
    json_t *document = load_run();
    const json_t *run = first_run(document);
    const json_t *gpu = json_object_get(json_object_get(document, "system"), "gpu");
    assert_string_equal(text_of(gpu, "driver_version"), "390.157");
    assert_true(json_is_null(json_object_get(gpu, "power_limit_w")));
    assert_true(json_is_null(json_object_get(gpu, "mig")));
    assert_string_equal(text_of(run, "gpu_energy_source"), "power");
    assert_close(number_of(run, "gpu_energy_j"), 350 * number_of(run, "total_latency"), 1e-6);
    assert_null(json_object_get(run, "gpu_heat_throttled_s"));
    assert_contains(gpu_reason(document, "gpu shared"), "1 other process");
    json_decref(document);
}

static void what_fails_is_not_known(void **state)
{
    (void)state;
    program_expect(
        &outcome,
        NVML("power=E3,energy=E3,sm=E15,temp=E3,throttle=E3,others=E4,used=E999,limit=E3,"
             "ecc=E3") BENCH,
        0);
    json_t *document = load_run();
    const json_t *run = first_run(document);
    static const char *const unknown[] = {
        "gpu_power_w",         "gpu_energy_j",         "gpu_sm_mhz",         "gpu_temperature_c",
        "gpu_other_processes", "gpu_throttle_reasons", "gpu_memory_used_mb", "gpu_energy_source"};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
        assert_null(json_object_get(run, unknown[i]));
    assert_close(number_of(run, "gpu_memory_mhz"), 2619, 0);
    assert_null(gpu_reason(document, "gpu"));
    json_decref(document);
    /* A container that shows no process does not show this one either. */
    program_expect(&outcome, NVML("others=99") BENCH, 0);
    document = load_run();
    assert_null(json_object_get(first_run(document), "gpu_other_processes"));
    json_decref(document);
}

/* MIG: the card's memory and processes are not those of the part that this process has. */
static void a_part_of_a_card_knows_no_neighbours(void **state)
{
    (void)state;
    program_expect(&outcome, NVML("mig=1,others=2,used=1000000000/2000000000") BENCH, 0);
    json_t *document = load_run();
    const json_t *gpu = json_object_get(json_object_get(document, "system"), "gpu");
    assert_true(json_is_true(json_object_get(gpu, "mig")));
    assert_null(json_object_get(first_run(document), "gpu_other_processes"));
    assert_null(json_object_get(first_run(document), "gpu_memory_used_mb"));
    assert_close(number_of(first_run(document), "gpu_power_w"), 350, 1e-9);
    assert_null(gpu_reason(document, "gpu shared"));
    json_decref(document);
}

static void a_library_that_is_not_usable_costs_no_measurement(void **state)
{
    (void)state;
    static const struct {
        const char *line, *says;
    } cases[] = {
        {"LD_LIBRARY_PATH=" TEST_FAKE_DRIVER "/empty " BENCH,
         "libnvidia-ml.so.1 has no nvmlInit_v2"},
        {"mkdir -p no && echo no >no/libnvidia-ml.so.1; LD_LIBRARY_PATH=no " BENCH,
         "libnvidia-ml.so.1 cannot be opened"},
        {NVML("init=E9") BENCH, "nvmlInit fails with 9, as scripted"},
        {NVML("bus=E6") BENCH, "not found, as scripted"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        program_expect(&outcome, cases[i].line, 0);
        json_t *document = load_run();
        const json_t *gpu = json_object_get(json_object_get(document, "system"), "gpu");
        assert_contains(text_of(gpu, "nvml"), cases[i].says);
        assert_null(json_object_get(first_run(document), "gpu_power_w"));
        json_decref(document);
    }
}

static void doctor_looks_at_the_gpu(void **state)
{
    (void)state;
    program_expect(&outcome,
                   NVML("others=1,throttle=0x20,persistence=0,temp=83,sm=900") "$T doctor --device "
                                                                               "emu",
                   0);
    assert_contains(outcome.out, "Emulated GPU");
    assert_contains(outcome.out, "580.65.06");
    assert_contains(outcome.out, "1 other process computes on the GPU");
    assert_contains(outcome.out, "the GPU's clocks are held down now: heat by driver");
    assert_contains(outcome.out, "persistence mode is off");
    program_expect(&outcome, NVML("temp=83") "$T doctor --device emu --json", 0);
    json_t *document = parse_output();
    const json_t *gpu = json_object_get(json_object_get(document, "system"), "gpu");
    assert_close(number_of(gpu, "temperature_c"), 83, 0);
    assert_string_equal(text_of(gpu, "throttle_reasons"), "none seen");
    json_decref(document);
    program_expect(&outcome, NVML("init=E9") "$T doctor --device emu", 0);
    assert_contains(outcome.out, "cannot be looked at beside runs: nvmlInit fails with 9");
}

static void the_header_names_what_disturbs(void **state)
{
    (void)state;
    program_expect(&outcome, NVML("others=1") BENCH " --dry-run", 0);
    assert_contains(outcome.out, "gpu shared");
}

/* 8 MB hold two sizes of buffers, and the matrices. */
static void limits_measure_the_gpu(void **state)
{
    (void)state;
    program_expect(&outcome, "$T limits --device emu --json", 0);
    json_t *document = parse_output();
    const json_t *read = json_object_get(document, "read_bandwidth");
    const json_t *copy = json_object_get(document, "copy_bandwidth");
    const json_t *multiply = json_object_get(document, "multiply_add");
    assert_int_equal(json_array_size(read), 2);
    assert_int_equal(json_array_size(copy), 2);
    assert_true(json_array_size(multiply) >= 4); /* of some types the CPU alone knows */
    for (size_t i = 0; i < 2; i++) {
        assert_true(number_of(json_array_get(read, i), "gb_per_s") > 0);
        assert_true(number_of(json_array_get(copy, i), "gb_per_s") > 0);
        assert_close(number_of(json_array_get(copy, i), "threads"), 0, 0);
    }
    for (size_t i = 0; i < 3; i++)
        assert_true(number_of(json_array_get(multiply, i), "gflop_per_s") > 0);
    assert_contains(text_of(json_array_get(multiply, 3), "unavailable"), "int8");
    json_decref(document);
    program_expect(&outcome, "$T limits --device emu", 0);
    assert_contains(outcome.out, "Emulated GPU, emulated-cuda");
    assert_contains(outcome.out, "Copy bandwidth");
}

static void a_gpu_cell_has_mbu_and_mfu(void **state)
{
    (void)state;
    program_expect(&outcome, "CUDA_EMULATOR= " BENCH, 0);
    json_t *document = load_run();
    assert_true(number_of(only_cell(document), "mbu") > 0);
    assert_true(number_of(only_cell(document), "mfu") > 0);
    assert_true(number_of(only_cell(document), "peak_flops_per_s") > 0);
    json_decref(document);
}

static int setup(void **state)
{
    return program_setup(state) == 0 ? putenv(SMALL) : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_context_is_reserved_memory),
        cmocka_unit_test(a_quiet_card_is_on_record),
        cmocka_unit_test(the_counter_is_the_energy),
        cmocka_unit_test(every_disturbance_is_named_with_advice),
        cmocka_unit_test(throttle_reasons_are_told_by_name),
        cmocka_unit_test(clocks_that_are_set_are_no_reason),
        cmocka_unit_test(an_old_driver_shows_less),
        cmocka_unit_test(what_fails_is_not_known),
        cmocka_unit_test(a_part_of_a_card_knows_no_neighbours),
        cmocka_unit_test(a_library_that_is_not_usable_costs_no_measurement),
        cmocka_unit_test(doctor_looks_at_the_gpu),
        cmocka_unit_test(the_header_names_what_disturbs),
        cmocka_unit_test(limits_measure_the_gpu),
        cmocka_unit_test(a_gpu_cell_has_mbu_and_mfu),
    };
    return cmocka_run_group_tests(tests, setup, program_teardown);
}
