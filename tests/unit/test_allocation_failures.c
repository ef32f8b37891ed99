/* Every allocation fails once: while a grid runs, is written, and is read. Nothing crashes, nothing
 * is lost that was measured, and what fails says so. The linker hands the program's allocations to
 * this file (--wrap); Jansson's are redirected by its own hook. */
#include "bench_fixture.h"

#include "base/file.h"
#include "folder.h"

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *memory, size_t bytes);
void *__real_reallocarray(void *memory, size_t count, size_t bytes);
char *__real_strdup(const char *string);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *memory, size_t bytes);
void *__wrap_reallocarray(void *memory, size_t count, size_t bytes);
char *__wrap_strdup(const char *string);

/* Allocations until one fails; negative: none does. */
static long until_failure = -1;

static bool fails(void)
{
    return until_failure >= 0 && until_failure-- == 0;
}

void *__wrap_malloc(size_t bytes)
{
    return fails() ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
    return fails() ? NULL : __real_calloc(count, bytes);
}

void *__wrap_realloc(void *memory, size_t bytes)
{
    return fails() ? NULL : __real_realloc(memory, bytes);
}

void *__wrap_reallocarray(void *memory, size_t count, size_t bytes)
{
    return fails() ? NULL : __real_reallocarray(memory, count, bytes);
}

char *__wrap_strdup(const char *string)
{
    return fails() ? NULL : __real_strdup(string);
}

static struct folder folder;

static int set_up(void **state)
{
    (void)state;
    folder = folder_make();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    folder_remove(folder.path);
    return 0;
}

static void open_fixture(struct fixture *fixture)
{
    fixture_init(fixture);
    fixture->script.log = NULL;
    fixture->config.num_runs = 4;
    fixture->schedule = (struct schedule){
        .passes = 2,
        .order = SCHEDULE_RANDOM,
        .processes = 1,
        .process = 1,
        .precision = 0.01,
        .min_runs = 4,
        .max_runs = 6,
        .max_cell_time_s = 1e9,
    };
    fixture_open(fixture);
}

/* Whatever failed, what is in memory is whole, and can be written and read back. */
static void expect_sound(const struct results *results)
{
    struct text json = {0};
    struct results back;
    struct error error = {0};
    for (size_t i = 0; i < results->run_count; i++) {
        assert_int_equal(results->runs[i].decode_step_count, 4);
        assert_non_null(results->runs[i].decode_step_times);
        assert_int_equal(strlen(results->runs[i].output_hash), 16);
    }
    assert_int_equal(results_write_json(results, &json, &error), 0);
    assert_int_equal(results_parse_json(&back, text_string(&json), json.length, "r", &error), 0);
    assert_int_equal(back.run_count, results->run_count);
    assert_int_equal(back.cell_count, 4);
    results_free(&back);
    text_free(&json);
}

static void test_while_a_grid_runs(void **state)
{
    (void)state;
    bool failed_once = false;
    for (long moment = 0;; moment++) {
        struct fixture fixture;
        open_fixture(&fixture);
        until_failure = moment;
        int code = fixture_run(&fixture);
        bool reached = until_failure < 0;
        until_failure = -1;
        size_t failed = 0;
        for (size_t i = 0; i < 4; i++) {
            const struct cell_record *cell = &fixture.results.cells[i];
            failed += cell->status == CELL_FAILED;
            if (cell->status == CELL_FAILED)
                assert_contains(cell->reason, "memory");
        }
        if (code == 0)
            assert_int_equal(failed, 0);
        else
            assert_non_null(strstr(fixture.error.text, failed > 0 ? "failed" : "memory"));
        failed_once |= failed > 0;
        expect_sound(&fixture.results);
        if (code == 0)
            assert_int_equal(fixture.results.run_count, 16);
        fixture_close(&fixture);
        if (!reached)
            break;
        assert_true(moment < 20000);
    }
    assert_true(failed_once);
}

static void test_while_a_grid_is_saved(void **state)
{
    (void)state;
    char path[512];
    (void)snprintf(path, sizeof path, "%s/run", folder.path);
    for (long moment = 0;; moment++) {
        struct fixture fixture;
        struct results_file file;
        open_fixture(&fixture);
        until_failure = moment;
        int code = results_file_open(&file, path, true, &fixture.clock, &fixture.error);
        if (code == 0)
            (void)runner_run(&fixture.results, &file, &fixture.options, &fixture.error);
        else
            assert_int_equal(code, ERROR_MEMORY);
        bool reached = until_failure < 0;
        until_failure = -1;
        expect_sound(&fixture.results);
        results_file_close(&file);
        struct results loaded;
        if (code == 0 && file_exists(folder_file(&folder, "run.json"))) {
            assert_int_equal(
                results_load(&loaded, folder_file(&folder, "run.json"), &fixture.error), 0);
            results_free(&loaded);
        }
        fixture_close(&fixture);
        if (!reached)
            break;
        /* The later ones repeat the first saves. */
        moment += moment / 8;
    }
}

/* Writes one document and reads it; the code of what failed, 0 when nothing did. A failure that
 * is made good again must not show: the text is the `expected` one, where that is known. */
static int write_and_read(const struct results *results, bool csv, struct text *expected)
{
    struct text text = {0};
    struct results back;
    struct error error = {0};
    /* Jansson's parser does not survive without memory: of its allocations those of writing fail.
     */
    json_set_alloc_funcs(__wrap_malloc, free);
    int code = csv ? results_write_csv(results, &text, &error)
                   : results_write_json(results, &text, &error);
    json_set_alloc_funcs(__real_malloc, free);
    if (code == 0 && expected->length > 0)
        assert_string_equal(text_string(&text), text_string(expected));
    if (code == 0)
        code = csv ? results_parse_csv(&back, text_string(&text), text.length, "r", &error)
                   : results_parse_json(&back, text_string(&text), text.length, "r", &error);
    if (code == 0) {
        assert_int_equal(back.run_count, results->run_count);
        results_free(&back);
    } else {
        assert_int_not_equal(code, ERROR_INPUT);
        assert_string_not_equal(error.text, "");
    }
    if (expected->length == 0)
        *expected = text;
    else
        text_free(&text);
    return code;
}

static void test_while_results_are_written_and_read(void **state)
{
    (void)state;
    struct fixture fixture;
    open_fixture(&fixture);
    fixture.config.num_runs = 1;
    fixture.config.output_length = 2;
    schedule_init(&fixture.schedule, 1);
    assert_int_equal(fixture_run(&fixture), 0);
    for (int csv = 0; csv <= 1; csv++) {
        struct text expected = {0};
        bool reached = true, failed = false;
        assert_int_equal(write_and_read(&fixture.results, csv == 1, &expected), 0);
        for (long moment = 0; reached; moment++) {
            until_failure = moment;
            failed |= write_and_read(&fixture.results, csv == 1, &expected) != 0;
            reached = until_failure < 0;
            until_failure = -1;
            assert_true(moment < 20000);
        }
        assert_true(failed);
        text_free(&expected);
    }
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_while_a_grid_runs),
        cmocka_unit_test(test_while_a_grid_is_saved),
        cmocka_unit_test(test_while_results_are_written_and_read),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
