/* tokenmark bench from the words typed to the files on disk, on an engine that computes nothing:
 * what is written, shown, skipped, refused, and what is left after a stop at any moment. */
#include "program.h"

#include <jansson.h>

#include "results/results.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SMALL " --batch-sizes 1,2 --input-lengths 8,16 --output-length 5 --num-runs 2 "

static json_t *load(const char *path)
{
    json_error_t where;
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &where);
    if (root == NULL)
        fail_msg("%s:%d: %s", path, where.line, where.text);
    return root;
}

static void writes_json_and_csv(void **state)
{
    (void)state;
    static struct outcome outcome;
    program_expect(&outcome, "$T bench --output-file first --seed 7" SMALL FAKE, 0);
    assert_contains(outcome.out, "4 of 4 cells, 2 runs each, 5 tokens");
    assert_contains(outcome.out, "seed 7");
    assert_contains(outcome.out, "TTFT ms");
    assert_contains(outcome.out, "Results: first.json and first.csv");
    assert_contains(outcome.err, "2 \303\227 16: latency ");
    assert_contains(outcome.err, "[4/4] ");
    json_t *root = load("first.json");
    assert_int_equal(json_array_size(json_object_get(root, "cells")), 4);
    assert_int_equal(json_array_size(json_object_get(root, "runs")), 8);
    json_t *options = json_object_get(root, "options");
    assert_int_equal(json_integer_value(json_object_get(options, "seed")), 7);
    json_t *config = json_object_get(root, "config");
    assert_int_equal(json_object_size(config), 8);
    assert_string_equal(json_string_value(json_object_get(config, "device")), "fake");
    json_t *tool = json_object_get(root, "tool");
    assert_string_equal(json_string_value(json_object_get(tool, "name")), "tokenmark");
    assert_non_null(json_object_get(tool, "commit"));
    json_t *system = json_object_get(root, "system");
    assert_non_null(json_object_get(system, "engine"));
    assert_non_null(json_object_get(system, "environment"));
    json_t *model = json_object_get(root, "model");
    assert_string_equal(json_string_value(json_object_get(model, "weights")), "random");
    assert_string_equal(json_string_value(json_object_get(model, "dtype")), "float32");
    json_decref(root);

    struct results results;
    struct error error = {0};
    results_init(&results);
    if (results_load(&results, "first.csv", &error) != 0)
        fail_msg("%s", error.text);
    assert_int_equal(results.run_count, 8);
    results_free(&results);
}

static void never_overwrites_unasked(void **state)
{
    (void)state;
    static const struct program_case cases[] = {
        {"echo mine >kept.csv; $T bench --output-file kept" SMALL FAKE, 2, NULL, "kept.csv"},
        {"test ! -e kept.json && cat kept.csv", 0, "mine", NULL},
        {"echo mine >kept.json; rm kept.csv; $T bench --output-file kept" SMALL FAKE, 2, NULL,
         "--force"},
        {"cat kept.json", 0, "mine", NULL},
        /* The check comes before the model: a model that is not there is never asked for. */
        {"$T bench --output-file kept --model ./no-such-folder" SMALL, 2, NULL, "kept.json"},
        {"$T bench --force --output-file kept" SMALL FAKE, 0, "Results: kept.json", "[4/4]"},
        {"mkdir shut && chmod 555 shut", 0, NULL, NULL},
    };
    program_check(cases, COUNT(cases));
    if (geteuid() == 0)
        return; /* no permission stops root */
    static const struct program_case denied[] = {
        {"$T bench --output-file shut/x" SMALL FAKE, 2, NULL, "shut/x.json"},
    };
    program_check(denied, COUNT(denied));
}

static void default_name_holds_the_time(void **state)
{
    (void)state;
    static const struct program_case cases[] = {
        {"mkdir named && cd named && $T bench" SMALL FAKE " 2>/dev/null", 0,
         "Results: benchmark_results_2", NULL},
        {"ls named | grep -cE '^benchmark_results_[0-9]{8}_[0-9]{6}[.](json|csv)$'", 0, "2", NULL},
    };
    program_check(cases, COUNT(cases));
}

