/* tokenmark bench on the emulated GPU, end to end: memory that is just enough, just not, or not
 * what the device told; a device that is lost, and the fresh process that goes on; memory that does
 * not come back; the device's clock beside the host's. */
#include "cli/program.h"
#include "engine_fixture.h"

#include <jansson.h>

/* No room to read the bandwidth, which takes an emulated GPU long. */
#define SMALL "capacity=16000000"

enum { CAPACITY = 1 << 30, LARGE_BATCH = 512, LARGE_LENGTH = 60 };

/* Of an engine of the emulated GPU with the golden model: what it holds beside any session, and
 * what the session of a cell takes. */
static void predict(int64_t *held, int64_t *needed, int64_t batch, int64_t length)
{
    struct opened opened;
    char folder[512];
    int index = 0;
    struct error reason = {0}, error = {0};
    struct session_shape shape = make_shape(batch, length, 4);
    shape.want_logits = false;
    struct session_memory memory;
    if (try_open_model(&opened, golden_folder(folder, "llama"), 0, &error) != 0 ||
        engine_choose(&opened.ops, &index, "emu", &reason, &error) != 0)
        fail_msg("%s", error.text);
    struct engine_options options = make_options("auto", 1);
    open_engine(&opened, &options);
    if (opened.ops->predict(opened.engine, &shape, &memory, &error) != 0)
        fail_msg("%s", error.text);
    *needed = memory.kv_bytes + memory.workspace_bytes;
    *held = CAPACITY - CAPACITY / 64 - memory.available_bytes;
    opened.ops->close(opened.engine);
    model_close(opened.model);
}

/* Measures; the results are read back. */
static json_t *bench(struct outcome *outcome, const char *settings, const char *words,
                     int exit_code)
{
    char line[2048];
    (void)snprintf(
        line, sizeof line,
        "rm -f run.json; CUDA_EMULATOR=%s $T bench --model %s/tests/golden/llama --device emu "
        "--output-length 4 --order grid --temperature 0 --force "
        "--output-file run %s",
        settings, TEST_SOURCE_DIR, words);
    program_expect(outcome, line, exit_code);
    json_t *root = json_load_file("run.json", 0, NULL);
    assert_non_null(root);
    return root;
}

static const json_t *cell_at(const json_t *root, size_t index)
{
    return json_array_get(json_object_get(root, "cells"), index);
}

static const json_t *run_at(const json_t *root, size_t index)
{
    return json_array_get(json_object_get(root, "runs"), index);
}

static void expect_cell(const json_t *root, size_t index, const char *status, const char *reason)
{
    const json_t *cell = cell_at(root, index);
    assert_string_equal(json_string_value(json_object_get(cell, "status")), status);
    const char *found = json_string_value(json_object_get(cell, "reason"));
    if (reason == NULL)
        assert_null(found);
    else
        assert_contains(found, reason);
}

static bool has_cause(const json_t *cell, const char *cause)
{
    const json_t *reasons = json_object_get(cell, "verdict_reasons");
    for (size_t i = 0; i < json_array_size(reasons); i++)
        if (strcmp(json_string_value(json_object_get(json_array_get(reasons, i), "cause")),
                   cause) == 0)
            return true;
    return false;
}

