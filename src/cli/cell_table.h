/* Cells as a person reads them: the final table of bench, the plan of --dry-run, and the reasons
 * of cells without a measurement, grouped. */
#ifndef TOKENMARK_CLI_CELL_TABLE_H
#define TOKENMARK_CLI_CELL_TABLE_H

#include <stdio.h>

#include "results/results.h"

enum { CELL_TEXT_MAX = 64 };

/* One column: its text for a cell. */
struct cell_column {
    const char *title;
    void (*text)(const struct results *results, const struct cell_record *cell, const void *context,
                 char out[CELL_TEXT_MAX]);
    const void *context;
};

/* A table with batch size and length first, then `columns`, and the status of every cell that is
 * not `complete`; a skipped or failed cell shows its status alone. Columns that are "-" in every
 * row are left out. */
void cell_table_print(FILE *stream, const struct results *results, enum cell_status complete,
                      const struct cell_column *columns, size_t column_count);

/* The final table: TTFT, time per token, throughput, latency, memory, verdict. */
void cell_table_print_results(FILE *stream, const struct results *results);

/* Under "title (n cells)": every different reason once, numbers aside, with the cells that have
 * it. Prints nothing when no cell of `status` has a reason. */
void cell_table_print_reasons(FILE *stream, const struct results *results, enum cell_status status,
                              const char *title);

/* Where a precision was asked for: why measuring ended, with the number of cells. */
void cell_table_print_stops(FILE *stream, const struct results *results);

size_t cell_table_count(const struct results *results, enum cell_status status);

#endif
