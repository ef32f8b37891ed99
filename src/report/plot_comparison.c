/* performance_comparison: how latency spreads within a batch size and throughput within a
 * length, one against the other, and what a larger batch brings. See plot_list.h. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "report/plot_color.h"
#include "report/plot_heatmap.h"
#include "report/plot_list.h"

enum { LABEL_PX = 13, AXIS_PX = 14 };

static const char *const key_title = "Batch size";

struct boxes {
    const char *title;
    const char *axis;
    const char *x_title;
    const struct metric *metric;
    bool by_batch; /* one box a batch, over all lengths; else one a length, over all batches */
};

/* All values of the runs behind one box, sorted; returns their number. */
static size_t collect(double *out, const struct analysis *analysis,
                      const struct analysis_group *group, const struct boxes *boxes, size_t index,
                      double factor)
{
    size_t others = boxes->by_batch ? analysis->length_count : analysis->batch_count;
    size_t count = 0;
    for (size_t i = 0; i < others; i++) {
        const struct analysis_cell *cell = boxes->by_batch
                                               ? analysis_cell_at(analysis, group, index, i)
                                               : analysis_cell_at(analysis, group, i, index);
        for (size_t r = 0; r < cell->run_count; r++) {
            double value = metric_value(boxes->metric, &cell->runs[r]);
            if (isfinite(value))
                out[count++] = value * factor;
        }
    }
    stats_sort(out, count);
    return count;
}

static void draw_box(struct plot_canvas *canvas, const struct plot_panel *panel, double left,
                     double width, const double *sorted, size_t count, uint32_t rgb)
{
    struct stats_box box = stats_box(sorted, count);
    const double levels[] = {box.low_whisker, box.low_quartile, box.median, box.high_quartile,
                             box.high_whisker};
    double y[5];
    for (int i = 0; i < 5; i++)
        y[i] = panel->box.top + panel->box.height * (1 - plot_axis_place(panel->y, levels[i]));
    double middle = left + width / 2;
    struct plot_rect body = {left + 0.2 * width, y[3], 0.6 * width, fmax(y[1] - y[3], 1)};
    plot_canvas_segment(canvas, (struct plot_point){middle, y[0]},
                        (struct plot_point){middle, y[4]}, 1.2, PLOT_INK);
    for (int i = 0; i < 5; i += 4)
        plot_canvas_segment(canvas, (struct plot_point){middle - 0.15 * width, y[i]},
                            (struct plot_point){middle + 0.15 * width, y[i]}, 1.2, PLOT_INK);
    plot_canvas_rect(canvas, body, rgb);
    plot_canvas_frame(canvas, body, 1, PLOT_INK);
    /* A white line with a dark one in it shows on every colour. */
    struct plot_point from = {body.left, y[2]};
    struct plot_point to = {body.left + body.width, y[2]};
    plot_canvas_segment(canvas, from, to, 4, PLOT_WHITE);
    plot_canvas_segment(canvas, from, to, 1.6, PLOT_INK);
    for (size_t i = 0; i < count; i++) {
        if (sorted[i] >= box.low_whisker && sorted[i] <= box.high_whisker)
            continue;
        double place = 1 - plot_axis_place(panel->y, sorted[i]);
        double at = panel->box.top + panel->box.height * place;
        /* On the whisker's end it would only look like a blot. */
        if (at < y[4] - 3 || at > y[0] + 3)
            plot_canvas_marker(canvas, (struct plot_point){middle, at}, 6, 0.7, PLOT_MUTED);
    }
}

/* The range covers every run of every group. */
static int fit_runs(struct plot_axis *axis, const struct analysis *analysis,
                    const struct metric *metric, double factor, struct error *error)
{
    size_t count = 0;
    size_t filled = 0;
    for (size_t g = 0; g < analysis->group_count; g++)
        count += analysis->groups[g].run_count;
    double *values = calloc(count + 1, sizeof *values);
    if (values == NULL)
        return error_set(error, ERROR_MEMORY, "out of memory");
    for (size_t g = 0; g < analysis->group_count; g++) {
        const struct analysis_group *group = &analysis->groups[g];
        for (size_t i = 0; i < analysis->batch_count * analysis->length_count; i++) {
            const struct analysis_cell *cell = &group->cells[i];
            for (size_t r = 0; r < cell->run_count; r++)
                values[filled++] = metric_value(metric, &cell->runs[r]) * factor;
        }
    }
    plot_axis_fit(axis, values, filled, PLOT_FIT_NICE);
    free(values);
    return 0;
}

static void label_boxes(struct plot_canvas *canvas, const struct plot_panel *panel,
                        const int64_t *sizes, size_t count)
{
    double width = panel->box.width / (double)count;
    double free_from = -INFINITY;
    for (size_t i = 0; i < count; i++) {
        char label[32];
        snprintf(label, sizeof label, "%lld", (long long)sizes[i]);
        double x = panel->box.left + ((double)i + 0.5) * width;
        double half = plot_text_width(label, LABEL_PX) / 2;
        if (x - half < free_from)
            continue;
        free_from = x + half + 5;
        plot_canvas_text(canvas, x, panel->box.top + panel->box.height + 14,
                         (struct plot_font){LABEL_PX, PLOT_INK, PLOT_CENTER, 0}, label);
    }
}

