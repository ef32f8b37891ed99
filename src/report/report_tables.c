/* The table of all cells, and what one size changes while the other stays; see report_text.h. */
#include <math.h>
#include <stdlib.h>

#include "report/format.h"
#include "report/markdown.h"
#include "report/report_text.h"

/* A column of numbers: mean ± std of a value in a unit that suits the group. */
struct column {
    const char *title;
    analysis_value *value;
    enum { COLUMN_TIME, COLUMN_RATE, COLUMN_MEMORY, COLUMN_PERCENT } kind;
};

static const struct column cell_columns[] = {
    {"Latency", analysis_latency, COLUMN_TIME},
    {"Prefill", analysis_prefill, COLUMN_TIME},
    {"Decode per token", analysis_decode_per_token, COLUMN_TIME},
    {"Throughput", analysis_throughput, COLUMN_RATE},
    {"Efficiency", analysis_efficiency, COLUMN_PERCENT},
    {"CPU memory", analysis_cpu_memory, COLUMN_MEMORY},
    {"GPU memory", analysis_gpu_allocated, COLUMN_MEMORY},
};

static const struct column impact_columns[] = {
    {"Latency", analysis_latency, COLUMN_TIME},
    {"Prefill", analysis_prefill, COLUMN_TIME},
    {"Decode per token", analysis_decode_per_token, COLUMN_TIME},
    {"Throughput", analysis_throughput, COLUMN_RATE},
    {"Per sequence", analysis_sequence_rate, COLUMN_RATE},
};

enum {
    CELL_COLUMNS = sizeof cell_columns / sizeof cell_columns[0],
    IMPACT_COLUMNS = sizeof impact_columns / sizeof impact_columns[0],
};

static size_t cells_of(const struct analysis *analysis)
{
    return analysis->batch_count * analysis->length_count;
}

static struct format_unit column_unit(const struct analysis *analysis,
                                      const struct analysis_group *group,
                                      const struct column *column, bool *used)
{
    struct format_unit unit = {column->kind == COLUMN_PERCENT ? "%" : "tokens/s", 1};
    double *values = calloc(cells_of(analysis), sizeof *values);
    *used = false;
    for (size_t i = 0; values != NULL && i < cells_of(analysis); i++) {
        values[i] = group->cells[i].run_count > 0 ? column->value(&group->cells[i]).mean : NAN;
        *used |= isfinite(values[i]);
    }
    if (values != NULL && column->kind == COLUMN_TIME)
        unit = format_time_unit(values, cells_of(analysis));
    if (values != NULL && column->kind == COLUMN_MEMORY)
        unit = format_memory_unit(values, cells_of(analysis));
    free(values);
    return unit;
}

/* A table's columns of numbers, as far as they have any. */
struct layout {
    const struct column *columns[CELL_COLUMNS];
    struct format_unit units[CELL_COLUMNS];
    size_t count;
    char alignment[CELL_COLUMNS + 8];
};

static void lay_out(struct layout *layout, const struct analysis *analysis,
                    const struct analysis_group *group, const struct column *columns, size_t count,
                    const char *before, const char *after)
{
    struct text alignment = {0};
    *layout = (struct layout){0};
    text_append(&alignment, before);
    for (size_t i = 0; i < count; i++) {
        bool used = false;
        struct format_unit unit = column_unit(analysis, group, &columns[i], &used);
        if (!used)
            continue;
        layout->columns[layout->count] = &columns[i];
        layout->units[layout->count++] = unit;
        text_append(&alignment, "r");
    }
    text_append(&alignment, after);
    snprintf(layout->alignment, sizeof layout->alignment, "%s", text_string(&alignment));
    text_free(&alignment);
}

static void add_column_titles(struct markdown_table *table, const struct layout *layout)
{
    for (size_t i = 0; i < layout->count; i++)
        markdown_table_printf(table, "%s (%s)", layout->columns[i]->title, layout->units[i].name);
}

static void add_number(struct markdown_table *table, double mean, double std)
{
    char text[FORMAT_MAX];
    format_mean_std(text, mean, std);
    markdown_table_cell(table, isfinite(mean) ? text : "-");
}

static void add_cell_row(struct markdown_table *table, const struct layout *layout,
                         const struct analysis_cell *cell, bool with_status)
{
    markdown_table_printf(table, "%lld", (long long)cell->batch_size);
    markdown_table_printf(table, "%lld", (long long)cell->input_length);
    markdown_table_printf(table, "%zu", cell->run_count);
    for (size_t i = 0; i < layout->count; i++) {
        struct stats_summary summary = {.mean = NAN, .std = NAN};
        if (cell->run_count > 0)
            summary = layout->columns[i]->value(cell);
        add_number(table, summary.mean * layout->units[i].per_base,
                   summary.std * layout->units[i].per_base);
    }
    if (!with_status)
        return;
    struct text status = {0};
    text_append(&status, cell_status_name(cell->status));
    if (cell->reason[0] != '\0') {
        text_append(&status, ": ");
        markdown_escape(&status, cell->reason);
    }
    markdown_table_cell(table, text_string(&status));
    text_free(&status);
}

