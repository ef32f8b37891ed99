/* One visit of a cell: its session is opened, warmed up, measured for some runs and closed, and
 * the cell's record says how that ended. runner.h decides which visits there are. */
#ifndef TOKENMARK_BENCH_VISIT_H
#define TOKENMARK_BENCH_VISIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/cost_model.h"
#include "bench/memory_return.h"
#include "bench/output_check.h"
#include "bench/runner.h"
#include "bench/watch.h"

/* What a cell's visits know of each other. */
struct cell_state {
    int64_t runs;         /* recorded, of all processes */
    int64_t process_runs; /* of this process */
    struct output_state output;
    int64_t postponed; /* the pass whose visit is put off to the end; 0 = none */
};

/* What all visits share. */
struct visit_context {
    struct results *results;
    const struct runner_options *options;
    struct cell_state *states; /* one a cell */
    struct cost_model estimate;
    size_t visits_done, visits_left;
    double deadline_s; /* of the time limit, on the options' clock; infinite without one */
    struct memory_return memory_return;
};

struct visit {
    size_t cell_index;
    int64_t pass;
    struct watch watch;
    /* What became of it. */
    int64_t measured;
    bool tried;         /* its session was asked for */
    bool refused;       /* the cell was found impossible before anything ran */
    bool out_of_memory; /* where it was believed to fit */
};

/* Neither finished nor given up. */
bool visit_is_wanted(const struct cell_record *cell);

/* The planned work of a visit that adds `runs` runs. */
struct cost_work visit_work(const struct visit_context *context, size_t cell_index, int64_t runs);

struct session_shape visit_shape(const struct runner_options *options,
                                 const struct cell_record *cell);

bool visit_time_is_up(const struct visit_context *context);

void visit_send_event(struct visit_context *context, enum runner_event_kind kind, size_t cell_index,
                      int64_t run_number, const struct run_record *run, const char *text);

/* "stopped after 1 of 3 runs" */
void visit_describe_runs(char *out, size_t capacity, const char *event, int64_t runs,
                         const struct schedule *schedule);

/* Sets the cell's status and reason. Returns ERROR_STOPPED when a person asked to stop or the time
 * is up, ERROR_DEVICE when the engine cannot go on in this process, else 0: whatever else can
 * happen is the cell's own. */
int visit_run(struct visit_context *context, struct visit *visit);

#endif
