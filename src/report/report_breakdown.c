/* What a prefill and a decode step consist of, where that was measured; see report_text.h. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "report/format.h"
#include "report/markdown.h"
#include "report/report_text.h"

/* A sum further from the undisturbed time than this does not describe it well, in percent. */
static const double trusted_percent = 10;

static const struct {
    const char *heading, *words;
    analysis_value *sum;
} phases[BREAKDOWN_PHASE_COUNT] = {
    [BREAKDOWN_PREFILL] = {"Prefill", "the prefill", analysis_prefill_components},
    [BREAKDOWN_DECODE_STEP] = {"Decode step", "a decode step", analysis_decode_components},
};

static size_t cells_of(const struct analysis *analysis)
{
    return analysis->batch_count * analysis->length_count;
}

static const struct breakdown_times *times_of(const struct analysis_cell *cell,
                                              enum breakdown_phase phase)
{
    return phases[phase].sum(cell).count > 0 ? &cell->breakdown->phases[phase] : NULL;
}

static enum breakdown_component largest_of(const struct breakdown_times *times)
{
    int largest = 0;
    for (int i = 1; i < BREAKDOWN_COMPONENT_COUNT; i++) {
        if (times->component_s[i] > times->component_s[largest])
            largest = i;
    }
    return (enum breakdown_component)largest;
}

/* A line for every component that is the largest of some cell. */
static void say_largest(struct text *out, const struct analysis *analysis,
                        const struct analysis_group *group, enum breakdown_phase phase)
{
    struct {
        size_t count;
        double low, high;
    } found[BREAKDOWN_COMPONENT_COUNT] = {0};
    size_t cells = 0;
    for (size_t i = 0; i < cells_of(analysis); i++) {
        const struct breakdown_times *times = times_of(&group->cells[i], phase);
        if (times == NULL)
            continue;
        enum breakdown_component largest = largest_of(times);
        double share = 100 * breakdown_share(times, largest);
        bool is_first = found[largest].count++ == 0;
        found[largest].low = is_first ? share : fmin(found[largest].low, share);
        found[largest].high = is_first ? share : fmax(found[largest].high, share);
        cells++;
    }
    for (int i = 0; i < BREAKDOWN_COMPONENT_COUNT; i++) {
        if (found[i].count == 0)
            continue;
        text_printf(out, "- The largest part of %s is **%s** in %zu of %zu cell%s: %.0f",
                    phases[phase].words, breakdown_components[i].title, found[i].count, cells,
                    cells == 1 ? "" : "s", found[i].low);
        if (lround(found[i].low) != lround(found[i].high))
            text_printf(out, " to %.0f", found[i].high);
        text_append(out, " %.\n");
    }
}

/* How far sums are from the time that they stand for. */
static void say_difference(struct text *out, const struct analysis *analysis,
                           const struct analysis_group *group, enum breakdown_phase phase)
{
    double low = INFINITY, high = -INFINITY;
    size_t cells = 0, far = 0;
    for (size_t i = 0; i < cells_of(analysis); i++) {
        const struct breakdown_times *times = times_of(&group->cells[i], phase);
        double percent = times != NULL ? breakdown_difference_percent(times) : NAN;
        if (!isfinite(percent))
            continue;
        low = fmin(low, percent);
        high = fmax(high, percent);
        far += fabs(percent) > trusted_percent;
        cells++;
    }
    if (cells == 0)
        return;
    text_printf(out, "- The sum over the components of %s differs by %+.1f", phases[phase].words,
                low);
    if (high - low >= 0.1)
        text_printf(out, " to %+.1f", high);
    text_append(out, " % from the undisturbed time, the median of the measured runs");
    if (far > 0)
        text_printf(out,
                    "; in %zu of %zu cell%s the difference is above %.0f %%, so that those shares "
                    "are rough",
                    far, cells, cells == 1 ? "" : "s", trusted_percent);
    text_append(out, ".\n");
}

