/* What is asked of a grid before it runs: who has something left to measure, and for which cells
 * the memory is not there. */
#include "bench/cell_memory.h"
#include "bench/runner.h"
#include "bench/stop_rule.h"
#include "bench/visit.h"

int runner_next_process(int64_t *process, const struct results *results,
                        const struct schedule *schedule, struct error *error)
{
    int64_t last = schedule_pass_count(schedule);
    for (*process = 1; *process <= schedule->processes; (*process)++) {
        double part = (double)*process / (double)schedule->processes;
        if (schedule->time_limit_s > 0.0 && results->elapsed_s >= schedule->time_limit_s * part)
            continue;
        for (size_t i = 0; i < results->cell_count; i++) {
            const char *enough = NULL;
            if (!visit_is_wanted(&results->cells[i]))
                continue;
            int code = stop_rule_ask(&enough, results, &results->cells[i], schedule, *process, last,
                                     error);
            if (code != 0 || enough == NULL)
                return code;
        }
    }
    *process = 0;
    return 0;
}

int runner_check_memory(struct results *results, const struct runner_options *options,
                        struct error *error)
{
    for (size_t i = 0; i < results->cell_count; i++) {
        struct cell_record *cell = &results->cells[i];
        struct session_shape shape = visit_shape(options, cell);
        struct session_memory memory;
        struct error ignored = {0};
        bool fits = true;
        if (cell->status != CELL_PENDING) {
            /* Not to be measured now, but its prediction belongs on record. */
            if (!(cell->prediction.total_mb > 0.0))
                (void)cell_memory_predict(cell, &memory, options->ops, options->engine, &shape,
                                          &ignored);
            continue;
        }
        if (cell_memory_check(cell, &fits, options->ops, options->engine, &shape, error) != 0)
            return error_prefix(error, "batch %lld x length %lld", (long long)cell->batch_size,
                                (long long)cell->input_length);
    }
    return 0;
}
