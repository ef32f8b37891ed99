/* From results files to words and pictures. Needs no model, no engine, no GPU. */
#ifndef TOKENMARK_REPORT_REPORT_H
#define TOKENMARK_REPORT_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "results/results.h"

struct report_options {
    const char *output_dir; /* analysis_report.md and analysis_plots/ go here */
    bool report_only;       /* no plots */
    /* One line for a person per thing written or left out; may be NULL. */
    void (*notice)(void *context, const char *text);
    void *notice_context;
};

/* Analyses `count` loaded files together. */
int report_write(const struct results *const *files, size_t count,
                 const struct report_options *options, struct error *error);

#endif
