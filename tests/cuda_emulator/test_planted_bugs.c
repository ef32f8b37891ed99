/* Every bug planted in planted_kernels.cuh is found, and named with its line, by the builds of
 * planted_bugs that are there to find it: plain, under AddressSanitizer and UBSan, under
 * ThreadSanitizer. The same kernels without their bugs pass in all three. */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

enum build { PLAIN, CHECKED, RACES, BUILDS };

/* Paths of the programs; empty where the build could not be made. */
static const char *const programs[BUILDS] = {PLAIN_PROGRAM, CHECKED_PROGRAM, RACES_PROGRAM};

struct expectation {
    const char *bug;
    enum build build;
    bool at_line;     /* the marked statement must be named */
    const char *text; /* and this said */
};

static const struct expectation expectations[] = {
    {"missing_barrier", PLAIN, false, "wrong values in 10 of 10"},
    {"missing_loop_barrier", PLAIN, false, "wrong values in "},
    {"missing_ring_barrier", PLAIN, false, "wrong values in "},
    {"missing_wait", PLAIN, false, "wrong values in 5 of 10"},
    {"early_host_read", PLAIN, false, "wrong values in 5 of 10"},
    {"unordered_upload", PLAIN, false, "wrong values in 5 of 10"},
    {"misaligned_access", PLAIN, true, "misaligned 16-byte access"},
    {"misaligned_copy", PLAIN, true, "misaligned 16-byte access"},
    {"misaligned_matrices", PLAIN, true, "misaligned 16-byte access"},
    {"divergent_barrier", PLAIN, true, "divergent barrier"},
    {"deadlock", PLAIN, true, "deadlock: divergent barrier: 1 of "},
    {"exited_lanes", PLAIN, true, "names lane 20, which has returned"},
    {"different_operations", PLAIN, true, "divergent warp operation"},
    {"waiting_block", PLAIN, true, "waits for ever"},
    {"too_many_threads", PLAIN, false, "fill_kernel: launch over limits: block (1025, 1, 1)"},
    {"too_much_shared_memory", PLAIN, false, "fill_kernel: launch over limits: 232449 bytes"},
    {"too_large_grid", PLAIN, false, "fill_kernel: launch over limits: grid (1, 65536, 1)"},
    {"one_past_row", CHECKED, true, "heap-buffer-overflow"},
    {"missing_barrier", RACES, true, "data race"},
    {"missing_loop_barrier", RACES, true, "data race"},
    {"missing_ring_barrier", RACES, true, "data race"},
    {"relaxed_counter", RACES, true, "data race"},
};

/* All that the program prints, in `text`; its exit status, or 128 + a signal. */
static int run(enum build build, const char *arguments, char *text, size_t size)
{
    char command[2048];
    snprintf(command, sizeof command, "%s %s 2>&1", programs[build], arguments);
    FILE *output = popen(command, "r");
    assert_non_null(output);
    size_t length = fread(text, 1, size - 1, output);
    text[length] = '\0';
    char rest[4096];
    while (fread(rest, 1, sizeof rest, output) > 0)
        continue;
    int status = pclose(output);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Does the text point at a line of a statement that is marked with the bug's name? */
static bool names_marked_line(const char *text, const char *bug)
{
    char mark[128];
    snprintf(mark, sizeof mark, "planted: %s ", bug);
    FILE *source = fopen(KERNELS_SOURCE, "r");
    assert_non_null(source);
    char line[256];
    bool marked = false;
    bool named = false;
    for (int number = 1; fgets(line, sizeof line, source); number++) {
        char place[64];
        int length = snprintf(place, sizeof place, "planted_kernels.cuh:%d", number);
        const char *found = marked ? strstr(text, place) : NULL;
        named = named || (found && !isdigit((unsigned char)found[length]));
        marked = strstr(line, mark) || (marked && !strchr(line, ';'));
    }
    fclose(source);
    return named;
}

static void test_planted(enum build build)
{
    if (!programs[build][0])
        skip();
    static char text[1 << 16];
    for (size_t i = 0; i < sizeof expectations / sizeof *expectations; i++) {
        const struct expectation *wanted = &expectations[i];
        if (wanted->build != build)
            continue;
        char arguments[128];
        snprintf(arguments, sizeof arguments, "%s planted", wanted->bug);
        int status = run(build, arguments, text, sizeof text);
        if (status == 0 || !strstr(text, wanted->text) ||
            (wanted->at_line && !names_marked_line(text, wanted->bug)))
            fail_msg("%s: not found as \"%s\"%s, exit status %d:\n%s", wanted->bug, wanted->text,
                     wanted->at_line ? " with its line" : "", status, text);
    }
}

static void test_right(enum build build, const char *arguments)
{
    if (!programs[build][0])
        skip();
    static char text[1 << 16];
    int status = run(build, arguments, text, sizeof text);
    if (status != 0 || text[0])
        fail_msg("%s: exit status %d:\n%s", arguments, status, text);
}

static void test_plain_finds(void **state)
{
    (void)state;
    test_planted(PLAIN);
}

static void test_checked_finds(void **state)
{
    (void)state;
    test_planted(CHECKED);
}

static void test_races_finds(void **state)
{
    (void)state;
    test_planted(RACES);
}

static void test_right_plain(void **state)
{
    (void)state;
    test_right(PLAIN, "");
}

static void test_right_checked(void **state)
{
    (void)state;
    test_right(CHECKED, "");
}

static void test_right_races(void **state)
{
    (void)state;
    if (ALL_RACES) {
        test_right(RACES, "");
        return;
    }
    const char *const some[] = {"missing_barrier right", "missing_ring_barrier right",
                                "relaxed_counter right", "misaligned_matrices right"};
    for (size_t i = 0; i < sizeof some / sizeof *some; i++)
        test_right(RACES, some[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_finds),   cmocka_unit_test(test_checked_finds),
        cmocka_unit_test(test_races_finds),   cmocka_unit_test(test_right_plain),
        cmocka_unit_test(test_right_checked), cmocka_unit_test(test_right_races),
    };
    setenv("TSAN_OPTIONS", "halt_on_error=1", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