static void dry_run_plans_and_stops(void **state)
{
    (void)state;
    static struct outcome outcome;
    program_expect(&outcome,
                   "$T bench --dry-run --output-file dry --batch-sizes 1,4 --input-lengths "
                   "8,512,2000 --max-batch-input-product 2000 --output-length 20" FAKE,
                   0);
    assert_contains(outcome.out, "3 of 6 cells");
    assert_contains(outcome.out, "skipped (3 cells)");
    assert_contains(outcome.out, "exceeds max_batch_input_product 2000");
    assert_contains(outcome.out, "positions");
    assert_contains(outcome.out, "KV cache");
    assert_false(program_has_file("dry.json"));
}

static void skipped_cells_are_shown_with_reasons(void **state)
{
    (void)state;
    static struct outcome outcome;
    program_expect(&outcome,
                   "$T bench --output-file skips --batch-sizes 1,4 --input-lengths 8,16 "
                   "--max-batch-input-product 40 --output-length 3 --num-runs 1" FAKE,
                   0);
    assert_contains(outcome.out, "      4       16  skipped");
    assert_contains(outcome.out, "batch 4 x length 16 = 64 exceeds");
    json_t *root = load("skips.json");
    json_t *cell = json_array_get(json_object_get(root, "cells"), 3);
    assert_string_equal(json_string_value(json_object_get(cell, "status")), "skipped");
    json_decref(root);

    program_expect(&outcome,
                   "$T bench --output-file none --batch-sizes 4 --input-lengths 16 "
                   "--max-batch-input-product 40" FAKE,
                   1);
    assert_true(program_has_file("none.json"));
}

static void max_positions_raises_the_limit(void **state)
{
    (void)state;
    static const struct program_case cases[] = {
        {"$T bench --dry-run --batch-sizes 1 --input-lengths 2000" FAKE, 0, "0 of 1 cells", ""},
        {"$T bench --dry-run --batch-sizes 1 --input-lengths 2000 --max-positions 4096" FAKE, 0,
         "1 of 1 cells", ""},
    };
    program_check(cases, COUNT(cases));
}

static void presets_are_planned_as_specified(void **state)
{
    (void)state;
    static const struct program_case cases[] = {
        {"$T bench --dry-run --preset quick_test" FAKE, 0, "4 of 4 cells, 1 run each, 20 tokens",
         ""},
        {"$T bench --dry-run --preset small_scale" FAKE, 0, "6 of 6 cells, 2 runs each, 30 tokens",
         ""},
        {"$T bench --dry-run --preset medium_scale --max-positions 65664" FAKE, 0,
         "42 of 42 cells, 3 runs each, 50 tokens", ""},
        {"$T bench --dry-run --preset large_scale --max-positions 65664" FAKE, 0,
         " of 99 cells, 5 runs each, 100 tokens", ""},
        {"$T bench --dry-run --preset batch_size_study" FAKE, 0, "9 of 9 cells", ""},
        {"$T bench --dry-run --preset input_length_study --max-positions 65664" FAKE, 0,
         "13 of 13 cells", ""},
        {"$T bench --dry-run --preset quick_test --num-runs 9" FAKE, 0, "9 runs each", ""},
    };
    program_check(cases, COUNT(cases));
}

/* Words of a person's environment that could be a secret stay out of a file that is shared. */
static void secrets_stay_out(void **state)
{
    (void)state;
    static const struct program_case cases[] = {
        {"HF_TOKEN=hf_sesame OMP_NUM_THREADS=3 HF_ENDPOINT=https://me:sesame@hub.example "
         "$T bench --output-file secrets 2>/dev/null" SMALL FAKE,
         0, "Results:", NULL},
        {"grep -c sesame secrets.json", 1, "0", NULL},
        {"grep OMP_NUM_THREADS secrets.json", 0, "\"3\"", NULL},
    };
    program_check(cases, COUNT(cases));
}

