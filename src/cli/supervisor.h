/* This program again and again on one results file: for --processes, and in place of a process
 * whose device was lost. It only starts, waits and reads the exit code; one process at a time
 * writes. */
#ifndef TOKENMARK_CLI_SUPERVISOR_H
#define TOKENMARK_CLI_SUPERVISOR_H

#include <stdbool.h>

#include "bench/schedule.h"

struct supervised {
    const char *command; /* for messages */
    const char *file;    /* the results, "PREFIX.json" */
    bool exists;         /* they do already: --resume */
    bool force;          /* passed on with --resume */
    const char *prefix;  /* --output-file of the first process; NULL where it was given */
    struct schedule schedule;
    int argument_count; /* as typed, without the program's name and the command */
    char **arguments;
};

/* Runs what is missing; returns the exit code. */
int supervisor_run(const struct supervised *supervised);

#endif