static double number(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

static struct outcome outcome;

/* The smallest device on which the arithmetic says yes runs the cell; one byte less, and it is
 * skipped without being tried. */
static void test_memory_at_the_prediction(void **state)
{
    (void)state;
    int64_t held, needed;
    char settings[64];
    predict(&held, &needed, 2, 40);
    int64_t capacity = held + needed;
    while (capacity - capacity / 64 - held < needed)
        capacity++;
    (void)snprintf(settings, sizeof settings, "capacity=%lld", (long long)capacity);
    json_t *root = bench(&outcome, settings, "--batch-sizes 2 --input-lengths 40 --num-runs 1", 0);
    expect_cell(root, 0, "measured", NULL);
    json_decref(root);
    (void)snprintf(settings, sizeof settings, "capacity=%lld", (long long)capacity - 1);
    root = bench(&outcome, settings, "--batch-sizes 1,2 --input-lengths 40 --num-runs 1", 0);
    expect_cell(root, 0, "measured", NULL);
    expect_cell(root, 1, "skipped", "of device memory (KV cache");
    json_decref(root);
}

/* The device tells more than it can give: the cell fails while it takes memory, the grid goes on,
 * in the same process. */
static void test_memory_that_is_not_there_after_all(void **state)
{
    (void)state;
    int64_t held, needed;
    char settings[64];
    predict(&held, &needed, LARGE_BATCH, LARGE_LENGTH);
    (void)snprintf(settings, sizeof settings, SMALL ",hidden=%lld",
                   (long long)(16000000 - held - needed + 1));
    json_t *root =
        bench(&outcome, settings, "--batch-sizes 1,512,2 --input-lengths 60 --num-runs 1", 1);
    expect_cell(root, 0, "measured", NULL);
    expect_cell(root, 1, "failed", "out of memory: ");
    expect_cell(root, 2, "measured", NULL);
    assert_null(strstr(outcome.err, "fresh process"));
    json_decref(root);
}

static size_t count_words(const char *text, const char *words)
{
    size_t count = 0;
    for (; (text = strstr(text, words)) != NULL; text++)
        count++;
    return count;
}

/* A kernel accesses illegally: the cell is recorded, a fresh process measures the rest. */
static void test_a_lost_device_costs_one_cell(void **state)
{
    (void)state;
    int64_t held, needed;
    char settings[64];
    predict(&held, &needed, LARGE_BATCH, LARGE_LENGTH);
    (void)snprintf(settings, sizeof settings, SMALL ",faulty=%lld", (long long)(held + needed - 1));
    json_t *root =
        bench(&outcome, settings, "--batch-sizes 1,512,2 --input-lengths 60 --num-runs 2", 1);
    expect_cell(root, 0, "measured", NULL);
    expect_cell(root, 1, "failed", "(cudaErrorIllegalAddress)");
    expect_cell(root, 2, "measured", NULL);
    assert_int_equal(json_array_size(json_object_get(root, "runs")), 4);
    assert_int_equal(count_words(outcome.err, "a fresh process goes on"), 1);
    assert_int_equal(count_words(outcome.err, "1 of 3 cells failed"), 1);
    assert_int_equal(count_words(outcome.out, "device    emu"), 1);
    assert_int_equal(count_words(outcome.out, "Results: run.json"), 1);
    json_decref(root);
    /* A process that a person started by its number ends like any other that failed. */
    root =
        bench(&outcome, settings,
              "--process 1 --order grid --batch-sizes 1,512,2 --input-lengths 60 --num-runs 1", 1);
    expect_cell(root, 0, "measured", NULL);
    expect_cell(root, 1, "failed", "(cudaErrorIllegalAddress)");
    expect_cell(root, 2, "pending", NULL);
    json_decref(root);
}

/* Each cell takes the device away: each is recorded, and the last process shows them all. */
static void test_a_device_that_is_lost_every_time(void **state)
{
    (void)state;
    int64_t held, least, most;
    char settings[64];
    predict(&held, &most, 64, 50);
    predict(&held, &least, 32, 40);
    (void)snprintf(settings, sizeof settings, "capacity=%lld,faulty=%lld",
                   (long long)(held + 2 * most), (long long)(held + least - 1));
    json_t *root =
        bench(&outcome, settings, "--batch-sizes 32,64 --input-lengths 40,50 --num-runs 1", 1);
    for (size_t i = 0; i < 4; i++)
        expect_cell(root, i, "failed", "(cudaErrorIllegalAddress)");
    assert_int_equal(count_words(outcome.err, "a fresh process goes on"), 3);
    assert_int_equal(count_words(outcome.out, "Results: run.json"), 1);
    json_decref(root);
    /* Lost before there is a cell: said once, nothing is begun again. */
    program_expect(&outcome,
                   "rm -f run.json; CUDA_EMULATOR=faulty=1 $T bench --model gpt2 --weights random "
                   "--device emu --preset quick_test --output-file none",
                   1);
    assert_contains(outcome.err, "cudaErrorIllegalAddress");
    assert_null(strstr(outcome.err, "fresh process"));
    assert_null(strstr(outcome.err, "none.json"));
}

/* Lost before the first cell, by what is measured beside it: no cell is blamed, and a process that
 * brings nothing forward is not followed by another. */
static void test_a_device_that_is_no_good(void **state)
{
    (void)state;
    int64_t held, needed;
    char settings[64];
    predict(&held, &needed, 1, 8);
    (void)snprintf(settings, sizeof settings, SMALL ",faulty=%lld", (long long)held + 500000);
    json_t *root = bench(&outcome, settings, "--batch-sizes 1 --input-lengths 8 --num-runs 1", 1);
    expect_cell(root, 0, "pending", NULL);
    assert_contains(outcome.err, "the device was lost before anything was measured");
    assert_null(strstr(outcome.err, "fresh process goes on"));
    json_decref(root);
    program_expect(&outcome, "CUDA_EMULATOR=" SMALL " $T bench --resume run.json", 0);
    assert_contains(outcome.out, "Results: run.json");
}

static void test_memory_that_does_not_come_back(void **state)
{
    (void)state;
    static const char words[] = "--batch-sizes 1 --input-lengths 8 --num-runs 1";
    json_t *root = bench(&outcome, "leak=20971520", words, 0);
    assert_true(has_cause(cell_at(root, 0), "memory missing"));
    assert_true(number(cell_at(root, 0), "memory_missing_mb") > 39.0);
    json_decref(root);
    root = bench(&outcome, SMALL, words, 0);
    assert_false(has_cause(cell_at(root, 0), "memory missing"));
    assert_true(json_is_null(json_object_get(cell_at(root, 0), "memory_missing_mb")));
    json_decref(root);
}

static double reserved_mb(const char *settings)
{
    json_t *root = bench(&outcome, settings, "--batch-sizes 1 --input-lengths 8 --num-runs 1", 0);
    const json_t *memory = json_object_get(run_at(root, 0), "memory_usage");
    double reserved = number(memory, "gpu_memory_reserved_mb");
    assert_true(reserved >= number(memory, "gpu_memory_allocated_mb"));
    json_decref(root);
    return reserved;
}

static void test_what_others_hold_is_not_ours(void **state)
{
    (void)state;
    assert_close(reserved_mb("capacity=516000000,others=500000000"),
                 reserved_mb("capacity=16000000"), 0);
}

/* Steps that are waited for one by one give the same tokens and say so; the device's clock is
 * compared with the host's. */
static void test_clocks(void **state)
{
    (void)state;
    static const char words[] = "--batch-sizes 2 --input-lengths 8 --num-runs 1";
    char stepwise[128];
    (void)snprintf(stepwise, sizeof stepwise, "%s --sync-steps", words);
    json_t *queued = bench(&outcome, SMALL, words, 0);
    json_t *synced = bench(&outcome, SMALL, stepwise, 0);
    assert_true(json_equal(json_object_get(run_at(queued, 0), "output_hash"),
                           json_object_get(run_at(synced, 0), "output_hash")));
    assert_true(json_is_true(json_object_get(json_object_get(synced, "options"), "sync_steps")));
    const json_t *engine = json_object_get(json_object_get(synced, "system"), "engine");
    assert_string_equal(json_string_value(json_object_get(engine, "decode_stamps")), "host");
    /* The host's window holds the device's, on a disturbed machine too. */
    for (int i = 0; i < 2; i++) {
        const json_t *run = run_at(i == 0 ? queued : synced, 0);
        double device_s = number(run, "device_decode_time");
        assert_true(device_s > 0 && device_s <= 1.01 * number(run, "decode_time") + 1e-4);
    }
    json_decref(queued);
    json_decref(synced);
    json_t *wrong = bench(&outcome, SMALL ",timer=3000", words, 0);
    assert_true(has_cause(cell_at(wrong, 0), "clocks differ"));
    assert_string_equal(json_string_value(json_object_get(cell_at(wrong, 0), "verdict")), "NOISY");
    json_decref(wrong);
}

/* A clock that moves on once a millisecond, or hardly ever: stamps are equal, no run is lost, and
 * the verdict does not blame the host. */
static void test_a_coarse_clock(void **state)
{
    (void)state;
    static const char words[] = "--batch-sizes 1 --input-lengths 8 --num-runs 3";
    json_t *coarse = bench(&outcome, SMALL ",resolution=1000000", words, 0);
    const json_t *engine = json_object_get(json_object_get(coarse, "system"), "engine");
    assert_close(number(engine, "device_clock_resolution_ns"), 1e6, 0);
    assert_false(has_cause(cell_at(coarse, 0), "clocks differ"));
    assert_true(json_is_number(json_object_get(run_at(coarse, 0), "device_decode_time")));
    json_decref(coarse);
    json_t *still = bench(&outcome, SMALL ",resolution=100000000000000", words, 0);
    engine = json_object_get(json_object_get(still, "system"), "engine");
    assert_true(json_is_null(json_object_get(engine, "device_clock_resolution_ns")));
    assert_false(json_is_number(json_object_get(run_at(still, 0), "device_decode_time")));
    assert_false(has_cause(cell_at(still, 0), "clocks differ"));
    json_decref(still);
}

/* Where no step can be recorded, steps are launched, and the facts say so; else recorded, also
 * where a run has a single one. */
static void test_steps_that_cannot_be_recorded(void **state)
{
    (void)state;
    static const struct {
        const char *emulator, *decode;
    } ways[] = {{SMALL, "graph"}, {SMALL ",capture=0", "launches"}};
    json_t *hashes[2];
    for (int i = 0; i < 2; i++) {
        json_t *root = bench(&outcome, ways[i].emulator,
                             "--batch-sizes 1 --input-lengths 8 --num-runs 3 --output-length 2", 0);
        const json_t *engine = json_object_get(json_object_get(root, "system"), "engine");
        assert_string_equal(json_string_value(json_object_get(engine, "decode")), ways[i].decode);
        hashes[i] = json_incref(json_object_get(run_at(root, 2), "output_hash"));
        json_decref(root);
    }
    assert_true(json_equal(hashes[0], hashes[1]));
    json_decref(hashes[0]);
    json_decref(hashes[1]);
}

/* A dry run takes no weights to the device: it tells of one that could not even hold them. */
static void test_a_dry_run_needs_no_memory(void **state)
{
    (void)state;
    program_expect(&outcome,
                   "CUDA_EMULATOR=capacity=1000000 $T bench --model gpt2 --weights random "
                   "--device emu --preset quick_test --dry-run",
                   0);
    assert_contains(outcome.out, "skipped (4 cells)");
    assert_contains(outcome.out, "of device memory (KV cache");
    assert_contains(outcome.out, "0.0 MB on the device");
}

static void test_an_old_card_is_refused_by_name(void **state)
{
    (void)state;
    static const struct program_case cases[] = {
        {"CUDA_EMULATOR=capability=75 $T generate --model gpt2 --weights random --prompt-ids 1 "
         "--device emu",
         2, NULL, "device 0, Emulated GPU, has compute capability 7.5, the engine needs 8.0"},
    };
    program_check(cases, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_at_the_prediction),
        cmocka_unit_test(test_memory_that_is_not_there_after_all),
        cmocka_unit_test(test_a_lost_device_costs_one_cell),
        cmocka_unit_test(test_a_device_that_is_lost_every_time),
        cmocka_unit_test(test_a_device_that_is_no_good),
        cmocka_unit_test(test_memory_that_does_not_come_back),
        cmocka_unit_test(test_what_others_hold_is_not_ours),
        cmocka_unit_test(test_a_coarse_clock),
        cmocka_unit_test(test_steps_that_cannot_be_recorded),
        cmocka_unit_test(test_clocks),
        cmocka_unit_test(test_a_dry_run_needs_no_memory),
        cmocka_unit_test(test_an_old_card_is_refused_by_name),
    };
    return cmocka_run_group_tests(tests, program_setup, program_teardown);
}
