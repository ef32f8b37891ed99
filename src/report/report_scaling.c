/* Scaling observations: growth with the batch and where it ends, growth with the length, peak
 * rates. See report_text.h. */
#include <math.h>
#include <stdio.h>

#include "report/format.h"
#include "report/markdown.h"
#include "report/report_text.h"
#include "report/trend.h"

/* A step that brings less than this per doubling of the batch brings nothing worth having. */
static const double worthwhile_gain = 1.10;

static const char *batch_words(const struct batch_scaling *scaling)
{
    if (scaling->best != scaling->last)
        return "throughput falls again after the best batch";
    if (scaling->last_gain < worthwhile_gain)
        return "saturated";
    return "still growing at the largest batch";
}

static void write_batch_table(struct text *out, const struct analysis *analysis,
                              const struct analysis_group *group)
{
    struct markdown_table table;
    struct batch_scaling scaling;
    markdown_table_begin(&table, "rrrrrrl");
    markdown_table_cell(&table, "Length");
    markdown_table_cell(&table, "Batch");
    markdown_table_cell(&table, "Throughput grows");
    markdown_table_cell(&table, "Efficiency");
    markdown_table_cell(&table, "Best batch");
    markdown_table_cell(&table, "90 % of best at");
    markdown_table_cell(&table, "At the end");
    for (size_t l = 0; l < analysis->length_count; l++) {
        char growth[FORMAT_MAX];
        if (!analysis_batch_scaling(analysis, group, l, &scaling))
            continue;
        format_number(growth, scaling.growth);
        markdown_table_printf(&table, "%lld", (long long)analysis->lengths[l]);
        markdown_table_printf(&table, "%lld to %lld", (long long)scaling.first->batch_size,
                              (long long)scaling.last->batch_size);
        markdown_table_printf(&table, "%s×", growth);
        markdown_table_printf(&table, "%.0f %%", 100 * scaling.efficiency);
        markdown_table_printf(&table, "%lld", (long long)scaling.best->batch_size);
        markdown_table_printf(&table, "%lld", (long long)scaling.knee->batch_size);
        markdown_table_cell(&table, batch_words(&scaling));
    }
    markdown_table_end(&table, out);
}

static void say_batch(struct text *out, int64_t length, const struct batch_scaling *scaling)
{
    char growth[FORMAT_MAX];
    format_number(growth, scaling->growth);
    text_printf(out,
                "- At length %lld, throughput grows %s-fold from batch %lld to %lld, %.0f %% of "
                "perfect scaling; ",
                (long long)length, growth, (long long)scaling->first->batch_size,
                (long long)scaling->last->batch_size, 100 * scaling->efficiency);
    if (scaling->best != scaling->last)
        text_printf(out, "it is highest at batch %lld and falls after it.\n",
                    (long long)scaling->best->batch_size);
    else if (scaling->last_gain < worthwhile_gain)
        text_printf(out,
                    "it saturates: batch %lld has 90 %% of the best, and the last step brings only "
                    "%.0f %% per doubling of the batch.\n",
                    (long long)scaling->knee->batch_size, 100 * (scaling->last_gain - 1));
    else
        text_printf(out,
                    "it has not saturated: the last step still brings %.0f %% per doubling of the "
                    "batch.\n",
                    100 * (scaling->last_gain - 1));
}

static void say_batches(struct text *out, const struct analysis *analysis,
                        const struct analysis_group *group)
{
    struct batch_scaling scaling;
    size_t first = analysis->length_count;
    size_t last = 0;
    for (size_t l = 0; l < analysis->length_count; l++) {
        if (!analysis_batch_scaling(analysis, group, l, &scaling))
            continue;
        first = first < l ? first : l;
        last = l;
    }
    if (first == analysis->length_count) {
        text_append(out, "- Growth with the batch is not known: no length was measured with two "
                         "batch sizes.\n");
        return;
    }
    (void)analysis_batch_scaling(analysis, group, first, &scaling);
    say_batch(out, analysis->lengths[first], &scaling);
    if (last != first && analysis_batch_scaling(analysis, group, last, &scaling))
        say_batch(out, analysis->lengths[last], &scaling);
}

static const char *exponent_words(double exponent)
{
    if (exponent < 0.2)
        return "hardly depends on the length: fixed costs, such as reading the weights, dominate";
    if (exponent < 0.8)
        return "grows more slowly than the length: part of it is fixed cost";
    if (exponent < 1.2)
        return "grows about in proportion to the length";
    return "grows faster than the length: attention's quadratic part shows";
}

static void say_prefill(struct text *out, int64_t batch, const struct length_scaling *scaling)
{
    char growth[FORMAT_MAX];
    format_number(growth, scaling->growth);
    text_printf(out,
                "- At batch %lld, prefill time grows %s-fold from length %lld to %lld, as "
                "length^%.2f; it %s.",
                (long long)batch, growth, (long long)scaling->first->input_length,
                (long long)scaling->last->input_length, scaling->exponent,
                exponent_words(scaling->exponent));
    if (fabs(scaling->last_exponent - scaling->exponent) > 0.15)
        text_printf(out, " Between the two longest lengths the exponent is %.2f.",
                    scaling->last_exponent);
    text_append(out, "\n");
}