void report_cells(struct text *out, const struct analysis *analysis)
{
    text_append(out, "## All cells\n\nMean ± sample standard deviation over the runs of a cell. "
                     "Efficiency compares the throughput with perfect scaling from the smallest "
                     "batch of the same length.\n\n");
    for (size_t g = 0; g < analysis->group_count; g++) {
        const struct analysis_group *group = &analysis->groups[g];
        bool with_status = group->status_count[CELL_MEASURED] < group->cell_count;
        struct markdown_table table;
        struct layout layout;
        report_group_heading(out, analysis, group);
        lay_out(&layout, analysis, group, cell_columns, CELL_COLUMNS, "rrr",
                with_status ? "l" : "");
        markdown_table_begin(&table, layout.alignment);
        markdown_table_cell(&table, "Batch");
        markdown_table_cell(&table, "Length");
        markdown_table_cell(&table, "Runs");
        add_column_titles(&table, &layout);
        if (with_status)
            markdown_table_cell(&table, "Status");
        for (size_t i = 0; i < cells_of(analysis); i++) {
            if (group->cells[i].present)
                add_cell_row(&table, &layout, &group->cells[i], with_status);
        }
        markdown_table_end(&table, out);
    }
}

/* One size of the grid against the other: `rows` of the table, `others` to average over. */
struct view {
    const struct analysis *analysis;
    const struct analysis_group *group;
    bool by_batch;
    size_t rows, others;
};

static const struct analysis_cell *view_cell(const struct view *view, size_t row, size_t other)
{
    return view->by_batch ? analysis_cell_at(view->analysis, view->group, row, other)
                          : analysis_cell_at(view->analysis, view->group, other, row);
}

static bool row_has_values(const struct view *view, size_t row)
{
    for (size_t k = 0; k < view->others; k++) {
        if (analysis_cell_has_values(view_cell(view, row, k)))
            return true;
    }
    return false;
}

/* Averages are fair only over what every row has. Returns how many of the others those are. */
static size_t find_common(const struct view *view, bool *common)
{
    size_t count = 0;
    for (size_t k = 0; k < view->others; k++) {
        common[k] = true;
        for (size_t row = 0; row < view->rows; row++) {
            if (row_has_values(view, row) && !analysis_cell_has_values(view_cell(view, row, k)))
                common[k] = false;
        }
        count += common[k];
    }
    return count;
}

static double mean_over(const struct view *view, size_t row, const bool *common,
                        analysis_value *value)
{
    double sum = 0;
    size_t count = 0;
    for (size_t k = 0; k < view->others; k++) {
        const struct analysis_cell *cell = view_cell(view, row, k);
        if (!common[k] || cell->run_count == 0)
            continue;
        sum += value(cell).mean;
        count++;
    }
    return count > 0 ? sum / (double)count : NAN;
}

static void say_common(struct text *out, const struct view *view, const bool *common, size_t count)
{
    const int64_t *sizes = view->by_batch ? view->analysis->lengths : view->analysis->batches;
    const char *what = view->by_batch ? "input lengths" : "batch sizes";
    if (count == 0) {
        text_printf(out,
                    "No %s were measured in every row, so each row averages over its own: rows are "
                    "not alike.\n\n",
                    what);
        return;
    }
    text_printf(out, "Means over the %s that every row has:", what);
    const char *separator = " ";
    for (size_t k = 0; k < view->others; k++) {
        if (!common[k])
            continue;
        text_printf(out, "%s%lld", separator, (long long)sizes[k]);
        separator = ", ";
    }
    text_append(out, ".\n\n");
}

static void write_view(struct text *out, const struct view *view, bool *common)
{
    size_t count = find_common(view, common);
    const int64_t *sizes = view->by_batch ? view->analysis->batches : view->analysis->lengths;
    double first = NAN;
    struct markdown_table table;
    struct layout layout;
    say_common(out, view, common, count);
    for (size_t k = 0; k < view->others && count == 0; k++)
        common[k] = true;
    lay_out(&layout, view->analysis, view->group, impact_columns, IMPACT_COLUMNS, "r", "r");
    markdown_table_begin(&table, layout.alignment);
    markdown_table_cell(&table, view->by_batch ? "Batch" : "Length");
    add_column_titles(&table, &layout);
    markdown_table_cell(&table, view->by_batch ? "Throughput, × first" : "Latency, × first");
    for (size_t row = 0; row < view->rows; row++) {
        if (!row_has_values(view, row))
            continue;
        markdown_table_printf(&table, "%lld", (long long)sizes[row]);
        for (size_t i = 0; i < layout.count; i++)
            add_number(&table,
                       mean_over(view, row, common, layout.columns[i]->value) *
                           layout.units[i].per_base,
                       NAN);
        double factor =
            mean_over(view, row, common, view->by_batch ? analysis_throughput : analysis_latency);
        first = isfinite(first) ? first : factor;
        add_number(&table, factor / first, NAN);
    }
    markdown_table_end(&table, out);
}

void report_impact(struct text *out, const struct analysis *analysis, bool by_batch)
{
    bool *common = calloc(analysis->batch_count + analysis->length_count, sizeof *common);
    if (common == NULL) {
        out->failed = true;
        return;
    }
    text_append(out,
                by_batch ? "## Impact of the batch size\n\n" : "## Impact of the input length\n\n");
    for (size_t g = 0; g < analysis->group_count; g++) {
        const struct analysis_group *group = &analysis->groups[g];
        struct view view = {analysis, group, by_batch,
                            by_batch ? analysis->batch_count : analysis->length_count,
                            by_batch ? analysis->length_count : analysis->batch_count};
        size_t rows = 0;
        for (size_t row = 0; row < view.rows; row++)
            rows += row_has_values(&view, row);
        report_group_heading(out, analysis, group);
        if (rows >= 2)
            write_view(out, &view, common);
        else
            text_printf(out, "Fewer than two %s were measured.\n\n",
                        by_batch ? "batch sizes" : "input lengths");
    }
    free(common);
}
