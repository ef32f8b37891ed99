/* One visit of a cell: its session is opened, warmed up, measured for some runs and closed, and
 * the cell's record says how that ended. runner.h decides which visits there are. */
#ifndef TOKENMARK_BENCH_VISIT_H
#define TOKENMARK_BENCH_VISIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/cost_model.h"
#include "bench/runner.h"

/* What a cell's visits know of each other. */
struct cell_state {
    int64_t runs; /* recorded so far */
    bool has_hash;
    uint64_t hash; /* of every run's tokens */
};

/* What all visits share. */
struct visit_context {
    struct results *results;
    const struct runner_options *options;
    struct cell_state *states; /* one a cell */
    struct cost_model estimate;
};

struct visit {
    size_t cell_index;
    int64_t runs; /* to be measured */
    /* What became of it. */
    int64_t measured;
    bool warmed_up;
    bool refused; /* the cell was found impossible before anything ran */
};

struct session_shape visit_shape(const struct runner_options *options,
                                 const struct cell_record *cell);

/* The planned work that a visit has not done. */
struct cost_work visit_work_left(const struct visit_context *context, const struct visit *visit);

void visit_send_event(struct visit_context *context, enum runner_event_kind kind, size_t cell_index,
                      int64_t run_number, const struct run_record *run, const char *text);

/* Sets the cell's status and reason. Returns ERROR_STOPPED when a person asked to stop, else 0:
 * whatever else can happen is the cell's own. */
int visit_run(struct visit_context *context, struct visit *visit);

#endif
