/* Text that gnuplot may be given: quoted so that nothing in it is a command, free of what
 * spoils a picture, short enough for its place. */
#ifndef TOKENMARK_REPORT_PLOT_TEXT_H
#define TOKENMARK_REPORT_PLOT_TEXT_H

#include <stddef.h>

#include "base/text.h"

#define PLOT_FONT_FAMILY "DejaVu Sans"

/* Which characters the installed fonts can draw. */
struct plot_fonts;

/* NULL when that cannot be found out; Latin letters are then taken as covered. */
struct plot_fonts *plot_fonts_open(void);
void plot_fonts_close(struct plot_fonts *fonts);

/* Appends 'string' in gnuplot's single quotes, the only kind in which backquotes run nothing.
 * What no font covers (one such character ruins a whole picture) and invalid UTF-8 become '?'. */
void plot_text_quote(struct text *out, const struct plot_fonts *fonts, const char *string);

/* About how wide the text is drawn, in pixels; never less than it is by much. */
double plot_text_width(const char *string, double font_px);

/* Shortens in the middle ("models/...-chat-hf") until the text fits `width`. */
void plot_text_shorten(struct text *out, const char *string, double font_px, double width);

#endif
