/* The pictures of a report, and the drawing of all of them. */
#ifndef TOKENMARK_REPORT_PLOT_LIST_H
#define TOKENMARK_REPORT_PLOT_LIST_H

#include <stdbool.h>

#include "base/error.h"
#include "report/analysis.h"
#include "report/plot_page.h"
#include "report/report.h"

enum { PLOT_COUNT = 12 };

struct plot {
    const char *file_name;
    const char *shows;
    /* Opens the page and draws; the caller closes page->canvas. */
    int (*draw)(struct plot_page *page, const struct plot_fonts *fonts, struct error *error);
    /* Any of these must have data in some cell; NULL: the latency. */
    analysis_value *const *needs;
    const char *missing; /* why it is not drawn when they have none; NULL: it goes without saying */
};
extern const struct plot plots[PLOT_COUNT];

int plot_latency_heatmap(struct plot_page *page, const struct plot_fonts *fonts,
                         struct error *error);
int plot_throughput_heatmap(struct plot_page *page, const struct plot_fonts *fonts,
                            struct error *error);
int plot_batch_size_scaling(struct plot_page *page, const struct plot_fonts *fonts,
                            struct error *error);
int plot_input_length_scaling(struct plot_page *page, const struct plot_fonts *fonts,
                              struct error *error);
int plot_time_breakdown(struct plot_page *page, const struct plot_fonts *fonts,
                        struct error *error);
int plot_component_breakdown(struct plot_page *page, const struct plot_fonts *fonts,
                             struct error *error);
int plot_performance_comparison(struct plot_page *page, const struct plot_fonts *fonts,
                                struct error *error);
int plot_memory_usage(struct plot_page *page, const struct plot_fonts *fonts, struct error *error);
int plot_time_vs_batched_tokens(struct plot_page *page, const struct plot_fonts *fonts,
                                struct error *error);

int plot_decode_by_position(struct plot_page *page, const struct plot_fonts *fonts,
                            struct error *error);
int plot_roofline(struct plot_page *page, const struct plot_fonts *fonts, struct error *error);
int plot_floor_heatmap(struct plot_page *page, const struct plot_fonts *fonts, struct error *error);

/* Draws every picture into `folder`, which exists. drawn[i] says which are there now; a
 * picture of an earlier analysis that is not drawn this time is removed. Tells options->notice
 * what is left out and why. ERROR_FAILED when one that should be there could not be drawn; the
 * others still are. */
int plot_list_draw(const struct analysis *analysis, const char *folder,
                   const struct report_options *options, bool drawn[PLOT_COUNT],
                   struct error *error);

#endif
