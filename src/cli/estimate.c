/* A roofline of two probes: a pass over tokens is bound either by reading the weights once or by
 * two operations per parameter and token. Good to a factor, which is what a person who decides
 * between waiting and coming back needs; the runner's own estimate takes over after one cell. */
#include "cli/estimate.h"

#include <math.h>

#include "base/clock.h"

/* Engines come near the probes, not up to them; a warm-up pass comes on top of the runs. */
static const double efficiency = 0.7;
enum { PROBE_MB = 64 };

/* Work per second of one probe, after one pass that warms up; NaN where there is none. */
static double probe_rate(const struct setup *setup, enum limit_kind kind)
{
    const json_t *threads = json_object_get(setup->facts, "threads");
    struct limit_probe probe = {
        .kind = kind,
        .dtype = setup_fact(setup, "dtype"),
        .working_bytes = (int64_t)PROBE_MB << 20,
        .threads = json_is_integer(threads) ? (int)json_integer_value(threads) : 1,
    };
    struct error ignored = {0};
    if (setup->ops->limit_run == NULL ||
        setup->ops->limit_run(setup->engine, &probe, &ignored) != 0)
        return NAN;
    const struct clock *clock = clock_monotonic();
    double start_s = clock_now_s(clock);
    if (setup->ops->limit_run(setup->engine, &probe, &ignored) != 0)
        return NAN;
    double elapsed_s = clock_now_s(clock) - start_s;
    return elapsed_s > 0 ? probe.work / elapsed_s : NAN;
}

double estimate_grid_s(const struct setup *setup, const struct config *config,
                       const struct results *results)
{
    const json_t *weights = json_object_get(setup->facts, "weight_bytes");
    double bytes_per_s = probe_rate(setup, LIMIT_READ_BANDWIDTH);
    double operations_per_s = probe_rate(setup, LIMIT_MULTIPLY_ADD);
    if (!json_is_number(weights) || !isfinite(bytes_per_s) || !isfinite(operations_per_s))
        return NAN;
    double read_s = json_number_value(weights) / (efficiency * bytes_per_s);
    double parameters = (double)architecture_parameter_count(model_architecture(setup->model));
    double token_s = 2 * parameters / (efficiency * operations_per_s);

    double total_s = 0;
    for (size_t i = 0; i < results->cell_count; i++) {
        const struct cell_record *cell = &results->cells[i];
        if (cell->status != CELL_PENDING)
            continue;
        double batch = (double)cell->batch_size;
        double prefill_s = fmax(read_s, batch * (double)cell->input_length * token_s);
        double step_s = fmax(read_s, batch * token_s);
        double run_s = prefill_s + (double)(config->output_length - 1) * step_s;
        total_s += (double)config->num_runs * run_s + prefill_s;
    }
    return total_s;
}
