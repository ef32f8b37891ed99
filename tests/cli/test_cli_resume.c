/* bench --resume: a grid that is killed at any moment and continued ends like one that was not;
 * what must agree with the file, and who else may write it. TOKENMARK_SOAK=1 kills 50 times. */
#include "program.h"

#include "results/results.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SMALL " --batch-sizes 1,2,4 --input-lengths 8,16 --output-length 5 --num-runs 4 "

enum { CELLS = 6, RUNS = 4 };

static void load(struct results *results, const char *path)
{
    struct error error = {0};
    results_init(results);
    if (results_load(results, path, &error) != 0)
        fail_msg("%s", error.text);
}

/* None lost, none twice: every cell has its runs, numbered through, shared out over the passes. */
static void expect_whole(const char *path)
{
    struct results results;
    load(&results, path);
    assert_int_equal(results.cell_count, CELLS);
    assert_int_equal(results.run_count, CELLS * RUNS);
    for (size_t i = 0; i < results.cell_count; i++) {
        const struct cell_record *cell = &results.cells[i];
        int numbers[RUNS + 1] = {0}, passes[3] = {0};
        assert_int_equal(cell->status, CELL_MEASURED);
        assert_string_equal(cell->stop_reason, "num_runs");
        assert_string_equal(cell->output_check, "passed");
        for (size_t j = 0; j < results.run_count; j++) {
            const struct run_record *run = &results.runs[j];
            if (!cell_holds_run(cell, run))
                continue;
            assert_in_range(run->run_number, 1, RUNS);
            assert_in_range(run->pass, 1, 2);
            numbers[run->run_number]++;
            passes[run->pass]++;
        }
        for (int number = 1; number <= RUNS; number++)
            assert_int_equal(numbers[number], 1);
        assert_int_equal(passes[1], 2);
        assert_int_equal(passes[2], 2);
    }
    results_free(&results);
}

static pid_t start(const char *words)
{
    char line[1024];
    (void)snprintf(line, sizeof line, "exec \"$T\" %s >.out 2>.err </dev/null", words);
    pid_t child = fork();
    if (child == 0) {
        (void)execl("/bin/sh", "sh", "-c", line, (char *)NULL);
        _exit(127);
    }
    assert_true(child > 0);
    return child;
}

/* Names in the folder that belong to the file besides itself: locks and temporary files. */
static int count_hidden(const char *prefix)
{
    char line[128];
    static struct outcome outcome;
    (void)snprintf(line, sizeof line, "ls -A | grep -c '^\\.%s' || true", prefix);
    program_run(&outcome, line);
    return atoi(outcome.out);
}

static void killed_at_any_moment(void **state)
{
    (void)state;
    static struct outcome outcome;
    const char *soak = getenv("TOKENMARK_SOAK");
    int rounds = soak != NULL && strcmp(soak, "1") == 0 ? 50 : 4, kills = 0;
    uint32_t random = 12345;
    for (int round = 0; round < rounds; round++) {
        program_run(&outcome, "rm -f killed.* .killed.*");
        pid_t child = start("bench --output-file killed" SMALL FAKE);
        for (int start_number = 1;; start_number++) {
            random = random * 1664525 + 1013904223;
            /* The whole takes about half a second. Where a save is slow, fewer are made: later
             * starts get more time, so that one of them ends. */
            program_sleep_ms(5 + (long)(random >> 16) % (100 + 50 * start_number));
            if (start_number == 1)
                program_wait_for("killed.json");
            kills++;
            (void)kill(child, SIGKILL);
            int status = 0;
            assert_int_equal(waitpid(child, &status, 0), child);
            if (WIFEXITED(status)) {
                assert_int_equal(WEXITSTATUS(status), 0);
                break;
            }
            assert_true(start_number < 300);
            child = start("bench --resume killed.json");
        }
        expect_whole("killed.json");
        assert_int_equal(count_hidden("killed"), 0);
    }
    assert_true(kills > rounds);
}

static void an_interrupted_grid_goes_on(void **state)
{
    (void)state;
    static struct outcome outcome;
    pid_t child = start("bench --output-file half --seed 9 --threads 1" SMALL FAKE);
    program_wait_for("half.json");
    program_sleep_ms(100);
    assert_int_equal(kill(child, SIGINT), 0);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(program_exit_code(status), 1);
    struct results results;
    load(&results, "half.json");
    size_t before = results.run_count;
    double elapsed_s = results.elapsed_s;
    assert_true(before < CELLS * RUNS);
    results_free(&results);

    static const struct program_case agreeing[] = {
        {"$T bench --resume half.json --dry-run --seed 9 --num-runs 4 --model gpt2", 0, "KV cache",
         NULL},
        {"$T bench --resume half --batch-sizes 1,2,4 --order random --passes 2 --threads 1 "
         "2>/dev/null",
         0, "Results: half.json", NULL},
        {"$T bench --resume half.csv", 0, "half.json: nothing is left to measure", NULL},
    };
    program_check(agreeing, COUNT(agreeing));
    expect_whole("half.json");
    load(&results, "half.json");
    assert_true(results.elapsed_s > elapsed_s);
    assert_int_equal(json_integer_value(json_object_get(results.options, "seed")), 9);
    results_free(&results);
    /* From another folder too. */
    program_expect(&outcome, "mkdir deep && cd deep && $T bench --resume ../half.json", 0);
}

