/* time_breakdown: a stacked bar of prefill and decode for every cell, and beneath it the share
 * of the prefill. See plot_list.h. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "report/plot_color.h"
#include "report/plot_list.h"
#include "report/plot_slots.h"

enum { VALUE_PX = 11, SHARE_PX = 10 };

static void write_value(struct plot_canvas *canvas, const struct plot_panel *panel,
                        struct plot_slots slots, double middle, double at, double value)
{
    char label[FORMAT_MAX];
    format_number(label, value);
    double y = panel->box.top + panel->box.height * (1 - plot_axis_place(panel->y, at));
    bool upright = plot_text_width(label, VALUE_PX) + 2 > slots.width;
    plot_canvas_text(
        canvas, middle, y - (upright ? 5 : 9),
        (struct plot_font){VALUE_PX, PLOT_INK, upright ? PLOT_LEFT : PLOT_CENTER, upright ? 90 : 0},
        label);
}

/* Whole percents are narrow enough to stand level over the narrowest bar. */
static void write_share(struct plot_canvas *canvas, const struct plot_panel *panel, double middle,
                        double share)
{
    char label[16];
    snprintf(label, sizeof label, "%.0f", 100 * share);
    double y = panel->box.top + panel->box.height * (1 - plot_axis_place(panel->y, 100));
    plot_canvas_text(canvas, middle, y - 8, (struct plot_font){SHARE_PX, PLOT_INK, PLOT_CENTER, 0},
                     label);
}

/* One cell in both panels. */
static void draw_cell(struct plot_canvas *canvas, const struct plot_panel *times,
                      const struct plot_panel *shares, struct plot_slots slots,
                      const struct analysis_cell *cell, struct plot_bar bar, double factor)
{
    double middle = bar.left + bar.width / 2;
    if (!analysis_cell_has_values(cell)) {
        plot_bar_mark(canvas, times, bar, cell);
        plot_bar_mark(canvas, shares, bar, cell);
        return;
    }
    double total = analysis_latency(cell).mean * factor;
    double prefill = analysis_prefill(cell).mean * factor;
    if (isfinite(prefill)) {
        double share = 100 * cell->prefill_share;
        plot_bar_draw(canvas, times, bar, 0, prefill, PLOT_PREFILL);
        plot_bar_draw(canvas, times, bar, prefill, total, PLOT_DECODE);
        plot_bar_draw(canvas, shares, bar, 0, share, PLOT_PREFILL);
        plot_bar_draw(canvas, shares, bar, share, 100, PLOT_DECODE);
        write_share(canvas, shares, middle, cell->prefill_share);
    } else {
        plot_bar_draw(canvas, times, bar, 0, total, PLOT_FRAME);
    }
    write_value(canvas, times, slots, middle, total, total);
}

/* The scale leaves room for the values over the bars. */
static void fit_axes(const struct analysis *analysis, struct plot_slots slots, double factor,
                     double box_height, struct plot_axis *times, struct plot_axis *shares)
{
    double largest = 0;
    size_t per_group = analysis->batch_count * analysis->length_count;
    for (size_t i = 0; i < plot_value_count(analysis); i++) {
        const struct analysis_cell *cell = &analysis->groups[i / per_group].cells[i % per_group];
        if (analysis_cell_has_values(cell))
            largest = fmax(largest, analysis_latency(cell).mean * factor);
    }
    double label = slots.width < 50 ? 48 : 22;
    double ends[] = {0, largest > 0 ? largest / (1 - label / box_height) : 1};
    plot_axis_fit(times, ends, 2, PLOT_FIT_EXACT);
    const double percent[] = {0, 112};
    plot_axis_fit(shares, percent, 2, PLOT_FIT_EXACT);
    while (shares->ticks[shares->tick_count - 1].value > 100)
        shares->tick_count--;
}

int plot_time_breakdown(struct plot_page *page, const struct plot_fonts *fonts, struct error *error)
{
    static const struct plot_key_entry key[] = {{"decode", PLOT_DECODE}, {"prefill", PLOT_PREFILL}};
    const struct analysis *analysis = page->analysis;
    struct plot_slots slots = plot_slots_for(analysis);
    struct format_unit unit = plot_unit(analysis, analysis_latency, PLOT_TIME);
    struct plot_axis time_axis;
    struct plot_axis share_axis;
    page->title = "Where the time goes: prefill and decode";
    page->box_width = fmax(plot_slots_total(slots), 300);
    page->box_height = 250;
    page->top = 34;
    page->left = 84;
    page->bottom = plot_slots_label_height(slots) + PLOT_SLOTS_FOOT;
    page->key_width = 96;
    page->marks = true;
    plot_page_arrange(page, 2, 1);
    int code = plot_page_open(page, fonts, error);
    if (code < 0)
        return code;
    fit_axes(analysis, slots, unit.per_base, page->box_height, &time_axis, &share_axis);
    char y_title[64];
    snprintf(y_title, sizeof y_title, "Mean time (%s)", unit.name);
    for (size_t g = 0; g < analysis->group_count; g++) {
        struct plot_panel times = {.box = plot_page_panel_box(page, 0, g),
                                   .y = &time_axis,
                                   .title = "Time of one run",
                                   .y_title = y_title};
        struct plot_panel shares = {.box = plot_page_panel_box(page, 1, g),
                                    .y = &share_axis,
                                    .title = "Share of the prefill (percent over each bar)",
                                    .y_title = "Share of the total (%)"};
        plot_panel_draw(&page->canvas, &times);
        plot_panel_draw(&page->canvas, &shares);
        for (size_t b = 0; b < analysis->batch_count; b++) {
            for (size_t l = 0; l < analysis->length_count; l++)
                draw_cell(&page->canvas, &times, &shares, slots,
                          analysis_cell_at(analysis, &analysis->groups[g], b, l),
                          plot_slots_bar(slots, times.box, b, l), unit.per_base);
        }
        plot_slots_label(&page->canvas, slots, times.box);
        plot_slots_label(&page->canvas, slots, shares.box);
    }
    plot_slots_key(page, key, sizeof key / sizeof key[0]);
    return 0;
}
