/* What one measurement is on record: a run (one generation), a cell (one batch size and
 * input length), and the table of metrics that every writer, reader, table and plot loops over. */
#ifndef TOKENMARK_RESULTS_RECORD_H
#define TOKENMARK_RESULTS_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "results/breakdown.h"
#include "results/verdict.h"

enum {
    RECORD_TIMESTAMP_MAX = 40,
    RECORD_NAME_MAX = 256,
    RECORD_DEVICE_MAX = 32,
    RECORD_DTYPE_MAX = 16,
    RECORD_REASON_MAX = 512,
    RECORD_WORD_MAX = 32,
    RECORD_HASH_MAX = 17,
    RECORD_THROTTLE_MAX = 160,
};

/* What a device showed around a run, read before and after its timed window; of a cell the means
 * over its runs, or what is said there. NaN and "" where the device does not show it, in a cell 0.
 */
struct device_conditions {
    double power_w; /* mean of before and after */
    double energy_j;
    double energy_per_token_j; /* of a cell alone: over the generated tokens of the whole batch */
    double core_mhz;           /* right after */
    double memory_mhz;
    double temperature_c;                       /* the higher of the two; of a cell the highest */
    double heat_throttled_s;                    /* during the run; of a cell the sum */
    double power_throttled_s;                   /* likewise, for its power limit */
    double other_processes;                     /* that computed on it; the most that were seen */
    double memory_used_mb;                      /* by all processes, after; of a cell the most */
    char energy_source[RECORD_WORD_MAX];        /* "counter", "power": mean power times time */
    char throttle_reasons[RECORD_THROTTLE_MAX]; /* or "none seen" */
};

/* What happened around a run, from counters read before and after its timed window. */
struct run_conditions {
    double involuntary_switches; /* of this process: another took the CPU */
    double major_faults;         /* of this process: a page came from a disk */
    double other_cpu_s;          /* used by other processes, on all CPUs */
    double steal_s;              /* that the hypervisor gave to other guests, on all CPUs */
    double swapped_pages;        /* of the machine, in and out */
    double throttle_events;      /* for heat */
    double cpu_mhz;              /* mean over the CPUs, before and after */
    double energy_j;             /* of the CPU packages */
    double bandwidth_before;     /* GB/s (10^9), read before and after the cell's visit */
    double bandwidth_after;
    struct device_conditions device; /* of a GPU */
};

/* Doubles that are not known are NaN: null in JSON, empty in CSV. */
struct run_record {
    char timestamp[RECORD_TIMESTAMP_MAX]; /* ISO 8601, when the run began */
    char model_name[RECORD_NAME_MAX];
    char device[RECORD_DEVICE_MAX]; /* the real one: "cpu", "cuda:0" */
    char dtype[RECORD_DTYPE_MAX];   /* "" in files of the Python suite */
    int64_t batch_size;
    int64_t input_length;         /* tokens per sequence */
    int64_t target_output_length; /* tokens per sequence */
    int64_t actual_output_length;
    int64_t run_number;                /* from 1 per cell */
    int64_t pass;                      /* of the grid, from 1 per process; 0 = not known */
    int64_t process;                   /* which of --processes, from 1; 0 = not known */
    char output_hash[RECORD_HASH_MAX]; /* of all generated ids, 16 hex digits; "" = not known */
    double total_latency;              /* s, = prefill_time + decode_time */
    double prefill_time;               /* s, time to first token */
    double decode_time;                /* s */
    double decode_time_per_token; /* s, = decode_time / decode_tokens_count; NaN when that is 0 */
    int64_t decode_tokens_count;  /* = actual_output_length - 1 */
    double tokens_per_second;     /* = batch * actual_output_length / total_latency */
    double prefill_tokens_per_second; /* = batch * input_length / prefill_time */
    double decode_tokens_per_second;  /* = batch * decode_tokens_count / decode_time */
    double cpu_memory_mb;             /* MB = 2^20 bytes */
    double gpu_memory_allocated_mb;   /* NaN without a GPU */
    double gpu_memory_reserved_mb;
    double temperature;
    double top_p;
    double device_decode_time; /* s, decode_time by the device's own clock; NaN without one */
    struct run_conditions conditions;
    double *decode_step_times; /* s, [decode_tokens_count]: each step's duration; may be NULL */
    size_t decode_step_count;
};

