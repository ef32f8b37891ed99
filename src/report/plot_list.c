/* The table of pictures; see plot_list.h. */
#include "report/plot_list.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "report/gnuplot.h"

/* Far more than any picture takes; a child that hangs must not hang the analysis. */
static const double drawing_limit_s = 120;

static analysis_value *const any_latency[] = {analysis_latency, NULL};
static analysis_value *const any_memory[] = {analysis_cpu_memory, analysis_gpu_allocated,
                                             analysis_gpu_reserved, NULL};
static analysis_value *const any_steps[] = {analysis_steps, NULL};
static analysis_value *const any_rate[] = {analysis_prefill_rate, analysis_step_rate, NULL};
static analysis_value *const any_floor[] = {analysis_prefill_of_floor, analysis_step_of_floor,
                                            NULL};
static analysis_value *const any_breakdown[] = {analysis_prefill_components, NULL};
#define NO_CELL "no cell was measured"

const struct plot plots[PLOT_COUNT] = {
    {"latency_heatmap.png", "mean total latency of every cell, skipped and failed cells marked",
     plot_latency_heatmap, any_latency, NO_CELL},
    {"throughput_heatmap.png", "mean tokens/s of every cell", plot_throughput_heatmap, any_latency,
     NO_CELL},
    {"batch_size_scaling.png", "six metrics against the batch size, one line per input length",
     plot_batch_size_scaling, any_latency, NO_CELL},
    {"input_length_scaling.png", "four metrics against the input length, one line per batch size",
     plot_input_length_scaling, any_latency, NO_CELL},
    {"time_breakdown.png", "prefill and decode time of every cell, and the prefill's share",
     plot_time_breakdown, any_latency, NO_CELL},
    {"component_breakdown.png", "shares of attention, MLP and the rest in prefill and decode",
     plot_component_breakdown, any_breakdown, NULL},
    {"performance_comparison.png",
     "spread of latency and throughput, one against the other, batch efficiency",
     plot_performance_comparison, any_latency, NO_CELL},
    {"memory_usage.png",
     "memory of every cell, measured and predicted: CPU and, where there is one, GPU",
     plot_memory_usage, any_memory, "the results hold no memory data"},
    {"time_vs_batched_tokens.png", "prefill and decode time against batch × length, with trends",
     plot_time_vs_batched_tokens, any_latency, NO_CELL},
    {"decode_by_position.png", "time of a decode step as the context grows",
     plot_decode_by_position, any_steps, "the results hold no step times"},
    {"roofline.png", "prefill and decode of every cell under the machine's ceilings", plot_roofline,
     any_rate, "the results hold no limits of the machine"},
    {"floor_heatmap.png", "how near every cell is to what the machine allows", plot_floor_heatmap,
     any_floor, "the results hold no limits of the machine"},
};

static void notice(const struct report_options *options, const char *text)
{
    if (options->notice != NULL)
        options->notice(options->notice_context, text);
}

static bool has_data(const struct analysis *analysis, const struct plot *plot)
{
    for (analysis_value *const *value = plot->needs; *value != NULL; value++) {
        if (analysis_has(analysis, *value))
            return true;
    }
    return false;
}

static int draw_one(const struct analysis *analysis, const struct plot *plot, const char *path,
                    const struct plot_fonts *fonts, const struct report_options *options,
                    struct error *error)
{
    struct plot_page page = {.analysis = analysis};
    struct text script = {0};
    struct text said = {0};
    int code = plot->draw(&page, fonts, error);
    if (code < 0) {
        error_prefix(error, "%s", plot->file_name);
        goto done;
    }
    plot_canvas_script(&page.canvas, &script);
    if (script.failed) {
        code = error_set(error, ERROR_MEMORY, "%s: out of memory", plot->file_name);
        goto done;
    }
    code = gnuplot_draw(script.data, script.length, path, drawing_limit_s, &said, error);
    if (said.length > 0) {
        struct text line = {0};
        text_printf(&line, "%s: gnuplot says: %s", plot->file_name, text_string(&said));
        notice(options, text_string(&line));
        text_free(&line);
    }
done:
    plot_canvas_close(&page.canvas);
    text_free(&script);
    text_free(&said);
    return code;
}

static void tell_missing(const struct plot *plot, const struct report_options *options)
{
    struct text line = {0};
    text_printf(&line, "%s is not drawn: %s", plot->file_name, plot->missing);
    notice(options, text_string(&line));
    text_free(&line);
}

/* Draws picture `index` where it can be; returns what became of it. */
static int draw_or_tell(const struct analysis *analysis, const char *folder, size_t index,
                        const struct plot_fonts *fonts, const struct report_options *options,
                        bool *drawn, struct error *error)
{
    char *path = file_join(folder, plots[index].file_name);
    int code = 0;
    if (path == NULL)
        return error_set(error, ERROR_MEMORY, "%s: out of memory", plots[index].file_name);
    if (!has_data(analysis, &plots[index])) {
        if (plots[index].missing != NULL && analysis_has(analysis, analysis_latency))
            tell_missing(&plots[index], options);
    } else {
        code = draw_one(analysis, &plots[index], path, fonts, options, error);
        *drawn = code == 0;
    }
    if (!*drawn)
        (void)unlink(path); /* a picture of other results beside this report would mislead */
    free(path);
    return code;
}

int plot_list_draw(const struct analysis *analysis, const char *folder,
                   const struct report_options *options, bool drawn[PLOT_COUNT],
                   struct error *error)
{
    struct plot_fonts *fonts = plot_fonts_open();
    int result = 0;
    bool told = !analysis_has(analysis, analysis_latency);
    if (told)
        notice(options, "no pictures: no cell was measured");
    for (size_t i = 0; i < PLOT_COUNT; i++) {
        struct error problem = {0};
        drawn[i] = false;
        int code = draw_or_tell(analysis, folder, i, fonts, options, &drawn[i], &problem);
        if (code == GNUPLOT_MISSING && !told) {
            notice(options, "no pictures: gnuplot is not installed (Debian and Ubuntu: apt-get "
                            "install gnuplot-nox; Fedora: dnf install gnuplot; macOS: brew "
                            "install gnuplot)");
            told = true;
        }
        if (code < 0) {
            notice(options, problem.text);
            if (result == 0)
                result = error_set(error, problem.code, "%s", problem.text);
        }
    }
    plot_fonts_close(fonts);
    return result;
}
