/* Starts the processes of supervisor.h and passes signals on. */
#include "cli/supervisor.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "bench/runner.h"
#include "cli/cli.h"
#include "cli/terminal.h"
#include "results/results.h"

static const char program[] = "/proc/self/exe";

/* The signals that are waited for; they stay blocked in this process and come one by one. */
static void waited_signals(sigset_t *set)
{
    (void)sigemptyset(set);
    (void)sigaddset(set, SIGCHLD);
    (void)sigaddset(set, SIGINT);
    (void)sigaddset(set, SIGTERM);
}

/* A child begins with no signal blocked and none ignored. */
static int spawn(pid_t *child, char **arguments)
{
    posix_spawnattr_t attributes;
    sigset_t none, reset;
    int number = posix_spawnattr_init(&attributes);
    if (number != 0)
        return number;
    (void)sigemptyset(&none);
    waited_signals(&reset);
    (void)posix_spawnattr_setsigmask(&attributes, &none);
    (void)posix_spawnattr_setsigdefault(&attributes, &reset);
    (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    number = posix_spawn(child, program, NULL, &attributes, arguments, environ);
    (void)posix_spawnattr_destroy(&attributes);
    return number;
}

/* Until the child ends. A Ctrl-C at the terminal reaches it by itself; a signal sent to this
 * process alone is passed on. */
static int wait_for(pid_t child, bool *stopped)
{
    sigset_t set;
    waited_signals(&set);
    for (;;) {
        int status = 0;
        siginfo_t info;
        pid_t ended = waitpid(child, &status, WNOHANG);
        if (ended == child || (ended < 0 && errno != EINTR))
            return ended == child ? status : -1;
        int number = sigwaitinfo(&set, &info);
        if (number != SIGINT && number != SIGTERM)
            continue;
        *stopped = true;
        if (info.si_code != SI_KERNEL)
            (void)kill(child, number);
    }
}

/* "tokenmark bench --process K --supervised WORD", then --resume FILE, or what was typed where
 * there is no file yet. The words are the caller's. NULL when out of memory. */
static const char **make_arguments(const struct supervised *supervised, bool exists,
                                   const char *process, const char *word)
{
    const char **arguments = calloc((size_t)supervised->argument_count + 10, sizeof *arguments);
    size_t at = 0;
    if (arguments == NULL)
        return NULL;
    arguments[at++] = "tokenmark";
    arguments[at++] = "bench";
    arguments[at++] = "--process";
    arguments[at++] = process;
    arguments[at++] = "--supervised";
    arguments[at++] = word;
    if (exists) {
        arguments[at++] = "--resume";
        arguments[at++] = supervised->file;
        if (supervised->exists && supervised->force)
            arguments[at++] = "--force";
        return arguments;
    }
    if (supervised->prefix != NULL) {
        arguments[at++] = "--output-file";
        arguments[at++] = supervised->prefix;
    }
    for (int i = 0; i < supervised->argument_count; i++)
        arguments[at++] = supervised->arguments[i];
    return arguments;
}

/* One process from its start to its end; the exit code, or -1 with the reason told. */
static int run_process(const struct supervised *supervised, bool exists, int64_t process,
                       const char *word, bool *stopped)
{
    char number[24], text[256];
    (void)snprintf(number, sizeof number, "%lld", (long long)process);
    const char **arguments = make_arguments(supervised, exists, number, word);
    pid_t child = 0;
    int failure = ENOMEM;
    /* posix_spawn takes words that it does not change without saying so. */
    if (arguments != NULL)
        failure = spawn(&child, (char **)(uintptr_t)arguments);
    free(arguments);
    if (failure != 0) {
        (void)snprintf(text, sizeof text, "process %s could not be started: %s", number,
                       strerror(failure));
        terminal_say_error(supervised->command, text);
        return -1;
    }
    int status = wait_for(child, stopped);
    if (status >= 0 && WIFEXITED(status))
        return WEXITSTATUS(status);
    (void)snprintf(text, sizeof text,
                   "process %s was ended by signal %d (%s); --resume continues what it left",
                   number, WTERMSIG(status), strsignal(WTERMSIG(status)));
    terminal_say_error(supervised->command, text);
    return -1;
}

/* What the file says: the first process with something left (1 while there is no file), and how
 * much was settled: runs, and cells that get none any more. */
struct state {
    int64_t process;
    size_t settled;
};

static int read_state(struct state *state, const struct supervised *supervised, bool exists,
                      struct error *error)
{
    struct results results;
    *state = (struct state){.process = 1};
    if (!exists)
        return 0;
    int code = results_load(&results, supervised->file, error);
    if (code == 0)
        code = runner_next_process(&state->process, &results, &supervised->schedule, error);
    state->settled = results.run_count;
    for (size_t i = 0; i < results.cell_count; i++)
        state->settled += results.cells[i].status == CELL_FAILED;
    results_free(&results);
    return code;
}

/* A process is followed by another one, or by a fresh one of the same number where it lost its
 * device but brought the grid forward. */
static bool is_stuck(const struct supervised *supervised, const struct state *before,
                     const struct state *now, bool device_lost)
{
    if (now->process != before->process)
        return false;
    if (!device_lost)
        return true; /* it has said why */
    if (now->settled > before->settled)
        return false;
    terminal_say_error(supervised->command,
                       "the device was lost before anything was measured: it needs a look "
                       "(nvidia-smi); --resume continues");
    return true;
}

static int run_all(const struct supervised *supervised)
{
    struct error error = {0};
    bool exists = supervised->exists, stopped = false;
    struct state before = {0}, now;
    int code = CLI_DONE, exit_code = CLI_DONE;
    const char *word = "first";
    for (;; before = now, word = "next") {
        if (read_state(&now, supervised, exists, &error) != 0) {
            terminal_say_error(supervised->command, error.text);
            return CLI_FAILED;
        }
        if (now.process == 0)
            return exit_code;
        if (is_stuck(supervised, &before, &now, code == CLI_DEVICE_LOST))
            return exit_code != CLI_DONE ? exit_code : CLI_FAILED;
        if (code == CLI_DEVICE_LOST)
            terminal_warn("the device was lost: a fresh process goes on");
        code = run_process(supervised, exists, now.process, word, &stopped);
        if (code < 0 || stopped)
            return CLI_FAILED;
        if (code == CLI_USAGE)
            return code;
        exit_code = code != CLI_DONE ? CLI_FAILED : exit_code;
        exists = file_exists(supervised->file);
        if (!exists)
            return CLI_FAILED; /* it has said why it did not begin */
    }
}

int supervisor_run(const struct supervised *supervised)
{
    sigset_t set, before;
    waited_signals(&set);
    (void)sigprocmask(SIG_BLOCK, &set, &before);
    (void)fflush(stdout);
    int exit_code = run_all(supervised);
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    return exit_code;
}
