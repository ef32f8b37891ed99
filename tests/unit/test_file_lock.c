/* One writer at a time: two locks, a holder that is killed, and what it leaves. */
#include "test.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/file_lock.h"
#include "folder.h"

static void write_file(const char *path)
{
    struct error error = {0};
    assert_int_equal(file_write_atomic(path, "x", 1, &error), 0);
}

static void test_two_locks(void **state)
{
    (void)state;
    struct folder folder = folder_make();
    const char *path = folder_file(&folder, "run.json");
    struct file_lock first, second;
    struct error error = {0};
    assert_int_equal(file_lock_take(&first, path, &error), 0);
    assert_int_equal(file_lock_take(&second, path, &error), ERROR_INPUT);
    assert_contains(error.text, "run.json: another tokenmark is writing it");
    file_lock_release(&second);
    file_lock_release(&first);
    file_lock_release(&first);
    assert_int_equal(folder_count(folder.path), 0);
    assert_int_equal(file_lock_take(&second, path, &error), 0);
    file_lock_release(&second);
    folder_remove(folder.path);
}

static void test_a_holder_that_is_killed(void **state)
{
    (void)state;
    struct folder folder = folder_make();
    const char *path = folder_file(&folder, "run.json");
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct file_lock lock;
        struct error error;
        if (file_lock_take(&lock, path, &error) != 0 || write(ready[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            (void)pause();
    }
    char byte;
    assert_int_equal(read(ready[0], &byte, 1), 1);
    struct file_lock lock;
    struct error error = {0};
    assert_int_equal(file_lock_take(&lock, path, &error), ERROR_INPUT);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(file_lock_take(&lock, path, &error), 0);
    file_lock_release(&lock);
    (void)close(ready[0]);
    (void)close(ready[1]);
    folder_remove(folder.path);
}

static void test_leftovers(void **state)
{
    (void)state;
    struct folder folder = folder_make();
    static const char *const names[] = {
        "run.json",          ".run.json.tmp.123", ".run.json.tmp.99999",
        ".run.json.tmp.12x", ".run.json.tmp.",    ".other.json.tmp.123"};
    for (size_t i = 0; i < 6; i++)
        write_file(folder_file(&folder, names[i]));
    struct file_lock lock;
    struct error error = {0};
    assert_int_equal(file_lock_take(&lock, folder_file(&folder, "run.json"), &error), 0);
    file_remove_leftovers(folder_file(&folder, "run.json"));
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(file_exists(folder_file(&folder, names[i])), i != 1 && i != 2);
    file_lock_release(&lock);
    folder_remove(folder.path);
}

static void test_a_folder_that_is_not_there(void **state)
{
    (void)state;
    struct file_lock lock;
    struct error error = {0};
    assert_int_equal(file_lock_take(&lock, "/nowhere/at/all/run.json", &error), ERROR_INPUT);
    assert_contains(error.text, "cannot be locked");
    file_lock_release(&lock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_locks),
        cmocka_unit_test(test_a_holder_that_is_killed),
        cmocka_unit_test(test_leftovers),
        cmocka_unit_test(test_a_folder_that_is_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
