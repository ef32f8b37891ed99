/* Results on disk while they are measured: PREFIX.json and PREFIX.csv are rewritten whole
 * (beside, fsync, rename) after every cell, so that kill -9 at any moment leaves valid files. */
#ifndef TOKENMARK_RESULTS_RESULTS_FILE_H
#define TOKENMARK_RESULTS_RESULTS_FILE_H

#include <stdbool.h>

#include "base/clock.h"
#include "base/file_lock.h"
#include "results/results.h"

struct results_file {
    char *json_path;
    char *csv_path;
    struct file_lock lock; /* held from open to close */
    const struct clock *clock;
    double last_save_s;      /* when the last save ended */
    double last_save_cost_s; /* how long it took */
};

/* The name of results that were given none: benchmark_results_YYYYMMDD_HHMMSS. */
enum { RESULTS_PREFIX_MAX = 64 };
void results_default_prefix(char out[RESULTS_PREFIX_MAX]);

/* Checks both paths: an existing file is ERROR_INPUT without `force`, so is one that could
 * not be written, or that another process is writing. Nothing is written yet. prefix NULL: the
 * default one. A prefix that ends in .json or .csv loses that ending. */
int results_file_open(struct results_file *file, const char *prefix, bool force,
                      const struct clock *clock, struct error *error);

/* The same for results that exist and are continued; `path` is the JSON file, or its prefix. */
int results_file_continue(struct results_file *file, const char *path, const struct clock *clock,
                          struct error *error);

/* Saves both files if the last save cost at most 5 % of the time since it (or `always`). On failure
 * (disk full) each file is the last complete one. */
int results_file_save(struct results_file *file, const struct results *results, bool always,
                      struct error *error);

void results_file_close(struct results_file *file);

#endif
