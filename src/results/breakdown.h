/* Where a cell's time goes: seconds of each component of a prefill and of a decode step, from a
 * pass of their own, beside the same times undisturbed. bench/ fills it, report/ shows it. */
#ifndef TOKENMARK_RESULTS_BREAKDOWN_H
#define TOKENMARK_RESULTS_BREAKDOWN_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/json.h"

enum breakdown_component {
    BREAKDOWN_EMBEDDING,
    BREAKDOWN_ATTENTION_PROJECTIONS,
    BREAKDOWN_ATTENTION,
    BREAKDOWN_MLP,
    BREAKDOWN_NORMS,
    BREAKDOWN_HEAD,
    BREAKDOWN_SAMPLING,
    BREAKDOWN_COMPONENT_COUNT,
};

struct breakdown_component_facts {
    const char *name; /* the JSON name */
    const char *title;
};
extern const struct breakdown_component_facts breakdown_components[BREAKDOWN_COMPONENT_COUNT];

enum breakdown_phase { BREAKDOWN_PREFILL, BREAKDOWN_DECODE_STEP, BREAKDOWN_PHASE_COUNT };
extern const char *const breakdown_phase_names[BREAKDOWN_PHASE_COUNT]; /* in the JSON */

/* All 0 where it was not measured; a decode step also where only one token is generated. */
struct breakdown_times {
    double component_s[BREAKDOWN_COMPONENT_COUNT];
    double undisturbed_s; /* the same work in the measured runs, their median */
};

struct breakdown {
    struct breakdown_times phases[BREAKDOWN_PHASE_COUNT];
    int64_t decode_steps; /* that a decode step is the mean of, the first ones */
};

double breakdown_sum(const struct breakdown_times *times);

/* 0 to 1; NaN where there is nothing. */
double breakdown_share(const struct breakdown_times *times, enum breakdown_component component);

/* By how many percent the sum is above the undisturbed time; NaN where either is not known. */
double breakdown_difference_percent(const struct breakdown_times *times);

/* New reference: null where nothing was measured; NULL when out of memory. */
json_t *breakdown_json(const struct breakdown *breakdown);

/* Reads `breakdown` of a cell's object. Sums, shares and differences are computed anew. */
int breakdown_read(struct breakdown *breakdown, const json_t *object, struct json_place place,
                   struct error *error);

#endif
