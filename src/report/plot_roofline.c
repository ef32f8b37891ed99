/* The roofline (Williams, Waterman and Patterson 2009): operations a second of every cell's prefill
 * and decode against operations per byte, under the bandwidth and the peak of the machine. */
#include <math.h>
#include <stdlib.h>

#include "report/plot_color.h"
#include "report/plot_list.h"
#include "report/plot_page.h"

enum { KEY_PX = 13, PREFILL_SHAPE = 0, DECODE_SHAPE = 1 };
static const double giga = 1e9;

/* The machine as a group's cells found it: means over the cells, 0 = not known. */
struct roof {
    double bytes_per_s, flops_per_s;
};

static struct roof find_roof(const struct analysis *analysis, const struct analysis_group *group)
{
    struct roof roof = {0, 0};
    size_t with_bandwidth = 0, with_peak = 0;
    for (size_t i = 0; i < analysis->batch_count * analysis->length_count; i++) {
        const struct cell_record *record = group->cells[i].record;
        if (record == NULL)
            continue;
        double both = record->limits.bandwidth_before + record->limits.bandwidth_after;
        if (both > 0.0) {
            roof.bytes_per_s += both / 2.0 * giga;
            with_bandwidth++;
        }
        if (record->limits.peak_flops_per_s > 0.0) {
            roof.flops_per_s += record->limits.peak_flops_per_s;
            with_peak++;
        }
    }
    if (with_bandwidth > 0)
        roof.bytes_per_s /= (double)with_bandwidth;
    if (with_peak > 0)
        roof.flops_per_s /= (double)with_peak;
    return roof;
}

/* A cell's two points: intensity and rate. */
struct roof_point {
    double x, y;
};

static struct roof_point cell_point(const struct analysis_cell *cell, bool prefill)
{
    if (cell->record == NULL || cell->run_count == 0)
        return (struct roof_point){NAN, NAN};
    const struct cell_limits *limits = &cell->record->limits;
    double flops = prefill ? limits->prefill_flops : limits->decode_step_flops;
    double bytes = prefill ? limits->prefill_bytes : limits->decode_step_bytes;
    double rate = prefill ? analysis_prefill_rate(cell).mean : analysis_step_rate(cell).mean;
    if (!(bytes > 0.0) || !(rate > 0.0))
        return (struct roof_point){NAN, NAN};
    return (struct roof_point){flops / bytes, rate / giga};
}

static void widen(double range[2], double value)
{
    if (value > 0.0 && isfinite(value)) {
        range[0] = fmin(range[0], value);
        range[1] = fmax(range[1], value);
    }
}

/* Both axes are logarithmic and show every point, the ridge and the peak. */
static void fit_axes(struct plot_axis *x, struct plot_axis *y, const struct analysis *analysis)
{
    double across[2] = {INFINITY, 0}, up[2] = {INFINITY, 0};
    for (size_t g = 0; g < analysis->group_count; g++) {
        const struct analysis_group *group = &analysis->groups[g];
        struct roof roof = find_roof(analysis, group);
        widen(up, roof.flops_per_s / giga);
        widen(across, roof.flops_per_s / roof.bytes_per_s);
        for (size_t i = 0; i < analysis->batch_count * analysis->length_count; i++) {
            for (int prefill = 0; prefill < 2; prefill++) {
                struct roof_point point = cell_point(&group->cells[i], prefill == 1);
                widen(across, point.x);
                widen(up, point.y);
            }
        }
    }
    const double wide_across[] = {across[0] / 3.0, fmax(across[1] * 3.0, across[0] * 100.0)};
    const double wide_up[] = {up[0] / 3.0, fmax(up[1] * 2.0, up[0] * 100.0)};
    plot_axis_fit(x, wide_across, 2, PLOT_FIT_NICE);
    plot_axis_fit(y, wide_up, 2, PLOT_FIT_NICE);
}

