/* Whether a cell's numbers can be trusted, and why not: the closed table of causes, with what to do
 * about each. bench/ judges, report/ and cli/ show; docs/metrics.md states the thresholds. */
#ifndef TOKENMARK_RESULTS_VERDICT_H
#define TOKENMARK_RESULTS_VERDICT_H

#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"
#include "base/json.h"

/* Each worse than the one before it. */
enum verdict_level { VERDICT_NONE, VERDICT_VALID, VERDICT_NOISY, VERDICT_INVALID };
const char *verdict_level_name(enum verdict_level level); /* "VALID", ...; "" for none */

enum verdict_cause {
    VERDICT_OUTPUT_CHECK,
    VERDICT_BANDWIDTH_EXCEEDED,
    VERDICT_TOO_FEW_RUNS,
    VERDICT_SPREAD,
    VERDICT_OUTLIERS,
    VERDICT_TREND,
    VERDICT_PASSES_DIFFER,
    VERDICT_TWO_MODES,
    VERDICT_SLOW_FIRST_RUN,
    VERDICT_PREEMPTED,
    VERDICT_STEAL,
    VERDICT_OTHER_LOAD,
    VERDICT_FREQUENCY,
    VERDICT_THROTTLED,
    VERDICT_MAJOR_FAULTS,
    VERDICT_SWAP,
    VERDICT_BANDWIDTH_CHANGED,
    VERDICT_PEAK_EXCEEDED,
    VERDICT_CLOCKS_DIFFER,
    VERDICT_MEMORY_MISSING,
    VERDICT_GPU_SHARED,
    VERDICT_GPU_THROTTLED,
    VERDICT_GPU_POWER_LIMIT,
    VERDICT_GPU_CLOCKS,
    VERDICT_CAUSE_COUNT,
};

struct verdict_cause_facts {
    const char *name; /* in the JSON */
    enum verdict_level level;
    const char *advice;
};
extern const struct verdict_cause_facts verdict_causes[VERDICT_CAUSE_COUNT];

enum { VERDICT_TEXT_MAX = 160 };

struct verdict {
    enum verdict_level level;
    bool given[VERDICT_CAUSE_COUNT];
    char texts[VERDICT_CAUSE_COUNT][VERDICT_TEXT_MAX]; /* what was seen, with its numbers */
};

/* VALID, no reasons. */
void verdict_clear(struct verdict *verdict);

/* Adds a reason; the level follows from the table. */
void verdict_add(struct verdict *verdict, enum verdict_cause cause, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Sets `verdict` and `verdict_reasons` (a list of {cause, text, advice}) of a cell's object; false
 * when out of memory. */
bool verdict_write(json_t *object, const struct verdict *verdict);

/* Reads them; a cause that is not in the table is passed over. */
int verdict_read(struct verdict *verdict, const json_t *object, struct json_place place,
                 struct error *error);

#endif
