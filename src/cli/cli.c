/* The command table and what holds for every command: standard streams, locale, the options
 * before a command, and whether stdout took everything in the end. */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/suggest.h"
#include "cli/command.h"
#include "cli/terminal.h"
#include "cli/version.h"

const struct command *const commands[] = {
    &command_bench,  &command_config, &command_analyze, &command_generate,
    &command_models, &command_limits, &command_doctor,
};
const size_t command_count = sizeof commands / sizeof commands[0];

const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < command_count; i++) {
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    }
    return NULL;
}

int command_refuse(const struct command *command, const char *format, ...)
{
    struct error error = {0};
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(error.text, sizeof error.text, format, arguments);
    va_end(arguments);
    terminal_say_error(command != NULL ? command->name : NULL, error.text);
    (void)fprintf(stderr, "Try 'tokenmark %s%s--help'.\n", command != NULL ? command->name : "",
                  command != NULL ? " " : "");
    return CLI_USAGE;
}

int command_fail(const struct command *command, const struct error *error)
{
    terminal_say_error(command->name, error->text);
    return error->code == ERROR_INPUT ? CLI_USAGE : CLI_FAILED;
}

/* A closed standard stream would hand its number to the next file that is opened, and a
 * results file would then receive what is printed. */
static void keep_standard_streams(void)
{
    static const int modes[] = {O_WRONLY, O_RDONLY, O_RDONLY};
    for (int descriptor = 0; descriptor <= 2; descriptor++) {
        if (fcntl(descriptor, F_GETFD) < 0 && errno == EBADF)
            (void)!open("/dev/null", modes[descriptor]);
    }
}

static int refuse_command(const char *word)
{
    enum { NAMES_MAX = 16 };
    const char *names[NAMES_MAX] = {"help", "--version", "--help", "--completion"};
    size_t count = 4;
    for (size_t i = 0; i < command_count && count < NAMES_MAX; i++)
        names[count++] = commands[i]->name;
    const char *near = suggest_nearest(word, names, count);
    const char *kind = word[0] == '-' ? "option" : "command";
    if (near != NULL)
        return command_refuse(NULL, "unknown %s '%s'; did you mean '%s'?", kind, word, near);
    return command_refuse(NULL, "unknown %s '%s'", kind, word);
}

static int print_help(const char *about)
{
    const struct command *command = about != NULL ? command_find(about) : NULL;
    if (about != NULL && command == NULL)
        return refuse_command(about);
    if (command != NULL)
        command_print_help(command, stdout);
    else
        program_print_help(stdout);
    return CLI_DONE;
}

static int run(int argument_count, char **arguments)
{
    const char *word = argument_count > 1 ? arguments[1] : "--help";
    const char *next = argument_count > 2 ? arguments[2] : NULL;
    const struct command *command = command_find(word);
    if (command != NULL)
        return command->run(command, argument_count - 1, arguments + 1);
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        return print_help(NULL);
    if (strcmp(word, "help") == 0)
        return print_help(next);
    if (strcmp(word, "--version") == 0) {
        (void)printf("tokenmark %s (commit %s, %s)\n", version_number(), version_commit(),
                     version_compiler());
        return CLI_DONE;
    }
    if (strcmp(word, "--completion") == 0) {
        if (next == NULL || !program_print_completion(next, stdout))
            return command_refuse(NULL, "--completion needs the shell's name: bash or zsh");
        return CLI_DONE;
    }
    return refuse_command(word);
}

int cli_main(int argument_count, char **arguments)
{
    keep_standard_streams();
    /* A reader that has gone away, or a limit on file sizes, is an error of the write, not the
     * end of a measurement. */
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN);
    (void)setlocale(LC_CTYPE, "");

    int code = run(argument_count, arguments);
    errno = 0;
    bool flushed = fflush(stdout) == 0;
    int reason = errno;
    if (flushed && !ferror(stdout))
        return code;
    if (reason != EPIPE)
        (void)fprintf(stderr, "tokenmark: standard output could not be written%s%s\n",
                      reason != 0 ? ": " : "", reason != 0 ? strerror(reason) : "");
    return code == CLI_DONE ? CLI_FAILED : code;
}
