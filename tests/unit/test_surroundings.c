/* The checks of doctor on facts that are made here: each finds what it is for, none finds anything
 * on a good machine or where facts are missing; and the ceilings of a scripted engine. */
#include "test.h"

#include "bench/limit_reading.h"
#include "cli/surroundings.h"
#include "engine/fake/fake.h"

/* A good machine, with `change` (a JSON object) laid over it. */
static json_t *machine(const char *change)
{
    json_t *system = json_pack(
        "{s:s, s:i, s:i, s:s, s:s, s:b, s:b, s:i, s:f, s:f, s:f, s:s, s:i, s:f, s:b, s:b, s:{s:b}}",
        "cpu_model", "Test CPU", "logical_cpus", 8, "physical_cores", 8, "affinity_cpus",
        "0-3,5,7-9", "governor", "performance", "turbo", 0, "virtual_machine", 0, "numa_nodes", 1,
        "memory_total_mb", 16000.0, "memory_available_mb", 15000.0, "swap_total_mb", 0.0,
        "transparent_huge_pages", "madvise", "threads", 8, "other_cpus", 0.05, "pin", 1,
        "energy_counters", 1, "build", "optimised", 1);
    json_t *changes = json_loads(change, 0, NULL);
    assert_non_null(system);
    assert_non_null(changes);
    assert_int_equal(json_object_update(system, changes), 0);
    json_decref(changes);
    return system;
}

/* How many checks apply; `text` is that of the last. */
static size_t findings(const char *change, const char **name, char *text)
{
    size_t count = 0;
    json_t *system = machine(change);
    for (size_t i = 0; i < SURROUNDINGS_CHECKS; i++) {
        char words[SURROUNDINGS_TEXT_MAX];
        assert_true(strlen(surroundings_checks[i].advice) > 0);
        if (!surroundings_checks[i].applies(system, words, sizeof words))
            continue;
        count++;
        *name = surroundings_checks[i].name;
        memcpy(text, words, sizeof words);
    }
    json_decref(system);
    return count;
}

