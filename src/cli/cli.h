/* The sub-commands: words typed become calls. All printing to the terminal is in cli/. */
#ifndef TOKENMARK_CLI_CLI_H
#define TOKENMARK_CLI_CLI_H

/* Exit codes of the program. The last is a measuring process's word to the supervisor alone: its
 * device is lost, and a fresh process can go on. */
enum { CLI_DONE = 0, CLI_FAILED = 1, CLI_USAGE = 2, CLI_DEVICE_LOST = 3 };

/* Finds the command named by arguments[1] and runs it; returns the exit code. */
int cli_main(int argument_count, char **arguments);

#endif