static void draw_roof(struct plot_canvas *canvas, const struct plot_panel *panel, struct roof roof)
{
    double slope = roof.bytes_per_s / giga, peak = roof.flops_per_s / giga;
    if (slope > 0.0) {
        /* From the panel's left or lower edge up to the ridge, or to the panel's top. */
        double left = fmax(panel->x->minimum, panel->y->minimum / slope);
        double right = fmin(panel->x->maximum, (peak > 0.0 ? peak : panel->y->maximum) / slope);
        const struct plot_point line[] = {plot_panel_point(panel, left, left * slope),
                                          plot_panel_point(panel, right, right * slope)};
        if (right > left)
            plot_canvas_line(canvas, line, 2, 1.8, PLOT_SOLID, PLOT_INK);
    }
    if (peak > 0.0) {
        double left = slope > 0.0 ? fmin(panel->x->maximum, fmax(panel->x->minimum, peak / slope))
                                  : panel->x->minimum;
        const struct plot_point line[] = {plot_panel_point(panel, left, peak),
                                          plot_panel_point(panel, panel->x->maximum, peak)};
        plot_canvas_line(canvas, line, 2, 1.8, PLOT_SOLID, PLOT_INK);
    }
}

static void draw_key(struct plot_canvas *canvas, const struct plot_panel *panel, struct roof roof)
{
    double left = panel->box.left + 16, top = panel->box.top + 18;
    const struct {
        const char *name;
        uint32_t rgb;
        size_t shape;
    } marks[] = {{"prefill", PLOT_PREFILL, PREFILL_SHAPE},
                 {"decode step", PLOT_DECODE, DECODE_SHAPE}};
    for (size_t i = 0; i < 2; i++, top += 20) {
        plot_canvas_marker(canvas, (struct plot_point){left, top},
                           plot_shape_series(marks[i].shape), 1.2, marks[i].rgb);
        plot_canvas_text(canvas, left + 14, top, (struct plot_font){KEY_PX, PLOT_INK, PLOT_LEFT, 0},
                         marks[i].name);
    }
    char note[96];
    if (roof.bytes_per_s > 0.0 && roof.flops_per_s > 0.0)
        snprintf(note, sizeof note, "%.3g GB/s, %.4g GFLOP/s", roof.bytes_per_s / giga,
                 roof.flops_per_s / giga);
    else
        note[0] = '\0';
    plot_canvas_text(canvas, left - 6, top, (struct plot_font){KEY_PX, PLOT_INK, PLOT_LEFT, 0},
                     note);
}

static void draw_group(struct plot_page *page, const struct plot_axis *x, const struct plot_axis *y,
                       size_t g)
{
    const struct analysis *analysis = page->analysis;
    const struct analysis_group *group = &analysis->groups[g];
    struct roof roof = find_roof(analysis, group);
    struct plot_panel panel = {
        .box = plot_page_panel_box(page, 0, g),
        .x = x,
        .y = y,
        .x_title = "Operations per byte (FLOP/B)",
        .y_title = "GFLOP/s",
    };
    plot_panel_draw(&page->canvas, &panel);
    draw_roof(&page->canvas, &panel, roof);
    for (size_t i = 0; i < analysis->batch_count * analysis->length_count; i++) {
        for (int prefill = 0; prefill < 2; prefill++) {
            struct roof_point value = cell_point(&group->cells[i], prefill == 1);
            struct plot_point point = plot_panel_point(&panel, value.x, value.y);
            if (isfinite(point.x) && isfinite(point.y))
                plot_canvas_marker(&page->canvas, point,
                                   plot_shape_series(prefill == 1 ? PREFILL_SHAPE : DECODE_SHAPE),
                                   1.2, prefill == 1 ? PLOT_PREFILL : PLOT_DECODE);
        }
    }
    draw_key(&page->canvas, &panel, roof);
}

int plot_roofline(struct plot_page *page, const struct plot_fonts *fonts, struct error *error)
{
    struct plot_axis x, y;
    page->title = "Roofline: every cell under the ceilings of the machine";
    page->box_width = 620;
    page->box_height = 400;
    page->top = 12;
    page->left = 84;
    page->bottom = 58;
    plot_page_arrange(page, 1, 1);
    int code = plot_page_open(page, fonts, error);
    if (code != 0)
        return code;
    fit_axes(&x, &y, page->analysis);
    for (size_t g = 0; g < page->analysis->group_count; g++)
        draw_group(page, &x, &y, g);
    return 0;
}