static void each_check_finds_its_own(void **state)
{
    (void)state;
    static const struct {
        const char *change, *name, *says;
    } cases[] = {
        {"{\"governor\": \"powersave\"}", "governor", "'powersave'"},
        {"{\"other_cpus\": 1.5}", "other load", "1.5 CPUs"},
        {"{\"other_cpus\": null, \"load_average\": [3.0, 0, 0]}", "other load", "3.0"},
        {"{\"physical_cores\": 4}", "threads above cores", "8 threads on 4"},
        {"{\"cgroup_cpus\": 2.5}", "threads above quota", "2.5 CPUs"},
        {"{\"affinity_cpus\": \"0-6\"}", "pinning", "8 threads for 7 CPUs"},
        {"{\"pin\": false}", "pinning", "--pin off"},
        {"{\"memory_available_mb\": 1000.0}", "memory", "1000 of 16000"},
        {"{\"transparent_huge_pages\": \"never\"}", "huge pages", "off"},
        {"{\"swap_total_mb\": 2048.0}", "swap", "2048"},
        {"{\"build\": {\"optimised\": false}}", "build", "optimisation"},
        {"{\"turbo\": true}", "turbo", "turbo"},
        {"{\"virtual_machine\": true}", "virtual machine", "guests"},
        {"{\"numa_nodes\": 2}", "numa", "2 NUMA"},
        {"{\"energy_counters\": false}", "energy", "not available"},
        {"{\"gpu\": {\"other_processes\": 1.0}}", "gpu shared", "1 other process computes"},
        {"{\"gpu\": {\"other_processes\": 3.0}}", "gpu shared", "3 other processes compute"},
        {"{\"gpu\": {\"throttle_reasons\": \"power limit\"}}", "gpu throttled", "power limit"},
        {"{\"gpu\": {\"persistence_mode\": false}}", "gpu persistence", "off"},
        {"{\"gpu\": {\"nvml\": \"no library\"}}", "gpu readings", "no library"},
        {"{\"gpu_unavailable\": \"cuda: no driver\"}", "gpu", "cuda: no driver"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *name = "nothing";
        char text[SURROUNDINGS_TEXT_MAX] = "";
        size_t count = findings(cases[i].change, &name, text);
        if (count != 1 || strcmp(name, cases[i].name) != 0)
            fail_msg("%s: %zu findings, the last is %s", cases[i].change, count, name);
        assert_contains(text, cases[i].says);
    }
}

static void a_good_machine_has_no_findings(void **state)
{
    (void)state;
    const char *name;
    char text[SURROUNDINGS_TEXT_MAX];
    assert_int_equal(findings("{}", &name, text), 0);
    assert_int_equal(findings("{\"gpu\": {\"nvml\": \"available\", \"other_processes\": 0.0, "
                              "\"throttle_reasons\": \"clocks set\", \"persistence_mode\": true}}",
                              &name, text),
                     0);
}

static void what_is_not_shown_is_no_finding(void **state)
{
    (void)state;
    json_t *nothing = json_object();
    for (size_t i = 0; i < SURROUNDINGS_CHECKS; i++) {
        char words[SURROUNDINGS_TEXT_MAX];
        if (surroundings_checks[i].applies(nothing, words, sizeof words))
            fail_msg("%s: %s", surroundings_checks[i].name, words);
    }
    json_decref(nothing);
}

static void ceilings_are_those_of_the_script(void **state)
{
    (void)state;
    struct fake_script script;
    struct engine *engine = NULL;
    struct error error = {0};
    fake_script_init(&script);
    struct clock clock = fake_clock(&script);
    const struct engine_options options = {.dtype = "float32", .clock = &clock};
    assert_int_equal(fake_engine_open(&engine, &script, NULL, &options, &error), 0);
    struct limit_probe probe = {.kind = LIMIT_READ_BANDWIDTH, .working_bytes = 1 << 20};
    struct limit_reading reading;
    assert_int_equal(limit_measure(&reading, &engine_fake, engine, &clock, &probe, 1e-3, &error),
                     0);
    assert_close(reading.rate, script.bandwidth, 1e-3 * script.bandwidth);
    assert_close(reading.interval.low, script.bandwidth, 1e-3 * script.bandwidth);
    /* A pass takes about 0.1 ms: ten of them fill the time. */
    assert_in_range(reading.passes, 9, 11);
    probe.kind = LIMIT_MULTIPLY_ADD;
    assert_int_equal(limit_measure(&reading, &engine_fake, engine, &clock, &probe, 0.0, &error), 0);
    assert_close(reading.best, script.flops, 1e-3 * script.flops);
    assert_int_equal(reading.passes, 3);
    probe = (struct limit_probe){.kind = LIMIT_READ_BANDWIDTH, .working_bytes = -1};
    assert_int_equal(limit_measure(&reading, &engine_fake, engine, &clock, &probe, 0.0, &error),
                     ERROR_INPUT);
    engine_fake.close(engine);
}

static void a_buffer_is_as_large_as_what_a_step_reads(void **state)
{
    (void)state;
    const int64_t mb = 1 << 20, plenty = (int64_t)1 << 40;
    assert_int_equal(limit_working_bytes(100.0 * (double)mb, plenty), 100 * mb);
    assert_int_equal(limit_working_bytes(1.0, plenty), 16 * mb);
    assert_int_equal(limit_working_bytes(1e12, plenty), 512 * mb);
    assert_int_equal(limit_working_bytes(1e12, 64 * mb + 5), 16 * mb);
    assert_int_equal(limit_working_bytes(1e12, mb), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_check_finds_its_own),
        cmocka_unit_test(a_good_machine_has_no_findings),
        cmocka_unit_test(what_is_not_shown_is_no_finding),
        cmocka_unit_test(ceilings_are_those_of_the_script),
        cmocka_unit_test(a_buffer_is_as_large_as_what_a_step_reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
