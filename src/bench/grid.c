/* Lays out the cells of a configuration and says before anything runs which of them the limits
 * rule out; runner.h adds what the memory rules out. */
#include "bench/grid.h"

#include <stdio.h>

/* The words for why a cell cannot run; leaves `reason` empty where it can. */
static void explain_limits(char *reason, size_t capacity, const struct config *config,
                           int64_t batch_size, int64_t input_length, int64_t position_limit)
{
    reason[0] = '\0';
    int64_t product = 0;
    if (__builtin_mul_overflow(batch_size, input_length, &product)) {
        (void)snprintf(reason, capacity,
                       "batch %lld x length %lld exceeds max_batch_input_product %lld",
                       (long long)batch_size, (long long)input_length,
                       (long long)config->max_batch_input_product);
        return;
    }
    if (product > config->max_batch_input_product) {
        (void)snprintf(reason, capacity,
                       "batch %lld x length %lld = %lld exceeds max_batch_input_product %lld",
                       (long long)batch_size, (long long)input_length, (long long)product,
                       (long long)config->max_batch_input_product);
        return;
    }
    /* The last generated token is never fed back, so it needs no position. */
    if (position_limit > 0 && input_length > position_limit - (config->output_length - 1))
        (void)snprintf(
            reason, capacity,
            "needs %llu positions (%lld + %lld - 1), the model has %lld; "
            "--max-positions raises the limit for rotary positions, and for learned "
            "ones with random weights",
            (unsigned long long)input_length + (unsigned long long)config->output_length - 1,
            (long long)input_length, (long long)config->output_length, (long long)position_limit);
}

int grid_build(struct results *results, const struct config *config, int64_t position_limit,
               struct error *error)
{
    for (size_t i = 0; i < config->batch_sizes.count; i++) {
        for (size_t j = 0; j < config->input_lengths.count; j++) {
            struct cell_record cell = {
                .batch_size = config->batch_sizes.values[i],
                .input_length = config->input_lengths.values[j],
                .status = CELL_PENDING,
            };
            explain_limits(cell.reason, sizeof cell.reason, config, cell.batch_size,
                           cell.input_length, position_limit);
            if (cell.reason[0] != '\0')
                cell.status = CELL_SKIPPED;
            int code = results_add_cell(results, &cell, error);
            if (code != 0)
                return code;
        }
    }
    return 0;
}
