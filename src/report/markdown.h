/* Markdown with text that comes from files: escaped, so that no name becomes markup. */
#ifndef TOKENMARK_REPORT_MARKDOWN_H
#define TOKENMARK_REPORT_MARKDOWN_H

#include <stddef.h>

#include "base/text.h"

/* Appends `string` so that it reads as itself: markup characters escaped, control characters
 * as spaces, invalid UTF-8 as U+FFFD. */
void markdown_escape(struct text *out, const char *string);

/* A table under construction: cells are appended one by one and padded at the end, so that it
 * can be read as plain text too. */
struct markdown_table {
    struct text cells; /* each terminated by '\0' */
    size_t columns;
    size_t count;
    const char *alignment; /* one letter a column: l or r */
};

/* `alignment` outlives the table; its length is the number of columns. */
void markdown_table_begin(struct markdown_table *table, const char *alignment);
/* Adds the next cell, row by row; the first row is the head. `markdown` is taken as it is. */
void markdown_table_cell(struct markdown_table *table, const char *markdown);
void markdown_table_printf(struct markdown_table *table, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A cell whose text is escaped. */
void markdown_table_escaped(struct markdown_table *table, const char *string);
/* Writes the table and an empty line to `out` and frees it. */
void markdown_table_end(struct markdown_table *table, struct text *out);

#endif
