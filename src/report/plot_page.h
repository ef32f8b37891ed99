/* The frame of a picture: title, heads of the groups' columns, a grid of boxes for panels, a
 * strip at the right for keys and a foot that explains the marks of cells without values. */
#ifndef TOKENMARK_REPORT_PLOT_PAGE_H
#define TOKENMARK_REPORT_PLOT_PAGE_H

#include <stdbool.h>

#include "report/analysis.h"
#include "report/format.h"
#include "report/plot_axis.h"
#include "report/plot_canvas.h"

struct plot_page {
    struct plot_canvas canvas;
    const struct analysis *analysis;
    const char *title;
    size_t columns, rows;
    double box_width, box_height; /* of one panel's plotting area */
    double left, top, bottom;     /* room beside a box for ticks and titles */
    double key_width;             /* of the strip at the right, 0 for none */
    bool marks;                   /* explain marks at the foot */
    /* Set by plot_page_open. */
    double head_height, content_left;
};

/* Sets the canvas up from the fields above, writes title and heads. ERROR_FAILED when the
 * picture would be larger than pictures can be. */
int plot_page_open(struct plot_page *page, const struct plot_fonts *fonts, struct error *error);

/* With several groups there is a column of panels for each; with one, panels fill rows. */
struct plot_rect plot_page_box(const struct plot_page *page, size_t column, size_t row);

/* The box of panel `panel` of group `group`, whichever of the two layouts is used. */
struct plot_rect plot_page_panel_box(const struct plot_page *page, size_t panel, size_t group);

/* Columns and rows for `panel_count` panels a group, `single_columns` of them in a row when
 * there is one group only. */
void plot_page_arrange(struct plot_page *page, size_t panel_count, size_t single_columns);

/* Where the strip for keys begins. */
double plot_page_key_left(const struct plot_page *page);

/* A key of the sizes that lines and points stand for: `sizes` is the analysis' batches or its
 * lengths. */
void plot_page_size_key(struct plot_page *page, const char *title, const int64_t *sizes,
                        size_t count, bool with_lines);
double plot_page_size_key_width(const char *title, const int64_t *sizes, size_t count,
                                double height);

/* One panel with axes. */
struct plot_panel {
    struct plot_rect box;
    const struct plot_axis *x; /* NULL: the caller labels the x axis itself */
    const struct plot_axis *y;
    const char *title, *x_title, *y_title;
};

void plot_panel_draw(struct plot_canvas *canvas, const struct plot_panel *panel);
/* A value's place on the canvas; NaN coordinates where it has none. */
struct plot_point plot_panel_point(const struct plot_panel *panel, double x, double y);
/* "no data" in the middle of an empty panel. */
void plot_panel_empty(struct plot_canvas *canvas, struct plot_rect box);

/* The words over a group's column: "model (device, dtype)". */
void plot_group_label(struct text *out, const struct analysis_group *group);

/* Values of all groups' cells, in the analysis' order, times `factor`; the caller frees. */
double *plot_values(const struct analysis *analysis, analysis_value *value, double factor);
size_t plot_value_count(const struct analysis *analysis);

enum plot_unit_kind { PLOT_TIME, PLOT_RATE, PLOT_PERCENT, PLOT_MEMORY };
/* The unit that suits the values in all groups. */
struct format_unit plot_unit(const struct analysis *analysis, analysis_value *value,
                             enum plot_unit_kind kind);

#endif