static void say_decode(struct text *out, int64_t batch, const struct length_scaling *scaling)
{
    char from[FORMAT_MAX];
    char to[FORMAT_MAX];
    format_duration(from, analysis_decode_per_token(scaling->first).mean);
    format_duration(to, analysis_decode_per_token(scaling->last).mean);
    double change = round(100 * (scaling->growth - 1)) + 0.0; /* no "-0" */
    text_printf(out,
                "- At batch %lld, a decode step takes %s at length %lld and %s at length %lld "
                "(%+.0f %%): ",
                (long long)batch, from, (long long)scaling->first->input_length, to,
                (long long)scaling->last->input_length, change);
    if (change < -5)
        text_append(out, "longer contexts are not slower here, so the difference is noise or "
                         "something else than the cache.\n");
    else if (change < 5)
        text_append(out, "the length of the context hardly matters.\n");
    else
        text_append(out, "reading the longer KV cache costs that much.\n");
}

/* The smallest and the largest batch with two lengths. */
static void say_lengths(struct text *out, const struct analysis *analysis,
                        const struct analysis_group *group, analysis_value *value,
                        void (*say)(struct text *, int64_t, const struct length_scaling *))
{
    struct length_scaling scaling;
    size_t first = analysis->batch_count;
    size_t last = 0;
    for (size_t b = 0; b < analysis->batch_count; b++) {
        if (!analysis_length_scaling(analysis, group, b, value, &scaling))
            continue;
        first = first < b ? first : b;
        last = b;
    }
    if (first == analysis->batch_count)
        return;
    (void)analysis_length_scaling(analysis, group, first, value, &scaling);
    say(out, analysis->batches[first], &scaling);
    if (last != first && analysis_length_scaling(analysis, group, last, value, &scaling))
        say(out, analysis->batches[last], &scaling);
}

static void say_peaks(struct text *out, const struct analysis *analysis,
                      const struct analysis_group *group)
{
    static const struct {
        enum metric_id metric;
        const char *words;
    } peaks[] = {{METRIC_PREFILL_TOKENS_PER_SECOND, "prompt tokens/s in the prefill"},
                 {METRIC_DECODE_TOKENS_PER_SECOND, "tokens/s in the decode steps"}};
    for (size_t p = 0; p < 2; p++) {
        const struct analysis_cell *best = NULL;
        for (size_t i = 0; i < analysis->batch_count * analysis->length_count; i++) {
            const struct analysis_cell *cell = &group->cells[i];
            double rate = cell->metrics[peaks[p].metric].mean;
            if (cell->run_count > 0 && rate > 0 &&
                (best == NULL || rate > best->metrics[peaks[p].metric].mean))
                best = cell;
        }
        if (best == NULL)
            continue;
        char rate[FORMAT_MAX];
        format_number(rate, best->metrics[peaks[p].metric].mean);
        text_printf(out, "- Peak: %s %s, at batch %lld and length %lld.\n", rate, peaks[p].words,
                    (long long)best->batch_size, (long long)best->input_length);
    }
}

static void say_share(struct text *out, const struct analysis *analysis,
                      const struct analysis_group *group)
{
    const struct analysis_cell *low = NULL;
    const struct analysis_cell *high = NULL;
    for (size_t i = 0; i < analysis->batch_count * analysis->length_count; i++) {
        const struct analysis_cell *cell = &group->cells[i];
        if (!isfinite(cell->prefill_share))
            continue;
        if (low == NULL || cell->prefill_share < low->prefill_share)
            low = cell;
        if (high == NULL || cell->prefill_share > high->prefill_share)
            high = cell;
    }
    if (low == NULL)
        return;
    if (low == high) {
        text_printf(out, "- The prefill takes %.0f %% of the latency.\n", 100 * low->prefill_share);
        return;
    }
    text_printf(out,
                "- The prefill takes from %.0f %% of the latency (batch %lld, length %lld) to %.0f "
                "%% (batch %lld, length %lld).\n",
                100 * low->prefill_share, (long long)low->batch_size, (long long)low->input_length,
                100 * high->prefill_share, (long long)high->batch_size,
                (long long)high->input_length);
}

void report_scaling(struct text *out, const struct analysis *analysis)
{
    struct batch_scaling scaling;
    text_append(out, "## Scaling observations\n\n");
    for (size_t g = 0; g < analysis->group_count; g++) {
        const struct analysis_group *group = &analysis->groups[g];
        report_group_heading(out, analysis, group);
        if (group->best_latency == NULL) {
            text_append(out, "No cell was measured.\n\n");
            continue;
        }
        say_batches(out, analysis, group);
        say_lengths(out, analysis, group, analysis_prefill, say_prefill);
        say_lengths(out, analysis, group, analysis_decode_per_token, say_decode);
        say_share(out, analysis, group);
        say_peaks(out, analysis, group);
        text_append(out, "\n");
        bool any = false;
        for (size_t l = 0; l < analysis->length_count; l++)
            any |= analysis_batch_scaling(analysis, group, l, &scaling);
        if (any)
            write_batch_table(out, analysis, group);
    }
}
