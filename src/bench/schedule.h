/* When which cell is visited and how many runs it has then: passes over the grid, their order,
 * and the shares of the runs. Pure functions of the settings, so that a continued grid goes the
 * same way. */
#ifndef TOKENMARK_BENCH_SCHEDULE_H
#define TOKENMARK_BENCH_SCHEDULE_H

#include <stddef.h>
#include <stdint.h>

#include "results/record.h"

enum schedule_order { SCHEDULE_RANDOM, SCHEDULE_GRID };

/* The settings, resolved. */
struct schedule {
    int64_t num_runs; /* per cell and process, where no precision is asked for */
    int64_t passes;   /* at least 1 */
    enum schedule_order order;
    uint64_t seed;
    int64_t processes; /* at least 1 */
    int64_t process;   /* this one, from 1 */
    /* A 95 % interval may be this wide, as a part of the mean; 0 = num_runs decides. */
    double precision;
    int64_t min_runs, max_runs; /* per cell and process, with a precision */
    double max_cell_time_s;     /* measured time per cell and process, with a precision */
    double time_limit_s;        /* of the whole grid, all processes together; 0 = none */
};

/* One process that takes every cell once, in grid order, for this many runs. */
void schedule_init(struct schedule *schedule, int64_t num_runs);

/* Two passes show drift; with less than two runs in each they show nothing. */
int64_t schedule_default_passes(int64_t runs);

/* Passes that are gone through: a time limit puts one of a single run a cell before the others. */
int64_t schedule_pass_count(const struct schedule *schedule);

/* What a cell has to have when it leaves `pass`, all passes before counted: at least `least`
 * runs, and no run more once it is precise, has `most` runs or took `time_s`. */
struct schedule_share {
    int64_t least, most;
    double time_s;
};
struct schedule_share schedule_share(const struct schedule *schedule, int64_t pass);

/* Writes the numbers 0 to count - 1 of `cells` in the order in which `pass` visits them. */
void schedule_order_cells(const struct schedule *schedule, int64_t pass,
                          const struct cell_record *cells, size_t count, size_t *order);

#endif