/* All NaN. */
void run_conditions_init(struct run_conditions *conditions);

/* Nothing known: texts "", counts 0, doubles NaN, no step times. */
void run_record_init(struct run_record *run);

/* Fills the derived fields from batch, lengths and the two times (+ NaN rules). */
void run_record_derive(struct run_record *run);

enum metric_direction { METRIC_LOWER_IS_BETTER, METRIC_HIGHER_IS_BETTER };

struct metric {
    const char *name;    /* the JSON name and the CSV column */
    const char *unit;    /* "s", "tokens/s", "MB" */
    const char *title;   /* "Total latency" */
    const char *meaning; /* one sentence */
    size_t offset;       /* of the double in struct run_record */
    const char *group;   /* JSON object it lies in ("memory_usage") or NULL */
    enum metric_direction better;
};

enum metric_id {
    METRIC_TOTAL_LATENCY,
    METRIC_PREFILL_TIME,
    METRIC_DECODE_TIME,
    METRIC_DECODE_TIME_PER_TOKEN,
    METRIC_TOKENS_PER_SECOND,
    METRIC_PREFILL_TOKENS_PER_SECOND,
    METRIC_DECODE_TOKENS_PER_SECOND,
    METRIC_CPU_MEMORY_MB,
    METRIC_GPU_MEMORY_ALLOCATED_MB,
    METRIC_GPU_MEMORY_RESERVED_MB,
    METRIC_COUNT,
};
extern const struct metric metrics[METRIC_COUNT];

double metric_value(const struct metric *metric, const struct run_record *run);

enum cell_status { CELL_PENDING, CELL_PARTIAL, CELL_MEASURED, CELL_SKIPPED, CELL_FAILED };
const char *cell_status_name(enum cell_status status); /* "pending", ... */

/* How far a cell is from what the machine allows; 0 and "" where it is not known. */
struct cell_limits {
    double bandwidth_before, bandwidth_after; /* GB/s, means over the runs */
    double peak_flops_per_s;                  /* of the dtype */
    double prefill_flops, prefill_bytes;
    double decode_step_flops, decode_step_bytes; /* the mean step's */
    double prefill_floor_s, decode_step_floor_s;
    double mbu, mfu;                     /* parts of the bandwidth and of the peak, 0 to 1 */
    char bound[RECORD_WORD_MAX];         /* of the decode step, or without one of the prefill */
    char prefill_bound[RECORD_WORD_MAX]; /* "memory" or "compute" */
    double energy_per_token_j;           /* of the CPUs, over the batch's generated tokens */
};

/* What the engine plans for a cell before anything is allocated; MB = 2^20 bytes, 0 and "" where
 * it is not known. */
struct cell_prediction {
    double weights_mb, kv_cache_mb, workspace_mb; /* as they lie in memory */
    double total_mb;                              /* their sum */
    char place[RECORD_WORD_MAX];                  /* whose memory: "host" or "device" */
};

struct cell_record {
    int64_t batch_size;
    int64_t input_length;
    enum cell_status status;
    char reason[RECORD_REASON_MAX]; /* why skipped or failed; "" otherwise */
    /* What follows is "" or 0 where it is not known; a table of fields writes and reads it. */
    int64_t warm_up_runs;                 /* of all visits together */
    char warm_up_reason[RECORD_WORD_MAX]; /* why warming up ended, the worst of the visits */
    char stop_reason[RECORD_WORD_MAX];    /* why measuring ended: "num_runs", "precise", ... */
    char output_check[RECORD_REASON_MAX]; /* "passed", or what is wrong with the tokens */
    struct verdict verdict;
    struct cell_limits limits;
    double memory_missing_mb; /* of a device, not free again after the cell's visits */
    struct cell_prediction prediction;
    struct device_conditions conditions; /* over the runs */
    struct breakdown breakdown;
    /* Whose cell it is, for a file that holds several series. All "" stands for every run of the
     * file: bench measures one model on one device. */
    char model_name[RECORD_NAME_MAX];
    char device[RECORD_DEVICE_MAX];
    char dtype[RECORD_DTYPE_MAX];
};

/* Was this run measured in this cell? */
bool cell_holds_run(const struct cell_record *cell, const struct run_record *run);

#endif
