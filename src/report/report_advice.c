/* Recommendations: each is said only where the numbers ask for it. See report_text.h. */
#include <math.h>
#include <stdio.h>

#include "report/format.h"
#include "report/markdown.h"
#include "report/report_text.h"

/* A cell whose runs spread more than this part of their mean is not a steady measurement. */
static const double steady_spread = 0.05;

static void say_throughput(struct text *out, const struct analysis_group *group)
{
    char rate[FORMAT_MAX];
    char latency[FORMAT_MAX];
    const struct analysis_cell *cell = group->best_throughput;
    if (cell == NULL)
        return;
    format_number(rate, analysis_throughput(cell).mean);
    format_duration(latency, analysis_latency(cell).mean);
    text_printf(out,
                "- **Most tokens:** run batch %lld with prompts of %lld tokens: %s tokens/s, each "
                "request answered after %s.\n",
                (long long)cell->batch_size, (long long)cell->input_length, rate, latency);
}

static void say_latency(struct text *out, const struct analysis_group *group)
{
    char latency[FORMAT_MAX];
    char first[FORMAT_MAX];
    const struct analysis_cell *cell = group->best_latency;
    if (cell == group->best_throughput)
        return;
    format_duration(latency, analysis_latency(cell).mean);
    text_printf(out, "- **Fastest answer:** batch %lld and length %lld take %s",
                (long long)cell->batch_size, (long long)cell->input_length, latency);
    if (isfinite(analysis_prefill(cell).mean)) {
        format_duration(first, analysis_prefill(cell).mean);
        text_printf(out, ", the first token after %s", first);
    }
    text_append(out, ".\n");
}

/* A smaller batch with nearly the same throughput answers sooner. */
static void say_balance(struct text *out, const struct analysis *analysis,
                        const struct analysis_group *group)
{
    for (size_t l = 0; l < analysis->length_count; l++) {
        struct batch_scaling scaling;
        if (!analysis_batch_scaling(analysis, group, l, &scaling) || scaling.knee == scaling.last)
            continue;
        double rate =
            analysis_throughput(scaling.knee).mean / analysis_throughput(scaling.last).mean;
        double latency = analysis_latency(scaling.knee).mean / analysis_latency(scaling.last).mean;
        if (!(latency < 0.95))
            continue;
        text_printf(out,
                    "- **Length %lld:** prefer batch %lld to %lld: %.0f %% of its throughput at "
                    "%.0f %% of its latency.\n",
                    (long long)analysis->lengths[l], (long long)scaling.knee->batch_size,
                    (long long)scaling.last->batch_size, 100 * rate, 100 * latency);
    }
}

/* Lengths where a larger batch than any measured may bring more, in one sentence. */
static void say_room(struct text *out, const struct analysis *analysis,
                     const struct analysis_group *group)
{
    struct text lengths = {0};
    for (size_t l = 0; l < analysis->length_count; l++) {
        struct batch_scaling scaling;
        if (analysis_batch_scaling(analysis, group, l, &scaling) && scaling.best == scaling.last &&
            scaling.last_gain > 1.25)
            text_printf(&lengths, "%s%lld (batch %lld)", lengths.length > 0 ? ", " : "",
                        (long long)analysis->lengths[l], (long long)scaling.last->batch_size);
    }
    if (lengths.length > 0)
        text_printf(
            out,
            "- **Larger batches:** the last step still brought more than 25 %% per doubling "
            "at length %s; measure larger batches there.\n",
            text_string(&lengths));
    out->failed |= lengths.failed;
    text_free(&lengths);
}

