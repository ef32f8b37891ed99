/* time_vs_batched_tokens: prefill and decode time of every cell against batch × length, with
 * a trend line each. See plot_list.h. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "report/plot_color.h"
#include "report/plot_list.h"
#include "report/trend.h"

enum { TREND_POINTS = 64, NOTE_PX = 12 };

static const char *const key_title = "Batch size";

struct trend_panel {
    const char *title;
    analysis_value *value;
};

static void describe(char *out, size_t capacity, const struct trend *trend, struct format_unit unit)
{
    char factor[FORMAT_MAX];
    char slope[FORMAT_MAX];
    format_number(factor, trend->factor);
    format_number(slope, fabs(trend->exponent));
    if (trend->power)
        snprintf(out, capacity, "power law: %s %s × tokens^%.2f (R² %.2f)", factor, unit.name,
                 trend->exponent, trend->r_squared);
    else
        snprintf(out, capacity, "linear: %s %s %s %s %s × tokens (R² %.2f)", factor, unit.name,
                 trend->exponent < 0 ? "-" : "+", slope, unit.name, trend->r_squared);
}

static void draw_trend(struct plot_canvas *canvas, const struct plot_panel *panel, const double *x,
                       const double *y, size_t count, struct format_unit unit)
{
    struct trend trend;
    char note[192] = "no trend: fewer than three sizes";
    double low = INFINITY;
    double high = 0;
    for (size_t i = 0; i < count; i++) {
        if (!(y[i] > 0))
            continue;
        low = fmin(low, x[i]);
        high = fmax(high, x[i]);
    }
    if (high <= 0) {
        plot_panel_empty(canvas, panel->box);
        return;
    }
    struct plot_point at = {panel->box.left + 10, panel->box.top + 14};
    if (trend_fit(&trend, x, y, count)) {
        struct plot_point points[TREND_POINTS];
        size_t used = 0;
        for (int i = 0; i < TREND_POINTS; i++) {
            double tokens = low * pow(high / low, i / (TREND_POINTS - 1.0));
            double value = trend_value(&trend, tokens);
            /* Outside the panel the line ends rather than runs along its edge. */
            if (value >= panel->y->minimum && value <= panel->y->maximum)
                points[used++] = plot_panel_point(panel, tokens, value);
        }
        plot_canvas_line(canvas, points, used, 1.8, PLOT_DASHED, PLOT_INK);
        describe(note, sizeof note, &trend, unit);
        const struct plot_point sample[] = {at, {at.x + 34, at.y}};
        plot_canvas_line(canvas, sample, 2, 1.8, PLOT_DASHED, PLOT_INK);
        at.x += 42;
    }
    plot_canvas_text(canvas, at.x, at.y, (struct plot_font){NOTE_PX, PLOT_INK, PLOT_LEFT, 0}, note);
}

/* The x axis covers the cells that some group has values of. */
static void fit_tokens(struct plot_axis *axis, const struct analysis *analysis,
                       const double *tokens, const double *values)
{
    size_t per_group = analysis->batch_count * analysis->length_count;
    double ends[] = {NAN, NAN};
    for (size_t i = 0; i < plot_value_count(analysis); i++) {
        if (!(values[i] > 0))
            continue;
        ends[0] = fmin(ends[0], tokens[i % per_group]);
        ends[1] = fmax(ends[1], tokens[i % per_group]);
    }
    plot_axis_fit(axis, ends, 2, PLOT_FIT_NICE);
}

static int draw_panel(struct plot_page *page, const struct trend_panel *trend_panel, size_t index,
                      const double *tokens, struct error *error)
{
    const struct analysis *analysis = page->analysis;
    size_t per_group = analysis->batch_count * analysis->length_count;
    size_t count = plot_value_count(analysis);
    struct format_unit unit = plot_unit(analysis, trend_panel->value, PLOT_TIME);
    double *values = plot_values(analysis, trend_panel->value, unit.per_base);
    struct plot_axis x_axis;
    struct plot_axis y_axis;
    char y_title[64];
    if (values == NULL)
        return error_set(error, ERROR_MEMORY, "out of memory");
    snprintf(y_title, sizeof y_title, "%s (%s)", trend_panel->title, unit.name);
    plot_axis_fit(&y_axis, values, count, PLOT_FIT_NICE);
    /* The note at the top needs a free strip. */
    if (y_axis.logarithmic)
        y_axis.maximum *= pow(y_axis.maximum / y_axis.minimum, 0.13);
    else
        y_axis.maximum += 0.13 * (y_axis.maximum - y_axis.minimum);
    fit_tokens(&x_axis, analysis, tokens, values);
    for (size_t g = 0; g < analysis->group_count; g++) {
        struct plot_panel panel = {.box = plot_page_panel_box(page, index, g),
                                   .x = &x_axis,
                                   .y = &y_axis,
                                   .title = trend_panel->title,
                                   .x_title = "Batched tokens (batch × input length)",
                                   .y_title = y_title};
        const double *y = values + g * per_group;
        plot_panel_draw(&page->canvas, &panel);
        draw_trend(&page->canvas, &panel, tokens, y, per_group, unit);
        for (size_t i = 0; i < per_group; i++) {
            size_t batch = i / analysis->length_count;
            struct plot_point point = plot_panel_point(&panel, tokens[i], y[i]);
            if (isfinite(point.x) && isfinite(point.y))
                plot_canvas_marker(&page->canvas, point, plot_shape_series(batch), 1.2,
                                   plot_color_series(batch, analysis->batch_count));
        }
    }
    free(values);
    return 0;
}

int plot_time_vs_batched_tokens(struct plot_page *page, const struct plot_fonts *fonts,
                                struct error *error)
{
    static const struct trend_panel panels[] = {{"Prefill time", analysis_prefill},
                                                {"Decode time", analysis_decode}};
    const struct analysis *analysis = page->analysis;
    size_t per_group = analysis->batch_count * analysis->length_count;
    double *tokens = calloc(per_group, sizeof *tokens);
    if (tokens == NULL)
        return error_set(error, ERROR_MEMORY, "out of memory");
    for (size_t i = 0; i < per_group; i++)
        tokens[i] = (double)analysis->batches[i / analysis->length_count] *
                    (double)analysis->lengths[i % analysis->length_count];
    page->title = "Time against batched tokens";
    page->box_width = 460;
    page->box_height = 340;
    page->top = 34;
    page->left = 84;
    page->bottom = 58;
    plot_page_arrange(page, 2, 2);
    page->key_width =
        plot_page_size_key_width(key_title, analysis->batches, analysis->batch_count, 380);
    int code = plot_page_open(page, fonts, error);
    for (size_t i = 0; i < 2 && code == 0; i++)
        code = draw_panel(page, &panels[i], i, tokens, error);
    if (code == 0)
        plot_page_size_key(page, key_title, analysis->batches, analysis->batch_count, false);
    free(tokens);
    return code;
}
