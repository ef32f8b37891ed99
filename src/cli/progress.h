/* What happens while a person waits: a live line with the time that is left on a terminal, plain
 * lines elsewhere; all on stderr and only when an event comes, never inside a timed window. */
#ifndef TOKENMARK_CLI_PROGRESS_H
#define TOKENMARK_CLI_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "bench/runner.h"
#include "results/results.h"

struct progress {
    bool live;
    bool drawn;       /* the live line shows something */
    char notice[160]; /* the last one that had a fraction; plain lines tell its first and last */
    const struct results *results;
    int64_t num_runs; /* per cell and process; 0 where their precision decides */
};

void progress_init(struct progress *progress);

/* Before the runner starts: what it will go through. `num_runs` 0: nobody knows. */
void progress_begin_grid(struct progress *progress, const struct results *results,
                         int64_t num_runs);

/* The notice of model and engine; `context` is a struct progress. */
void progress_notice(void *context, const char *text, double fraction);

/* The event of the runner; to be called with a struct progress. */
void progress_event(struct progress *progress, const struct runner_event *event);

/* Takes the live line away, so that other words can be printed. */
void progress_clear(struct progress *progress);

#endif
