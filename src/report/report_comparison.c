/* Several groups against each other, over the cells that all of them have. See report_text.h. */
#include <math.h>

#include "report/format.h"
#include "report/markdown.h"
#include "report/report_text.h"

static bool all_have(const struct analysis *analysis, size_t cell)
{
    for (size_t g = 0; g < analysis->group_count; g++) {
        if (!analysis_cell_has_values(&analysis->groups[g].cells[cell]))
            return false;
    }
    return true;
}

static size_t count_common(const struct analysis *analysis)
{
    size_t count = 0;
    for (size_t i = 0; i < analysis->batch_count * analysis->length_count; i++)
        count += all_have(analysis, i);
    return count;
}

/* Geometric mean over the common cells of this group's value over the first group's; NaN where
 * some cell has none. */
static double mean_ratio(const struct analysis *analysis, const struct analysis_group *group,
                         analysis_value *value)
{
    double sum = 0;
    size_t count = 0;
    for (size_t i = 0; i < analysis->batch_count * analysis->length_count; i++) {
        if (!all_have(analysis, i))
            continue;
        sum += log(value(&group->cells[i]).mean / value(&analysis->groups[0].cells[i]).mean);
        count++;
    }
    return exp(sum / (double)count);
}

static void write_ratios(struct text *out, const struct analysis *analysis)
{
    static const struct {
        const char *title;
        analysis_value *value;
    } columns[] = {{"Latency", analysis_latency},
                   {"Prefill", analysis_prefill},
                   {"Decode per token", analysis_decode_per_token},
                   {"Throughput", analysis_throughput}};
    struct markdown_table table;
    markdown_table_begin(&table, "lrrrr");
    markdown_table_cell(&table, "Model");
    for (size_t i = 0; i < 4; i++)
        markdown_table_cell(&table, columns[i].title);
    for (size_t g = 0; g < analysis->group_count; g++) {
        struct text name = {0};
        report_group_name(&name, &analysis->groups[g]);
        markdown_table_cell(&table, text_string(&name));
        text_free(&name);
        for (size_t i = 0; i < 4; i++) {
            char ratio[FORMAT_MAX];
            format_number(ratio, mean_ratio(analysis, &analysis->groups[g], columns[i].value));
            markdown_table_printf(&table, "%s×", ratio);
        }
    }
    markdown_table_end(&table, out);
}

/* Who is fastest in how many of the common cells. */
static void say_fastest(struct text *out, const struct analysis *analysis, size_t common)
{
    for (size_t g = 0; g < analysis->group_count; g++) {
        size_t wins = 0;
        for (size_t i = 0; i < analysis->batch_count * analysis->length_count; i++) {
            bool fastest = all_have(analysis, i);
            double latency = analysis_latency(&analysis->groups[g].cells[i]).mean;
            for (size_t other = 0; other < analysis->group_count && fastest; other++)
                fastest = other == g ||
                          latency < analysis_latency(&analysis->groups[other].cells[i]).mean;
            wins += fastest;
        }
        text_append(out, "- ");
        report_group_name(out, &analysis->groups[g]);
        text_printf(out, " has the lowest latency in %zu of %zu common cells.\n", wins, common);
    }
    text_append(out, "\n");
}

static void write_cells(struct text *out, const struct analysis *analysis)
{
    struct text alignment = {0};
    struct markdown_table table;
    text_append(&alignment, "rr");
    for (size_t g = 0; g < analysis->group_count; g++)
        text_append(&alignment, "r");
    markdown_table_begin(&table, text_string(&alignment));
    markdown_table_cell(&table, "Batch");
    markdown_table_cell(&table, "Length");
    for (size_t g = 0; g < analysis->group_count; g++) {
        struct text name = {0};
        report_group_name(&name, &analysis->groups[g]);
        markdown_table_cell(&table, text_string(&name));
        text_free(&name);
    }
    for (size_t i = 0; i < analysis->batch_count * analysis->length_count; i++) {
        if (!all_have(analysis, i))
            continue;
        markdown_table_printf(&table, "%lld", (long long)analysis->groups[0].cells[i].batch_size);
        markdown_table_printf(&table, "%lld", (long long)analysis->groups[0].cells[i].input_length);
        for (size_t g = 0; g < analysis->group_count; g++) {
            const struct analysis_cell *cell = &analysis->groups[g].cells[i];
            char latency[FORMAT_MAX];
            char rate[FORMAT_MAX];
            format_duration(latency, analysis_latency(cell).mean);
            format_number(rate, analysis_throughput(cell).mean);
            markdown_table_printf(&table, "%s, %s tokens/s", latency, rate);
        }
    }
    markdown_table_end(&table, out);
    text_free(&alignment);
}

void report_comparison(struct text *out, const struct analysis *analysis)
{
    if (analysis->group_count < 2)
        return;
    size_t common = count_common(analysis);
    text_append(out, "## Comparison\n\n");
    if (common == 0) {
        text_append(out, "No cell was measured in all of them, so they cannot be compared cell by "
                         "cell.\n\n");
        return;
    }
    text_printf(out, "Geometric means over the %zu cells that all have, relative to ", common);
    report_group_name(out, &analysis->groups[0]);
    text_append(out, " (for times less is better, for throughput more).\n\n");
    write_ratios(out, analysis);
    say_fastest(out, analysis, common);
    write_cells(out, analysis);
}
