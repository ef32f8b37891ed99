/* The table of a run's facts that are no metrics; inside results/ only. Together with the metric
 * table it is all that readers and writers know of a record. */
#ifndef TOKENMARK_RESULTS_FIELDS_H
#define TOKENMARK_RESULTS_FIELDS_H

#include "results/record.h"

enum field_kind { FIELD_TEXT, FIELD_COUNT, FIELD_REAL };

struct run_field {
    const char *name; /* the JSON name and the CSV column */
    enum field_kind kind;
    size_t offset;   /* in struct run_record */
    size_t capacity; /* of a text, terminator included */
    int64_t minimum; /* of a count */
    bool required;   /* in a file that is read */
};

enum { FIELD_COUNT_MAXIMUM = 1 << 30, RUN_FIELD_COUNT = 26 };
extern const struct run_field run_fields[RUN_FIELD_COUNT];

/* The facts of a cell beside its status and its statistics; missing ones stay "" and 0. */
struct cell_field {
    const char *name;
    const char *group; /* JSON object it lies in, or NULL */
    enum field_kind kind;
    size_t offset; /* in struct cell_record */
    size_t capacity;
};

enum { CELL_FIELD_COUNT = 22 };
extern const struct cell_field cell_fields[CELL_FIELD_COUNT];

char *run_field_text(struct run_record *run, const struct run_field *field);
int64_t *run_field_count(struct run_record *run, const struct run_field *field);
double *run_field_real(struct run_record *run, const struct run_field *field);
double *run_metric_place(struct run_record *run, const struct metric *metric);

#endif
