/* batch_size_scaling and input_length_scaling: means with error bars against one size, a line
 * for each value of the other. See plot_list.h. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "report/plot_color.h"
#include "report/plot_list.h"

struct line_panel {
    const char *title;
    const char *axis;
    analysis_value *value;
    enum plot_unit_kind kind;
};

/* Which size is on the x axis; the other makes the lines. */
enum x_size { X_BATCH, X_LENGTH };

static const struct analysis_cell *cell_of(const struct analysis *analysis,
                                           const struct analysis_group *group, enum x_size x,
                                           size_t along, size_t line)
{
    return x == X_BATCH ? analysis_cell_at(analysis, group, along, line)
                        : analysis_cell_at(analysis, group, line, along);
}

/* The y axis covers the error bars too. */
static int fit_axis(struct plot_axis *axis, const struct analysis *analysis,
                    const struct line_panel *panel, double factor)
{
    size_t per_group = analysis->batch_count * analysis->length_count;
    size_t count = plot_value_count(analysis);
    double *values = calloc(3 * count, sizeof *values);
    if (values == NULL)
        return ERROR_MEMORY;
    for (size_t i = 0; i < count; i++) {
        const struct analysis_cell *cell = &analysis->groups[i / per_group].cells[i % per_group];
        struct stats_summary summary = panel->value(cell);
        bool known = cell->run_count > 0;
        values[3 * i] = known ? summary.mean * factor : NAN;
        values[3 * i + 1] = known ? (summary.mean + summary.std) * factor : NAN;
        /* A bar that reaches below zero would stretch a logarithmic axis without end. */
        double low = (summary.mean - summary.std) * factor;
        values[3 * i + 2] = known && low > 0.2 * values[3 * i] ? low : NAN;
    }
    plot_axis_fit(axis, values, 3 * count, PLOT_FIT_NICE);
    free(values);
    return 0;
}

static void draw_error_bar(struct plot_canvas *canvas, const struct plot_panel *panel, double x,
                           struct stats_summary summary, double factor, uint32_t rgb)
{
    if (!(summary.std > 0))
        return;
    double low = (summary.mean - summary.std) * factor;
    if (panel->y->logarithmic && !(low > panel->y->minimum))
        low = panel->y->minimum;
    struct plot_point bottom = plot_panel_point(panel, x, low);
    struct plot_point top = plot_panel_point(panel, x, (summary.mean + summary.std) * factor);
    if (bottom.y - top.y < 2)
        return;
    plot_canvas_segment(canvas, bottom, top, 1.2, rgb);
    const struct plot_point ends[] = {bottom, top};
    for (int i = 0; i < 2; i++)
        plot_canvas_segment(canvas, (struct plot_point){ends[i].x - 4, ends[i].y},
                            (struct plot_point){ends[i].x + 4, ends[i].y}, 1.2, rgb);
}

/* A line is broken where a cell in between has no value. */
static void draw_line(struct plot_canvas *canvas, const struct plot_panel *panel,
                      const struct analysis *analysis, const struct analysis_group *group,
                      enum x_size x_size, size_t line, analysis_value *value, double factor,
                      struct plot_point *points)
{
    size_t along = x_size == X_BATCH ? analysis->batch_count : analysis->length_count;
    size_t lines = x_size == X_BATCH ? analysis->length_count : analysis->batch_count;
    uint32_t rgb = plot_color_series(line, lines);
    size_t count = 0;
    for (size_t i = 0; i <= along; i++) {
        struct plot_point point = {NAN, NAN};
        if (i < along) {
            const struct analysis_cell *cell = cell_of(analysis, group, x_size, i, line);
            struct stats_summary summary = value(cell);
            double x = (double)(x_size == X_BATCH ? cell->batch_size : cell->input_length);
            if (cell->run_count > 0)
                point = plot_panel_point(panel, x, summary.mean * factor);
            if (isfinite(point.y))
                draw_error_bar(canvas, panel, x, summary, factor, rgb);
        }
        if (isfinite(point.y)) {
            points[count++] = point;
            continue;
        }
        if (count > 1)
            plot_canvas_line(canvas, points, count, 1.8, PLOT_SOLID, rgb);
        for (size_t k = 0; k < count; k++)
            plot_canvas_marker(canvas, points[k], plot_shape_series(line), 1.0, rgb);
        count = 0;
    }
}

