/* The flags that say how often, in which order and for how long bench measures. */
#ifndef TOKENMARK_CLI_SCHEDULE_FLAGS_H
#define TOKENMARK_CLI_SCHEDULE_FLAGS_H

#include "bench/schedule.h"
#include "cli/command.h"

/* 0 and NULL where not given. */
struct schedule_flags {
    double precision;
    int64_t min_runs, max_runs;
    double max_cell_time;
    double time_limit;
    int64_t passes;
    const char *order; /* "random" or "grid" */
    int64_t processes;
    int64_t process;
    const char *supervised; /* "first" or "next": what the supervisor tells its processes */
};

/* The last rows, --process and --supervised, are of one start and not of the results. */
enum { SCHEDULE_OPTIONS = 10, SCHEDULE_RECORDED_OPTIONS = 8 };
extern const struct option schedule_options[SCHEDULE_OPTIONS];

/* Fills what was not given and refuses what does not go together. `num_runs_given`: by a flag. */
int schedule_flags_complete(struct schedule_flags *flags, int64_t num_runs, bool num_runs_given,
                            struct error *error);

/* For the runner; process 0 stays 0. */
struct schedule schedule_flags_resolve(const struct schedule_flags *flags, int64_t num_runs,
                                       uint64_t seed);

#endif
