/* Warnings, totals and extremes; see report_text.h. */
#include <math.h>
#include <string.h>

#include "report/format.h"
#include "report/markdown.h"
#include "report/report_text.h"

static void warn_of_origin(struct text *out, const struct results *file)
{
    if (file->origin == RESULTS_PYTHON_SUITE) {
        text_append(out, "- ");
        markdown_escape(out, file->source_path != NULL ? file->source_path : "The file");
        text_append(out,
                    " comes from the Python suite: its decode times include a second prefill, and "
                    "its tokens/s ignore the batch. Rates here are computed anew from batch, "
                    "lengths and times; decode times are as they were measured.\n");
    }
    if (file->origin == RESULTS_TOKENMARK_CSV) {
        text_append(out, "- ");
        markdown_escape(out, file->source_path != NULL ? file->source_path : "The file");
        text_append(out, " is a CSV file: it holds runs only, so skipped and failed cells, model "
                         "and system are not known here. The JSON file beside it has them.\n");
    }
}

static bool has_random_weights(const struct results *file)
{
    const char *weights = json_string_value(json_object_get(file->model, "weights"));
    return weights != NULL && strcmp(weights, "random") == 0;
}

static const char *model_name(const struct results *file)
{
    const char *name = json_string_value(json_object_get(file->model, "name"));
    return name != NULL ? name : "the model";
}

/* One sentence for all models, each named once. */
static void warn_of_weights(struct text *out, const struct analysis *analysis)
{
    size_t named = 0;
    for (size_t f = 0; f < analysis->file_count; f++) {
        const struct results *file = analysis->files[f];
        bool before = !has_random_weights(file);
        for (size_t k = 0; k < f && !before; k++)
            before = has_random_weights(analysis->files[k]) &&
                     strcmp(model_name(analysis->files[k]), model_name(file)) == 0;
        if (before)
            continue;
        text_append(out, named++ == 0 ? "- The weights of " : ", ");
        markdown_escape(out, model_name(file));
    }
    if (named > 0)
        text_append(out, " are random numbers. The time of a dense model does not depend on their "
                         "values; a mixture of experts routes by them, so its times may differ "
                         "with real weights.\n");
}

/* Runs of one group that did not do the same work cannot be averaged without a word. */
static void warn_of_mixture(struct text *out, const struct analysis_group *group)
{
    bool lengths = false;
    bool sampling = false;
    bool cut = false;
    for (size_t i = 0; i < group->run_count; i++) {
        const struct run_record *run = &group->runs[i];
        const struct run_record *first = &group->runs[0];
        lengths |= run->actual_output_length != first->actual_output_length;
        cut |=
            run->target_output_length > 0 && run->actual_output_length != run->target_output_length;
        sampling |= (isfinite(run->temperature) && isfinite(first->temperature) &&
                     run->temperature != first->temperature) ||
                    (isfinite(run->top_p) && isfinite(first->top_p) && run->top_p != first->top_p);
    }
    const struct {
        bool holds;
        const char *words;
    } warnings[] = {
        {lengths, "has runs of different output lengths: their latencies are not alike"},
        {cut, "has runs that did not generate as many tokens as asked"},
        {sampling, "has runs with different temperature or top_p"},
    };
    for (size_t i = 0; i < sizeof warnings / sizeof warnings[0]; i++) {
        if (!warnings[i].holds)
            continue;
        text_append(out, "- ");
        report_group_name(out, group);
        text_printf(out, " %s.\n", warnings[i].words);
    }
}

static void warn_of_merge(struct text *out, const struct analysis_group *group)
{
    if (group->file_count < 2)
        return;
    text_append(out, "- ");
    report_group_name(out, group);
    text_printf(out,
                " is in %zu files: its runs are put together, so a cell may average over "
                "different machines or settings.\n",
                group->file_count);
}