static int draw_boxes(struct plot_page *page, const struct boxes *boxes, size_t index,
                      struct format_unit unit, struct error *error)
{
    const struct analysis *analysis = page->analysis;
    size_t count = boxes->by_batch ? analysis->batch_count : analysis->length_count;
    struct plot_axis y_axis;
    char y_title[64];
    snprintf(y_title, sizeof y_title, "%s (%s)", boxes->axis, unit.name);
    int code = fit_runs(&y_axis, analysis, boxes->metric, unit.per_base, error);
    for (size_t g = 0; g < analysis->group_count && code == 0; g++) {
        const struct analysis_group *group = &analysis->groups[g];
        struct plot_panel panel = {.box = plot_page_panel_box(page, index, g),
                                   .y = &y_axis,
                                   .title = boxes->title,
                                   .x_title = boxes->x_title,
                                   .y_title = y_title};
        double *values = calloc(group->run_count + 1, sizeof *values);
        if (values == NULL)
            return error_set(error, ERROR_MEMORY, "out of memory");
        plot_panel_draw(&page->canvas, &panel);
        label_boxes(&page->canvas, &panel, boxes->by_batch ? analysis->batches : analysis->lengths,
                    count);
        for (size_t i = 0; i < count; i++) {
            size_t used = collect(values, analysis, group, boxes, i, unit.per_base);
            double slot = panel.box.width / (double)count;
            double width = fmin(slot, 90);
            if (used > 0)
                draw_box(&page->canvas, &panel,
                         panel.box.left + ((double)i + 0.5) * slot - width / 2, width, values, used,
                         boxes->by_batch ? plot_color_series(i, count) : 0xA6BDD7);
        }
        free(values);
    }
    return code;
}

static int draw_scatter(struct plot_page *page, size_t index, struct format_unit unit,
                        struct error *error)
{
    const struct analysis *analysis = page->analysis;
    double *latencies = plot_values(analysis, analysis_latency, unit.per_base);
    double *rates = plot_values(analysis, analysis_throughput, 1);
    if (latencies == NULL || rates == NULL) {
        free(latencies);
        free(rates);
        return error_set(error, ERROR_MEMORY, "out of memory");
    }
    size_t per_group = analysis->batch_count * analysis->length_count;
    struct plot_axis x_axis;
    struct plot_axis y_axis;
    char x_title[64];
    snprintf(x_title, sizeof x_title, "Latency (%s)", unit.name);
    plot_axis_fit(&x_axis, latencies, plot_value_count(analysis), PLOT_FIT_NICE);
    plot_axis_fit(&y_axis, rates, plot_value_count(analysis), PLOT_FIT_NICE);
    for (size_t g = 0; g < analysis->group_count; g++) {
        struct plot_panel panel = {.box = plot_page_panel_box(page, index, g),
                                   .x = &x_axis,
                                   .y = &y_axis,
                                   .title = "Throughput against latency, per cell",
                                   .x_title = x_title,
                                   .y_title = "Throughput (tokens/s)"};
        plot_panel_draw(&page->canvas, &panel);
        for (size_t i = 0; i < per_group; i++) {
            size_t batch = i / analysis->length_count;
            struct plot_point point =
                plot_panel_point(&panel, latencies[g * per_group + i], rates[g * per_group + i]);
            if (isfinite(point.x) && isfinite(point.y))
                plot_canvas_marker(&page->canvas, point, plot_shape_series(batch), 1.2,
                                   plot_color_series(batch, analysis->batch_count));
        }
    }
    free(latencies);
    free(rates);
    return 0;
}

static int draw_efficiency(struct plot_page *page, size_t index, struct error *error)
{
    const struct analysis *analysis = page->analysis;
    double *values = plot_values(analysis, analysis_efficiency, 1);
    if (values == NULL)
        return error_set(error, ERROR_MEMORY, "out of memory");
    double ends[] = {0, 100};
    for (size_t i = 0; i < plot_value_count(analysis); i++) {
        if (isfinite(values[i]))
            ends[1] = fmax(ends[1], values[i]);
    }
    free(values);
    struct plot_axis scale;
    plot_axis_fit(&scale, ends, 2, PLOT_FIT_EXACT);
    for (size_t g = 0; g < analysis->group_count; g++)
        plot_heatmap_panel(&page->canvas, plot_page_panel_box(page, index, g), analysis,
                           &analysis->groups[g], analysis_efficiency, 1, &scale,
                           "Batch efficiency (% of perfect scaling)");
    return 0;
}

int plot_performance_comparison(struct plot_page *page, const struct plot_fonts *fonts,
                                struct error *error)
{
    static const struct boxes latency = {"Latency of all runs, by batch size", "Latency",
                                         "Batch size", &metrics[METRIC_TOTAL_LATENCY], true};
    static const struct boxes throughput = {"Throughput of all runs, by input length", "Throughput",
                                            "Input length (tokens)",
                                            &metrics[METRIC_TOKENS_PER_SECOND], false};
    const struct analysis *analysis = page->analysis;
    struct format_unit unit = plot_unit(analysis, analysis_latency, PLOT_TIME);
    page->title = "Performance comparison";
    page->box_width = fmax(400, plot_heatmap_width(analysis));
    page->box_height = fmax(300, plot_heatmap_height(analysis));
    page->top = 34;
    page->left = 84;
    page->bottom = 58;
    page->marks = true;
    plot_page_arrange(page, 4, 2);
    page->key_width =
        plot_page_size_key_width(key_title, analysis->batches, analysis->batch_count, 600);
    int code = plot_page_open(page, fonts, error);
    if (code == 0)
        code = draw_boxes(page, &latency, 0, unit, error);
    if (code == 0)
        code = draw_boxes(page, &throughput, 1, (struct format_unit){"tokens/s", 1}, error);
    if (code == 0)
        code = draw_scatter(page, 2, unit, error);
    if (code == 0)
        code = draw_efficiency(page, 3, error);
    if (code == 0)
        plot_page_size_key(page, key_title, analysis->batches, analysis->batch_count, false);
    return code;
}
