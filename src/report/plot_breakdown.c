/* time_breakdown: a stacked bar of prefill and decode for every cell, and beneath it the share
 * of the prefill. Cells stand side by side, lengths within batches. See plot_list.h. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "report/plot_color.h"
#include "report/plot_list.h"
#include "report/plot_mark.h"

enum { LABEL_PX = 12, VALUE_PX = 11, SHARE_PX = 10 };

/* Where the bars stand in a box. */
struct slots {
    const struct analysis *analysis;
    double width; /* of one cell's slot */
    double gap;   /* between two batches */
};

static struct slots slots_for(const struct analysis *analysis)
{
    double count = (double)(analysis->batch_count * analysis->length_count);
    double width = fmin(fmax(640 / count, 20), 64);
    return (struct slots){analysis, width, analysis->length_count > 1 ? 14 : 0};
}

static double slots_total(struct slots slots)
{
    double batches = (double)slots.analysis->batch_count;
    return batches * ((double)slots.analysis->length_count * slots.width + slots.gap) + 10;
}

static double slot_left(struct slots slots, struct plot_rect box, size_t batch, size_t length)
{
    /* Few bars stand in the middle of a wider box. */
    double start = box.left + (box.width - slots_total(slots) + 10 + slots.gap) / 2;
    return start +
           (double)batch * ((double)slots.analysis->length_count * slots.width + slots.gap) +
           (double)length * slots.width;
}

static bool labels_upright(struct slots slots)
{
    char label[32];
    const struct analysis *analysis = slots.analysis;
    snprintf(label, sizeof label, "%lld", (long long)analysis->lengths[analysis->length_count - 1]);
    return plot_text_width(label, LABEL_PX) + 4 > slots.width;
}

/* Room beneath the box for two lines of labels. */
static double label_height(struct slots slots)
{
    char label[32];
    const struct analysis *analysis = slots.analysis;
    snprintf(label, sizeof label, "%lld", (long long)analysis->lengths[analysis->length_count - 1]);
    return labels_upright(slots) ? plot_text_width(label, LABEL_PX) + 10 : 24;
}

static void label_slots(struct plot_canvas *canvas, struct slots slots, struct plot_rect box)
{
    const struct analysis *analysis = slots.analysis;
    double bottom = box.top + box.height;
    double height = label_height(slots);
    bool upright = labels_upright(slots);
    char label[32];
    for (size_t b = 0; b < analysis->batch_count; b++) {
        for (size_t l = 0; l < analysis->length_count; l++) {
            double x = slot_left(slots, box, b, l) + slots.width / 2;
            snprintf(label, sizeof label, "%lld", (long long)analysis->lengths[l]);
            struct plot_font font = {LABEL_PX, PLOT_INK, upright ? PLOT_RIGHT : PLOT_CENTER,
                                     upright ? 90 : 0};
            plot_canvas_text(canvas, x, bottom + (upright ? 5 : 13), font, label);
        }
        double left = slot_left(slots, box, b, 0) + 2;
        double right = slot_left(slots, box, b, analysis->length_count - 1) + slots.width - 2;
        double y = bottom + height + 2;
        plot_canvas_segment(canvas, (struct plot_point){left, y}, (struct plot_point){right, y}, 1,
                            PLOT_FRAME);
        snprintf(label, sizeof label, "%lld", (long long)analysis->batches[b]);
        plot_canvas_text(canvas, (left + right) / 2, y + 12,
                         (struct plot_font){LABEL_PX, PLOT_INK, PLOT_CENTER, 0}, label);
    }
    struct plot_font name = {LABEL_PX, PLOT_MUTED, PLOT_RIGHT, 0};
    plot_canvas_text(canvas, box.left - 8, bottom + height / 2, name, "length");
    plot_canvas_text(canvas, box.left - 8, bottom + height + 14, name, "batch");
    plot_canvas_text(canvas, box.left + box.width / 2, bottom + height + 38,
                     (struct plot_font){14, PLOT_INK, PLOT_CENTER, 0},
                     "Input length (tokens) within batch size");
}

