/* Prints verdicts; see verdict_table.h. */
#include "cli/verdict_table.h"

#include "cli/terminal.h"

enum { CELLS_SHOWN = 6 };

static void print_share(char out[CELL_TEXT_MAX], double share)
{
    if (share > 0.0)
        (void)snprintf(out, CELL_TEXT_MAX, "%.0f%%", 100.0 * share);
    else
        (void)snprintf(out, CELL_TEXT_MAX, "-");
}

void verdict_table_level(const struct results *results, const struct cell_record *cell,
                         const void *context, char out[CELL_TEXT_MAX])
{
    (void)results, (void)context;
    const char *name = verdict_level_name(cell->verdict.level);
    (void)snprintf(out, CELL_TEXT_MAX, "%s", name[0] != '\0' ? name : "-");
}

void verdict_table_mbu(const struct results *results, const struct cell_record *cell,
                       const void *context, char out[CELL_TEXT_MAX])
{
    (void)results, (void)context;
    print_share(out, cell->limits.mbu);
}

void verdict_table_mfu(const struct results *results, const struct cell_record *cell,
                       const void *context, char out[CELL_TEXT_MAX])
{
    (void)results, (void)context;
    print_share(out, cell->limits.mfu);
}

static size_t count_cells(const struct results *results, enum verdict_cause cause)
{
    size_t count = 0;
    for (size_t i = 0; i < results->cell_count; i++)
        count += results->cells[i].verdict.given[cause];
    return count;
}

static void print_cause(FILE *stream, const struct results *results, enum verdict_cause cause)
{
    size_t count = count_cells(results, cause), shown = 0;
    const char *text = "";
    (void)fprintf(stream, "  %s: ", verdict_causes[cause].name);
    for (size_t i = 0; i < results->cell_count && shown < CELLS_SHOWN; i++) {
        const struct cell_record *cell = &results->cells[i];
        if (!cell->verdict.given[cause])
            continue;
        if (shown == 0)
            text = cell->verdict.texts[cause];
        (void)fprintf(stream, "%s%lld %s %lld", shown > 0 ? ", " : "", (long long)cell->batch_size,
                      terminal_times(), (long long)cell->input_length);
        shown++;
    }
    if (count > shown)
        (void)fprintf(stream, " and %zu more", count - shown);
    int width = terminal_page_width(stream);
    (void)fprintf(stream, "%s\n    ", count > 1 ? "; the first:" : ":");
    terminal_print_wrapped(stream, text, 4, 4, width);
    (void)fprintf(stream, "    ");
    terminal_print_wrapped(stream, verdict_causes[cause].advice, 4, 4, width);
}

void verdict_table_print_reasons(FILE *stream, const struct results *results)
{
    for (int level = VERDICT_INVALID; level >= VERDICT_NOISY; level--) {
        size_t cells = 0;
        for (size_t i = 0; i < results->cell_count; i++)
            cells += (int)results->cells[i].verdict.level == level;
        if (cells == 0)
            continue;
        (void)fprintf(stream, "\n%s (%zu cell%s):\n", verdict_level_name((enum verdict_level)level),
                      cells, cells == 1 ? "" : "s");
        for (int i = 0; i < VERDICT_CAUSE_COUNT; i++) {
            enum verdict_cause cause = (enum verdict_cause)i;
            if ((int)verdict_causes[i].level == level && count_cells(results, cause) > 0)
                print_cause(stream, results, cause);
        }
    }
}
