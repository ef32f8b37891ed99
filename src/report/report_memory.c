/* "Memory": what every cell was predicted to take beside what was measured; see report_text.h. */
#include <math.h>
#include <string.h>

#include "report/format.h"
#include "report/markdown.h"
#include "report/report_text.h"

static void add_memory(struct markdown_table *table, double megabytes)
{
    char text[FORMAT_MAX];
    format_memory(text, megabytes);
    markdown_table_cell(table, megabytes > 0.0 ? text : "n/a");
}

static void add_cell(struct markdown_table *table, const struct analysis_cell *cell)
{
    const struct cell_prediction *prediction = cell->prediction;
    double measured = cell->run_count > 0 ? analysis_predicted_measured(cell).mean : NAN;
    markdown_table_printf(table, "%lld", (long long)cell->batch_size);
    markdown_table_printf(table, "%lld", (long long)cell->input_length);
    add_memory(table, prediction->weights_mb);
    add_memory(table, prediction->kv_cache_mb);
    add_memory(table, prediction->workspace_mb);
    add_memory(table, prediction->total_mb);
    if (measured > 0.0) {
        add_memory(table, measured);
        markdown_table_printf(table, "%.2f", measured / prediction->total_mb);
    } else {
        markdown_table_cell(table, cell_status_name(cell->status));
        markdown_table_cell(table, "-");
    }
}

static void write_group(struct text *out, const struct analysis *analysis,
                        const struct analysis_group *group)
{
    static const char *const titles[] = {
        "Batch",     "Length",    "Weights",  "KV cache",
        "Workspace", "Predicted", "Measured", "Measured / predicted"};
    struct markdown_table table;
    report_group_heading(out, analysis, group);
    markdown_table_begin(&table, "rrrrrrrr");
    for (size_t i = 0; i < sizeof titles / sizeof titles[0]; i++)
        markdown_table_cell(&table, titles[i]);
    for (size_t i = 0; i < analysis->batch_count * analysis->length_count; i++) {
        if (group->cells[i].prediction != NULL)
            add_cell(&table, &group->cells[i]);
    }
    markdown_table_end(&table, out);
}

static bool has_prediction(const struct analysis *analysis, const struct analysis_group *group)
{
    for (size_t i = 0; i < analysis->batch_count * analysis->length_count; i++) {
        if (group->cells[i].prediction != NULL)
            return true;
    }
    return false;
}

void report_memory(struct text *out, const struct analysis *analysis)
{
    bool begun = false;
    for (size_t g = 0; g < analysis->group_count; g++) {
        const struct analysis_group *group = &analysis->groups[g];
        if (!has_prediction(analysis, group))
            continue;
        if (!begun)
            text_append(out, "## Memory\n\nPredicted is what the engine plans before anything is "
                             "allocated: weights as they lie in memory, KV cache and workspace "
                             "(activations, logits, scratch). Measured is the peak while the cell "
                             "ran: on a CPU of the whole process, so it also holds the program "
                             "and its libraries; on a GPU what is in use on the device. MB are "
                             "2^20 bytes.\n\n");
        begun = true;
        write_group(out, analysis, group);
    }
}