/* A bar from `low` to `high` on the panel's y axis. */
static void draw_bar(struct plot_canvas *canvas, const struct plot_panel *panel, double left,
                     double width, double low, double high, uint32_t rgb)
{
    double top = panel->box.top + panel->box.height * (1 - plot_axis_place(panel->y, high));
    double bottom = panel->box.top + panel->box.height * (1 - plot_axis_place(panel->y, low));
    if (isfinite(top) && isfinite(bottom))
        plot_canvas_rect(canvas, (struct plot_rect){left, top, width, bottom - top}, rgb);
}

static void write_value(struct plot_canvas *canvas, const struct plot_panel *panel,
                        struct slots slots, double middle, double at, double value)
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
                      const struct plot_panel *shares, struct slots slots,
                      const struct analysis_cell *cell, double left, double factor)
{
    double bar_left = left + 0.1 * slots.width;
    double bar_width = 0.8 * slots.width;
    double middle = left + slots.width / 2;
    if (!analysis_cell_has_values(cell)) {
        const struct plot_panel *const panels[] = {times, shares};
        for (int i = 0; i < 2; i++)
            plot_mark_cell(canvas,
                           (struct plot_rect){bar_left, panels[i]->box.top + 2, bar_width,
                                              panels[i]->box.height - 3},
                           cell);
        return;
    }
    double total = analysis_latency(cell).mean * factor;
    double prefill = analysis_prefill(cell).mean * factor;
    if (isfinite(prefill)) {
        draw_bar(canvas, times, bar_left, bar_width, 0, prefill, PLOT_PREFILL);
        draw_bar(canvas, times, bar_left, bar_width, prefill, total, PLOT_DECODE);
        draw_bar(canvas, shares, bar_left, bar_width, 0, 100 * cell->prefill_share, PLOT_PREFILL);
        draw_bar(canvas, shares, bar_left, bar_width, 100 * cell->prefill_share, 100, PLOT_DECODE);
        write_share(canvas, shares, middle, cell->prefill_share);
    } else {
        draw_bar(canvas, times, bar_left, bar_width, 0, total, PLOT_FRAME);
    }
    write_value(canvas, times, slots, middle, total, total);
}

static void draw_key(struct plot_page *page)
{
    static const struct {
        const char *word;
        uint32_t rgb;
    } entries[] = {{"decode", PLOT_DECODE}, {"prefill", PLOT_PREFILL}};
    double left = plot_page_key_left(page) + 6;
    double top = plot_page_box(page, 0, 0).top;
    for (int i = 0; i < 2; i++) {
        plot_canvas_rect(&page->canvas, (struct plot_rect){left, top + 4 + 24 * i, 18, 14},
                         entries[i].rgb);
        plot_canvas_text(&page->canvas, left + 26, top + 11 + 24 * i,
                         (struct plot_font){13, PLOT_INK, PLOT_LEFT, 0}, entries[i].word);
    }
}

/* The scale leaves room for the values over the bars. */
static void fit_axes(const struct analysis *analysis, struct slots slots, double factor,
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
    const struct analysis *analysis = page->analysis;
    struct slots slots = slots_for(analysis);
    struct format_unit unit = plot_unit(analysis, analysis_latency, PLOT_TIME);
    struct plot_axis time_axis;
    struct plot_axis share_axis;
    page->title = "Where the time goes: prefill and decode";
    page->box_width = fmax(slots_total(slots), 300);
    page->box_height = 250;
    page->top = 34;
    page->left = 84;
    page->bottom = label_height(slots) + 52;
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
                          slot_left(slots, times.box, b, l), unit.per_base);
        }
        label_slots(&page->canvas, slots, times.box);
        label_slots(&page->canvas, slots, shares.box);
    }
    draw_key(page);
    return 0;
}
