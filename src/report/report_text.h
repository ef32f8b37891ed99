/* The sections of analysis_report.md. Every word follows from the numbers of the analysis. */
#ifndef TOKENMARK_REPORT_REPORT_TEXT_H
#define TOKENMARK_REPORT_REPORT_TEXT_H

#include <stdbool.h>

#include "base/text.h"
#include "report/analysis.h"

struct report_facts {
    const char *written_at; /* ISO 8601 */
    const bool *drawn;      /* [PLOT_COUNT], NULL when no pictures were asked for */
};

/* The whole report. */
void report_text_write(struct text *out, const struct analysis *analysis,
                       const struct report_facts *facts);

/* Its sections, each with its heading; in the order of the report. */
void report_sources(struct text *out, const struct analysis *analysis);
void report_warnings(struct text *out, const struct analysis *analysis);
void report_summary(struct text *out, const struct analysis *analysis);
void report_comparison(struct text *out, const struct analysis *analysis);
void report_cells(struct text *out, const struct analysis *analysis);
void report_breakdown(struct text *out, const struct analysis *analysis);
void report_impact(struct text *out, const struct analysis *analysis, bool by_batch);
void report_scaling(struct text *out, const struct analysis *analysis);
void report_trust(struct text *out, const struct analysis *analysis);
void report_memory(struct text *out, const struct analysis *analysis);
void report_limits(struct text *out, const struct analysis *analysis);
void report_device(struct text *out, const struct analysis *analysis);
void report_advice(struct text *out, const struct analysis *analysis);

/* How the group's cells were measured and how well their means are known: part of the trust;
 * nothing where no file says so. */
void report_precision(struct text *out, const struct analysis *analysis,
                      const struct analysis_group *group);

/* "### model (device, dtype)" where there are several groups, nothing for one. */
void report_group_heading(struct text *out, const struct analysis *analysis,
                          const struct analysis_group *group);
/* The escaped label "model (device, dtype)". */
void report_group_name(struct text *out, const struct analysis_group *group);

#endif
