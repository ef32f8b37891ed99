/* The pictures, and the driver of gnuplot with everything that can go wrong in a child. */
#include <signal.h>
#include <sys/resource.h>

#include "report/gnuplot.h"
#include "report/plot_list.h"
#include "report_sample.h"

static bool have_gnuplot(void)
{
    return system("gnuplot --version >/dev/null 2>&1") == 0;
}

/* The size of a whole PNG; fails the test on anything else. */
static void read_png_size(const char *folder, const char *name, unsigned size[2])
{
    static const unsigned char tail[] = {'I', 'E', 'N', 'D', 0xAE, 0x42, 0x60, 0x82};
    char *path = file_join(folder, name);
    char *content = NULL;
    size_t bytes = 0;
    struct error error = {0};
    if (file_read(&content, &bytes, path, (size_t)1 << 26, &error) != 0)
        fail_msg("%s", error.text);
    const unsigned char *data = (const unsigned char *)content;
    assert_true(bytes > 2000);
    assert_memory_equal(data, "\x89PNG\r\n\x1a\n", 8);
    assert_memory_equal(data + bytes - 8, tail, 8);
    for (int i = 0; i < 2; i++)
        size[i] = (unsigned)data[16 + 4 * i] << 24 | (unsigned)data[17 + 4 * i] << 16 |
                  (unsigned)data[18 + 4 * i] << 8 | data[19 + 4 * i];
    free(content);
    free(path);
}

/* Draws everything and checks that every picture is whole and gnuplot had nothing to say. */
static bool have_breakdown(const struct results *const *files, size_t count)
{
    for (size_t f = 0; f < count; f++) {
        for (size_t i = 0; i < files[f]->cell_count; i++) {
            if (files[f]->cells[i].breakdown.decode_steps > 0)
                return true;
        }
    }
    return false;
}

static void draw_all(const struct results *const *files, size_t count)
{
    char folder[64];
    struct text notices = {0};
    struct error error = {0};
    sample_folder_make(folder);
    struct report_options options = {
        .output_dir = folder, .notice = sample_notice, .notice_context = &notices};
    if (report_write(files, count, &options, &error) != 0)
        fail_msg("%s", error.text);
    if (strstr(text_string(&notices), "gnuplot") != NULL)
        fail_msg("%s", notices.data);
    char *report = sample_read(folder, "analysis_report.md");
    char *plots_folder = file_join(folder, "analysis_plots");
    for (size_t i = 0; i < PLOT_COUNT; i++) {
        unsigned size[2];
        if (plots[i].missing == NULL && !have_breakdown(files, count))
            continue;
        read_png_size(plots_folder, plots[i].file_name, size);
        assert_in_range(size[0], 500, PLOT_SIZE_MAX);
        assert_in_range(size[1], 250, PLOT_SIZE_MAX);
        assert_contains(report, plots[i].file_name);
    }
    free(report);
    free(plots_folder);
    sample_folder_remove(folder);
    text_free(&notices);
}

static void test_sizes(void **state)
{
    (void)state;
    static const struct {
        int batches, lengths, runs;
    } grids[] = {{1, 1, 1}, {2, 2, 1}, {6, 7, 3}, {9, 13, 2}, {1, 13, 1}, {9, 1, 1}};
    if (!have_gnuplot())
        skip();
    for (size_t i = 0; i < sizeof grids / sizeof grids[0]; i++) {
        struct results results;
        results_init(&results);
        sample_grid(&results, sample_gpt2, grids[i].batches, grids[i].lengths, grids[i].runs);
        sample_breakdowns(&results);
        const struct results *files[] = {&results};
        draw_all(files, 1);
        results_free(&results);
    }
}

static void test_groups_and_names(void **state)
{
    (void)state;
    static const struct sample_group groups[] = {
        {"`touch injected` 'x' \"$y\" {/Bold @a_b}\\n", "cpu", "float32"},
        {"模型/通义千问-😀", "cuda:0", "float16"},
        {"bad\xff\xfe\ncontrol\x01", "cpu", ""},
    };
    if (!have_gnuplot())
        skip();
    struct results results[3];
    const struct results *files[3];
    for (size_t i = 0; i < 3; i++) {
        files[i] = &results[i];
        results_init(&results[i]);
        sample_grid(&results[i], groups[i], 2 + (int)i, 3, 2);
        if (i != 1) /* one of the columns has none */
            sample_breakdowns(&results[i]);
    }
    draw_all(files, 3);
    assert_false(file_exists("injected"));
    for (size_t i = 0; i < 3; i++)
        results_free(&results[i]);
}

