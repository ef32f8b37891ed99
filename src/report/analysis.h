/* The data model of a report: runs of all files grouped by (model, device, dtype), each group
 * a full batch × length table of cells with its statistics. Words and pictures only read it. */
#ifndef TOKENMARK_REPORT_ANALYSIS_H
#define TOKENMARK_REPORT_ANALYSIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "results/results.h"
#include "stats/stats.h"

/* More cells than this are no grid that a person measured. */
enum { ANALYSIS_CELLS_MAX = 1 << 18 };

struct analysis_cell {
    int64_t batch_size;
    int64_t input_length;
    bool present; /* false: another group has this cell, this one's grid does not */
    enum cell_status status;
    const struct cell_record *record; /* of the file that measured it; NULL where none did */
    const struct results *file;       /* that file */
    const char *reason;               /* of a skipped or failed cell, "" otherwise */
    const struct run_record *runs;    /* none for a failed cell */
    size_t run_count;
    struct stats_summary metrics[METRIC_COUNT];
    struct stats_summary sequence_rate; /* tokens/s per sequence */
    double prefill_share;               /* of the total latency, 0 to 1; NaN unknown */
    double efficiency; /* tokens/s against perfect scaling from the smallest batch; 1 = perfect */
    const struct breakdown *breakdown;        /* NULL where it was not measured */
    const struct cell_prediction *prediction; /* of its memory; NULL where no file has one */
};

struct analysis_group {
    char model_name[RECORD_NAME_MAX];
    char device[RECORD_DEVICE_MAX];
    char dtype[RECORD_DTYPE_MAX];
    const struct results *file;  /* the first file that speaks of this group */
    size_t file_count;           /* files with runs of it */
    struct analysis_cell *cells; /* [batch_count][length_count] of the analysis */
    struct run_record *runs;     /* sorted by cell; rates recomputed */
    size_t run_count;
    size_t cell_count; /* present ones */
    size_t status_count[CELL_FAILED + 1];
    double measured_s;                         /* sum of all total latencies */
    struct stats_summary totals[METRIC_COUNT]; /* over the runs */
    /* By the cells' means; NULL when no cell has values. */
    const struct analysis_cell *best_throughput;
    const struct analysis_cell *best_latency;
    const struct analysis_cell *worst_latency;
};

struct analysis {
    const struct results *const *files;
    size_t file_count;
    bool *repeated;   /* of all files' runs in a row: is in another file too, and counted there */
    int64_t *batches; /* ascending, over all groups, so that all panels share their axes */
    size_t batch_count;
    int64_t *lengths;
    size_t length_count;
    struct analysis_group *groups;
    size_t group_count;
};

/* The files must outlive the analysis. ERROR_INPUT when there is nothing in them. */
int analysis_build(struct analysis *analysis, const struct results *const *files, size_t count,
                   struct error *error);
void analysis_free(struct analysis *analysis);

const struct analysis_cell *analysis_cell_at(const struct analysis *analysis,
                                             const struct analysis_group *group, size_t batch_index,
                                             size_t length_index);

/* Runs of file `file` that are counted as another file's. */
size_t analysis_repeated_count(const struct analysis *analysis, size_t file);

/* A cell with at least one known total latency. */
bool analysis_cell_has_values(const struct analysis_cell *cell);

/* Why a cell has no values, from its status and the words of its reason. */
enum analysis_cause {
    CAUSE_NONE,      /* it has values */
    CAUSE_ABSENT,    /* not in this group's grid */
    CAUSE_PENDING,   /* the measurement stopped before it */
    CAUSE_PRODUCT,   /* batch × length above the limit of the configuration */
    CAUSE_POSITIONS, /* longer than the model's positions */
    CAUSE_MEMORY,    /* skipped: not enough memory */
    CAUSE_SKIPPED,   /* for another reason */
    CAUSE_FAILED_MEMORY,
    CAUSE_FAILED,
    CAUSE_COUNT,
};
enum analysis_cause analysis_cell_cause(const struct analysis_cell *cell);

/* What a value of a cell is: the tables of plots and findings point at functions like these. */
typedef struct stats_summary analysis_value(const struct analysis_cell *cell);
struct stats_summary analysis_latency(const struct analysis_cell *cell);
struct stats_summary analysis_prefill(const struct analysis_cell *cell);
struct stats_summary analysis_decode(const struct analysis_cell *cell);
struct stats_summary analysis_decode_per_token(const struct analysis_cell *cell);
struct stats_summary analysis_throughput(const struct analysis_cell *cell);
struct stats_summary analysis_sequence_rate(const struct analysis_cell *cell);
struct stats_summary analysis_efficiency(const struct analysis_cell *cell);
struct stats_summary analysis_cpu_memory(const struct analysis_cell *cell);
struct stats_summary analysis_gpu_allocated(const struct analysis_cell *cell);
struct stats_summary analysis_gpu_reserved(const struct analysis_cell *cell);
/* MB, of the prediction, where it is about that memory. */
struct stats_summary analysis_predicted_host(const struct analysis_cell *cell);
struct stats_summary analysis_predicted_device(const struct analysis_cell *cell);
/* The measured value that the prediction is about: peak of the host, or in use on the device. */
struct stats_summary analysis_predicted_measured(const struct analysis_cell *cell);
struct stats_summary analysis_prefill_components(const struct analysis_cell *cell); /* sum, s */
struct stats_summary analysis_decode_components(const struct analysis_cell *cell);

/* Of the cell's record, in percent: analysis_limits.c. */
struct stats_summary analysis_mbu(const struct analysis_cell *cell);
struct stats_summary analysis_mfu(const struct analysis_cell *cell);
struct stats_summary analysis_prefill_of_floor(const struct analysis_cell *cell);
struct stats_summary analysis_step_of_floor(const struct analysis_cell *cell);
/* Operations a second. */
struct stats_summary analysis_prefill_rate(const struct analysis_cell *cell);
struct stats_summary analysis_step_rate(const struct analysis_cell *cell);
/* How many step times every run of the cell has; the value is not there below two. */
struct stats_summary analysis_steps(const struct analysis_cell *cell);
size_t analysis_step_count(const struct analysis_cell *cell);

/* True when some cell of the group, of some group, has the value. */
bool analysis_group_has(const struct analysis *analysis, const struct analysis_group *group,
                        analysis_value *value);
bool analysis_has(const struct analysis *analysis, analysis_value *value);

/* How throughput grows with the batch at one length. */
struct batch_scaling {
    const struct analysis_cell *first; /* smallest batch with values */
    const struct analysis_cell *last;  /* largest */
    const struct analysis_cell *best;  /* highest throughput */
    const struct analysis_cell *knee;  /* smallest batch with 90 % of the best throughput */
    double growth;                     /* tokens/s, last over first */
    double efficiency;                 /* growth over the growth of the batch */
    double last_gain;                  /* growth per doubling of the batch at the last step */
};

/* False when fewer than two batches have values at that length. */
bool analysis_batch_scaling(const struct analysis *analysis, const struct analysis_group *group,
                            size_t length_index, struct batch_scaling *scaling);

/* Log-log fit of a value against the length at one batch: slope = the exponent. `last_slope` is
 * that of the two longest lengths. False when fewer than two lengths have values. */
struct length_scaling {
    const struct analysis_cell *first;
    const struct analysis_cell *last;
    double exponent, r_squared, last_exponent;
    double growth; /* of the value, last over first */
};
bool analysis_length_scaling(const struct analysis *analysis, const struct analysis_group *group,
                             size_t batch_index, analysis_value *value,
                             struct length_scaling *scaling);

#endif
