/* How a cell without values looks: a hatched box with a word, explained at the foot. */
#ifndef TOKENMARK_REPORT_PLOT_MARK_H
#define TOKENMARK_REPORT_PLOT_MARK_H

#include "report/analysis.h"
#include "report/plot_canvas.h"

/* Marks the rectangle of a cell; nothing where the cell has values. */
void plot_mark_cell(struct plot_canvas *canvas, struct plot_rect rect,
                    const struct analysis_cell *cell);

/* Height of the foot that explains the marks in use, 0 when there are none. */
double plot_mark_key_height(const struct analysis *analysis, double width);
void plot_mark_key(struct plot_canvas *canvas, const struct analysis *analysis, double top);

#endif
