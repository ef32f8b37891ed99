/* gnuplot as a child process: a script in, a complete picture file out, or an error. */
#ifndef TOKENMARK_REPORT_GNUPLOT_H
#define TOKENMARK_REPORT_GNUPLOT_H

#include "base/error.h"
#include "base/text.h"

enum { GNUPLOT_MISSING = 1 };

/* Runs `script`, which draws to standard output, and puts the PNG at `path`: written beside it
 * and renamed when it is whole. What gnuplot says on success is appended to `said`. Returns 0,
 * GNUPLOT_MISSING when the program is not installed, or ERROR_FAILED; the old file at `path`
 * is then as it was. */
int gnuplot_draw(const char *script, size_t bytes, const char *path, double limit_s,
                 struct text *said, struct error *error);

#endif
