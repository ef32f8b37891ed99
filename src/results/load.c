/* Loading a results file of any origin: told apart here, read by parse_json.c and parse_csv.c,
 * completed here. */
#include "results/load.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

static const size_t file_limit = (size_t)1 << 30;

static bool known(double time_s)
{
    return !isnan(time_s);
}

int load_add_run(struct results *results, struct run_record *run, const struct run_times *times,
                 const char *where, struct error *error)
{
    int code = 0;
    run->prefill_time = times->prefill_time;
    run->decode_time = times->decode_time;
    if (run->target_output_length == 0)
        run->target_output_length = run->actual_output_length;
    bool one_token = run->actual_output_length == 1;
    if (!known(times->total_latency) &&
        !(known(times->prefill_time) && (known(times->decode_time) || one_token)))
        code =
            error_set(error, ERROR_INPUT,
                      "%s: neither total_latency nor prefill_time and decode_time is there", where);
    if (code == 0) {
        run_record_derive(run);
        /* A source that measured the whole by itself is believed about the whole. */
        if (known(times->total_latency)) {
            run->total_latency = times->total_latency;
            double tokens = (double)run->batch_size * (double)run->actual_output_length;
            run->tokens_per_second =
                times->total_latency > 0.0 ? tokens / times->total_latency : NAN;
        }
        code = results_add_run(results, run, error);
    }
    if (code != 0)
        free(run->decode_step_times);
    return code;
}

static bool is_listed(const struct results *results, const struct run_record *run)
{
    /* Backwards: the runs of a cell follow each other in nearly every file. */
    for (size_t i = results->cell_count; i > 0; i--) {
        if (cell_holds_run(&results->cells[i - 1], run))
            return true;
    }
    return false;
}

int load_complete_cells(struct results *results, struct error *error)
{
    for (size_t i = 0; i < results->run_count; i++) {
        const struct run_record *run = &results->runs[i];
        if (is_listed(results, run))
            continue;
        struct cell_record cell = {
            .batch_size = run->batch_size,
            .input_length = run->input_length,
            .status = CELL_MEASURED,
        };
        memcpy(cell.model_name, run->model_name, sizeof cell.model_name);
        memcpy(cell.device, run->device, sizeof cell.device);
        memcpy(cell.dtype, run->dtype, sizeof cell.dtype);
        int code = results_add_cell(results, &cell, error);
        if (code != 0)
            return code;
    }
    return 0;
}

/* JSON begins with a bracket; a CSV header does not. */
static bool looks_like_json(const char *text, size_t bytes)
{
    size_t at = bytes >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    while (at < bytes && strchr(" \t\r\n", text[at]) != NULL && text[at] != '\0')
        at++;
    return at < bytes && (text[at] == '{' || text[at] == '[');
}

int results_load(struct results *results, const char *path, struct error *error)
{
    char *text;
    size_t bytes;
    results_init(results);
    int code = file_read(&text, &bytes, path, file_limit, error);
    if (code != 0)
        return code;
    if (looks_like_json(text, bytes))
        code = results_parse_json(results, text, bytes, path, error);
    else
        code = results_parse_csv(results, text, bytes, path, error);
    free(text);
    if (code != 0)
        return code;
    results->source_path = strdup(path);
    if (results->source_path == NULL) {
        results_free(results);
        return error_set(error, ERROR_MEMORY, "no memory to load %s", path);
    }
    return 0;
}
