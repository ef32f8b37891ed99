/* How each cell was measured and how well its means are known: runs, warm-ups, intervals, drift
 * between passes, spread between processes. The end of report_trust.c's section, from the one
 * file that measured the cell: passes and processes of several files are not each other's. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/format.h"
#include "report/markdown.h"
#include "report/report_text.h"

static const double confidence = 0.95;

/* The times whose means are judged. */
static const struct {
    enum metric_id metric;
    const char *title;
} times[] = {
    {METRIC_TOTAL_LATENCY, "Latency"},
    {METRIC_PREFILL_TIME, "Prefill"},
    {METRIC_DECODE_TIME_PER_TOKEN, "Decode per token"},
};

enum { TIME_COUNT = sizeof times / sizeof times[0] };

struct precision {
    const struct analysis_cell *cell;
    struct stats_summary summaries[TIME_COUNT];
    struct results_spread spreads[TIME_COUNT];
    struct results_steps steps;
    int drift;
    double drift_size;
};

/* A file that is older, or no bench wrote, says nothing of how it was measured. */
static bool is_known(const struct analysis_cell *cell)
{
    return cell->record != NULL && cell->run_count > 0 &&
           (cell->record->warm_up_reason[0] != '\0' || cell->record->stop_reason[0] != '\0');
}

static int find_precision(struct precision *row, const struct analysis_group *group,
                          const struct analysis_cell *cell)
{
    /* With the group's names also where the record, standing for all runs of its file, has none. */
    struct cell_record asked = {.batch_size = cell->batch_size, .input_length = cell->input_length};
    memcpy(asked.model_name, group->model_name, sizeof asked.model_name);
    memcpy(asked.device, group->device, sizeof asked.device);
    memcpy(asked.dtype, group->dtype, sizeof asked.dtype);
    *row = (struct precision){.cell = cell};
    int code = results_summarise_steps(cell->file, &asked, &row->steps, NULL);
    for (size_t t = 0; t < TIME_COUNT && code == 0; t++) {
        const struct metric *metric = &metrics[times[t].metric];
        code = results_summarise(cell->file, &asked, metric, &row->summaries[t], NULL);
        if (code == 0)
            code = results_find_spread(cell->file, &asked, metric, &row->spreads[t], NULL);
    }
    if (code == 0)
        code = results_find_drift(cell->file, &asked, &row->drift, NULL);
    if (code == 0)
        code = results_find_drift_size(cell->file, &asked, &row->drift_size, NULL);
    return code;
}

static void add_sizes(struct markdown_table *table, const struct precision *row)
{
    markdown_table_printf(table, "%lld", (long long)row->cell->batch_size);
    markdown_table_printf(table, "%lld", (long long)row->cell->input_length);
}

static const char *stop_words(const char *reason)
{
    static const char *const words[][2] = {
        {"num_runs", "all runs made"},  {"precise", "precise enough"},
        {"max_runs", "most runs made"}, {"max_cell_time", "time of a cell"},
        {"time_limit", "time limit"},   {"", "not ended"},
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(reason, words[i][0]) == 0)
            return words[i][1];
    }
    return reason;
}

static void add_steps(struct markdown_table *table, const struct results_steps *steps,
                      double per_second)
{
    char texts[3][FORMAT_MAX];
    const double quantiles[] = {steps->p50, steps->p90, steps->p99};
    for (size_t i = 0; i < 3; i++)
        format_number(texts[i], quantiles[i] * per_second);
    if (steps->count > 0)
        markdown_table_printf(table, "%s / %s / %s", texts[0], texts[1], texts[2]);
    else
        markdown_table_cell(table, "-");
}

static void add_row(struct markdown_table *table, const struct precision *row,
                    const struct format_unit units[TIME_COUNT + 1])
{
    const struct cell_record *record = row->cell->record;
    const char *reason = record->warm_up_reason;
    add_sizes(table, row);
    markdown_table_printf(table, "%zu", row->summaries[0].count);
    struct text warm_up = {0};
    text_printf(&warm_up, "%lld%s%s", (long long)record->warm_up_runs,
                reason[0] != '\0' ? ", " : "", reason);
    markdown_table_escaped(table, text_string(&warm_up));
    table->cells.failed |= warm_up.failed;
    text_free(&warm_up);
    markdown_table_escaped(table, stop_words(record->stop_reason));
    for (size_t t = 0; t < TIME_COUNT; t++) {
        const struct stats_summary *summary = &row->summaries[t];
        struct stats_interval interval = stats_mean_interval(summary, confidence);
        char text[FORMAT_MAX];
        format_interval(text, summary->mean * units[t].per_base, interval.low * units[t].per_base,
                        interval.high * units[t].per_base);
        markdown_table_cell(table, summary->count > 0 ? text : "-");
    }
    add_steps(table, &row->steps, units[TIME_COUNT].per_base);
}