static void numbers_have_points_in_every_locale(void **state)
{
    (void)state;
    static struct outcome outcome;
    program_expect(&outcome,
                   "LC_ALL=de_DE.UTF-8 $T bench --temperature 0.5 --output-file locale" SMALL FAKE,
                   0);
    json_t *root = load("locale.json");
    json_t *config = json_object_get(root, "config");
    assert_close(json_number_value(json_object_get(config, "temperature")), 0.5, 0);
    json_decref(root);
    program_expect(&outcome, "grep -cE '[0-9],[0-9]+[,}]' locale.json", 1);
}

/* What the file says of the machine holds for the machine, not for a thread that was bound. */
static void facts_are_the_machine_s(void **state)
{
    (void)state;
    static struct outcome outcome;
    char affinity[2][256];
    static const char *const pins[] = {"on", "off"};
    for (size_t i = 0; i < COUNT(pins); i++) {
        char line[512];
        (void)snprintf(line, sizeof line,
                       "$T bench --model " TEST_SOURCE_DIR "/tests/golden/gpt2 --device cpu "
                       "--force --output-file pinned --pin %s" SMALL,
                       pins[i]);
        program_expect(&outcome, line, 0);
        json_t *root = load("pinned.json");
        const json_t *system = json_object_get(root, "system");
        const char *cpus = json_string_value(json_object_get(system, "affinity_cpus"));
        (void)snprintf(affinity[i], sizeof affinity[i], "%s", cpus != NULL ? cpus : "");
        assert_true(json_is_integer(json_object_get(system, "threads")));
        const json_t *model = json_object_get(root, "model");
        assert_string_equal(json_string_value(json_object_get(model, "weights")), "real");
        json_decref(root);
    }
    assert_string_equal(affinity[0], affinity[1]);
}

/* A file that cannot grow is what a full disk looks like to a program. */
static void full_disk_is_told(void **state)
{
    (void)state;
    static const struct program_case cases[] = {
        {"(ulimit -f 1; $T bench --output-file full" SMALL FAKE " 2>&1 >/dev/null) | cat", 0,
         "full.json", NULL},
        {"(ulimit -f 1; $T bench --output-file full" SMALL FAKE " >/dev/null 2>/dev/null)", 1, NULL,
         NULL},
    };
    program_check(cases, COUNT(cases));
    assert_false(program_has_file("full.json"));
    assert_false(program_has_file("full.csv"));
}

static void a_reader_that_leaves_loses_nothing(void **state)
{
    (void)state;
    static struct outcome outcome;
    program_expect(&outcome, "$T bench --output-file piped" SMALL FAKE " 2>/dev/null | head -1", 0);
    json_t *root = load("piped.json");
    assert_int_equal(json_array_size(json_object_get(root, "runs")), 8);
    json_decref(root);
    program_expect(&outcome, "$T bench --output-file shut_out" SMALL FAKE " >&- 2>&-", 1);
    root = load("shut_out.json");
    assert_int_equal(json_array_size(json_object_get(root, "runs")), 8);
    json_decref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_json_and_csv),
        cmocka_unit_test(never_overwrites_unasked),
        cmocka_unit_test(default_name_holds_the_time),
        cmocka_unit_test(dry_run_plans_and_stops),
        cmocka_unit_test(skipped_cells_are_shown_with_reasons),
        cmocka_unit_test(max_positions_raises_the_limit),
        cmocka_unit_test(presets_are_planned_as_specified),
        cmocka_unit_test(secrets_stay_out),
        cmocka_unit_test(numbers_have_points_in_every_locale),
        cmocka_unit_test(facts_are_the_machine_s),
        cmocka_unit_test(full_disk_is_told),
        cmocka_unit_test(a_reader_that_leaves_loses_nothing),
    };
    return cmocka_run_group_tests(tests, program_setup, program_teardown);
}