static struct format_unit unit_of(const struct analysis *analysis,
                                  const struct analysis_group *group, enum breakdown_phase phase)
{
    struct format_unit unit = {"s", 1};
    double *values = calloc(cells_of(analysis), sizeof *values);
    for (size_t i = 0; values != NULL && i < cells_of(analysis); i++)
        values[i] = phases[phase].sum(&group->cells[i]).mean;
    if (values != NULL)
        unit = format_time_unit(values, cells_of(analysis));
    free(values);
    return unit;
}

static void add_time(struct markdown_table *table, double seconds, struct format_unit unit)
{
    char text[FORMAT_MAX];
    format_number(text, seconds * unit.per_base);
    markdown_table_cell(table, seconds > 0 ? text : "-");
}

static void write_table(struct text *out, const struct analysis *analysis,
                        const struct analysis_group *group, enum breakdown_phase phase)
{
    struct markdown_table table;
    struct format_unit unit = unit_of(analysis, group, phase);
    markdown_table_begin(&table, "rrrrrrrrrrrr");
    markdown_table_cell(&table, "Batch");
    markdown_table_cell(&table, "Length");
    for (int i = 0; i < BREAKDOWN_COMPONENT_COUNT; i++)
        markdown_table_printf(&table, "%s (%%)", breakdown_components[i].title);
    markdown_table_printf(&table, "Sum (%s)", unit.name);
    markdown_table_printf(&table, "Undisturbed (%s)", unit.name);
    markdown_table_cell(&table, "Difference (%)");
    for (size_t c = 0; c < cells_of(analysis); c++) {
        const struct analysis_cell *cell = &group->cells[c];
        const struct breakdown_times *times = times_of(cell, phase);
        if (times == NULL)
            continue;
        double percent = breakdown_difference_percent(times);
        markdown_table_printf(&table, "%lld", (long long)cell->batch_size);
        markdown_table_printf(&table, "%lld", (long long)cell->input_length);
        for (int i = 0; i < BREAKDOWN_COMPONENT_COUNT; i++)
            markdown_table_printf(&table, "%.1f",
                                  100 * breakdown_share(times, (enum breakdown_component)i));
        add_time(&table, breakdown_sum(times), unit);
        add_time(&table, times->undisturbed_s, unit);
        if (isfinite(percent))
            markdown_table_printf(&table, "%+.1f", percent);
        else
            markdown_table_cell(&table, "-");
    }
    markdown_table_end(&table, out);
}

static void write_group(struct text *out, const struct analysis *analysis,
                        const struct analysis_group *group)
{
    for (int i = 0; i < BREAKDOWN_PHASE_COUNT; i++) {
        enum breakdown_phase phase = (enum breakdown_phase)i;
        if (analysis_group_has(analysis, group, phases[i].sum)) {
            say_largest(out, analysis, group, phase);
            say_difference(out, analysis, group, phase);
        }
    }
    text_append(out, "\n");
    for (int i = 0; i < BREAKDOWN_PHASE_COUNT; i++) {
        if (!analysis_group_has(analysis, group, phases[i].sum))
            continue;
        text_printf(out, "**%s**\n\n", phases[i].heading);
        write_table(out, analysis, group, (enum breakdown_phase)i);
    }
}

void report_breakdown(struct text *out, const struct analysis *analysis)
{
    if (!analysis_has(analysis, analysis_prefill_components))
        return;
    text_append(out, "## Where the time goes\n\nShares of the components, from a pass of its own "
                     "after a cell's last run. A decode step is the mean of the first ones.\n\n");
    for (size_t g = 0; g < analysis->group_count; g++) {
        const struct analysis_group *group = &analysis->groups[g];
        if (!analysis_group_has(analysis, group, analysis_prefill_components))
            continue;
        report_group_heading(out, analysis, group);
        write_group(out, analysis, group);
    }
}
