/* tokenmark analyze: results files become a report and plots. Needs no model and no engine. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "cli/cli.h"
#include "cli/command.h"
#include "cli/readable.h"
#include "cli/terminal.h"
#include "report/report.h"
#include "results/results.h"

struct analyze_flags {
    const char *output_dir;
    bool report_only;
    bool no_plots;
};

static const struct option analyze_options[] = {
    {.name = "output-dir",
     .value = "DIR",
     .kind = OPTION_TEXT,
     .offset = offsetof(struct analyze_flags, output_dir),
     .takes_path = true,
     .help = "where analysis_report.md and analysis_plots/ go (analysis_output)"},
    {.name = "report-only",
     .kind = OPTION_SWITCH,
     .offset = offsetof(struct analyze_flags, report_only),
     .help = "write the report and nothing else"},
    {.name = "no-plots",
     .kind = OPTION_SWITCH,
     .offset = offsetof(struct analyze_flags, no_plots),
     .help = "draw no pictures"},
};

static const struct option_group analyze_groups[] = {
    {.title = "Options",
     .options = analyze_options,
     .option_count = sizeof analyze_options / sizeof analyze_options[0]},
};

/* The cell with the best mean of a metric over all files. */
struct best_cell {
    const struct results *file;
    const struct cell_record *cell;
    double mean;
};

static struct best_cell find_best(struct results *const *files, size_t count, enum metric_id metric)
{
    struct best_cell best = {.mean = NAN};
    bool higher = metrics[metric].better == METRIC_HIGHER_IS_BETTER;
    for (size_t f = 0; f < count; f++) {
        for (size_t i = 0; i < files[f]->cell_count; i++) {
            const struct cell_record *cell = &files[f]->cells[i];
            struct stats_summary summary = {.mean = NAN};
            struct error ignored = {0};
            if (results_summarise(files[f], cell, &metrics[metric], &summary, &ignored) != 0 ||
                !isfinite(summary.mean))
                continue;
            if (!isfinite(best.mean) || (summary.mean > best.mean) == higher)
                best = (struct best_cell){files[f], cell, summary.mean};
        }
    }
    return best;
}

static const char *model_of(const struct best_cell *best)
{
    for (size_t i = 0; i < best->file->run_count; i++) {
        if (cell_holds_run(best->cell, &best->file->runs[i]))
            return best->file->runs[i].model_name;
    }
    return "";
}

static void print_best(const char *title, struct results *const *files, size_t count,
                       enum metric_id metric)
{
    struct best_cell best = find_best(files, count, metric);
    if (best.cell == NULL)
        return;
    char value[READABLE_MAX];
    readable_number(value, best.mean);
    (void)printf("%-16s %s %s at batch %lld, length %lld (%s)\n", title, value,
                 metrics[metric].unit, (long long)best.cell->batch_size,
                 (long long)best.cell->input_length, model_of(&best));
}

static void on_notice(void *context, const char *text)
{
    (void)context;
    (void)printf("%s\n", text);
}

static int analyze(const struct command *command, const struct analyze_flags *flags,
                   const struct operands *operands, struct results **files)
{
    struct error error = {0};
    for (size_t i = 0; i < operands->count; i++) {
        if (results_load(files[i], operands->values[i], &error) != 0)
            return command_fail(command, &error);
        if (files[i]->origin == RESULTS_PYTHON_SUITE)
            terminal_warn("%s comes from the Python suite: its decode times hold a second prefill, "
                          "and its tokens/s ignore the batch (rates are computed anew)",
                          operands->values[i]);
    }
    struct report_options options = {
        .output_dir = flags->output_dir,
        .report_only = flags->report_only || flags->no_plots,
        .notice = on_notice,
    };
    if (report_write((const struct results *const *)files, operands->count, &options, &error) != 0)
        return command_fail(command, &error);
    print_best("best throughput", files, operands->count, METRIC_TOKENS_PER_SECOND);
    print_best("best latency", files, operands->count, METRIC_TOTAL_LATENCY);
    return CLI_DONE;
}

static int run_analyze(const struct command *command, int argument_count, char **arguments)
{
    struct analyze_flags flags = {.output_dir = "analysis_output"};
    struct operands operands;
    int exit_code = CLI_DONE;
    if (!command_parse(command, argument_count, arguments, &flags, &operands, &exit_code))
        return exit_code;
    if (operands.count == 0)
        return command_refuse(command, "no results file: give one or more of what bench wrote");
    struct results *loaded = calloc(operands.count, sizeof *loaded);
    struct results **files = calloc(operands.count, sizeof *files);
    if (loaded == NULL || files == NULL) {
        terminal_say_error(command->name, "no memory for so many files");
        exit_code = CLI_FAILED;
    } else {
        for (size_t i = 0; i < operands.count; i++) {
            files[i] = &loaded[i];
            results_init(files[i]);
        }
        exit_code = analyze(command, &flags, &operands, files);
        for (size_t i = 0; i < operands.count; i++)
            results_free(files[i]);
    }
    free(files);
    free(loaded);
    return exit_code;
}

const struct command command_analyze = {
    .name = "analyze",
    .summary = "turn results into a report and plots",
    .usage = "RESULTS.json|RESULTS.csv ... [--output-dir DIR] [--report-only] [--no-plots]",
    .text = "Reads results files of bench (JSON or CSV, also the JSON of the older Python suite) "
            "and writes DIR/analysis_report.md and DIR/analysis_plots/*.png. Several files are "
            "compared. An older report in DIR is replaced.",
    .examples = "# a report and plots in analysis_output/\n"
                "tokenmark analyze my_run.json\n"
                "# two models side by side\n"
                "tokenmark analyze gpt2.json distilgpt2.json --output-dir comparison\n"
                "# words only\n"
                "tokenmark analyze my_run.csv --report-only",
    .groups = analyze_groups,
    .group_count = sizeof analyze_groups / sizeof analyze_groups[0],
    .operand = "RESULTS",
    .run = run_analyze,
};
