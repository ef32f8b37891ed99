/* The two files on disk: names, refusals before anything runs, the rewrite rule on a scripted
 * clock, and that a kill or a full disk never leaves a file that does not load. */
#include "test.h"

#include <ctype.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/file.h"
#include "folder.h"
#include "results/results_file.h"

static struct folder folder;
static char prefix[400];

static int make_folder(void **state)
{
    (void)state;
    folder = folder_make();
    (void)snprintf(prefix, sizeof prefix, "%s/out", folder.path);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    folder_remove(folder.path);
    return 0;
}

/* Each reading takes the next of a list of moments. */
struct script {
    const double *moments_s;
    size_t next;
};

static double scripted_now_s(void *context)
{
    struct script *script = context;
    return script->moments_s[script->next++];
}

static void add_run(struct results *results, int64_t number)
{
    struct run_record run;
    struct error error = {0};
    run_record_init(&run);
    (void)strcpy(run.model_name, "model");
    (void)strcpy(run.device, "cpu");
    run.batch_size = 1;
    run.input_length = 8;
    run.target_output_length = 2;
    run.actual_output_length = 2;
    run.run_number = number;
    run.prefill_time = 0.25;
    run.decode_time = 0.5;
    run_record_derive(&run);
    assert_int_equal(results_add_run(results, &run, &error), 0);
}

static size_t runs_on_disk(const char *path)
{
    struct results loaded;
    struct error error = {0};
    if (results_load(&loaded, path, &error) != 0)
        fail_msg("%s", error.text);
    size_t count = loaded.run_count;
    results_free(&loaded);
    return count;
}

static void test_names(void **state)
{
    (void)state;
    const char *const endings[] = {"", ".json", ".csv"};
    struct error error = {0};
    for (size_t i = 0; i < 3; i++) {
        char given[450];
        char expected[450];
        struct results_file file;
        (void)snprintf(given, sizeof given, "%s%s", prefix, endings[i]);
        assert_int_equal(results_file_open(&file, given, false, clock_monotonic(), &error), 0);
        (void)snprintf(expected, sizeof expected, "%s.json", prefix);
        assert_string_equal(file.json_path, expected);
        (void)snprintf(expected, sizeof expected, "%s.csv", prefix);
        assert_string_equal(file.csv_path, expected);
        results_file_close(&file);
        results_file_close(&file);
    }
    assert_int_equal(folder_count(folder.path), 0);
}

static void test_default_name_is_the_time(void **state)
{
    (void)state;
    char old[512];
    struct results_file file;
    struct error error = {0};
    assert_non_null(getcwd(old, sizeof old));
    assert_int_equal(chdir(folder.path), 0);
    assert_int_equal(results_file_open(&file, NULL, false, clock_monotonic(), &error), 0);
    assert_int_equal(chdir(old), 0);
    const char *pattern = "benchmark_results_dddddddd_dddddd.json";
    assert_int_equal(strlen(file.json_path), strlen(pattern));
    for (size_t i = 0; pattern[i] != '\0'; i++) {
        bool digit = i >= 18 && pattern[i] == 'd';
        assert_true(digit ? isdigit((unsigned char)file.json_path[i]) != 0
                          : file.json_path[i] == pattern[i]);
    }
    results_file_close(&file);
}

static void test_existing_files_are_refused(void **state)
{
    (void)state;
    const char *const names[] = {"out.json", "out.csv"};
    for (size_t i = 0; i < 2; i++) {
        struct results_file file;
        struct error error = {0};
        const char *path = folder_file(&folder, names[i]);
        folder_write(path, "precious");
        assert_int_equal(results_file_open(&file, prefix, false, clock_monotonic(), &error),
                         ERROR_INPUT);
        assert_contains(error.text, names[i]);
        assert_contains(error.text, "--force");
        assert_int_equal(results_file_open(&file, prefix, true, clock_monotonic(), &error), 0);
        results_file_close(&file);
        char *text = NULL;
        size_t bytes = 0;
        assert_int_equal(file_read(&text, &bytes, path, 100, &error), 0);
        assert_string_equal(text, "precious");
        free(text);
        assert_int_equal(remove(path), 0);
    }
}

