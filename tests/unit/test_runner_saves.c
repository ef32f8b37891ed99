/* What is on disk while the grid runs: all cells pending before the first warm-up, every cell
 * once it is done, and what happens when the disk refuses. */
#include "bench_fixture.h"

#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/tokenmark_saves_XXXXXX";
static char hidden_folder[sizeof folder + 8];
static char prefix[64], json_path[64], csv_path[64];

static int make_folder(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    (void)snprintf(hidden_folder, sizeof hidden_folder, "%s.away", folder);
    (void)snprintf(prefix, sizeof prefix, "%s/run", folder);
    (void)snprintf(json_path, sizeof json_path, "%s/run.json", folder);
    (void)snprintf(csv_path, sizeof csv_path, "%s/run.csv", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    (void)unlink(json_path);
    (void)unlink(csv_path);
    return rmdir(folder);
}

/* Where the folder goes while "the disk is full": saving must then fail. */
static void hide_folder(void)
{
    assert_int_equal(rename(folder, hidden_folder), 0);
}

static void show_folder(void)
{
    assert_int_equal(rename(hidden_folder, folder), 0);
}

static void open_file(struct fixture *fixture, struct results_file *file)
{
    assert_int_equal(results_file_open(file, prefix, true, &fixture->clock, &fixture->error), 0);
}

/* Cells on disk by status, and runs. */
static void count_saved(size_t statuses[CELL_FAILED + 1], size_t *runs)
{
    struct results saved;
    struct error error = {0};
    results_init(&saved);
    assert_int_equal(results_load(&saved, json_path, &error), 0);
    memset(statuses, 0, (CELL_FAILED + 1) * sizeof *statuses);
    for (size_t i = 0; i < saved.cell_count; i++)
        statuses[saved.cells[i].status]++;
    *runs = saved.run_count;
    results_free(&saved);
}

/* The test clock stands still while a file is saved, so every save is due. */
static void watch_disk(struct fixture *fixture, const struct runner_event *event)
{
    size_t statuses[CELL_FAILED + 1], runs = 0;
    count_saved(statuses, &runs);
    size_t done = (size_t)fixture->events[RUNNER_CELL_END];
    if (event->kind == RUNNER_CELL_END)
        done++;
    assert_int_equal(statuses[CELL_MEASURED], done);
    assert_int_equal(statuses[CELL_PENDING], 4 - done);
    assert_int_equal(runs, 2 * done);
}

static void test_the_file_follows_the_grid(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    fixture.watch = watch_disk;
    fixture_open(&fixture);
    struct results_file file;
    open_file(&fixture, &file);
    assert_int_equal(runner_run(&fixture.results, &file, &fixture.options, &fixture.error), 0);
    assert_int_equal(fixture.events[RUNNER_CELL_END], 4);
    results_file_close(&file);
    fixture_close(&fixture);
}

static void test_a_stop_and_a_failure_are_saved(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    struct fake_fault fault = {FAKE_PREFILL_FAILS, 1, 4, -1};
    fixture.script.faults = &fault;
    fixture.script.fault_count = 1;
    fixture.stop_after_runs = 3;
    fixture_open(&fixture);
    struct results_file file;
    open_file(&fixture, &file);
    assert_int_equal(runner_run(&fixture.results, &file, &fixture.options, &fixture.error),
                     ERROR_STOPPED);
    size_t statuses[CELL_FAILED + 1], runs = 0;
    count_saved(statuses, &runs);
    assert_int_equal(statuses[CELL_FAILED], 1);
    assert_int_equal(statuses[CELL_MEASURED], 1);
    assert_int_equal(statuses[CELL_PARTIAL], 1);
    assert_int_equal(statuses[CELL_PENDING], 1);
    assert_int_equal(runs, 3);
    results_file_close(&file);
    fixture_close(&fixture);
}

static void test_a_file_that_cannot_be_written_is_told_first(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    fixture_open(&fixture);
    struct results_file file;
    open_file(&fixture, &file);
    hide_folder();
    int code = runner_run(&fixture.results, &file, &fixture.options, &fixture.error);
    show_folder();
    assert_int_equal(code, ERROR_FAILED);
    assert_contains(fixture.error.text, "the results could not be saved: ");
    assert_contains(fixture.error.text, "run.json");
    /* Nothing was measured in vain. */
    assert_string_equal(text_string(&fixture.log), "");
    results_file_close(&file);
    fixture_close(&fixture);
}

static void hide_at_first_warm_up(struct fixture *fixture, const struct runner_event *event)
{
    if (event->kind == RUNNER_WARM_UP && fixture->events[RUNNER_WARM_UP] == 0)
        hide_folder();
    if (event->kind == RUNNER_SAVE_FAILED)
        assert_contains(event->text, "run.json");
}

static void test_a_disk_that_stays_full(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    fixture.watch = hide_at_first_warm_up;
    fixture_open(&fixture);
    struct results_file file;
    open_file(&fixture, &file);
    int code = runner_run(&fixture.results, &file, &fixture.options, &fixture.error);
    show_folder();
    assert_int_equal(code, ERROR_FAILED);
    assert_contains(fixture.error.text, "the results could not be saved: ");
    assert_int_equal(fixture.events[RUNNER_SAVE_FAILED], 4);
    /* In memory all is there; on disk the last complete file. */
    assert_int_equal(fixture.results.run_count, 8);
    size_t statuses[CELL_FAILED + 1], runs = 0;
    count_saved(statuses, &runs);
    assert_int_equal(statuses[CELL_PENDING], 4);
    assert_int_equal(runs, 0);
    results_file_close(&file);
    fixture_close(&fixture);
}

static void hide_during_the_second_cell(struct fixture *fixture, const struct runner_event *event)
{
    if (event->kind == RUNNER_WARM_UP && fixture->events[RUNNER_WARM_UP] == 1)
        hide_folder();
    if (event->kind == RUNNER_WARM_UP && fixture->events[RUNNER_WARM_UP] == 2)
        show_folder();
}

static void test_a_disk_that_has_room_again(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    fixture.watch = hide_during_the_second_cell;
    fixture_open(&fixture);
    struct results_file file;
    open_file(&fixture, &file);
    assert_int_equal(runner_run(&fixture.results, &file, &fixture.options, &fixture.error), 0);
    assert_int_equal(fixture.events[RUNNER_SAVE_FAILED], 1);
    size_t statuses[CELL_FAILED + 1], runs = 0;
    count_saved(statuses, &runs);
    assert_int_equal(statuses[CELL_MEASURED], 4);
    assert_int_equal(runs, 8);
    results_file_close(&file);
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_file_follows_the_grid),
        cmocka_unit_test(test_a_stop_and_a_failure_are_saved),
        cmocka_unit_test(test_a_file_that_cannot_be_written_is_told_first),
        cmocka_unit_test(test_a_disk_that_stays_full),
        cmocka_unit_test(test_a_disk_that_has_room_again),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