static void what_must_agree(void **state)
{
    (void)state;
    static struct outcome outcome;
    program_expect(&outcome, "$T bench --output-file fixed" SMALL FAKE, 0);
    static const struct program_case cases[] = {
        {"$T bench --resume nowhere.json", 2, NULL, "nowhere.json: there are no such results"},
        {"$T bench --resume fixed.json --batch-sizes 1,2", 2, NULL,
         "--batch-sizes: [1, 2, 4] there"},
        {"$T bench --resume fixed.json --seed 7", 2, NULL, "--seed: is 7, but the file says 42"},
        {"$T bench --resume fixed.json --dtype bfloat16", 2, NULL, "--dtype: is \"bfloat16\""},
        {"$T bench --resume fixed.json --passes 1", 2, NULL, "--passes: is 1"},
        {"$T bench --resume fixed.json --precision 2%", 2, NULL, "--precision: is 0.02"},
        {"$T bench --resume fixed.json --time-limit 1m", 2, NULL, "--time-limit: is 60"},
        {"$T bench --resume fixed.json --model distilgpt2", 2, NULL, "--model: is \"distilgpt2\""},
        {"$T bench --resume fixed.json --preset quick_test", 2, NULL, "leave the flag out"},
        {"$T bench --resume fixed.json --output-file x", 2, NULL, "leave --output-file out"},
        {"echo '{}' >empty.json; $T bench --resume empty.json", 2, NULL, "empty.json"},
        {"echo '[]' >list.json; $T bench --resume list.json", 2, NULL, "list.json"},
        {"cp fixed.csv lone.csv; $T bench --resume lone.csv", 2, NULL, "no such results"},
    };
    program_check(cases, COUNT(cases));
}

/* Takes the runs away, so that something is left to measure, and says that the CPU was another. */
static const char make_foreign[] =
    "sed -e 's/\"cpu_model\": \"[^\"]*\"/\"cpu_model\": \"Abacus 3\"/' "
    "-e 's/\"status\": \"measured\"/\"status\": \"pending\"/' "
    "-e '/^  \"runs\": \\[/,$d' strange_full.json >strange.json; "
    "echo '  \"runs\": []}' >>strange.json; ";

static void another_machine(void **state)
{
    (void)state;
    static struct outcome outcome;
    char line[2048];
    program_expect(&outcome, "$T bench --output-file strange_full" SMALL FAKE, 0);
    (void)snprintf(line, sizeof line, "%s$T bench --resume strange.json", make_foreign);
    program_expect(&outcome, line, 2);
    assert_contains(outcome.err, "was not measured under these conditions: system.cpu_model: "
                                 "\"Abacus 3\" there, ");
    assert_contains(outcome.err, "--force continues it");
    (void)snprintf(line, sizeof line, "%s$T bench --resume strange.json --force", make_foreign);
    program_expect(&outcome, line, 0);
    assert_contains(outcome.err, "warning: strange.json was not measured under");
    expect_whole("strange.json");
    struct results results;
    load(&results, "strange.json");
    const json_t *noted = json_object_get(results.options, "resume_differences");
    assert_int_equal(json_array_size(noted), 1);
    assert_contains(json_string_value(json_array_get(noted, 0)), "Abacus 3");
    results_free(&results);
    /* A cell has one type: --force does not put two into it. */
    static const char *const keys[] = {"dtype", "kv_dtype"};
    for (size_t i = 0; i < COUNT(keys); i++) {
        (void)snprintf(line, sizeof line,
                       "%ssed -i -e 's/\"%s\": \"float32\"/\"%s\": \"int8\"/' strange.json; "
                       "cp strange.json kept.json; $T bench --resume strange.json --force",
                       make_foreign, keys[i], keys[i]);
        program_expect(&outcome, line, 2);
        (void)snprintf(line, sizeof line, "engine.%s \"int8\", here it would be \"float32\"",
                       keys[i]);
        assert_contains(outcome.err, line);
        program_expect(&outcome, "cmp strange.json kept.json", 0);
    }
}

