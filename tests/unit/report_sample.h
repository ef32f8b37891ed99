/* Results made in memory for the tests of report/: cells and runs with given times, a folder
 * to write into, the notices that came. */
#ifndef TOKENMARK_TESTS_REPORT_SAMPLE_H
#define TOKENMARK_TESTS_REPORT_SAMPLE_H

#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "report/report.h"
#include "results/results.h"
#include "test.h"

enum { SAMPLE_OUTPUT_LENGTH = 10 };

struct sample_group {
    const char *model_name, *device, *dtype;
};

static const struct sample_group sample_gpt2 = {"gpt2", "cpu", "float32"};

/* A NOISY cell of a machine of 30 GB/s and 200 GFLOP/s. */
static inline void sample_limits(struct cell_record *cell)
{
    double tokens = (double)(cell->batch_size * cell->input_length);
    verdict_clear(&cell->verdict);
    verdict_add(&cell->verdict, VERDICT_PREEMPTED, "12 involuntary context switches in 1.5 s");
    cell->limits = (struct cell_limits){
        .bandwidth_before = 29.0,
        .bandwidth_after = 31.0,
        .peak_flops_per_s = 2e11,
        .prefill_flops = 2e6 * tokens,
        .prefill_bytes = 4e6,
        .decode_step_flops = 2e6 * (double)cell->batch_size,
        .decode_step_bytes = 4e6 + 1e3 * tokens,
        .prefill_floor_s = 1e-5 * tokens,
        .decode_step_floor_s = 1.5e-4,
        .mbu = 0.5,
        .mfu = 0.25,
        .bound = "memory",
        .prefill_bound = "compute",
    };
}

/* 480 MB of weights, 0.1 MB a token; what is measured is a little more. */
static inline void sample_prediction(struct cell_record *cell, const char *place)
{
    double cache = 0.1 * (double)(cell->batch_size * cell->input_length);
    cell->prediction = (struct cell_prediction){
        .weights_mb = 480, .kv_cache_mb = cache, .workspace_mb = 5, .total_mb = 485 + cache};
    snprintf(cell->prediction.place, sizeof cell->prediction.place, "%s", place);
}

static inline void sample_cell(struct results *results, int64_t batch, int64_t length,
                               enum cell_status status, const char *reason)
{
    struct cell_record cell = {.batch_size = batch, .input_length = length, .status = status};
    struct error error = {0};
    snprintf(cell.reason, sizeof cell.reason, "%s", reason);
    if (status == CELL_MEASURED)
        sample_limits(&cell);
    sample_prediction(&cell, "host");
    assert_int_equal(results_add_cell(results, &cell, &error), 0);
}

static inline void sample_run(struct results *results, struct sample_group group, int64_t batch,
                              int64_t length, double prefill_s, double decode_s)
{
    struct run_record run;
    struct error error = {0};
    run_record_init(&run);
    snprintf(run.timestamp, sizeof run.timestamp, "2026-01-02T03:04:%02zu+00:00",
             results->run_count % 60);
    snprintf(run.model_name, sizeof run.model_name, "%s", group.model_name);
    snprintf(run.device, sizeof run.device, "%s", group.device);
    snprintf(run.dtype, sizeof run.dtype, "%s", group.dtype);
    run.batch_size = batch;
    run.input_length = length;
    run.target_output_length = SAMPLE_OUTPUT_LENGTH;
    run.actual_output_length = SAMPLE_OUTPUT_LENGTH;
    run.run_number = 1;
    run.prefill_time = prefill_s;
    run.decode_time = decode_s;
    run_record_derive(&run);
    run.decode_step_count = SAMPLE_OUTPUT_LENGTH - 1;
    run.decode_step_times = calloc(run.decode_step_count, sizeof(double));
    for (size_t step = 0; step < run.decode_step_count; step++)
        run.decode_step_times[step] = decode_s * (8.0 + (double)step) / 108.0;
    run.cpu_memory_mb = 500 + (double)(batch * length) / 10;
    assert_int_equal(results_add_run(results, &run, &error), 0);
}

/* Gives every measured cell a breakdown, the same in all: sums 1.0 s, as undisturbed, and 20 ms. */
static inline void sample_breakdowns(struct results *results)
{
    for (size_t i = 0; i < results->cell_count; i++) {
        if (results->cells[i].status != CELL_MEASURED)
            continue;
        results->cells[i].breakdown = (struct breakdown){
            .phases =
                {
                    {{0.05, 0.25, 0.1, 0.4, 0.05, 0.1, 0.05}, 1.0},
                    {{0.001, 0.002, 0.001, 0.002, 0.001, 0.012, 0.001}, 0.02},
                },
            .decode_steps = 8,
        };
    }
}

/* A full grid of powers of two with `runs` runs a cell, some cells skipped and failed when the
 * grid has room for them. */
static inline void sample_grid(struct results *results, struct sample_group group, int batches,
                               int lengths, int runs)
{
    for (int b = 0; b < batches; b++) {
        for (int l = 0; l < lengths; l++) {
            int64_t batch = (int64_t)1 << b;
            int64_t length = (int64_t)16 << l;
            bool corner = b + l >= batches + lengths - 2 && lengths > 1;
            if (corner) {
                sample_cell(results, batch, length, CELL_SKIPPED,
                            "batch 2 x length 32 = 64 exceeds max_batch_input_product 63");
                continue;
            }
            if (b == 1 && l == 2) {
                sample_cell(results, batch, length, CELL_FAILED, "out of memory");
                continue;
            }
            sample_cell(results, batch, length, CELL_MEASURED, "");
            for (int r = 0; r < runs; r++)
                sample_run(results, group, batch, length,
                           (0.002 + 1e-4 * (double)(batch * length)) * (1 + 0.02 * r),
                           (0.1 + 0.003 * (double)batch) * (1 + 0.01 * r));
        }
    }
}

/* A fresh folder; the caller removes it with sample_folder_remove. */
static inline void sample_folder_make(char out[64])
{
    snprintf(out, 64, "/tmp/tokenmark-report-XXXXXX");
    assert_non_null(mkdtemp(out));
}

static inline void sample_folder_remove(const char *folder)
{
    char command[160];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    assert_int_equal(system(command), 0);
}

static inline void sample_notice(void *context, const char *text)
{
    text_append(context, text);
    text_append(context, "\n");
}

static inline char *sample_read(const char *folder, const char *name)
{
    struct error error = {0};
    char *content = NULL;
    size_t bytes = 0;
    char *path = file_join(folder, name);
    if (file_read(&content, &bytes, path, (size_t)1 << 26, &error) != 0)
        fail_msg("%s", error.text);
    free(path);
    return content;
}

static inline bool sample_exists(const char *folder, const char *name)
{
    char *path = file_join(folder, name);
    bool exists = file_exists(path);
    free(path);
    return exists;
}

#endif
