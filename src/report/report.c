/* From loaded files to a report and its pictures; see report.h. */
#include "report/report.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/file.h"
#include "report/analysis.h"
#include "report/plot_list.h"
#include "report/report_text.h"

static void notice(const struct report_options *options, const char *what, const char *path)
{
    struct text line = {0};
    if (options->notice == NULL)
        return;
    text_printf(&line, "%s: %s", what, path);
    options->notice(options->notice_context, text_string(&line));
    text_free(&line);
}

static int write_text(const struct analysis *analysis, const bool *drawn, const char *path,
                      struct error *error)
{
    char written_at[40];
    struct text text = {0};
    clock_timestamp(written_at);
    struct report_facts facts = {.written_at = written_at, .drawn = drawn};
    report_text_write(&text, analysis, &facts);
    int code = text.failed ? error_set(error, ERROR_MEMORY, "%s: out of memory", path)
                           : file_write_atomic(path, text.data, text.length, error);
    text_free(&text);
    return code;
}

/* Pictures first: the report shows those that are there. A picture that fails does not keep
 * the report from being written. */
static int write_all(const struct analysis *analysis, const struct report_options *options,
                     const char *report_path, const char *plots_path, struct error *error)
{
    bool drawn[PLOT_COUNT] = {false};
    struct error plot_error = {0};
    size_t drawn_count = 0;
    if (!options->report_only &&
        plot_list_draw(analysis, plots_path, options, drawn, &plot_error) == 0)
        plot_error.code = 0;
    for (size_t i = 0; i < PLOT_COUNT; i++)
        drawn_count += drawn[i];
    int code = write_text(analysis, options->report_only ? NULL : drawn, report_path, error);
    if (code < 0)
        return code;
    notice(options, "report", report_path);
    if (drawn_count > 0)
        notice(options, "pictures", plots_path);
    if (plot_error.code < 0)
        return error_set(error, plot_error.code, "%s", plot_error.text);
    return 0;
}

int report_write(const struct results *const *files, size_t count,
                 const struct report_options *options, struct error *error)
{
    struct analysis analysis = {0};
    char *report_path = file_join(options->output_dir, "analysis_report.md");
    char *plots_path = file_join(options->output_dir, "analysis_plots");
    int code = 0;
    if (report_path == NULL || plots_path == NULL)
        code = error_set(error, ERROR_MEMORY, "out of memory");
    if (code == 0)
        code = analysis_build(&analysis, files, count, error);
    if (code == 0)
        code =
            file_make_directories(options->report_only ? options->output_dir : plots_path, error);
    if (code == 0)
        code = write_all(&analysis, options, report_path, plots_path, error);
    analysis_free(&analysis);
    free(report_path);
    free(plots_path);
    return code;
}
