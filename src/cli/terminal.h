/* What the terminal can show, and the words said to a person on stderr. */
#ifndef TOKENMARK_CLI_TERMINAL_H
#define TOKENMARK_CLI_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum terminal_style { STYLE_BOLD, STYLE_RED, STYLE_YELLOW };

/* A terminal that can move its cursor: no pipe, no file, no TERM=dumb. */
bool terminal_is_live(FILE *stream);

/* The escape that begins (ends) a style; "" where colour is not wanted (NO_COLOR, a pipe). */
const char *terminal_style(FILE *stream, enum terminal_style style);
const char *terminal_plain(FILE *stream);

/* Columns of the terminal behind `stream`; `otherwise` where there is none. */
int terminal_width(FILE *stream, int otherwise);

/* Columns that `text` takes on a terminal; how many of its bytes fit into `columns`. */
int terminal_columns(const char *text);
size_t terminal_fit(const char *text, int columns);

/* Columns that a page of text should take: the terminal's, within what reads well. */
int terminal_page_width(FILE *stream);

/* Words of `text` in lines up to `width`, each line after the first begun with `indent` blanks;
 * `column` is where the cursor stands. Ends the line. */
void terminal_print_wrapped(FILE *stream, const char *text, int column, int indent, int width);

/* Signs outside ASCII, with a stand-in where the locale's encoding lacks them. */
const char *terminal_plus_minus(void); /* the sign between a mean and its deviation */
const char *terminal_times(void);      /* the multiplication sign */

/* "tokenmark: warning: ..." on stderr. */
void terminal_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void terminal_say_error(const char *command, const char *text);

#endif
