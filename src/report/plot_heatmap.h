/* Batch × length tables in colour: the value written in every cell, one scale for all groups. */
#ifndef TOKENMARK_REPORT_PLOT_HEATMAP_H
#define TOKENMARK_REPORT_PLOT_HEATMAP_H

#include "report/plot_page.h"

/* Width and height of a box whose cells have room for their values. */
double plot_heatmap_width(const struct analysis *analysis);
double plot_heatmap_height(const struct analysis *analysis);

/* Draws one group's cells, values times `factor`, coloured along `scale`. */
void plot_heatmap_panel(struct plot_canvas *canvas, struct plot_rect box,
                        const struct analysis *analysis, const struct analysis_group *group,
                        analysis_value *value, double factor, const struct plot_axis *scale,
                        const char *title);

#endif
