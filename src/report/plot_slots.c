/* See plot_slots.h. */
#include "report/plot_slots.h"

#include <math.h>
#include <stdio.h>

#include "report/plot_color.h"
#include "report/plot_mark.h"

enum { LABEL_PX = 12 };

struct plot_slots plot_slots_for(const struct analysis *analysis)
{
    double count = (double)(analysis->batch_count * analysis->length_count);
    double width = fmin(fmax(640 / count, 20), 64);
    return (struct plot_slots){analysis, width, analysis->length_count > 1 ? 14 : 0};
}

double plot_slots_total(struct plot_slots slots)
{
    double batches = (double)slots.analysis->batch_count;
    return batches * ((double)slots.analysis->length_count * slots.width + slots.gap) + 10;
}

static double slot_left(struct plot_slots slots, struct plot_rect box, size_t batch, size_t length)
{
    /* Few bars stand in the middle of a wider box. */
    double start = box.left + (box.width - plot_slots_total(slots) + 10 + slots.gap) / 2;
    return start +
           (double)batch * ((double)slots.analysis->length_count * slots.width + slots.gap) +
           (double)length * slots.width;
}

static bool labels_upright(struct plot_slots slots)
{
    char label[32];
    const struct analysis *analysis = slots.analysis;
    snprintf(label, sizeof label, "%lld", (long long)analysis->lengths[analysis->length_count - 1]);
    return plot_text_width(label, LABEL_PX) + 4 > slots.width;
}

double plot_slots_label_height(struct plot_slots slots)
{
    char label[32];
    const struct analysis *analysis = slots.analysis;
    snprintf(label, sizeof label, "%lld", (long long)analysis->lengths[analysis->length_count - 1]);
    return labels_upright(slots) ? plot_text_width(label, LABEL_PX) + 10 : 24;
}

void plot_slots_label(struct plot_canvas *canvas, struct plot_slots slots, struct plot_rect box)
{
    const struct analysis *analysis = slots.analysis;
    double bottom = box.top + box.height;
    double height = plot_slots_label_height(slots);
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

struct plot_bar plot_slots_bar(struct plot_slots slots, struct plot_rect box, size_t batch,
                               size_t length)
{
    double left = slot_left(slots, box, batch, length);
    return (struct plot_bar){left + 0.1 * slots.width, 0.8 * slots.width};
}

void plot_bar_draw(struct plot_canvas *canvas, const struct plot_panel *panel, struct plot_bar bar,
                   double low, double high, uint32_t rgb)
{
    double top = panel->box.top + panel->box.height * (1 - plot_axis_place(panel->y, high));
    double bottom = panel->box.top + panel->box.height * (1 - plot_axis_place(panel->y, low));
    if (isfinite(top) && isfinite(bottom))
        plot_canvas_rect(canvas, (struct plot_rect){bar.left, top, bar.width, bottom - top}, rgb);
}

void plot_bar_mark(struct plot_canvas *canvas, const struct plot_panel *panel, struct plot_bar bar,
                   const struct analysis_cell *cell)
{
    plot_mark_cell(
        canvas, (struct plot_rect){bar.left, panel->box.top + 2, bar.width, panel->box.height - 3},
        cell);
}

void plot_slots_key(struct plot_page *page, const struct plot_key_entry *entries, size_t count)
{
    double left = plot_page_key_left(page) + 6;
    double top = plot_page_box(page, 0, 0).top;
    for (size_t i = 0; i < count; i++) {
        double y = top + 24 * (double)i;
        plot_canvas_rect(&page->canvas, (struct plot_rect){left, y + 4, 18, 14}, entries[i].rgb);
        plot_canvas_text(&page->canvas, left + 26, y + 11,
                         (struct plot_font){13, PLOT_INK, PLOT_LEFT, 0}, entries[i].word);
    }
}
