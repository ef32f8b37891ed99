/* What a terminal sees and what a file sees: colours and the live line only where they belong,
 * and no line wider than the terminal. */
#include "program.h"

#include <fcntl.h>
#include <sys/ioctl.h>

#define RUN "bench --batch-sizes 1,2 --input-lengths 8 --output-length 20 --num-runs 2 --force" FAKE

/* Runs the program on a terminal of `columns` and collects everything it shows. */
static int run_on_terminal(const char *environment, const char *words, unsigned short columns,
                           char *shown, size_t capacity)
{
    int terminal = posix_openpt(O_RDWR | O_NOCTTY);
    if (terminal < 0 || grantpt(terminal) != 0 || unlockpt(terminal) != 0)
        skip();
    struct winsize size = {.ws_row = 24, .ws_col = columns};
    (void)ioctl(terminal, TIOCSWINSZ, &size);
    char line[1024];
    (void)snprintf(line, sizeof line, "%s exec \"$T\" %s", environment, words);
    const char *name = ptsname(terminal);
    assert_non_null(name);
    pid_t child = fork();
    if (child == 0) {
        int side = open(name, O_RDWR | O_NOCTTY);
        if (side < 0 || dup2(side, 0) < 0 || dup2(side, 1) < 0 || dup2(side, 2) < 0)
            _exit(126);
        (void)close(terminal);
        (void)close(side);
        (void)execl("/bin/sh", "sh", "-c", line, (char *)NULL);
        _exit(127);
    }
    size_t length = 0;
    ssize_t got = 0;
    /* The read fails when the last writer has gone. */
    while (length + 1 < capacity && (length == 0 || got > 0)) {
        got = read(terminal, shown + length, capacity - 1 - length);
        if (got <= 0)
            break;
        length += (size_t)got;
    }
    shown[length] = '\0';
    (void)close(terminal);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return program_exit_code(status);
}

static char shown[1 << 16];

static void terminal_gets_colour_and_a_live_line(void **state)
{
    (void)state;
    assert_int_equal(run_on_terminal("TERM=xterm", RUN, 80, shown, sizeof shown), 0);
    assert_contains(shown, "\033[1m");
    assert_contains(shown, "\033[K");
    assert_contains(shown, "run 2 of 2");
    assert_contains(shown, "ETA");
}

static void no_color_is_respected(void **state)
{
    (void)state;
    assert_int_equal(run_on_terminal("NO_COLOR=1 TERM=xterm", RUN, 80, shown, sizeof shown), 0);
    assert_null(strstr(shown, "\033[1m"));
    assert_null(strstr(shown, "\033[0m"));
    assert_contains(shown, "\033[K");
    assert_int_equal(run_on_terminal("NO_COLOR= TERM=xterm", RUN, 80, shown, sizeof shown), 0);
    assert_contains(shown, "\033[1m");
}

static void dumb_terminal_gets_plain_lines(void **state)
{
    (void)state;
    assert_int_equal(run_on_terminal("TERM=dumb", RUN, 80, shown, sizeof shown), 0);
    assert_null(strchr(shown, '\033'));
    assert_contains(shown, "[2/2]");
    assert_int_equal(run_on_terminal("", RUN, 80, shown, sizeof shown), 0);
    assert_null(strchr(shown, '\033'));
}

/* The live line is drawn over itself, which a line that wraps cannot be. */
static void live_line_fits(void **state)
{
    (void)state;
    enum { COLUMNS = 24 };
    assert_int_equal(run_on_terminal("TERM=xterm", RUN, COLUMNS, shown, sizeof shown), 0);
    size_t lines = 0;
    for (char *end = shown; (end = strstr(end, "\033[K")) != NULL; end += 3) {
        char *begin = end;
        while (begin > shown && begin[-1] != '\r')
            begin--;
        int columns = 0;
        for (char *at = begin; at < end; at++)
            columns += ((unsigned char)*at & 0xC0U) != 0x80U;
        if (columns >= COLUMNS)
            fail_msg("%d columns: %.*s", columns, (int)(end - begin), begin);
        lines++;
    }
    assert_true(lines >= 8);
}

static void files_get_no_escapes(void **state)
{
    (void)state;
    static struct outcome outcome;
    program_expect(&outcome, "TERM=xterm $T " RUN, 0);
    assert_null(strchr(outcome.out, '\033'));
    assert_null(strchr(outcome.err, '\033'));
    assert_null(strchr(outcome.err, '\r'));
    assert_contains(outcome.err, "[1/2]");
}

static void plain_locale_gets_ascii(void **state)
{
    (void)state;
    static struct outcome outcome;
    program_expect(&outcome, "LC_ALL=C $T " RUN, 0);
    assert_contains(outcome.out, "+-");
    for (const char *at = outcome.out; *at != '\0'; at++)
        assert_true((unsigned char)*at < 128);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(terminal_gets_colour_and_a_live_line),
        cmocka_unit_test(no_color_is_respected),
        cmocka_unit_test(dumb_terminal_gets_plain_lines),
        cmocka_unit_test(live_line_fits),
        cmocka_unit_test(files_get_no_escapes),
        cmocka_unit_test(plain_locale_gets_ascii),
    };
    return cmocka_run_group_tests(tests, program_setup, program_teardown);
}
