/* A results document in memory: the four blocks of facts, cells in grid order, runs in
 * order of measurement; to and from JSON and CSV. results_file.h keeps it on disk. */
#ifndef TOKENMARK_RESULTS_RESULTS_H
#define TOKENMARK_RESULTS_RESULTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/text.h"
#include "results/record.h"
#include "stats/interval.h"
#include "stats/stats.h"

enum { RESULTS_SCHEMA_VERSION = 1 };

enum results_origin {
    RESULTS_TOKENMARK_JSON,
    RESULTS_TOKENMARK_CSV,
    RESULTS_PYTHON_SUITE, /* a bare list: decode times hold a second prefill */
};

struct results {
    enum results_origin origin;
    char *source_path; /* of a loaded file, NULL otherwise */
    /* Blocks of the JSON document, NULL where the source has none (CSV, Python suite). */
    json_t *tool;
    json_t *config;
    json_t *options;
    json_t *system;
    json_t *model;
    double elapsed_s; /* spent on the grid so far, all starts together */
    struct cell_record *cells;
    size_t cell_count;
    size_t cell_capacity;
    struct run_record *runs;
    size_t run_count;
    size_t run_capacity;
};

/* Starts empty; blocks are set by the caller (ownership passes to results). */
void results_init(struct results *results);
void results_free(struct results *results);

/* Appends a copy of the record; on success run->decode_step_times belongs to results. */
int results_add_run(struct results *results, const struct run_record *run, struct error *error);
int results_add_cell(struct results *results, const struct cell_record *cell, struct error *error);
/* The first such cell; NULL when there is none. */
struct cell_record *results_find_cell(struct results *results, int64_t batch_size,
                                      int64_t input_length);

/* Statistics of one metric over the runs of one cell. */
int results_summarise(const struct results *results, const struct cell_record *cell,
                      const struct metric *metric, struct stats_summary *summary,
                      struct error *error);

/* 95 % intervals of the mean and the median of one metric over the runs of one cell. */
struct results_intervals {
    struct stats_interval mean, median;
};
int results_find_intervals(const struct results *results, const struct cell_record *cell,
                           const struct metric *metric, struct results_intervals *intervals,
                           struct error *error);

/* Every decode step of every run of the cell together; NaN where there is none. */
struct results_steps {
    size_t count;
    double p50, p90, p99, max; /* s */
};
int results_summarise_steps(const struct results *results, const struct cell_record *cell,
                            struct results_steps *steps, struct error *error);

/* One metric's spread between and within the cell's processes, and its visits (one pass of one
 * process each). */
struct results_spread {
    struct stats_spread processes, visits;
};
int results_find_spread(const struct results *results, const struct cell_record *cell,
                        const struct metric *metric, struct results_spread *spread,
                        struct error *error);

/* Drift: the total latencies of two passes of one process differ by more than their own spread
 * explains (t test at 99 %) and by more than 1 %. *drift is 1, 0, or -1 where it cannot be said. */
int results_find_drift(const struct results *results, const struct cell_record *cell, int *drift,
                       struct error *error);

/* How large that drift is: the slowest pass' mean is this part above the fastest's, in the process
 * where it is most; NaN where nothing drifts. */
int results_find_drift_size(const struct results *results, const struct cell_record *cell,
                            double *size, struct error *error);

/* The document as JSON text: schema_version, tool, config, options, system, model, elapsed_s,
 * cells (with the statistics of every metric), runs. */
int results_write_json(const struct results *results, struct text *out, struct error *error);

/* One row per run, without the step times: RFC 4180 (CRLF, quotes where needed), memory flattened.
 */
int results_write_csv(const struct results *results, struct text *out, struct error *error);

/* Reads a file of any origin, told apart by its content. Cells of a source without them are
 * made from its runs, one per series (model, device, dtype), batch size and input length, in
 * order of appearance. Derived values are computed anew (run_record_derive). ERROR_INPUT names the
 * file and the path in it of what is wrong. */
int results_load(struct results *results, const char *path, struct error *error);

/* From memory, into results that results_init has emptied; on an error they are emptied again.
 * `name` stands for the path in messages. Fuzzed. */
int results_parse_json(struct results *results, const char *json, size_t bytes, const char *name,
                       struct error *error);
int results_parse_csv(struct results *results, const char *csv, size_t bytes, const char *name,
                      struct error *error);

#endif