static void test_unwritable_places_are_refused(void **state)
{
    (void)state;
    struct results_file file;
    struct error error = {0};
    char path[450];
    (void)snprintf(path, sizeof path, "%s/none/out", folder.path);
    assert_int_equal(results_file_open(&file, path, true, clock_monotonic(), &error), ERROR_INPUT);
    assert_contains(error.text, "none/out.json");
    assert_int_equal(mkdir(folder_file(&folder, "out.csv"), 0700), 0);
    assert_int_equal(results_file_open(&file, prefix, true, clock_monotonic(), &error),
                     ERROR_INPUT);
    assert_contains(error.text, "out.csv");
}

static void test_a_save_costs_at_most_a_twentieth(void **state)
{
    (void)state;
    /* open; first save 10 to 12 (cost 2, 20 s before); at 40: 28 s since, too early;
     * at 52: 40 s since, due, ends at 53; at 60: forced. */
    const double moments_s[] = {0, 10, 12, 40, 52, 53, 60, 61};
    const struct {
        bool always, saved;
    } turns[] = {{false, true}, {false, false}, {false, true}, {true, true}};
    struct script script = {moments_s, 0};
    const struct clock clock = {scripted_now_s, &script};
    struct results_file file;
    struct results results;
    struct error error = {0};
    size_t on_disk = 0;
    results_init(&results);
    assert_int_equal(results_file_open(&file, prefix, false, &clock, &error), 0);
    for (size_t i = 0; i < 4; i++) {
        add_run(&results, (int64_t)i + 1);
        assert_int_equal(results_file_save(&file, &results, turns[i].always, &error), 0);
        if (turns[i].saved)
            on_disk = results.run_count;
        assert_int_equal(runs_on_disk(file.json_path), on_disk);
        assert_int_equal(runs_on_disk(file.csv_path), on_disk);
    }
    assert_int_equal(script.next, sizeof moments_s / sizeof moments_s[0]);
    assert_int_equal(folder_count(folder.path), 3); /* the lock is the third */
    results_file_close(&file);
    results_free(&results);
}

/* A child saves as fast as it can and is killed in the middle of it. */
static void test_kill_leaves_whole_files(void **state)
{
    (void)state;
    for (int turn = 0; turn < 12; turn++) {
        struct results_file file;
        struct results results;
        struct error error = {0};
        results_init(&results);
        assert_int_equal(results_file_open(&file, prefix, true, clock_monotonic(), &error), 0);
        for (int64_t i = 0; i < 40; i++)
            add_run(&results, i + 1);
        assert_int_equal(results_file_save(&file, &results, true, &error), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            for (;;) {
                results.run_count = results.run_count == 40 ? 20 : 40;
                if (results_file_save(&file, &results, true, &error) != 0)
                    _exit(1);
            }
        }
        (void)usleep(3000 + 1700U * (unsigned)turn);
        int status = 0;
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        size_t json_runs = runs_on_disk(file.json_path);
        size_t csv_runs = runs_on_disk(file.csv_path);
        assert_true(json_runs == 20 || json_runs == 40);
        assert_true(csv_runs == 20 || csv_runs == 40);
        results_file_close(&file);
        results_free(&results);
    }
}

static void test_full_disk_leaves_the_last_complete_files(void **state)
{
    (void)state;
    struct results_file file;
    struct results results;
    struct error error = {0};
    results_init(&results);
    assert_int_equal(results_file_open(&file, prefix, false, clock_monotonic(), &error), 0);
    add_run(&results, 1);
    assert_int_equal(results_file_save(&file, &results, true, &error), 0);
    for (int64_t i = 2; i < 60; i++)
        add_run(&results, i);

    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    const struct rlimit small = {8192, before.rlim_max};
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    int code = results_file_save(&file, &results, true, &error);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    (void)signal(SIGXFSZ, handler);

    assert_int_equal(code, ERROR_FAILED);
    assert_contains(error.text, file.json_path);
    assert_int_equal(runs_on_disk(file.json_path), 1);
    assert_int_equal(runs_on_disk(file.csv_path), 1);
    assert_int_equal(folder_count(folder.path), 3); /* the lock is the third */
    assert_int_equal(results_file_save(&file, &results, true, &error), 0);
    assert_int_equal(runs_on_disk(file.json_path), 59);
    results_file_close(&file);
    results_free(&results);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_names, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_default_name_is_the_time, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_existing_files_are_refused, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(test_unwritable_places_are_refused, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(test_a_save_costs_at_most_a_twentieth, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(test_kill_leaves_whole_files, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_full_disk_leaves_the_last_complete_files, make_folder,
                                        remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