static void warn_of_gaps(struct text *out, const struct analysis_group *group)
{
    static const struct {
        enum cell_status status;
        const char *words;
    } gaps[] = {
        {CELL_FAILED, "failed; their reasons are in the table of all cells"},
        {CELL_PARTIAL, "hold fewer runs than asked: the measurement was stopped in them"},
        {CELL_PENDING, "were not reached before the measurement stopped"},
    };
    for (size_t i = 0; i < sizeof gaps / sizeof gaps[0]; i++) {
        size_t count = group->status_count[gaps[i].status];
        if (count == 0)
            continue;
        text_append(out, "- ");
        report_group_name(out, group);
        text_printf(out, ": %zu of %zu cells %s.\n", count, group->cell_count, gaps[i].words);
    }
}

void report_warnings(struct text *out, const struct analysis *analysis)
{
    struct text warnings = {0};
    for (size_t f = 0; f < analysis->file_count; f++)
        warn_of_origin(&warnings, analysis->files[f]);
    warn_of_weights(&warnings, analysis);
    for (size_t g = 0; g < analysis->group_count; g++) {
        warn_of_merge(&warnings, &analysis->groups[g]);
        warn_of_mixture(&warnings, &analysis->groups[g]);
        warn_of_gaps(&warnings, &analysis->groups[g]);
    }
    if (warnings.length > 0)
        text_printf(out, "## Warnings\n\n%s\n", warnings.data);
    out->failed |= warnings.failed;
    text_free(&warnings);
}

static void write_totals(struct text *out, const struct analysis_group *group)
{
    char text[FORMAT_MAX];
    struct markdown_table table;
    markdown_table_begin(&table, "lr");
    markdown_table_cell(&table, "Total");
    markdown_table_cell(&table, "Value");
    const struct {
        const char *name;
        size_t count;
    } counts[] = {
        {"Runs", group->run_count},
        {"Cells", group->cell_count},
        {"Cells measured", group->status_count[CELL_MEASURED]},
        {"Cells measured in part", group->status_count[CELL_PARTIAL]},
        {"Cells skipped", group->status_count[CELL_SKIPPED]},
        {"Cells failed", group->status_count[CELL_FAILED]},
        {"Cells not reached", group->status_count[CELL_PENDING]},
    };
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        bool usual = i != 3 && i != 6;
        if (counts[i].count == 0 && !usual)
            continue;
        markdown_table_cell(&table, counts[i].name);
        markdown_table_printf(&table, "%zu", counts[i].count);
    }
    format_duration(text, group->measured_s);
    markdown_table_cell(&table, "Total runtime of all runs");
    markdown_table_cell(&table, text);
    if (isfinite(group->totals[METRIC_TOTAL_LATENCY].mean)) {
        format_duration(text, group->totals[METRIC_TOTAL_LATENCY].mean);
        markdown_table_cell(&table, "Mean latency of a run");
        markdown_table_cell(&table, text);
    }
    if (isfinite(group->totals[METRIC_TOKENS_PER_SECOND].mean)) {
        format_number(text, group->totals[METRIC_TOKENS_PER_SECOND].mean);
        markdown_table_cell(&table, "Mean throughput of a run");
        markdown_table_printf(&table, "%s tokens/s", text);
    }
    markdown_table_end(&table, out);
}

static void write_extreme(struct text *out, const char *title, const struct analysis_cell *cell)
{
    char latency[FORMAT_MAX];
    char rate[FORMAT_MAX];
    if (cell == NULL)
        return;
    format_duration(latency, analysis_latency(cell).mean);
    format_number(rate, analysis_throughput(cell).mean);
    text_printf(out, "- **%s:** batch %lld, length %lld: %s tokens/s, latency %s\n", title,
                (long long)cell->batch_size, (long long)cell->input_length, rate, latency);
}

void report_summary(struct text *out, const struct analysis *analysis)
{
    text_append(out, "## Summary\n\n");
    for (size_t g = 0; g < analysis->group_count; g++) {
        const struct analysis_group *group = &analysis->groups[g];
        report_group_heading(out, analysis, group);
        write_totals(out, group);
        if (group->best_latency == NULL) {
            text_append(out, "No cell was measured, so there is nothing to rank.\n\n");
            continue;
        }
        write_extreme(out, "Best throughput", group->best_throughput);
        write_extreme(out, "Best latency", group->best_latency);
        write_extreme(out, "Worst latency", group->worst_latency);
        text_append(out, "\n");
    }
}
