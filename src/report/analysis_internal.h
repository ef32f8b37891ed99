/* Shared by analysis.c, analysis_cells.c and analysis_repeats.c. */
#ifndef TOKENMARK_REPORT_ANALYSIS_INTERNAL_H
#define TOKENMARK_REPORT_ANALYSIS_INTERNAL_H

#include "report/analysis.h"

/* Where the cell lies in a group's table; both sizes are on the axes. */
size_t analysis_cell_index(const struct analysis *analysis, int64_t batch_size,
                           int64_t input_length);

bool analysis_group_is(const struct analysis_group *group, const char *model_name,
                       const char *device, const char *dtype);

/* A cell record may say whose it is; bench's hold for the whole file. */
bool analysis_record_is_named(const struct cell_record *cell);

/* Fills analysis->repeated. ERROR_MEMORY without memory. */
int analysis_find_repeats(struct analysis *analysis, struct error *error);

/* Fills in what the cells and the group say, once its runs are sorted by cell.
 * `scratch` holds twice as many values as the group has runs. */
void analysis_fill_cells(struct analysis *analysis, struct analysis_group *group, double *scratch);

#endif
