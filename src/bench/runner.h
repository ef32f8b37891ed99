/* Drives an engine through the grid: per visit of a cell opens a session, warms it up, measures
 * runs, closes it, records what happened and saves. Its parts: schedule.h (which cell when),
 * stop_rule.h (how many runs), visit.h (one visit), generation.h (the timed window), warm_up.h,
 * cost_model.h. */
#ifndef TOKENMARK_BENCH_RUNNER_H
#define TOKENMARK_BENCH_RUNNER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"
#include "bench/schedule.h"
#include "bench/watch.h"
#include "config/config.h"
#include "engine/engine.h"
#include "results/results.h"
#include "results/results_file.h"

enum runner_event_kind {
    RUNNER_CELL_BEGIN, /* about to open the session */
    RUNNER_WARM_UP,    /* about to warm up */
    RUNNER_RUN_BEGIN,  /* about to measure run `run_number` */
    RUNNER_RUN_END,
    RUNNER_BREAKDOWN,        /* about to ask where the time goes, after the last run */
    RUNNER_BREAKDOWN_FAILED, /* `text` says why; the cell goes without */
    RUNNER_CELL_END,         /* of a visit: the cell is recorded, and saved if due */
    RUNNER_SAVE_FAILED,      /* `text` says why; the grid goes on and the next save tries again */
};

/* What a progress display may know; events come only outside timed windows. */
struct runner_event {
    enum runner_event_kind kind;
    size_t cell_index;
    const struct cell_record *cell;
    int64_t run_number;           /* at RUN_BEGIN and RUN_END; 0 otherwise */
    const struct run_record *run; /* at RUN_END; NULL otherwise */
    size_t visits_done;           /* of `visits`, which shrinks when a cell fails */
    size_t visits;
    double fraction;    /* of the whole grid's estimated work done, 0 to 1 */
    double remaining_s; /* estimate; NaN while unknown */
    const char *text;   /* of a failure; NULL otherwise */
};

struct runner_options {
    const struct config *config;
    const struct schedule *schedule;
    const struct engine_ops *ops;
    struct engine *engine;
    const char *model_name;
    int64_t vocabulary_size;
    const char *device; /* the real one, for run records */
    const char *dtype;
    uint64_t seed;
    bool breakdown;            /* where the engine can tell its components */
    const struct clock *clock; /* the one the engine was opened with */
    struct watch_options watch;
    void (*event)(void *context, const struct runner_event *event); /* may be NULL */
    bool (*stop)(void *context); /* a person asked to stop; may be NULL */
    void *context;
};

/* Measures what the schedule wants of this process in every pending and partial cell of `results`
 * (made by grid_build, or loaded), saving to `file` (may be NULL in tests) before the first
 * warm-up, after every visit and at the end. A cell that fails is recorded and the grid goes on;
 * after one that ran out of memory, larger ones without runs are skipped. A time limit that is
 * reached is no failure: cells without a run are skipped with that reason. Returns 0 when all went
 * well, ERROR_STOPPED after a stop, ERROR_DEVICE where a fresh process has to go on, ERROR_FAILED
 * when some cell failed or its tokens are wrong, none could be measured or the last save failed;
 * `results` holds what was measured in every case. */
int runner_run(struct results *results, struct results_file *file,
               const struct runner_options *options, struct error *error);

/* The first process of the schedule that still has something to measure; 0 when none has. */
int runner_next_process(int64_t *process, const struct results *results,
                        const struct schedule *schedule, struct error *error);

/* Predicts the memory of every cell, as far as the engine can; sets the status and the reason of
 * those whose memory is not there. Runs nothing. */
int runner_check_memory(struct results *results, const struct runner_options *options,
                        struct error *error);

#endif
