/* The report's order, its head, its sources and its list of files; see report_text.h. */
#include "report/report_text.h"

#include <math.h>
#include <string.h>

#include "report/format.h"
#include "report/markdown.h"
#include "report/plot_list.h"

void report_group_name(struct text *out, const struct analysis_group *group)
{
    struct text label = {0};
    plot_group_label(&label, group);
    markdown_escape(out, text_string(&label));
    out->failed |= label.failed;
    text_free(&label);
}

void report_group_heading(struct text *out, const struct analysis *analysis,
                          const struct analysis_group *group)
{
    if (analysis->group_count < 2)
        return;
    text_append(out, "### ");
    report_group_name(out, group);
    text_append(out, "\n\n");
}

/* Oldest and newest time stamp of all runs, as text: ISO 8601 sorts by itself within one zone. */
static void find_period(const struct analysis *analysis, const char **first, const char **last)
{
    *first = NULL;
    *last = NULL;
    for (size_t f = 0; f < analysis->file_count; f++) {
        for (size_t i = 0; i < analysis->files[f]->run_count; i++) {
            const char *stamp = analysis->files[f]->runs[i].timestamp;
            if (stamp[0] == '\0')
                continue;
            if (*first == NULL || strcmp(stamp, *first) < 0)
                *first = stamp;
            if (*last == NULL || strcmp(stamp, *last) > 0)
                *last = stamp;
        }
    }
}

static void append_field(struct text *out, const char *name, const char *value)
{
    text_printf(out, "- **%s:** ", name);
    markdown_escape(out, value);
    text_append(out, "\n");
}

static void write_head(struct text *out, const struct analysis *analysis,
                       const struct report_facts *facts)
{
    const char *first = NULL;
    const char *last = NULL;
    find_period(analysis, &first, &last);
    text_append(out, "# Inference performance report\n\n");
    append_field(out, "Report written", facts->written_at);
    if (first != NULL) {
        append_field(out, "First run", first);
        append_field(out, "Last run", last);
    }
    for (size_t g = 0; g < analysis->group_count; g++) {
        text_append(out, "- **Model:** ");
        report_group_name(out, &analysis->groups[g]);
        text_append(out, "\n");
    }
    text_append(out, "\n");
}

static const char *const origin_names[] = {
    [RESULTS_TOKENMARK_JSON] = "tokenmark JSON",
    [RESULTS_TOKENMARK_CSV] = "tokenmark CSV",
    [RESULTS_PYTHON_SUITE] = "Python suite",
};

/* "cpu_model" reads "cpu model"; objects are written as "engine: isa". */
static void add_facts(struct markdown_table *table, const json_t *object, const char *prefix)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value)
    {
        struct text name = {0};
        text_printf(&name, "%s%s", prefix, key);
        for (char *c = name.data; c != NULL && *c != '\0'; c++)
            *c = *c == '_' ? ' ' : *c;
        char *dumped = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
        if (json_is_object(value) && prefix[0] == '\0') {
            text_append(&name, ": ");
            add_facts(table, value, text_string(&name));
        } else if (!json_is_null(value) && dumped != NULL) {
            markdown_table_escaped(table, text_string(&name));
            markdown_table_escaped(table,
                                   json_is_string(value) ? json_string_value(value) : dumped);
        }
        free(dumped);
        table->cells.failed |= name.failed;
        text_free(&name);
    }
}

/* A block of facts (at `block_offset` in struct results), once for neighbouring files that
 * share it. */
static void write_block(struct text *out, const char *title, const struct analysis *analysis,
                        size_t block_offset)
{
    const json_t *previous = NULL;
    for (size_t f = 0; f < analysis->file_count; f++) {
        const struct results *file = analysis->files[f];
        const json_t *block = *(json_t *const *)((const char *)file + block_offset);
        if (block == NULL || (previous != NULL && json_equal(block, previous)))
            continue;
        previous = block;
        struct markdown_table table;
        text_printf(out, "### %s", title);
        if (analysis->file_count > 1 && file->source_path != NULL) {
            text_append(out, " of ");
            markdown_escape(out, file->source_path);
        }
        text_append(out, "\n\n");
        markdown_table_begin(&table, "ll");
        markdown_table_cell(&table, "Fact");
        markdown_table_cell(&table, "Value");
        add_facts(&table, block, "");
        markdown_table_end(&table, out);
    }
}

