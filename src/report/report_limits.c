/* "How far from the limit": bandwidth and peak that each cell reached; see report_text.h. */
#include <math.h>

#include "report/format.h"
#include "report/markdown.h"
#include "report/report_text.h"

static bool has_limits(const struct analysis_cell *cell)
{
    return cell->record != NULL && cell->run_count > 0 &&
           (isfinite(analysis_mbu(cell).mean) || isfinite(analysis_mfu(cell).mean));
}

static void add_percent(struct markdown_table *table, double value)
{
    if (isfinite(value))
        markdown_table_printf(table, "%.0f %%", value);
    else
        markdown_table_cell(table, "n/a");
}

static void add_duration(struct markdown_table *table, double seconds)
{
    char text[FORMAT_MAX];
    format_duration(text, seconds);
    markdown_table_cell(table, seconds > 0.0 ? text : "n/a");
}

static void add_cell(struct markdown_table *table, const struct analysis_cell *cell)
{
    const struct cell_limits *limits = &cell->record->limits;
    markdown_table_printf(table, "%lld", (long long)cell->batch_size);
    markdown_table_printf(table, "%lld", (long long)cell->input_length);
    add_percent(table, analysis_mbu(cell).mean);
    add_percent(table, analysis_mfu(cell).mean);
    markdown_table_escaped(table, limits->prefill_bound[0] != '\0' ? limits->prefill_bound : "n/a");
    markdown_table_escaped(table, limits->bound[0] != '\0' ? limits->bound : "n/a");
    add_duration(table, limits->prefill_floor_s);
    add_percent(table, analysis_prefill_of_floor(cell).mean);
    add_duration(table, limits->decode_step_floor_s);
    add_percent(table, analysis_step_of_floor(cell).mean);
    if (limits->bandwidth_before > 0.0)
        markdown_table_printf(table, "%.1f, %.1f", limits->bandwidth_before,
                              limits->bandwidth_after);
    else
        markdown_table_cell(table, "n/a");
}

/* Energy, where some cell of the group knows it. */
static void write_energy(struct text *out, const struct analysis_group *group, size_t cell_count)
{
    double lowest = INFINITY, highest = 0.0;
    bool of_gpu = false;
    for (size_t i = 0; i < cell_count; i++) {
        const struct analysis_cell *cell = &group->cells[i];
        of_gpu |= cell->record != NULL && cell->record->conditions.energy_per_token_j > 0.0;
        double energy = cell->record != NULL ? cell->record->limits.energy_per_token_j : 0.0;
        if (energy > 0.0) {
            lowest = fmin(lowest, energy);
            highest = fmax(highest, energy);
        }
    }
    if (highest > 0.0)
        text_printf(out, "Energy of the CPU packages: %.3g to %.3g J per generated token.\n\n",
                    lowest, highest);
    else if (!of_gpu)
        text_append(out, "Energy per token: not available (no RAPL counters could be read).\n\n");
}

static void write_group(struct text *out, const struct analysis *analysis,
                        const struct analysis_group *group)
{
    static const char *const titles[] = {
        "Batch",          "Length",        "MBU",          "MFU",        "Prefill bound",
        "Decode bound",   "Prefill floor", "of its floor", "Step floor", "of its floor",
        "Bandwidth GB/s",
    };
    size_t cell_count = analysis->batch_count * analysis->length_count;
    struct markdown_table table;
    report_group_heading(out, analysis, group);
    markdown_table_begin(&table, "rrrrllrrrrr");
    for (size_t i = 0; i < sizeof titles / sizeof titles[0]; i++)
        markdown_table_cell(&table, titles[i]);
    for (size_t i = 0; i < cell_count; i++) {
        if (has_limits(&group->cells[i]))
            add_cell(&table, &group->cells[i]);
    }
    markdown_table_end(&table, out);
    write_energy(out, group, cell_count);
}

void report_limits(struct text *out, const struct analysis *analysis)
{
    size_t cell_count = analysis->batch_count * analysis->length_count;
    bool begun = false;
    for (size_t g = 0; g < analysis->group_count; g++) {
        const struct analysis_group *group = &analysis->groups[g];
        bool any = false;
        for (size_t i = 0; i < cell_count; i++)
            any |= has_limits(&group->cells[i]);
        if (any && !begun)
            text_append(out,
                        "## How far from the limit\n\n"
                        "MBU is the part of the measured read bandwidth that a decode step reaches "
                        "with the bytes it must read; MFU the part of the measured multiply-add "
                        "peak that the prefill reaches. A floor is the time that bandwidth and "
                        "peak allow; 100 % of it cannot be beaten.\n\n");
        if (any)
            write_group(out, analysis, group);
        begun |= any;
    }
}
