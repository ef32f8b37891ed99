/* Tables of cells with columns as wide as their widest text; see cell_table.h. */
#include "cli/cell_table.h"

#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "cli/readable.h"
#include "cli/terminal.h"
#include "cli/verdict_table.h"

/* KEY_WIDTH: the digits of the largest batch size and length that a configuration may hold. */
enum { COLUMNS_MAX = 12, GROUPS_MAX = 64, CELLS_SHOWN = 6, GAP = 2, KEY_WIDTH = 7 };

static bool has_values(const struct cell_record *cell, enum cell_status complete)
{
    return cell->status == complete || cell->status == CELL_PARTIAL;
}

static void print_padded(FILE *stream, const char *text, int width)
{
    (void)fprintf(stream, "%*s%s", width - terminal_columns(text), "", text);
}

/* Widths of all columns; 0 for one that says nothing in any row. */
static void measure(const struct results *results, enum cell_status complete,
                    const struct cell_column *columns, size_t column_count, int *widths)
{
    for (size_t c = 0; c < column_count; c++) {
        int width = 0;
        for (size_t i = 0; i < results->cell_count; i++) {
            char text[CELL_TEXT_MAX] = "-";
            if (has_values(&results->cells[i], complete))
                columns[c].text(results, &results->cells[i], columns[c].context, text);
            int columns_taken = strcmp(text, "-") == 0 ? 0 : terminal_columns(text);
            width = columns_taken > width ? columns_taken : width;
        }
        int title = terminal_columns(columns[c].title);
        widths[c] = width == 0 ? 0 : width > title ? width : title;
    }
}

static void print_row(FILE *stream, const struct results *results, const struct cell_record *cell,
                      const struct cell_column *columns, size_t column_count, const int *widths)
{
    for (size_t c = 0; c < column_count; c++) {
        if (widths[c] == 0)
            continue;
        char text[CELL_TEXT_MAX];
        columns[c].text(results, cell, columns[c].context, text);
        print_padded(stream, text, GAP + widths[c]);
    }
}

static void print_titles(FILE *stream, const struct cell_column *columns, size_t column_count,
                         const int *widths)
{
    (void)fprintf(stream, "%s%*s%*s", terminal_style(stream, STYLE_BOLD), KEY_WIDTH, "batch",
                  GAP + KEY_WIDTH, "length");
    for (size_t c = 0; c < column_count; c++) {
        if (widths[c] > 0)
            print_padded(stream, columns[c].title, GAP + widths[c]);
    }
    (void)fprintf(stream, "%s\n", terminal_plain(stream));
}

void cell_table_print(FILE *stream, const struct results *results, enum cell_status complete,
                      const struct cell_column *columns, size_t column_count)
{
    int widths[COLUMNS_MAX];
    if (column_count > COLUMNS_MAX)
        column_count = COLUMNS_MAX;
    measure(results, complete, columns, column_count, widths);
    print_titles(stream, columns, column_count, widths);
    for (size_t i = 0; i < results->cell_count; i++) {
        const struct cell_record *cell = &results->cells[i];
        (void)fprintf(stream, "%*lld%*lld", KEY_WIDTH, (long long)cell->batch_size, GAP + KEY_WIDTH,
                      (long long)cell->input_length);
        if (has_values(cell, complete))
            print_row(stream, results, cell, columns, column_count, widths);
        if (cell->status != complete)
            (void)fprintf(
                stream, "  %s%s%s",
                terminal_style(stream, cell->status == CELL_FAILED ? STYLE_RED : STYLE_YELLOW),
                cell_status_name(cell->status), terminal_plain(stream));
        (void)fputc('\n', stream);
    }
}

/* How a metric is shown: "TTFT ms" is prefill_time times 1000. */
struct metric_view {
    enum metric_id metric;
    double factor;
    bool with_std;
};

static void metric_text(const struct results *results, const struct cell_record *cell,
                        const void *context, char out[CELL_TEXT_MAX])
{
    const struct metric_view *view = context;
    struct stats_summary summary = {.mean = NAN, .std = NAN};
    struct error ignored = {0};
    if (results_summarise(results, cell, &metrics[view->metric], &summary, &ignored) != 0)
        summary.mean = NAN;
    readable_mean(out, view->factor * summary.mean,
                  view->with_std ? view->factor * summary.std : NAN);
}

