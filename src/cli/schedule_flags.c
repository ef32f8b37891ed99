/* Flags of schedule_flags.h, their defaults and what they exclude. */
#include "cli/schedule_flags.h"

#include <string.h>

enum { MIN_RUNS = 5, MAX_RUNS = 100, RUNS_LIMIT = 1000000, PROCESSES_LIMIT = 1000 };
static const double max_cell_time_s = 120.0;

const struct option schedule_options[SCHEDULE_OPTIONS] = {
    {.name = "precision",
     .value = "PERCENT",
     .kind = OPTION_FRACTION,
     .offset = offsetof(struct schedule_flags, precision),
     .help = "instead of --num-runs: measure a cell until the 95 % intervals of the means of "
             "latency, prefill time and time per token are narrower than this part of the mean "
             "(2%)"},
    {.name = "min-runs",
     .value = "N",
     .kind = OPTION_INTEGER,
     .minimum = 2,
     .maximum = RUNS_LIMIT,
     .offset = offsetof(struct schedule_flags, min_runs),
     .help = "with --precision: at least so many runs (5)"},
    {.name = "max-runs",
     .value = "N",
     .kind = OPTION_INTEGER,
     .minimum = 2,
     .maximum = RUNS_LIMIT,
     .offset = offsetof(struct schedule_flags, max_runs),
     .help = "with --precision: at most so many runs (100)"},
    {.name = "max-cell-time",
     .value = "TIME",
     .kind = OPTION_DURATION,
     .offset = offsetof(struct schedule_flags, max_cell_time),
     .help = "with --precision: no further run after so much measured time (2m)"},
    {.name = "time-limit",
     .value = "TIME",
     .kind = OPTION_DURATION,
     .offset = offsetof(struct schedule_flags, time_limit),
     .help = "end after this time, for example 30m: one run of every cell first, then more; what "
             "is left is recorded as skipped"},
    {.name = "passes",
     .value = "N",
     .kind = OPTION_INTEGER,
     .minimum = 1,
     .maximum = RUNS_LIMIT,
     .offset = offsetof(struct schedule_flags, passes),
     .help = "visit every cell so many times, each for its share of the runs, to tell drift from "
             "scaling (2 from 4 runs up, else 1)"},
    {.name = "order",
     .value = "random|grid",
     .kind = OPTION_CHOICE,
     .choices = "random grid",
     .offset = offsetof(struct schedule_flags, order),
     .help = "of the cells in a pass; random is drawn from --seed (random)"},
    {.name = "processes",
     .value = "N",
     .kind = OPTION_INTEGER,
     .minimum = 1,
     .maximum = PROCESSES_LIMIT,
     .offset = offsetof(struct schedule_flags, processes),
     .help = "measure everything in so many fresh processes, one after the other (1)"},
    {.name = "process",
     .value = "K",
     .kind = OPTION_INTEGER,
     .minimum = 1,
     .maximum = PROCESSES_LIMIT,
     .offset = offsetof(struct schedule_flags, process),
     .help = "only the part of process K of --processes, in this one"},
    {.name = "supervised",
     .value = "first|next",
     .kind = OPTION_CHOICE,
     .choices = "first next",
     .offset = offsetof(struct schedule_flags, supervised)},
};

static int refuse_without_precision(const struct schedule_flags *flags, struct error *error)
{
    const char *name = flags->min_runs != 0         ? "min-runs"
                       : flags->max_runs != 0       ? "max-runs"
                       : flags->max_cell_time > 0.0 ? "max-cell-time"
                                                    : NULL;
    if (name == NULL)
        return 0;
    return error_set(error, ERROR_INPUT,
                     "--%s needs --precision; without it --num-runs is the number of runs", name);
}

int schedule_flags_complete(struct schedule_flags *flags, int64_t num_runs, bool num_runs_given,
                            struct error *error)
{
    bool precise = flags->precision > 0.0;
    if (!precise && refuse_without_precision(flags, error) != 0)
        return error->code;
    if (precise && num_runs_given)
        return error_set(error, ERROR_INPUT,
                         "--num-runs and --precision exclude each other: --min-runs and --max-runs "
                         "bound the runs of a precise cell");
    if (precise && flags->max_runs == 0)
        flags->max_runs = flags->min_runs > MAX_RUNS ? flags->min_runs : MAX_RUNS;
    if (precise && flags->min_runs == 0)
        flags->min_runs = flags->max_runs < MIN_RUNS ? flags->max_runs : MIN_RUNS;
    if (precise && !(flags->max_cell_time > 0.0))
        flags->max_cell_time = max_cell_time_s;
    if (flags->min_runs > flags->max_runs)
        return error_set(error, ERROR_INPUT, "--min-runs %lld is above --max-runs %lld",
                         (long long)flags->min_runs, (long long)flags->max_runs);
    int64_t runs = precise ? flags->min_runs : num_runs;
    if (flags->passes == 0)
        flags->passes = schedule_default_passes(runs);
    if (flags->passes > runs)
        return error_set(error, ERROR_INPUT,
                         "--passes %lld: every pass needs a run, and a cell gets %lld",
                         (long long)flags->passes, (long long)runs);
    if (flags->order == NULL)
        flags->order = "random";
    if (flags->processes == 0)
        flags->processes = 1;
    if (flags->process > flags->processes)
        return error_set(error, ERROR_INPUT, "--process %lld is above --processes %lld",
                         (long long)flags->process, (long long)flags->processes);
    return 0;
}

struct schedule schedule_flags_resolve(const struct schedule_flags *flags, int64_t num_runs,
                                       uint64_t seed)
{
    return (struct schedule){
        .num_runs = num_runs,
        .passes = flags->passes,
        .order = strcmp(flags->order, "grid") == 0 ? SCHEDULE_GRID : SCHEDULE_RANDOM,
        .seed = seed,
        .processes = flags->processes,
        .process = flags->process,
        .precision = flags->precision,
        .min_runs = flags->min_runs,
        .max_runs = flags->max_runs,
        .max_cell_time_s = flags->max_cell_time,
        .time_limit_s = flags->time_limit,
    };
}