static void two_writers(void **state)
{
    (void)state;
    pid_t child = start("bench --output-file busy --batch-sizes 1 --input-lengths 8 "
                        "--output-length 50 --num-runs 200" FAKE);
    program_wait_for("busy.json");
    static const struct program_case cases[] = {
        {"$T bench --resume busy.json", 2, NULL, "busy.json: another tokenmark is writing it"},
        {"$T bench --force --output-file busy" SMALL FAKE, 2, NULL, "another tokenmark is writing"},
    };
    program_check(cases, COUNT(cases));
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

static void several_processes(void **state)
{
    (void)state;
    static struct outcome outcome;
    program_expect(&outcome,
                   "$T bench --processes 3 --output-file many --batch-sizes 1,2 "
                   "--input-lengths 8 --output-length 5 --num-runs 2" FAKE,
                   0);
    assert_contains(outcome.out, "processes 3, one after the other");
    assert_contains(outcome.out, "process 1 of 3 is done");
    assert_contains(outcome.out, "process 2 of 3 is done");
    assert_contains(outcome.out, "Results: many.json");
    struct results results;
    load(&results, "many.json");
    assert_int_equal(results.run_count, 12);
    for (size_t i = 0; i < 12; i++)
        assert_int_equal(results.runs[i].process, 1 + i / 4);
    assert_int_equal(results.cells[0].status, CELL_MEASURED);
    results_free(&results);

    /* A default name is one for all of them; a name that is taken is refused once. */
    static const struct program_case cases[] = {
        {"$T bench --processes 2 --batch-sizes 1 --input-lengths 8 --output-length 3 --num-runs 1 "
         "2>/dev/null" FAKE " && ls benchmark_results_*.json | wc -l",
         0, "process 1 of 2 is done", NULL},
        {"$T bench --processes 2 --output-file many" SMALL FAKE, 2, NULL, "--force replaces it"},
        {"$T bench --processes 2 --process 3" SMALL FAKE, 2, NULL, "--process 3 is above"},
        {"$T bench --processes 2 --output-file bad --batch-sizes 1,13 --input-lengths 8 "
         "--output-length 3 --num-runs 1" FAKE,
         1, "process 1 of 2", "1 of 2 cells failed"},
    };
    program_check(cases, COUNT(cases));
}

/* The supervisor is told to stop; it passes that on, waits, and the file can be continued. */
static void a_supervisor_that_is_stopped(void **state)
{
    (void)state;
    static struct outcome outcome;
    static const int signals[] = {SIGINT, SIGTERM};
    for (size_t i = 0; i < COUNT(signals); i++) {
        program_run(&outcome, "rm -f long.*");
        pid_t child = start("bench --processes 2 --output-file long --batch-sizes 1,2 "
                            "--input-lengths 8 --output-length 50 --num-runs 4" FAKE);
        program_wait_for("long.json");
        program_sleep_ms(300);
        assert_int_equal(kill(child, signals[i]), 0);
        int status = 0;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(program_exit_code(status), 1);
        struct results results;
        load(&results, "long.json");
        assert_true(results.run_count < 16);
        results_free(&results);
        program_expect(&outcome, "$T bench --resume long.json", 0);
        load(&results, "long.json");
        assert_int_equal(results.run_count, 16);
        for (size_t j = 0; j < 16; j++)
            assert_int_equal(results.runs[j].process, 1 + j / 8);
        results_free(&results);
    }
}

static void how_long_and_how_often(void **state)
{
    (void)state;
    static const struct program_case cases[] = {
        {"$T bench --min-runs 3" SMALL FAKE, 2, NULL, "--min-runs needs --precision"},
        {"$T bench --max-cell-time 3s" SMALL FAKE, 2, NULL, "--max-cell-time needs --precision"},
        {"$T bench --precision 2%" SMALL FAKE, 2, NULL, "exclude each other"},
        {"$T bench --precision 0" FAKE, 2, NULL, "--precision: '0' is no part"},
        {"$T bench --precision 200%" FAKE, 2, NULL, "give 2% or 0.02"},
        {"$T bench --precision 2% --min-runs 9 --max-runs 8" FAKE, 2, NULL, "is above --max-runs"},
        {"$T bench --passes 5" SMALL FAKE, 2, NULL, "every pass needs a run, and a cell gets 4"},
        {"$T bench --order up" FAKE, 2, NULL, "none of: random grid"},
        {"$T bench --time-limit soon" FAKE, 2, NULL, "'soon' is no time; give 90s, 30m or 1h30m"},
        {"$T bench --time-limit -5" FAKE, 2, NULL, "is no time"},
        {"$T bench --order grid --output-file straight" SMALL FAKE " 2>&1 | head -30", 0,
         "[1/12] 1 \303\227 8:", NULL},
        {"$T bench --precision 50% --min-runs 3 --max-runs 4 --batch-sizes 1,2 --input-lengths 8 "
         "--output-length 5 --output-file near 2>/dev/null" FAKE,
         0, "3 to 4 runs each until known to 50 %", NULL},
        {"$T bench --time-limit 1s --num-runs 1 --batch-sizes 1,2,3,4 --input-lengths 8,16,32,64 "
         "--output-length 30 --output-file short 2>/dev/null" FAKE,
         0, "the time limit of 1 s was reached", NULL},
    };
    program_check(cases, COUNT(cases));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_at_any_moment),
        cmocka_unit_test(an_interrupted_grid_goes_on),
        cmocka_unit_test(what_must_agree),
        cmocka_unit_test(another_machine),
        cmocka_unit_test(two_writers),
        cmocka_unit_test(several_processes),
        cmocka_unit_test(a_supervisor_that_is_stopped),
        cmocka_unit_test(how_long_and_how_often),
    };
    return cmocka_run_group_tests(tests, program_setup, program_teardown);
}
