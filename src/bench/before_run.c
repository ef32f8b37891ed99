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
        if (cell->status != CELL_PENDING)
            continue;
        struct session_shape shape = visit_shape(options, cell);
        bool fits = true;
        if (cell_memory_check(cell, &fits, options->ops, options->engine, &shape, error) != 0)
            return error_prefix(error, "batch %lld x length %lld", (long long)cell->batch_size,
                                (long long)cell->input_length);
    }
    return 0;
}
