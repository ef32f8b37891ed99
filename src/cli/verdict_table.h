/* Verdict and limits of cells as a person reads them: columns of the final table of bench, and
 * below it the reasons with what to do. */
#ifndef TOKENMARK_CLI_VERDICT_TABLE_H
#define TOKENMARK_CLI_VERDICT_TABLE_H

#include <stdio.h>

#include "cli/cell_table.h"

/* "VALID", and the two shares in percent; "-" where they are not known. */
void verdict_table_level(const struct results *results, const struct cell_record *cell,
                         const void *context, char out[CELL_TEXT_MAX]);
void verdict_table_mbu(const struct results *results, const struct cell_record *cell,
                       const void *context, char out[CELL_TEXT_MAX]);
void verdict_table_mfu(const struct results *results, const struct cell_record *cell,
                       const void *context, char out[CELL_TEXT_MAX]);

/* Every cause once, worst first: the cells that have it, what was seen in the first, the advice.
 * Prints nothing when every cell is VALID. */
void verdict_table_print_reasons(FILE *stream, const struct results *results);

#endif