/* The units of the times and, last, of the steps; `values` has room for one a row. */
static void choose_units(struct format_unit units[TIME_COUNT + 1], const struct precision *rows,
                         size_t count, double *values)
{
    for (size_t t = 0; t <= TIME_COUNT; t++) {
        for (size_t i = 0; i < count; i++)
            values[i] = t < TIME_COUNT ? rows[i].summaries[t].mean : rows[i].steps.p50;
        units[t] = format_time_unit(values, count);
    }
}

static void write_intervals(struct text *out, const struct precision *rows, size_t count,
                            const struct format_unit units[TIME_COUNT + 1])
{
    static const char *const titles[] = {"Batch", "Length", "Runs", "Warm-ups", "Measuring ended"};
    struct markdown_table table;
    text_append(out,
                "How each cell was measured: warm-ups and why they ended, why measuring ended, "
                "means with their 95 % interval [low, high], and quantiles over all decode "
                "steps. Warm-ups that ended as `steady` or `long` are enough; after `budget` "
                "and `cap` times were not steady yet.\n\n");
    markdown_table_begin(&table, "rrrllrrrr");
    for (size_t i = 0; i < sizeof titles / sizeof titles[0]; i++)
        markdown_table_cell(&table, titles[i]);
    for (size_t t = 0; t < TIME_COUNT; t++)
        markdown_table_printf(&table, "%s (%s)", times[t].title, units[t].name);
    markdown_table_printf(&table, "Step p50 / p90 / p99 (%s)", units[TIME_COUNT].name);
    for (size_t i = 0; i < count; i++)
        add_row(&table, &rows[i], units);
    markdown_table_end(&table, out);
}

static void write_drift(struct text *out, const struct precision *rows, size_t count)
{
    size_t known = 0, drifting = 0;
    for (size_t i = 0; i < count; i++) {
        known += rows[i].drift >= 0;
        if (rows[i].drift != 1)
            continue;
        text_printf(out, "%sbatch %lld, length %lld (%.1f %%)",
                    drifting++ == 0 ? "Drift: the slowest pass is above the fastest by more than "
                                      "the spread inside the passes explains at "
                                    : "; ",
                    (long long)rows[i].cell->batch_size, (long long)rows[i].cell->input_length,
                    rows[i].drift_size * 100);
    }
    if (drifting > 0)
        text_append(out, ".\n\n");
    else if (known > 0)
        text_printf(out, "No drift between passes in the %zu cell%s that ha%s several.\n\n", known,
                    known == 1 ? "" : "s", known == 1 ? "s" : "ve");
}

static void add_percent(struct markdown_table *table, double part)
{
    if (isfinite(part))
        markdown_table_printf(table, "%.2f", part * 100);
    else
        markdown_table_cell(table, "-");
}

static void write_spreads(struct text *out, const struct precision *rows, size_t count)
{
    struct markdown_table table;
    bool any = false;
    for (size_t i = 0; i < count; i++)
        any |= rows[i].spreads[0].processes.groups > 1;
    if (!any)
        return;
    text_append(out,
                "Standard deviation between the means of the processes and within the "
                "processes, in % of the mean. Where between is far above within, the intervals "
                "above are too narrow, and the number of processes counts.\n\n");
    markdown_table_begin(&table, "rrrrrrrrr");
    markdown_table_cell(&table, "Batch");
    markdown_table_cell(&table, "Length");
    markdown_table_cell(&table, "Processes");
    for (size_t t = 0; t < TIME_COUNT; t++) {
        markdown_table_printf(&table, "%s: between", times[t].title);
        markdown_table_cell(&table, "within");
    }
    for (size_t i = 0; i < count; i++) {
        if (rows[i].spreads[0].processes.groups < 2)
            continue;
        add_sizes(&table, &rows[i]);
        markdown_table_printf(&table, "%zu", rows[i].spreads[0].processes.groups);
        for (size_t t = 0; t < TIME_COUNT; t++) {
            add_percent(&table, rows[i].spreads[t].processes.between / rows[i].summaries[t].mean);
            add_percent(&table, rows[i].spreads[t].processes.within / rows[i].summaries[t].mean);
        }
    }
    markdown_table_end(&table, out);
}

void report_precision(struct text *out, const struct analysis *analysis,
                      const struct analysis_group *group)
{
    size_t cell_count = analysis->batch_count * analysis->length_count, count = 0, used = 0;
    for (size_t i = 0; i < cell_count; i++)
        count += is_known(&group->cells[i]);
    if (count == 0)
        return;
    struct format_unit units[TIME_COUNT + 1];
    struct precision *rows = calloc(count, sizeof *rows);
    double *values = calloc(count, sizeof *values);
    bool failed = rows == NULL || values == NULL;
    for (size_t i = 0; i < cell_count && !failed; i++) {
        if (is_known(&group->cells[i]))
            failed = find_precision(&rows[used++], group, &group->cells[i]) != 0;
    }
    if (!failed) {
        choose_units(units, rows, count, values);
        write_intervals(out, rows, count, units);
        write_drift(out, rows, count);
        write_spreads(out, rows, count);
    }
    out->failed |= failed;
    free(values);
    free(rows);
}
