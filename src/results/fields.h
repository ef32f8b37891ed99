/* The table of a run's facts that are no metrics; inside results/ only. Together with the metric
 * table it is all that readers and writers know of a record. */
#ifndef TOKENMARK_RESULTS_FIELDS_H
#define TOKENMARK_RESULTS_FIELDS_H

#include "results/record.h"

enum field_kind { FIELD_TEXT, FIELD_COUNT, FIELD_REAL };
enum field_presence {
    FIELD_OPTIONAL, /* may be missing in a file that is read; always written */
    FIELD_REQUIRED,
    FIELD_IF_KNOWN, /* optional, and a key of the JSON only where it is known */
};

struct run_field {
    const char *name; /* the JSON name and the CSV column */
    enum field_kind kind;
    size_t offset;   /* in struct run_record */
    size_t capacity; /* of a text, terminator included */
    int64_t minimum; /* of a count */
    enum field_presence presence;
};

enum { FIELD_COUNT_MAXIMUM = 1 << 30, RUN_FIELD_COUNT = 37 };
extern const struct run_field run_fields[RUN_FIELD_COUNT];

/* The facts of a cell beside its status and its statistics; missing ones stay "" and 0. */
struct cell_field {
    const char *name;
    const char *group; /* JSON object it lies in, or NULL */
    enum field_kind kind;
    size_t offset; /* in struct cell_record */
    size_t capacity;
    enum field_presence presence;
};

enum { CELL_FIELD_COUNT = 34 };
extern const struct cell_field cell_fields[CELL_FIELD_COUNT];

char *run_field_text(struct run_record *run, const struct run_field *field);
int64_t *run_field_count(struct run_record *run, const struct run_field *field);
double *run_field_real(struct run_record *run, const struct run_field *field);
double *run_metric_place(struct run_record *run, const struct metric *metric);

#endif
