/* Files: read, mapped, replaced as a whole, and every way in which that can be refused. */
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/file.h"
#include "folder.h"

static struct folder folder;

static int make_folder(void **state)
{
    (void)state;
    folder = folder_make();
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    folder_remove(folder.path);
    return 0;
}

static void assert_content(const char *path, const char *expected)
{
    char *text = NULL;
    size_t bytes = 0;
    struct error error = {0};
    assert_int_equal(file_read(&text, &bytes, path, 1 << 20, &error), 0);
    assert_int_equal(bytes, strlen(expected));
    assert_string_equal(text, expected);
    free(text);
}

static void test_write_replaces_and_leaves_nothing(void **state)
{
    (void)state;
    struct error error = {0};
    const char *path = folder_file(&folder, "out.json");
    assert_int_equal(file_write_atomic(path, "one", 3, &error), 0);
    assert_content(path, "one");
    assert_int_equal(file_write_atomic(path, "second", 6, &error), 0);
    assert_content(path, "second");
    assert_int_equal(file_write_atomic(path, "", 0, &error), 0);
    assert_content(path, "");
    assert_int_equal(folder_count(folder.path), 1);
}

static void test_write_to_a_bare_name(void **state)
{
    (void)state;
    char old[512];
    struct error error = {0};
    assert_non_null(getcwd(old, sizeof old));
    assert_int_equal(chdir(folder.path), 0);
    assert_int_equal(file_check_writable("bare", &error), 0);
    assert_int_equal(file_write_atomic("bare", "x", 1, &error), 0);
    assert_content("bare", "x");
    assert_int_equal(chdir(old), 0);
}

static void test_failed_write_keeps_the_old_file(void **state)
{
    (void)state;
    struct error error = {0};
    const char *path = folder_file(&folder, "kept");
    assert_int_equal(file_write_atomic(path, "old", 3, &error), 0);
    /* A file may not grow beyond 64 bytes: what a full disk does to a write. */
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    struct rlimit small = {64, before.rlim_max};
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    char big[4096];
    memset(big, 'x', sizeof big);
    int code = file_write_atomic(path, big, sizeof big, &error);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    (void)signal(SIGXFSZ, handler);
    assert_int_equal(code, ERROR_FAILED);
    assert_contains(error.text, path);
    assert_content(path, "old");
    assert_int_equal(folder_count(folder.path), 1);
}

static void test_write_refusals(void **state)
{
    (void)state;
    struct error error = {0};
    assert_int_equal(file_write_atomic(folder_file(&folder, "no/such"), "x", 1, &error),
                     ERROR_FAILED);
    assert_contains(error.text, "no/such");
    assert_int_equal(file_write_atomic(folder.path, "x", 1, &error), ERROR_FAILED);
    assert_int_equal(folder_count(folder.path), 0);
}

static void test_check_writable(void **state)
{
    (void)state;
    struct error error = {0};
    assert_int_equal(file_check_writable(folder_file(&folder, "new"), &error), 0);
    assert_int_equal(folder_count(folder.path), 0);
    assert_int_equal(file_check_writable(folder_file(&folder, "no/new"), &error), ERROR_INPUT);
    assert_int_equal(file_check_writable(folder.path, &error), ERROR_INPUT);
    assert_contains(error.text, "folder");
    assert_int_equal(file_check_writable("", &error), ERROR_INPUT);
    assert_int_equal(file_check_writable(folder_file(&folder, ""), &error), ERROR_INPUT);
    folder_write(folder_file(&folder, "kept"), "text");
    assert_int_equal(file_check_writable(folder_file(&folder, "kept"), &error), 0);
    assert_content(folder_file(&folder, "kept"), "text");
}

static void test_read_refusals(void **state)
{
    (void)state;
    char *text = NULL;
    size_t bytes = 0;
    struct error error = {0};
    assert_int_equal(file_read(&text, &bytes, folder_file(&folder, "none"), 10, &error),
                     ERROR_INPUT);
    assert_contains(error.text, "none");
    assert_int_equal(file_read(&text, &bytes, folder.path, 10, &error), ERROR_INPUT);
    assert_contains(error.text, "folder");
    assert_int_equal(mkfifo(folder_file(&folder, "pipe"), 0600), 0);
    assert_int_equal(file_read(&text, &bytes, folder_file(&folder, "pipe"), 10, &error),
                     ERROR_INPUT);
    folder_write(folder_file(&folder, "long"), "12345678901");
    assert_int_equal(file_read(&text, &bytes, folder_file(&folder, "long"), 10, &error),
                     ERROR_INPUT);
    assert_contains(error.text, "11 bytes");
    assert_null(text);
}

static void test_map(void **state)
{
    (void)state;
    struct error error = {0};
    struct file_map map;
    folder_write(folder_file(&folder, "empty"), "");
    assert_int_equal(file_map_open(&map, folder_file(&folder, "empty"), &error), 0);
    assert_null(map.data);
    assert_int_equal(map.bytes, 0);
    file_map_release(&map, 0, 10);
    file_map_close(&map);

    size_t count = 20000;
    char *content = malloc(count + 1);
    for (size_t i = 0; i < count; i++)
        content[i] = (char)('a' + i % 26);
    content[count] = '\0';
    folder_write(folder_file(&folder, "big"), content);
    assert_int_equal(file_map_open(&map, folder_file(&folder, "big"), &error), 0);
    assert_int_equal(map.bytes, count);
    file_map_release(&map, 100, count);
    file_map_release(&map, count, 1);
    file_map_release(&map, 0, SIZE_MAX);
    assert_memory_equal(map.data, content, count);
    file_map_close(&map);
    file_map_close(&map);
    file_map_close(NULL);
    free(content);
    assert_int_equal(file_map_open(&map, folder_file(&folder, "none"), &error), ERROR_INPUT);
}

static void test_folders(void **state)
{
    (void)state;
    struct error error = {0};
    const char *deep = folder_file(&folder, "a//b/c/");
    assert_int_equal(file_make_directories(deep, &error), 0);
    assert_int_equal(file_make_directories(deep, &error), 0);
    assert_true(file_is_directory(deep));
    folder_write(folder_file(&folder, "file"), "x");
    assert_false(file_is_directory(folder_file(&folder, "file")));
    assert_true(file_exists(folder_file(&folder, "file")));
    assert_false(file_exists(folder_file(&folder, "none")));
    assert_int_equal(file_make_directories(folder_file(&folder, "file/x"), &error), ERROR_INPUT);
    assert_contains(error.text, "file");
}

static void test_join(void **state)
{
    (void)state;
    const char *const cases[][3] = {
        {"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"", "b", "b"}, {"/", "b", "/b"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *joined = file_join(cases[i][0], cases[i][1]);
        assert_string_equal(joined, cases[i][2]);
        free(joined);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_write_replaces_and_leaves_nothing, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(test_write_to_a_bare_name, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_failed_write_keeps_the_old_file, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(test_write_refusals, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_check_writable, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_read_refusals, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_map, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_folders, make_folder, remove_folder),
        cmocka_unit_test(test_join),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