static void test_odd_values(void **state)
{
    (void)state;
    if (!have_gnuplot())
        skip();
    struct results results;
    results_init(&results);
    /* No decode steps, zero times, unknown times, huge and tiny beside each other. */
    static const int64_t cells[][2] = {
        {1, 32}, {1, 64}, {2, 32}, {2, 64}, {1000000000, 2000000000}};
    for (size_t i = 0; i < sizeof cells / sizeof cells[0]; i++)
        sample_cell(&results, cells[i][0], cells[i][1], CELL_MEASURED, "");
    sample_run(&results, sample_gpt2, 1, 32, 0.1, 0);
    sample_run(&results, sample_gpt2, 1, 64, 0, 0);
    sample_run(&results, sample_gpt2, 2, 32, NAN, 0.5);
    sample_run(&results, sample_gpt2, 2, 64, 1e-9, 1e9);
    sample_run(&results, sample_gpt2, 1000000000, 2000000000, 1, 1);
    const struct results *files[] = {&results};
    draw_all(files, 1);
    results_free(&results);
}

static void test_report_only(void **state)
{
    (void)state;
    char folder[64];
    struct results results;
    struct error error = {0};
    results_init(&results);
    sample_grid(&results, sample_gpt2, 2, 2, 1);
    const struct results *files[] = {&results};
    sample_folder_make(folder);
    struct report_options options = {.output_dir = folder, .report_only = true};
    assert_int_equal(report_write(files, 1, &options, &error), 0);
    assert_true(sample_exists(folder, "analysis_report.md"));
    assert_false(sample_exists(folder, "analysis_plots"));
    results_free(&results);
    sample_folder_remove(folder);
}

static void test_unwritable_folder(void **state)
{
    (void)state;
    struct results results;
    struct error error = {0};
    results_init(&results);
    sample_grid(&results, sample_gpt2, 1, 1, 1);
    const struct results *files[] = {&results};
    struct report_options options = {.output_dir = "/dev/null/nowhere"};
    assert_true(report_write(files, 1, &options, &error) < 0);
    assert_contains(error.text, "/dev/null");
    results_free(&results);
}

/* Puts a shell script named gnuplot alone in front; restored by restore_path. */
struct fake {
    char folder[64];
    char *old_path;
};

static void fake_gnuplot(struct fake *fake, const char *script)
{
    sample_folder_make(fake->folder);
    fake->old_path = strdup(getenv("PATH"));
    if (script != NULL) {
        struct error error = {0};
        char *path = file_join(fake->folder, "gnuplot");
        assert_int_equal(file_write_atomic(path, script, strlen(script), &error), 0);
        assert_int_equal(chmod(path, 0755), 0);
        free(path);
    }
    setenv("PATH", fake->folder, 1);
}

static void restore_path(struct fake *fake)
{
    setenv("PATH", fake->old_path, 1);
    free(fake->old_path);
    sample_folder_remove(fake->folder);
}

/* report_write with two old pictures in place; returns its code. */
static int write_with_old_picture(const char *folder, struct text *notices, struct error *error)
{
    struct results results;
    results_init(&results);
    sample_grid(&results, sample_gpt2, 2, 2, 1);
    const struct results *files[] = {&results};
    char *plots_folder = file_join(folder, "analysis_plots");
    char *old = file_join(plots_folder, "latency_heatmap.png");
    assert_int_equal(file_make_directories(plots_folder, error), 0);
    assert_int_equal(file_write_atomic(old, "old", 3, error), 0);
    struct report_options options = {
        .output_dir = folder, .notice = sample_notice, .notice_context = notices};
    int code = report_write(files, 1, &options, error);
    assert_false(file_exists(old)); /* of another analysis: gone, or it would mislead */
    free(old);
    free(plots_folder);
    results_free(&results);
    return code;
}

