/* Bars for every cell side by side, lengths within batches, with two lines of labels beneath, and
 * the key of their colours. */
#ifndef TOKENMARK_REPORT_PLOT_SLOTS_H
#define TOKENMARK_REPORT_PLOT_SLOTS_H

#include "report/plot_page.h"

/* Where the bars stand in a box. */
struct plot_slots {
    const struct analysis *analysis;
    double width; /* of one cell's slot */
    double gap;   /* between two batches */
};

struct plot_slots plot_slots_for(const struct analysis *analysis);

/* Width of all slots together. */
double plot_slots_total(struct plot_slots slots);

/* Room beneath the box for the lengths; two more lines follow, PLOT_SLOTS_FOOT high. */
enum { PLOT_SLOTS_FOOT = 52 };
double plot_slots_label_height(struct plot_slots slots);
void plot_slots_label(struct plot_canvas *canvas, struct plot_slots slots, struct plot_rect box);

/* The bar of a cell. */
struct plot_bar {
    double left, width;
};
struct plot_bar plot_slots_bar(struct plot_slots slots, struct plot_rect box, size_t batch,
                               size_t length);

/* Part of a bar from `low` to `high` on the panel's y axis. */
void plot_bar_draw(struct plot_canvas *canvas, const struct plot_panel *panel, struct plot_bar bar,
                   double low, double high, uint32_t rgb);

/* The bar of a cell without values: its mark. */
void plot_bar_mark(struct plot_canvas *canvas, const struct plot_panel *panel, struct plot_bar bar,
                   const struct analysis_cell *cell);

/* Words beside the first panel, from the top of the stack down. */
struct plot_key_entry {
    const char *word;
    uint32_t rgb;
};
void plot_slots_key(struct plot_page *page, const struct plot_key_entry *entries, size_t count);

#endif
