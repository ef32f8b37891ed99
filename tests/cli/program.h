/* Runs the program as a person does: words in a shell, in an empty folder of its own, with an
 * environment that is the same everywhere. "$T" in a line stands for the program. */
#ifndef TOKENMARK_TESTS_CLI_PROGRAM_H
#define TOKENMARK_TESTS_CLI_PROGRAM_H

#include "test.h"

#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* A model and a device that need neither files nor time: 2 ms a step. */
#define FAKE " --model gpt2 --weights random --device fake "

struct outcome {
    int exit_code; /* 128 + number for a signal, as in a shell */
    char out[1 << 16];
    char err[1 << 16];
};

static char program_folder[64];

static inline int program_setup(void **state)
{
    (void)state;
    (void)snprintf(program_folder, sizeof program_folder, "/tmp/tokenmark_test_XXXXXX");
    if (mkdtemp(program_folder) == NULL || chdir(program_folder) != 0)
        return -1;
    static const char *const cleared[] = {"NO_COLOR",
                                          "TERM",
                                          "HF_HUB_CACHE",
                                          "HF_TOKEN",
                                          "HF_ENDPOINT",
                                          "OMP_NUM_THREADS",
                                          "CUDA_VISIBLE_DEVICES"};
    for (size_t i = 0; i < sizeof cleared / sizeof cleared[0]; i++)
        unsetenv(cleared[i]);
    setenv("HF_HUB_OFFLINE", "1", 1);
    setenv("HF_HOME", program_folder, 1);
    setenv("XDG_CACHE_HOME", program_folder, 1);
    setenv("LC_ALL", "C.UTF-8", 1);
    return setenv("T", TEST_PROGRAM, 1);
}

static inline int program_remove_entry(const char *path, const struct stat *status, int kind,
                                       struct FTW *position)
{
    (void)status, (void)kind, (void)position;
    return remove(path);
}

static inline int program_teardown(void **state)
{
    (void)state;
    if (chdir("/") != 0)
        return -1;
    return nftw(program_folder, program_remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void program_read(const char *path, char *out, size_t capacity)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        fail_msg("%s: %s", path, strerror(errno));
    size_t length = fread(out, 1, capacity - 1, file);
    out[length] = '\0';
    (void)fclose(file);
}

static inline int program_exit_code(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Runs `line` in a shell; what it wrote and how it ended are in *outcome. */
static inline void program_run(struct outcome *outcome, const char *line)
{
    char command[4096];
    (void)snprintf(command, sizeof command, "{ %s\n} >.out 2>.err </dev/null", line);
    outcome->exit_code = program_exit_code(system(command));
    program_read(".out", outcome->out, sizeof outcome->out);
    program_read(".err", outcome->err, sizeof outcome->err);
}

/* Fails with everything that the program said where it did not end as expected. */
static inline void program_expect(struct outcome *outcome, const char *line, int exit_code)
{
    program_run(outcome, line);
    if (outcome->exit_code != exit_code)
        fail_msg("%s\nended with %d, expected %d\n%s%s", line, outcome->exit_code, exit_code,
                 outcome->out, outcome->err);
}

struct program_case {
    const char *line;
    int exit_code;
    const char *out; /* a part of what is printed; NULL: nothing may be printed */
    const char *err;
};

static inline void program_check(const struct program_case *cases, size_t count)
{
    static struct outcome outcome;
    for (size_t i = 0; i < count; i++) {
        const struct program_case *at = &cases[i];
        program_expect(&outcome, at->line, at->exit_code);
        bool out_right =
            at->out != NULL ? strstr(outcome.out, at->out) != NULL : outcome.out[0] == '\0';
        bool err_right =
            at->err != NULL ? strstr(outcome.err, at->err) != NULL : outcome.err[0] == '\0';
        if (!out_right || !err_right)
            fail_msg("%s\nexpected \"%s\" and \"%s\", found\n%s\n%s", at->line,
                     at->out != NULL ? at->out : "", at->err != NULL ? at->err : "", outcome.out,
                     outcome.err);
    }
}

static inline void program_sleep_ms(long milliseconds)
{
    struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    (void)nanosleep(&time, NULL);
}

static inline bool program_has_file(const char *path)
{
    return access(path, F_OK) == 0;
}

/* Waits at most ten seconds for a file. */
static inline void program_wait_for(const char *path)
{
    for (int i = 0; i < 1000 && !program_has_file(path); i++)
        program_sleep_ms(10);
    if (!program_has_file(path))
        fail_msg("%s was not written", path);
}

#endif