void cell_table_print_results(FILE *stream, const struct results *results)
{
    static const struct metric_view first = {METRIC_PREFILL_TIME, 1e3, true},
                                    step = {METRIC_DECODE_TIME_PER_TOKEN, 1e3, true},
                                    rate = {METRIC_TOKENS_PER_SECOND, 1, true},
                                    latency = {METRIC_TOTAL_LATENCY, 1, true},
                                    host = {METRIC_CPU_MEMORY_MB, 1, false},
                                    device = {METRIC_GPU_MEMORY_ALLOCATED_MB, 1, false},
                                    reserved = {METRIC_GPU_MEMORY_RESERVED_MB, 1, false};
    static const struct cell_column columns[] = {
        {"TTFT ms", metric_text, &first},
        {"ms/token", metric_text, &step},
        {"tokens/s", metric_text, &rate},
        {"latency s", metric_text, &latency},
        {"CPU MB", metric_text, &host},
        {"GPU MB", metric_text, &device},
        {"GPU reserved MB", metric_text, &reserved},
        {"MBU", verdict_table_mbu, NULL},
        {"MFU", verdict_table_mfu, NULL},
        {"verdict", verdict_table_level, NULL},
    };
    cell_table_print(stream, results, CELL_MEASURED, columns, sizeof columns / sizeof columns[0]);
}

void cell_table_print_stops(FILE *stream, const struct results *results)
{
    static const char *const reasons[][2] = {
        {"precise", "precise as asked for"},
        {"max_runs", "not precise after --max-runs"},
        {"max_cell_time", "not precise after --max-cell-time"},
    };
    for (size_t reason = 0; reason < sizeof reasons / sizeof reasons[0]; reason++) {
        size_t count = 0;
        for (size_t i = 0; i < results->cell_count; i++)
            count += strcmp(results->cells[i].stop_reason, reasons[reason][0]) == 0;
        if (count > 0)
            (void)fprintf(stream, "%zu cell%s %s\n", count, count == 1 ? "" : "s",
                          reasons[reason][1]);
    }
}

size_t cell_table_count(const struct results *results, enum cell_status status)
{
    size_t count = 0;
    for (size_t i = 0; i < results->cell_count; i++)
        count += results->cells[i].status == status;
    return count;
}

/* Whether two reasons differ in nothing but their numbers. */
static bool same_reason(const char *a, const char *b)
{
    while (*a != '\0' && *b != '\0') {
        if (isdigit((unsigned char)*a) && isdigit((unsigned char)*b)) {
            a += strspn(a, "0123456789");
            b += strspn(b, "0123456789");
        } else if (*a++ != *b++) {
            return false;
        }
    }
    return *a == *b;
}

struct reason_group {
    const struct cell_record *shown[CELLS_SHOWN];
    size_t count;
};

static size_t collect_groups(const struct results *results, enum cell_status status,
                             struct reason_group groups[GROUPS_MAX])
{
    size_t group_count = 0;
    for (size_t i = 0; i < results->cell_count; i++) {
        const struct cell_record *cell = &results->cells[i];
        if (cell->status != status || cell->reason[0] == '\0')
            continue;
        size_t g = 0;
        while (g < group_count && !same_reason(groups[g].shown[0]->reason, cell->reason))
            g++;
        if (g == GROUPS_MAX)
            continue;
        if (g == group_count)
            groups[group_count++] = (struct reason_group){.count = 0};
        if (groups[g].count < CELLS_SHOWN)
            groups[g].shown[groups[g].count] = cell;
        groups[g].count++;
    }
    return group_count;
}

static void print_group(FILE *stream, const struct reason_group *group)
{
    (void)fputs("  ", stream);
    for (size_t i = 0; i < group->count && i < CELLS_SHOWN; i++)
        (void)fprintf(stream, "%s%lld %s %lld", i > 0 ? ", " : "",
                      (long long)group->shown[i]->batch_size, terminal_times(),
                      (long long)group->shown[i]->input_length);
    if (group->count > CELLS_SHOWN)
        (void)fprintf(stream, " and %zu more", group->count - CELLS_SHOWN);
    (void)fprintf(stream, "%s\n    ", group->count > 1 ? "; the first:" : ":");
    terminal_print_wrapped(stream, group->shown[0]->reason, 4, 4, terminal_page_width(stream));
}

void cell_table_print_reasons(FILE *stream, const struct results *results, enum cell_status status,
                              const char *title)
{
    struct reason_group groups[GROUPS_MAX];
    size_t group_count = collect_groups(results, status, groups);
    if (group_count == 0)
        return;
    size_t cells = 0;
    for (size_t g = 0; g < group_count; g++)
        cells += groups[g].count;
    (void)fprintf(stream, "%s (%zu cell%s):\n", title, cells, cells == 1 ? "" : "s");
    for (size_t g = 0; g < group_count; g++)
        print_group(stream, &groups[g]);
}
