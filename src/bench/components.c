/* The breakdown pass of components.h. */
#include "bench/components.h"

#include <stdlib.h>
#include <string.h>

#include "bench/warm_up.h"
#include "stats/stats.h"

enum { PASSES_MAX = 3 };

/* No further pass once so much time went into them. */
static const double budget_s = 1.0;

/* The engine's words for the parts of a model, and the results'. */
static const enum breakdown_component recorded[ENGINE_COMPONENT_COUNT] = {
    [ENGINE_EMBEDDING] = BREAKDOWN_EMBEDDING,
    [ENGINE_ATTENTION_PROJECTIONS] = BREAKDOWN_ATTENTION_PROJECTIONS,
    [ENGINE_ATTENTION] = BREAKDOWN_ATTENTION,
    [ENGINE_MLP] = BREAKDOWN_MLP,
    [ENGINE_NORMS] = BREAKDOWN_NORMS,
    [ENGINE_HEAD] = BREAKDOWN_HEAD,
    [ENGINE_SAMPLING] = BREAKDOWN_SAMPLING,
};

struct pass {
    struct breakdown_times phases[BREAKDOWN_PHASE_COUNT];
};

static void ignore_step(void *context, int64_t step, const int32_t *tokens, double time_s)
{
    (void)context;
    (void)step;
    (void)tokens;
    (void)time_s;
}

static bool asked_to_stop(void *context)
{
    const struct generation *generation = context;
    return generation->stop != NULL && generation->stop(generation->stop_context);
}

static struct breakdown_times translate(const double *seconds, double count)
{
    struct breakdown_times times = {0};
    for (int i = 0; i < ENGINE_COMPONENT_COUNT; i++)
        times.component_s[recorded[i]] += seconds[i] / count;
    return times;
}

static int run_pass(struct pass *pass, const struct generation *generation, int64_t steps,
                    struct error *error)
{
    const struct engine_ops *ops = generation->ops;
    const struct token_sink sink = {
        .step = ignore_step,
        .stop = asked_to_stop,
        .context = (void *)generation,
    };
    double seconds[ENGINE_COMPONENT_COUNT] = {0};
    ops->time_components(generation->session, seconds);
    int code =
        ops->prefill(generation->session, generation->ids, generation->input_length, &sink, error);
    pass->phases[BREAKDOWN_PREFILL] = translate(seconds, 1.0);
    if (code == 0 && steps > 0) {
        memset(seconds, 0, sizeof seconds);
        code = ops->decode(generation->session, steps, &sink, error);
        pass->phases[BREAKDOWN_DECODE_STEP] = translate(seconds, (double)steps);
    }
    ops->time_components(generation->session, NULL);
    return code;
}

/* Of the passes, the phase whose sum is the middle one: its components belong together. */
static struct breakdown_times choose_middle(const struct pass *passes, size_t count,
                                            enum breakdown_phase phase)
{
    double sums[PASSES_MAX];
    for (size_t i = 0; i < count; i++)
        sums[i] = breakdown_sum(&passes[i].phases[phase]);
    stats_sort(sums, count);
    for (size_t i = 0; i < count; i++) {
        if (!(breakdown_sum(&passes[i].phases[phase]) < sums[(count - 1) / 2]) &&
            !(breakdown_sum(&passes[i].phases[phase]) > sums[(count - 1) / 2]))
            return passes[i].phases[phase];
    }
    return passes[0].phases[phase];
}

/* The first `steps` decode steps of every run, as the breakdown's steps are the first ones too:
 * later ones see more keys. */
static int find_step_median(double *median, const struct results *results,
                            const struct cell_record *cell, int64_t steps, struct error *error)
{
    size_t count = 0;
    double *values = calloc(2 * results->run_count + 1, sizeof *values);
    if (values == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for %zu step times", results->run_count);
    for (size_t i = 0; i < results->run_count; i++) {
        const struct run_record *run = &results->runs[i];
        if (!cell_holds_run(cell, run) || run->decode_step_count < (size_t)steps)
            continue;
        double sum = 0.0;
        for (int64_t step = 0; step < steps; step++)
            sum += run->decode_step_times[step];
        values[count++] = sum / (double)steps;
    }
    *median = count > 0 ? stats_summarise(values, count, values + count).median : 0.0;
    free(values);
    return 0;
}

static int find_undisturbed(struct breakdown *breakdown, const struct results *results,
                            const struct cell_record *cell, struct error *error)
{
    struct stats_summary prefill;
    int code = results_summarise(results, cell, &metrics[METRIC_PREFILL_TIME], &prefill, error);
    if (code != 0)
        return code;
    breakdown->phases[BREAKDOWN_PREFILL].undisturbed_s = prefill.count > 0 ? prefill.median : 0.0;
    if (breakdown->decode_steps == 0)
        return 0;
    return find_step_median(&breakdown->phases[BREAKDOWN_DECODE_STEP].undisturbed_s, results, cell,
                            breakdown->decode_steps, error);
}

int components_measure(struct cell_record *cell, const struct results *results,
                       const struct generation *generation, struct error *error)
{
    struct pass passes[PASSES_MAX] = {0};
    struct breakdown found = {.decode_steps = warm_up_steps(generation->output_length)};
    size_t count = 0;
    double start_s = clock_now_s(generation->clock);
    cell->breakdown = (struct breakdown){0};
    while (count == 0 ||
           (count < PASSES_MAX && clock_now_s(generation->clock) - start_s < budget_s)) {
        int code = run_pass(&passes[count], generation, found.decode_steps, error);
        if (code != 0)
            return code;
        count++;
    }
    for (int i = 0; i < BREAKDOWN_PHASE_COUNT; i++)
        found.phases[i] = choose_middle(passes, count, (enum breakdown_phase)i);
    int code = find_undisturbed(&found, results, cell, error);
    if (code == 0)
        cell->breakdown = found;
    return code;
}
