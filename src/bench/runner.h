/* Drives an engine through the grid: per cell opens a session, warms it up, measures its runs,
 * closes it, records what happened and saves. The only place where a clock makes a result. */
#ifndef TOKENMARK_BENCH_RUNNER_H
#define TOKENMARK_BENCH_RUNNER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"
#include "config/config.h"
#include "engine/engine.h"
#include "results/results.h"
#include "results/results_file.h"

enum runner_event_kind {
    RUNNER_CELL_BEGIN, /* about to open the session */
    RUNNER_WARM_UP,    /* about to warm up */
    RUNNER_RUN_BEGIN,  /* about to measure run `run_number` */
    RUNNER_RUN_END,
    RUNNER_CELL_END, /* measured or failed: the record is final and saved */
};

/* What a progress display may know; events come only outside timed windows. */
struct runner_event {
    enum runner_event_kind kind;
    size_t cell_index;
    const struct cell_record *cell;
    int64_t run_number;
    const struct run_record *run; /* at RUN_END */
    double fraction;              /* of the whole grid's estimated work done, 0 to 1 */
    double remaining_s;           /* estimate; NaN while unknown */
};

struct runner_options {
    const struct config *config;
    const struct engine_ops *ops;
    struct engine *engine;
    const struct model *model;
    const char *device; /* the real one, for run records */
    const char *dtype;
    uint64_t seed;
    const struct clock *clock;
    void (*event)(void *context, const struct runner_event *event); /* may be NULL */
    bool (*stop)(void *context); /* a person asked to stop; may be NULL */
    void *context;
};

/* Measures every pending cell of `results` (made by grid_build), saving to `file` (may be NULL in
 * tests) before the first warm-up and after every cell. A cell that fails is recorded and the
 * grid goes on. Returns 0 when all went well, ERROR_STOPPED after a stop, ERROR_FAILED when some
 * cell failed or a save did; what was measured is saved in every case. */
int runner_run(struct results *results, struct results_file *file,
               const struct runner_options *options, struct error *error);

/* Sets the status and the reason of every cell whose memory is not there, without running. */
int runner_check_memory(struct results *results, const struct runner_options *options,
                        struct error *error);

#endif
