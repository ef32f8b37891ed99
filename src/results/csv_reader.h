/* Splits CSV text (RFC 4180; line ends of either kind) into rows of fields; inside results/. */
#ifndef TOKENMARK_RESULTS_CSV_READER_H
#define TOKENMARK_RESULTS_CSV_READER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/text.h"

enum { CSV_COLUMNS_MAX = 256 };

struct csv_reader {
    const char *text;
    size_t bytes;
    size_t at;
    int line; /* of the row that was read last, from 1 */
    int next_line;
    const char *name; /* of the file, for messages */
    size_t field_count;
    size_t starts[CSV_COLUMNS_MAX]; /* in `row`, each field terminated */
    struct text row;
};

void csv_open(struct csv_reader *reader, const char *text, size_t bytes, const char *name);
void csv_close(struct csv_reader *reader);

/* *found is false at the end of the text. Blank lines are passed over. */
int csv_next(struct csv_reader *reader, bool *found, struct error *error);

const char *csv_field(const struct csv_reader *reader, size_t column);

#endif
