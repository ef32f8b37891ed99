/* "Can these numbers be trusted?": verdicts with their reasons and advice; see report_text.h. */
#include "report/format.h"
#include "report/markdown.h"
#include "report/report_text.h"

static bool has_verdict(const struct analysis_group *group, size_t cell_count)
{
    for (size_t i = 0; i < cell_count; i++) {
        if (group->cells[i].record != NULL)
            return true;
    }
    return false;
}

static void write_counts(struct text *out, const struct analysis_group *group, size_t cell_count)
{
    size_t counts[VERDICT_INVALID + 1] = {0}, all = 0;
    for (size_t i = 0; i < cell_count; i++) {
        if (group->cells[i].record == NULL)
            continue;
        counts[group->cells[i].record->verdict.level]++;
        all++;
    }
    text_printf(out, "%zu of %zu cell%s %s VALID", counts[VERDICT_VALID], all, all == 1 ? "" : "s",
                counts[VERDICT_VALID] == 1 ? "is" : "are");
    if (counts[VERDICT_NOISY] > 0)
        text_printf(out, ", %zu NOISY (disturbed, or too few runs to know: compare with care)",
                    counts[VERDICT_NOISY]);
    if (counts[VERDICT_INVALID] > 0)
        text_printf(out, ", %zu INVALID (do not use)", counts[VERDICT_INVALID]);
    text_append(out, ".\n\n");
}

/* Every cell that is not VALID, with what was seen. */
static void write_cells(struct text *out, const struct analysis_group *group, size_t cell_count)
{
    struct markdown_table table;
    bool any = false;
    for (size_t i = 0; i < cell_count; i++)
        any |=
            group->cells[i].record != NULL && group->cells[i].record->verdict.level > VERDICT_VALID;
    if (!any)
        return;
    markdown_table_begin(&table, "rrll");
    markdown_table_cell(&table, "Batch");
    markdown_table_cell(&table, "Length");
    markdown_table_cell(&table, "Verdict");
    markdown_table_cell(&table, "Reasons");
    for (size_t i = 0; i < cell_count; i++) {
        const struct analysis_cell *cell = &group->cells[i];
        if (cell->record == NULL || cell->record->verdict.level <= VERDICT_VALID)
            continue;
        struct text reasons = {0};
        const struct verdict *verdict = &cell->record->verdict;
        for (size_t c = 0; c < VERDICT_CAUSE_COUNT; c++) {
            if (verdict->given[c])
                text_printf(&reasons, "%s%s: %s", reasons.length > 0 ? "; " : "",
                            verdict_causes[c].name, verdict->texts[c]);
        }
        markdown_table_printf(&table, "%lld", (long long)cell->batch_size);
        markdown_table_printf(&table, "%lld", (long long)cell->input_length);
        markdown_table_cell(&table, verdict_level_name(verdict->level));
        markdown_table_escaped(&table, text_string(&reasons));
        out->failed |= reasons.failed;
        text_free(&reasons);
    }
    markdown_table_end(&table, out);
}

static void write_advice(struct text *out, const struct analysis *analysis)
{
    size_t cell_count = analysis->batch_count * analysis->length_count, named = 0;
    for (size_t c = 0; c < VERDICT_CAUSE_COUNT; c++) {
        bool given = false;
        for (size_t g = 0; g < analysis->group_count; g++) {
            for (size_t i = 0; i < cell_count; i++)
                given |= analysis->groups[g].cells[i].record != NULL &&
                         analysis->groups[g].cells[i].record->verdict.given[c];
        }
        if (given)
            text_printf(out, "%s- **%s:** %s\n", named++ == 0 ? "What to do:\n\n" : "",
                        verdict_causes[c].name, verdict_causes[c].advice);
    }
    if (named > 0)
        text_append(out, "\n");
}

void report_trust(struct text *out, const struct analysis *analysis)
{
    size_t cell_count = analysis->batch_count * analysis->length_count;
    bool any = false;
    for (size_t g = 0; g < analysis->group_count; g++)
        any |= has_verdict(&analysis->groups[g], cell_count);
    if (!any)
        return;
    text_append(out, "## Can these numbers be trusted?\n\n");
    for (size_t g = 0; g < analysis->group_count; g++) {
        const struct analysis_group *group = &analysis->groups[g];
        if (!has_verdict(group, cell_count))
            continue;
        report_group_heading(out, analysis, group);
        write_counts(out, group, cell_count);
        write_cells(out, group, cell_count);
        report_precision(out, analysis, group);
    }
    write_advice(out, analysis);
}
