/* The way to the CUDA engine on machines that lack something of it, played by a fake driver:
 * auto measures the CPU and says why, a CUDA device asked for is refused with what there is. */
#include "program.h"

#include <jansson.h>

#define GENERATE "$T generate --model gpt2 --weights random --prompt-ids 1,2 --output-length 1 "
#define DRIVER "LD_LIBRARY_PATH=" TEST_FAKE_DRIVER " TOKENMARK_FAKE_DRIVER="

static void test_a_cuda_device_that_cannot_serve_is_refused(void **state)
{
    (void)state;
    static const struct program_case cases[] = {
        {DRIVER "no-device " GENERATE "--device cuda", 2, NULL, "the NVIDIA driver finds no GPU"},
        {DRIVER "none " GENERATE "--device cuda", 2, NULL, "the NVIDIA driver finds no GPU"},
        {DRIVER "mismatch " GENERATE "--device cuda", 2, NULL,
         "cuInit fails with 803, as scripted"},
        {DRIVER "turing " GENERATE "--device cuda", 2, NULL,
         "cuda:0, Fake T4 0, has compute capability 7.5, the engine needs 8.0"},
        {DRIVER "two " GENERATE "--device cuda:7", 2, NULL,
         "there is no CUDA device 7 here, but cuda:0 (Fake H100 0), cuda:1 (Fake H100 1)"},
        {DRIVER "two,turing " GENERATE "--device cuda:1", 2, NULL, "cuda:1, Fake T4 1, has"},
        {"mkdir broken && echo not a library >broken/libcuda.so.1; LD_LIBRARY_PATH=broken " GENERATE
         "--device cuda",
         2, NULL, "there is no NVIDIA driver"},
    };
    program_check(cases, sizeof cases / sizeof cases[0]);
}

/* The program in a folder where only `plugin`, if anything, lies beside it. */
static void copy_program(const char *plugin)
{
    char line[2048];
    (void)snprintf(line, sizeof line,
                   "rm -rf alone && mkdir alone && cp \"$T\" alone/tokenmark%s%s%s",
                   plugin != NULL ? " && cp " : "", plugin != NULL ? plugin : "",
                   plugin != NULL ? " alone/tokenmark_cuda.so" : "");
    static struct outcome outcome;
    program_expect(&outcome, line, 0);
}

