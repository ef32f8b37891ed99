/* A measurement that is stopped: Ctrl-C saves and ends, twice ends at once, and kill -9 at any
 * moment leaves files that can be read. */
#include "program.h"

#include "results/results.h"

/* Starts the program with `words`; output goes to .out and .err. */
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

static int finish(pid_t child)
{
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return program_exit_code(status);
}

static void load(struct results *results, const char *path)
{
    struct error error = {0};
    results_init(results);
    if (results_load(results, path, &error) != 0)
        fail_msg("%s", error.text);
}

static void stop_saves(int signal_number, const char *prefix)
{
    static char text[1 << 14];
    char words[512], json[64];
    (void)snprintf(words, sizeof words,
                   "bench --batch-sizes 1,2 --input-lengths 8 --output-length 50 --num-runs 100 "
                   "--output-file %s" FAKE,
                   prefix);
    (void)snprintf(json, sizeof json, "%s.json", prefix);
    pid_t child = start(words);
    program_wait_for(json);
    program_sleep_ms(700);
    assert_int_equal(kill(child, signal_number), 0);
    assert_int_equal(finish(child), 1);

    program_read(".err", text, sizeof text);
    assert_contains(text, "Stopping");
    assert_contains(text, "stopped");
    program_read(".out", text, sizeof text);
    assert_contains(text, "pending");
    assert_contains(text, json);
    struct results results;
    load(&results, json);
    assert_int_equal(results.cell_count, 2);
    assert_int_equal(results.cells[0].status, CELL_PARTIAL);
    assert_int_equal(results.cells[1].status, CELL_PENDING);
    assert_in_range(results.run_count, 1, 99);
    results_free(&results);
}

static void interrupt_saves(void **state)
{
    (void)state;
    stop_saves(SIGINT, "interrupted");
}

static void terminate_saves(void **state)
{
    (void)state;
    stop_saves(SIGTERM, "terminated");
}

/* Both signals wait while the program is halted: it gets no time to end by the first. */
static void second_signal_ends_at_once(void **state)
{
    (void)state;
    pid_t child = start("bench --batch-sizes 1 --input-lengths 8 --output-length 50 --num-runs "
                        "1000 --output-file twice" FAKE);
    program_wait_for("twice.json");
    program_sleep_ms(300);
    assert_int_equal(kill(child, SIGSTOP), 0);
    assert_int_equal(kill(child, SIGINT), 0);
    assert_int_equal(kill(child, SIGTERM), 0);
    assert_int_equal(kill(child, SIGCONT), 0);
    assert_int_equal(finish(child), 128 + SIGTERM);
    struct results results;
    load(&results, "twice.json");
    results_free(&results);
}

static void kill_leaves_valid_files(void **state)
{
    (void)state;
    size_t files = 0, runs = 0;
    for (int trial = 0; trial < 24; trial++) {
        (void)unlink("killed.json");
        (void)unlink("killed.csv");
        pid_t child = start("bench --batch-sizes 1,2,3,4,5,6,7,8,9 --input-lengths "
                            "1,2,3,4,5,6,7,8 --output-length 2 --num-runs 3 --temperature 0 "
                            "--output-file killed" FAKE);
        program_sleep_ms(20 + trial * 37);
        assert_int_equal(kill(child, SIGKILL), 0);
        (void)finish(child);
        if (!program_has_file("killed.json"))
            continue;
        struct results results;
        load(&results, "killed.json");
        assert_int_equal(results.cell_count, 72);
        files++;
        runs += results.run_count;
        results_free(&results);
        if (program_has_file("killed.csv") && runs > 0) {
            load(&results, "killed.csv");
            results_free(&results);
        }
    }
    assert_true(files > 0);
    assert_true(runs > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(interrupt_saves),
        cmocka_unit_test(terminate_saves),
        cmocka_unit_test(second_signal_ends_at_once),
        cmocka_unit_test(kill_leaves_valid_files),
    };
    return cmocka_run_group_tests(tests, program_setup, program_teardown);
}