/* Which runs were not counted, so that the table's numbers add up. */
static void write_repeats(struct text *out, const struct analysis *analysis)
{
    bool any = false;
    for (size_t f = 0; f < analysis->file_count; f++) {
        size_t count = analysis_repeated_count(analysis, f);
        const char *path = analysis->files[f]->source_path;
        if (count == 0)
            continue;
        any = true;
        text_printf(out, "- %zu of the %zu runs of ", count, analysis->files[f]->run_count);
        markdown_escape(out, path != NULL ? path : "(memory)");
        text_append(out, count == 1 ? " is in another file too: it is counted once.\n"
                                    : " are in another file too: they are counted once.\n");
    }
    text_append(out, any ? "\n" : "");
}

void report_sources(struct text *out, const struct analysis *analysis)
{
    struct markdown_table table;
    text_append(out, "## Sources\n\n");
    markdown_table_begin(&table, "llrr");
    markdown_table_cell(&table, "File");
    markdown_table_cell(&table, "Kind");
    markdown_table_cell(&table, "Runs");
    markdown_table_cell(&table, "Cells");
    for (size_t f = 0; f < analysis->file_count; f++) {
        const struct results *file = analysis->files[f];
        markdown_table_escaped(&table, file->source_path != NULL ? file->source_path : "(memory)");
        markdown_table_cell(&table, origin_names[file->origin]);
        markdown_table_printf(&table, "%zu", file->run_count);
        markdown_table_printf(&table, "%zu", file->cell_count);
    }
    markdown_table_end(&table, out);
    write_repeats(out, analysis);
    write_block(out, "Model", analysis, offsetof(struct results, model));
    write_block(out, "Configuration", analysis, offsetof(struct results, config));
    write_block(out, "System", analysis, offsetof(struct results, system));
}

static void write_picture(struct text *out, const struct report_facts *facts, const char *name)
{
    for (size_t i = 0; facts->drawn != NULL && i < PLOT_COUNT; i++) {
        if (facts->drawn[i] && strcmp(plots[i].file_name, name) == 0)
            text_printf(out, "![%s](analysis_plots/%s)\n\n", plots[i].shows, name);
    }
}

static void write_files(struct text *out, const struct report_facts *facts)
{
    struct markdown_table table;
    text_append(out, "## Files\n\n");
    markdown_table_begin(&table, "ll");
    markdown_table_cell(&table, "File");
    markdown_table_cell(&table, "Shows");
    markdown_table_cell(&table, "analysis_report.md");
    markdown_table_cell(&table, "this report");
    for (size_t i = 0; facts->drawn != NULL && i < PLOT_COUNT; i++) {
        if (!facts->drawn[i])
            continue;
        markdown_table_printf(&table, "[analysis_plots/%s](analysis_plots/%s)", plots[i].file_name,
                              plots[i].file_name);
        markdown_table_cell(&table, plots[i].shows);
    }
    markdown_table_end(&table, out);
}

void report_text_write(struct text *out, const struct analysis *analysis,
                       const struct report_facts *facts)
{
    write_head(out, analysis, facts);
    report_warnings(out, analysis);
    report_summary(out, analysis);
    report_trust(out, analysis);
    write_picture(out, facts, "latency_heatmap.png");
    write_picture(out, facts, "throughput_heatmap.png");
    report_comparison(out, analysis);
    report_cells(out, analysis);
    write_picture(out, facts, "time_breakdown.png");
    report_breakdown(out, analysis);
    write_picture(out, facts, "component_breakdown.png");
    report_impact(out, analysis, true);
    write_picture(out, facts, "batch_size_scaling.png");
    report_impact(out, analysis, false);
    write_picture(out, facts, "input_length_scaling.png");
    report_scaling(out, analysis);
    write_picture(out, facts, "performance_comparison.png");
    write_picture(out, facts, "time_vs_batched_tokens.png");
    write_picture(out, facts, "decode_by_position.png");
    report_memory(out, analysis);
    write_picture(out, facts, "memory_usage.png");
    report_limits(out, analysis);
    report_device(out, analysis);
    write_picture(out, facts, "roofline.png");
    write_picture(out, facts, "floor_heatmap.png");
    report_advice(out, analysis);
    report_sources(out, analysis);
    write_files(out, facts);
}