static void test_a_plugin_is_checked(void **state)
{
    (void)state;
    static struct outcome outcome;
    static const char *const run =
        " alone/tokenmark generate --model gpt2 --weights random --prompt-ids 1 --device cuda";
    static const struct {
        const char *plugin, *driver, *err;
    } cases[] = {
        {NULL, "one", "this build has no tokenmark_cuda.so"},
        {TEST_FAKE_DRIVER "/plugin_other_abi.so", "one", "belongs to another build of tokenmark"},
        {TEST_FAKE_DRIVER "/plugin_no_symbol.so", "one", "belongs to another build of tokenmark"},
        {TEST_FAKE_DRIVER "/plugin_good.so", "old",
         "the NVIDIA driver is too old: it serves CUDA 11.4, the engine needs 13.0"},
        {TEST_FAKE_DRIVER "/plugin_good.so", "two", "the scripted plugin refuses device 0"},
        {"/etc/hostname", "one", "its plugin cannot be loaded"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        copy_program(cases[i].plugin);
        char line[2048];
        (void)snprintf(line, sizeof line, DRIVER "%s%s", cases[i].driver, run);
        program_expect(&outcome, line, 2);
        assert_contains(outcome.err, cases[i].err);
        assert_contains(outcome.err, "device \"cuda\" was asked for, but cannot be used");
    }
}

/* Header, JSON and exit code of a measurement that asked for nothing in particular. */
static void check_fallback(const char *before, const char *said)
{
    static struct outcome outcome;
    char line[2048];
    (void)snprintf(line, sizeof line,
                   "%s alone/tokenmark bench --model " TEST_SOURCE_DIR
                   "/tests/golden/gpt2 --batch-sizes 1 --input-lengths 4 --output-length 2 "
                   "--num-runs 1 --force --output-file run",
                   before);
    program_expect(&outcome, line, 0);
    assert_contains(outcome.out, "device    cpu");
    assert_contains(outcome.out, "no GPU is used: ");
    assert_contains(outcome.out, said);
    json_t *root = json_load_file("run.json", 0, NULL);
    const json_t *system = json_object_get(root, "system");
    const json_t *run = json_array_get(json_object_get(root, "runs"), 0);
    const char *reason =
        json_string_value(json_object_get(json_object_get(system, "engine"), "fallback_reason"));
    assert_non_null(reason);
    assert_contains(reason, said);
    assert_null(json_object_get(system, "gpu"));
    assert_string_equal(json_string_value(json_object_get(run, "device")), "cpu");
    json_decref(root);
}

static void test_auto_measures_the_cpu_and_says_why(void **state)
{
    (void)state;
    static const struct {
        const char *plugin, *before, *reason;
    } cases[] = {
        {TEST_FAKE_DRIVER "/plugin_good.so",
         "mkdir -p broken && echo no >broken/libcuda.so.1; LD_LIBRARY_PATH=broken",
         "cuda: there is no NVIDIA driver"},
        {TEST_FAKE_DRIVER "/plugin_good.so", DRIVER "no-device",
         "cuda: the NVIDIA driver finds no GPU"},
        {TEST_FAKE_DRIVER "/plugin_good.so", DRIVER "mismatch", "cuda: the NVIDIA driver's cuInit"},
        {TEST_FAKE_DRIVER "/plugin_good.so", DRIVER "turing",
         "cuda: cuda:0, Fake T4 0, has compute capability 7.5"},
        {TEST_FAKE_DRIVER "/plugin_good.so", DRIVER "old",
         "cuda: the NVIDIA driver is too old: it serves CUDA 11.4, the engine needs 13.0"},
        {NULL, DRIVER "one", "cuda: this build has no tokenmark_cuda.so"},
        {TEST_FAKE_DRIVER "/plugin_other_abi.so", DRIVER "one", "another build of tokenmark"},
        {TEST_FAKE_DRIVER "/plugin_good.so", DRIVER "two", "cuda: the scripted plugin refuses"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        copy_program(cases[i].plugin);
        check_fallback(cases[i].before, cases[i].reason);
    }
}

/* In a container that was to have a GPU, falling back is said aloud. */
static void test_a_fallback_against_the_environment_is_warned_of(void **state)
{
    (void)state;
    static struct outcome outcome;
    copy_program(NULL);
    program_expect(&outcome,
                   DRIVER "one CUDA_VISIBLE_DEVICES=0 alone/tokenmark bench --model gpt2 --weights "
                          "random --batch-sizes 1 --input-lengths 4 --dry-run",
                   0);
    assert_contains(outcome.err, "CUDA_VISIBLE_DEVICES is set, but the CPU is measured: cuda: this "
                                 "build has no tokenmark_cuda.so");
}

static void test_doctor_says_why_no_gpu_is_used(void **state)
{
    (void)state;
    static struct outcome outcome;
    program_expect(&outcome, DRIVER "turing $T doctor", 0);
    assert_contains(outcome.out, "no GPU would be used: cuda: cuda:0, Fake T4 0, has");
    program_expect(&outcome, DRIVER "turing $T doctor --json", 0);
    assert_contains(outcome.out, "\"gpu_unavailable\": \"cuda: cuda:0, Fake T4 0, has");
    program_expect(&outcome, DRIVER "turing $T doctor --device cpu", 0);
    assert_null(strstr(outcome.out, "no GPU would be used"));
    program_expect(&outcome, DRIVER "two $T doctor --device cuda:2", 2);
    assert_contains(outcome.err, "cuda:0 (Fake H100 0), cuda:1 (Fake H100 1)");
    /* It is there and cannot be opened: the rest is shown all the same, unless it was asked for. */
    copy_program(TEST_FAKE_DRIVER "/plugin_no_open.so");
    program_expect(&outcome, DRIVER "one alone/tokenmark doctor --json", 0);
    assert_contains(outcome.out,
                    "\"gpu_unavailable\": \"cuda cannot be opened: the scripted plugin "
                    "is held by another\"");
    program_expect(&outcome, DRIVER "one alone/tokenmark doctor --device cuda", 1);
    assert_contains(outcome.err, "the scripted plugin is held by another");
}

static void test_the_cpu_asked_for_needs_no_reason(void **state)
{
    (void)state;
    static struct outcome outcome;
    char line[1024];
    (void)snprintf(line, sizeof line,
                   "$T bench --model %s/tests/golden/gpt2 --device cpu --batch-sizes 1 "
                   "--input-lengths 4 --output-length 2 --num-runs 1 --force --output-file run",
                   TEST_SOURCE_DIR);
    program_expect(&outcome, line, 0);
    assert_null(strstr(outcome.out, "no GPU is used"));
    program_expect(&outcome, "! grep -q fallback_reason run.json", 0);
}

static void test_engines_are_listed_with_their_reasons(void **state)
{
    (void)state;
    static const struct program_case cases[] = {
        {DRIVER "no-device $T bench --list-engines", 0,
         "native-cuda    --device cuda   cannot run here: the NVIDIA driver finds no GPU", ""},
        {"$T bench --list-engines | grep -c emulated", 1, "0", ""},
    };
    program_check(cases, sizeof cases / sizeof cases[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_cuda_device_that_cannot_serve_is_refused),
        cmocka_unit_test(test_a_plugin_is_checked),
        cmocka_unit_test(test_auto_measures_the_cpu_and_says_why),
        cmocka_unit_test(test_a_fallback_against_the_environment_is_warned_of),
        cmocka_unit_test(test_doctor_says_why_no_gpu_is_used),
        cmocka_unit_test(test_the_cpu_asked_for_needs_no_reason),
        cmocka_unit_test(test_engines_are_listed_with_their_reasons),
    };
    return cmocka_run_group_tests(tests, program_setup, program_teardown);
}
