/* component_breakdown: what a prefill and a decode step consist of, a stacked bar of shares for
 * every cell. See plot_list.h. */
#include <math.h>
#include <stdio.h>

#include "report/plot_color.h"
#include "report/plot_list.h"
#include "report/plot_slots.h"

enum { SHARE_PX = 10, SHARE_HEIGHT = 13, KEY_WIDTH = 186 };

static void write_share(struct plot_canvas *canvas, const struct plot_panel *panel,
                        struct plot_bar bar, double low, double share, uint32_t rgb)
{
    char label[16];
    snprintf(label, sizeof label, "%.0f", share);
    if (share / 100 * panel->box.height * plot_axis_place(panel->y, 100) < SHARE_HEIGHT ||
        plot_text_width(label, SHARE_PX) > bar.width)
        return;
    double middle = 1 - plot_axis_place(panel->y, low + share / 2);
    plot_canvas_text(canvas, bar.left + bar.width / 2, panel->box.top + panel->box.height * middle,
                     (struct plot_font){SHARE_PX, plot_color_text_on(rgb), PLOT_CENTER, 0}, label);
}

static void draw_cell(struct plot_canvas *canvas, const struct plot_panel *panel,
                      struct plot_bar bar, const struct analysis_cell *cell,
                      enum breakdown_phase phase)
{
    if (!analysis_cell_has_values(cell)) {
        plot_bar_mark(canvas, panel, bar, cell);
        return;
    }
    double low = 0;
    for (int i = 0; cell->breakdown != NULL && i < BREAKDOWN_COMPONENT_COUNT; i++) {
        double share =
            100 * breakdown_share(&cell->breakdown->phases[phase], (enum breakdown_component)i);
        uint32_t rgb = plot_color_series((size_t)i, BREAKDOWN_COMPONENT_COUNT);
        if (!isfinite(share))
            return;
        plot_bar_draw(canvas, panel, bar, low, low + share, rgb);
        write_share(canvas, panel, bar, low, share, rgb);
        low += share;
    }
}

static void draw_panel(struct plot_page *page, struct plot_slots slots,
                       const struct plot_axis *axis, size_t group_index, enum breakdown_phase phase)
{
    static const struct {
        const char *title;
        analysis_value *value;
    } phases[BREAKDOWN_PHASE_COUNT] = {
        [BREAKDOWN_PREFILL] = {"Prefill", analysis_prefill_components},
        [BREAKDOWN_DECODE_STEP] = {"Decode step", analysis_decode_components},
    };
    const struct analysis *analysis = page->analysis;
    const struct analysis_group *group = &analysis->groups[group_index];
    struct plot_panel panel = {.box = plot_page_panel_box(page, (size_t)phase, group_index),
                               .y = axis,
                               .title = phases[phase].title,
                               .y_title = "Share of the sum (%)"};
    plot_panel_draw(&page->canvas, &panel);
    plot_slots_label(&page->canvas, slots, panel.box);
    if (!analysis_group_has(analysis, group, phases[phase].value)) {
        plot_panel_empty(&page->canvas, panel.box);
        return;
    }
    for (size_t b = 0; b < analysis->batch_count; b++) {
        for (size_t l = 0; l < analysis->length_count; l++)
            draw_cell(&page->canvas, &panel, plot_slots_bar(slots, panel.box, b, l),
                      analysis_cell_at(analysis, group, b, l), phase);
    }
}

static void draw_key(struct plot_page *page)
{
    struct plot_key_entry entries[BREAKDOWN_COMPONENT_COUNT];
    for (size_t i = 0; i < BREAKDOWN_COMPONENT_COUNT; i++) {
        size_t component = BREAKDOWN_COMPONENT_COUNT - 1 - i;
        entries[i] =
            (struct plot_key_entry){breakdown_components[component].title,
                                    plot_color_series(component, BREAKDOWN_COMPONENT_COUNT)};
    }
    plot_slots_key(page, entries, BREAKDOWN_COMPONENT_COUNT);
}

int plot_component_breakdown(struct plot_page *page, const struct plot_fonts *fonts,
                             struct error *error)
{
    static const double percent[] = {0, 100};
    struct plot_slots slots = plot_slots_for(page->analysis);
    struct plot_axis axis;
    page->title = "Where the time goes: components";
    page->box_width = fmax(plot_slots_total(slots), 300);
    page->box_height = 250;
    page->top = 34;
    page->left = 84;
    page->bottom = plot_slots_label_height(slots) + PLOT_SLOTS_FOOT;
    page->key_width = KEY_WIDTH;
    page->marks = true;
    plot_page_arrange(page, BREAKDOWN_PHASE_COUNT, 1);
    int code = plot_page_open(page, fonts, error);
    if (code < 0)
        return code;
    plot_axis_fit(&axis, percent, 2, PLOT_FIT_EXACT);
    for (size_t g = 0; g < page->analysis->group_count; g++) {
        for (int phase = 0; phase < BREAKDOWN_PHASE_COUNT; phase++)
            draw_panel(page, slots, &axis, g, (enum breakdown_phase)phase);
    }
    draw_key(page);
    return 0;
}