static void test_no_gnuplot(void **state)
{
    (void)state;
    char folder[64];
    struct fake fake;
    struct text notices = {0};
    struct error error = {0};
    sample_folder_make(folder);
    fake_gnuplot(&fake, NULL);
    int code = write_with_old_picture(folder, &notices, &error);
    restore_path(&fake);
    assert_int_equal(code, 0);
    assert_contains(text_string(&notices), "gnuplot is not installed");
    assert_contains(text_string(&notices), "apt-get install gnuplot-nox");
    assert_null(strstr(strstr(text_string(&notices), "not installed") + 1, "not installed"));
    char *report = sample_read(folder, "analysis_report.md");
    assert_null(strstr(report, ".png"));
    assert_contains(report, "## Recommendations");
    free(report);
    sample_folder_remove(folder);
    text_free(&notices);
}

static void test_cut_picture_keeps_report(void **state)
{
    (void)state;
    char folder[64];
    struct fake fake;
    struct text notices = {0};
    struct error error = {0};
    sample_folder_make(folder);
    /* As on a full disk: exit 0 and half a picture. */
    fake_gnuplot(&fake, "#!/bin/sh\nprintf '\\211PNG\\r\\n\\032\\nhalf of a picture here'\n");
    int code = write_with_old_picture(folder, &notices, &error);
    restore_path(&fake);
    assert_int_equal(code, ERROR_FAILED);
    assert_contains(error.text, "latency_heatmap.png: the picture is not whole");
    char *report = sample_read(folder, "analysis_report.md");
    assert_null(strstr(report, ".png"));
    free(report);
    sample_folder_remove(folder);
    text_free(&notices);
}

static void test_driver(void **state)
{
    (void)state;
    static const struct {
        const char *script;
        const char *message;
    } cases[] = {
        {"#!/bin/sh\necho 'line 3: no such thing' >&2\nexit 1\n",
         "gnuplot failed (exit 1): line 3: no such thing"},
        {"#!/bin/sh\nexec /bin/sleep 60\n", "gnuplot was stopped after 0 s"},
        {"#!/bin/sh\nkill -SEGV $$\n", "gnuplot was ended by signal 11"},
        {"#!/bin/sh\nexit 0\n", "the picture is not whole"},
    };
    char folder[64];
    sample_folder_make(folder);
    char *path = file_join(folder, "it's a picture.png");
    struct error error = {0};
    assert_int_equal(file_write_atomic(path, "old", 3, &error), 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fake fake;
        struct text said = {0};
        fake_gnuplot(&fake, cases[i].script);
        int code = gnuplot_draw("plot 1\n", 7, path, i == 1 ? 0.3 : 20, &said, &error);
        restore_path(&fake);
        assert_int_equal(code, ERROR_FAILED);
        assert_contains(error.text, cases[i].message);
        assert_contains(error.text, "it's a picture.png");
        char *old = sample_read(folder, "it's a picture.png");
        assert_string_equal(old, "old");
        free(old);
        text_free(&said);
    }
    free(path);
    /* Nothing half-written is left beside it. */
    char command[160];
    snprintf(command, sizeof command, "test \"$(ls -A '%s' | wc -l)\" -eq 1", folder);
    assert_int_equal(system(command), 0);
    sample_folder_remove(folder);
}

static void test_full_disk(void **state)
{
    (void)state;
    if (!have_gnuplot())
        skip();
    static const char script[] = "set terminal pngcairo size 900,700\nplot sin(x), cos(x)\n";
    char folder[64];
    sample_folder_make(folder);
    char *path = file_join(folder, "picture.png");
    struct text said = {0};
    struct error error = {0};
    struct rlimit old;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    struct rlimit small = {2048, old.rlim_max};
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN); /* writes then fail, as on a full disk */
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    int limited = gnuplot_draw(script, sizeof script - 1, path, 60, &said, &error);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    signal(SIGXFSZ, handler);
    assert_int_equal(limited, ERROR_FAILED);
    assert_false(file_exists(path));
    assert_int_equal(gnuplot_draw(script, sizeof script - 1, path, 60, &said, &error), 0);
    unsigned size[2];
    read_png_size(folder, "picture.png", size);
    assert_int_equal(size[0], 900);
    assert_int_equal(size[1], 700);
    text_free(&said);
    free(path);
    sample_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_groups_and_names),
        cmocka_unit_test(test_odd_values),
        cmocka_unit_test(test_report_only),
        cmocka_unit_test(test_unwritable_folder),
        cmocka_unit_test(test_no_gnuplot),
        cmocka_unit_test(test_cut_picture_keeps_report),
        cmocka_unit_test(test_driver),
        cmocka_unit_test(test_full_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