static void say_prefill(struct text *out, const struct analysis *analysis,
                        const struct analysis_group *group)
{
    const struct analysis_cell *shortest = NULL;
    size_t measured = 0;
    size_t heavy = 0;
    for (size_t i = 0; i < analysis->batch_count * analysis->length_count; i++) {
        const struct analysis_cell *cell = &group->cells[i];
        if (!isfinite(cell->prefill_share))
            continue;
        measured++;
        if (cell->prefill_share <= 0.5)
            continue;
        heavy++;
        if (shortest == NULL || cell->input_length < shortest->input_length)
            shortest = cell;
    }
    if (heavy > 0)
        text_printf(out,
                    "- **Prompts:** in %zu of %zu cells the prefill takes more than half of the "
                    "latency (from batch %lld, length %lld on): there, shorter prompts or reusing "
                    "a computed prefix save more than faster decoding.\n",
                    heavy, measured, (long long)shortest->batch_size,
                    (long long)shortest->input_length);
    else if (measured > 0)
        text_printf(out, "- **Decode:** in every cell the decode steps take at least half of the "
                         "latency: fewer generated tokens, or smaller weights, save more than "
                         "shorter prompts.\n");
}

static void say_spread(struct text *out, const struct analysis *analysis,
                       const struct analysis_group *group)
{
    const struct analysis_cell *worst = NULL;
    double worst_spread = steady_spread;
    size_t unsteady = 0;
    size_t single = 0;
    for (size_t i = 0; i < analysis->batch_count * analysis->length_count; i++) {
        const struct analysis_cell *cell = &group->cells[i];
        if (!analysis_cell_has_values(cell))
            continue;
        single += cell->run_count == 1;
        double spread = analysis_latency(cell).std / analysis_latency(cell).mean;
        unsteady += spread > steady_spread;
        if (spread > worst_spread) {
            worst_spread = spread;
            worst = cell;
        }
    }
    if (worst != NULL)
        text_printf(
            out,
            "- **Steadiness:** the latency of %zu cell%s spreads by more than %.0f %%, most "
            "at batch %lld, length %lld (%.0f %%): measure again on an idle machine, or "
            "with a higher --num-runs.\n",
            unsteady, unsteady == 1 ? "" : "s", 100 * steady_spread, (long long)worst->batch_size,
            (long long)worst->input_length, 100 * worst_spread);
    if (single > 0)
        text_printf(out,
                    "- **Spread unknown:** %zu cell%s one run only; --num-runs 3 or more shows how "
                    "far the figures can be trusted.\n",
                    single, single == 1 ? " has" : "s have");
}

static void say_gaps(struct text *out, const struct analysis *analysis,
                     const struct analysis_group *group)
{
    static const char *const advice[CAUSE_COUNT] = {
        [CAUSE_PENDING] = "not run yet: start the measurement again to fill them",
        [CAUSE_PRODUCT] = "skipped by the limit on batch × length: raise "
                          "--max-batch-input-product to measure them",
        [CAUSE_POSITIONS] = "skipped as longer than the model's positions: shorten the "
                            "prompts, or raise --max-positions where the model allows it",
        [CAUSE_MEMORY] = "skipped for lack of memory: a smaller --dtype or a machine with "
                         "more memory would hold them",
        [CAUSE_FAILED_MEMORY] =
            "out of memory while running: lower the batch or the length, or take a "
            "smaller --dtype",
        [CAUSE_FAILED] = "failed while running: the reasons are in the table of all cells",
    };
    size_t counts[CAUSE_COUNT] = {0};
    for (size_t i = 0; i < analysis->batch_count * analysis->length_count; i++)
        counts[analysis_cell_cause(&group->cells[i])]++;
    for (int cause = 0; cause < CAUSE_COUNT; cause++) {
        if (counts[cause] > 0 && advice[cause] != NULL)
            text_printf(out, "- **Not measured:** %zu cell%s, %s.\n", counts[cause],
                        counts[cause] == 1 ? "" : "s", advice[cause]);
    }
}

void report_advice(struct text *out, const struct analysis *analysis)
{
    text_append(out, "## Recommendations\n\n");
    for (size_t g = 0; g < analysis->group_count; g++) {
        const struct analysis_group *group = &analysis->groups[g];
        report_group_heading(out, analysis, group);
        if (group->best_latency != NULL) {
            say_throughput(out, group);
            say_latency(out, group);
            say_balance(out, analysis, group);
            say_room(out, analysis, group);
            say_prefill(out, analysis, group);
            say_spread(out, analysis, group);
        }
        say_gaps(out, analysis, group);
        text_append(out, "\n");
    }
}