static int draw_panel(struct plot_page *page, const struct line_panel *line_panel, size_t index,
                      enum x_size x_size, struct error *error)
{
    const struct analysis *analysis = page->analysis;
    bool by_batch = x_size == X_BATCH;
    size_t along = by_batch ? analysis->batch_count : analysis->length_count;
    size_t lines = by_batch ? analysis->length_count : analysis->batch_count;
    struct format_unit unit = plot_unit(analysis, line_panel->value, line_panel->kind);
    struct plot_axis x_axis;
    struct plot_axis y_axis;
    struct plot_point *points = calloc(along, sizeof *points);
    if (points == NULL || fit_axis(&y_axis, analysis, line_panel, unit.per_base) < 0) {
        free(points);
        return error_set(error, ERROR_MEMORY, "out of memory");
    }
    char y_title[64];
    snprintf(y_title, sizeof y_title, "%s (%s)", line_panel->axis, unit.name);
    plot_axis_sizes(&x_axis, by_batch ? analysis->batches : analysis->lengths, along);
    for (size_t g = 0; g < analysis->group_count; g++) {
        struct plot_panel panel = {
            .box = plot_page_panel_box(page, index, g),
            .x = &x_axis,
            .y = &y_axis,
            .title = line_panel->title,
            .x_title = by_batch ? "Batch size" : "Input length (tokens)",
            .y_title = y_title,
        };
        plot_panel_draw(&page->canvas, &panel);
        if (!analysis_has(analysis, line_panel->value)) {
            plot_panel_empty(&page->canvas, panel.box);
            continue;
        }
        for (size_t line = 0; line < lines; line++)
            draw_line(&page->canvas, &panel, analysis, &analysis->groups[g], x_size, line,
                      line_panel->value, unit.per_base, points);
    }
    free(points);
    return 0;
}

static int draw(struct plot_page *page, const struct line_panel *panels, size_t count,
                size_t single_columns, enum x_size x_size, const struct plot_fonts *fonts,
                struct error *error)
{
    const struct analysis *analysis = page->analysis;
    bool by_batch = x_size == X_BATCH;
    size_t along = by_batch ? analysis->batch_count : analysis->length_count;
    size_t lines = by_batch ? analysis->length_count : analysis->batch_count;
    const int64_t *sizes = by_batch ? analysis->lengths : analysis->batches;
    const char *key_title = by_batch ? "Input length (tokens)" : "Batch size";
    plot_page_arrange(page, count, single_columns);
    page->box_width = fmin(fmax(350, 42 * (double)along), 800);
    page->box_height = 260;
    page->top = 34;
    page->left = 82;
    page->bottom = 56;
    page->key_width = plot_page_size_key_width(key_title, sizes, lines, 350 * (double)page->rows);
    int code = plot_page_open(page, fonts, error);
    for (size_t i = 0; i < count && code == 0; i++)
        code = draw_panel(page, &panels[i], i, x_size, error);
    if (code == 0)
        plot_page_size_key(page, key_title, sizes, lines, true);
    return code;
}

int plot_batch_size_scaling(struct plot_page *page, const struct plot_fonts *fonts,
                            struct error *error)
{
    static const struct line_panel panels[] = {
        {"Total latency", "Latency", analysis_latency, PLOT_TIME},
        {"Throughput", "Throughput", analysis_throughput, PLOT_RATE},
        {"Prefill time", "Time", analysis_prefill, PLOT_TIME},
        {"Decode time per token", "Time", analysis_decode_per_token, PLOT_TIME},
        {"Throughput per sequence", "Throughput", analysis_sequence_rate, PLOT_RATE},
        {"Decode time", "Time", analysis_decode, PLOT_TIME},
    };
    page->title = "Scaling with the batch size";
    return draw(page, panels, 6, 3, X_BATCH, fonts, error);
}

int plot_input_length_scaling(struct plot_page *page, const struct plot_fonts *fonts,
                              struct error *error)
{
    static const struct line_panel panels[] = {
        {"Total latency", "Latency", analysis_latency, PLOT_TIME},
        {"Prefill time", "Time", analysis_prefill, PLOT_TIME},
        {"Throughput", "Throughput", analysis_throughput, PLOT_RATE},
        {"Decode time per token", "Time", analysis_decode_per_token, PLOT_TIME},
    };
    page->title = "Scaling with the input length";
    return draw(page, panels, 4, 2, X_LENGTH, fonts, error);
}
