/* "The GPU beside the runs": energy, power, clocks, heat and company; see report_text.h. */
#include <math.h>
#include <string.h>

#include "report/markdown.h"
#include "report/report_text.h"

static const struct device_conditions *conditions_of(const struct analysis_cell *cell)
{
    if (cell->record == NULL || cell->run_count == 0)
        return NULL;
    const struct device_conditions *known = &cell->record->conditions;
    bool any = known->power_w > 0.0 || known->core_mhz > 0.0 || known->temperature_c > 0.0 ||
               known->throttle_reasons[0] != '\0';
    return any ? known : NULL;
}

static void add_number(struct markdown_table *table, double value)
{
    if (value > 0.0)
        markdown_table_printf(table, "%.0f", value);
    else
        markdown_table_cell(table, "n/a");
}

/* The most that were seen; NaN where no run knows. A cell's own number is 0 for that too. */
static double count_others(const struct analysis_cell *cell)
{
    double most = NAN;
    for (size_t i = 0; i < cell->run_count; i++)
        most = fmax(most, cell->runs[i].conditions.device.other_processes);
    double known = cell->record->conditions.other_processes;
    return known > 0.0 ? fmax(most, known) : most;
}

static void add_cell(struct markdown_table *table, const struct analysis_cell *cell,
                     const struct device_conditions *known)
{
    markdown_table_printf(table, "%lld", (long long)cell->batch_size);
    markdown_table_printf(table, "%lld", (long long)cell->input_length);
    if (known->energy_per_token_j > 0.0)
        markdown_table_printf(table, "%.3g", known->energy_per_token_j);
    else
        markdown_table_cell(table, "n/a");
    add_number(table, known->power_w);
    add_number(table, known->core_mhz);
    add_number(table, known->memory_mhz);
    add_number(table, known->temperature_c);
    markdown_table_escaped(table,
                           known->throttle_reasons[0] != '\0' ? known->throttle_reasons : "n/a");
    double others = count_others(cell);
    if (isnan(others))
        markdown_table_cell(table, "n/a");
    else
        markdown_table_printf(table, "%.0f", others);
}

/* Whose energy it is and where it comes from, once for the group. */
static void write_source(struct text *out, bool by_counter, bool by_power)
{
    if (by_counter || by_power)
        text_printf(out,
                    "J per generated token of the whole batch: of the whole card, prefill and "
                    "decode together, by %s%s%s.\n\n",
                    by_counter ? "its energy counter" : "", by_counter && by_power ? ", or " : "",
                    by_power ? "mean power times time where the counter was not there or stood "
                               "still"
                             : "");
}

static void write_group(struct text *out, const struct analysis *analysis,
                        const struct analysis_group *group)
{
    static const char *const titles[] = {
        "Batch",      "Length",    "J per token",      "Power W",         "SM MHz",
        "Memory MHz", "Hottest C", "Clocks held down", "Other processes",
    };
    size_t cell_count = analysis->batch_count * analysis->length_count;
    bool by_counter = false, by_power = false;
    struct markdown_table table;
    report_group_heading(out, analysis, group);
    markdown_table_begin(&table, "rrrrrrrlr");
    for (size_t i = 0; i < sizeof titles / sizeof titles[0]; i++)
        markdown_table_cell(&table, titles[i]);
    for (size_t i = 0; i < cell_count; i++) {
        const struct device_conditions *known = conditions_of(&group->cells[i]);
        if (known == NULL)
            continue;
        add_cell(&table, &group->cells[i], known);
        by_counter |= strstr(known->energy_source, "counter") != NULL;
        by_power |= strstr(known->energy_source, "power") != NULL;
    }
    markdown_table_end(&table, out);
    write_source(out, by_counter, by_power);
}

void report_device(struct text *out, const struct analysis *analysis)
{
    size_t cell_count = analysis->batch_count * analysis->length_count;
    bool begun = false;
    for (size_t g = 0; g < analysis->group_count; g++) {
        const struct analysis_group *group = &analysis->groups[g];
        bool any = false;
        for (size_t i = 0; i < cell_count; i++)
            any |= conditions_of(&group->cells[i]) != NULL;
        if (any && !begun)
            text_append(out, "## The GPU beside the runs\n\n"
                             "Read before and after every run, never inside: power and clocks are "
                             "means over the runs, heat and other processes the most that was "
                             "seen.\n\n");
        if (any)
            write_group(out, analysis, group);
        begun |= any;
    }
}
