/* The document as JSON. docs/results-format.md describes every key. */
#include <math.h>

#include "base/json.h"
#include "results/fields.h"
#include "results/results.h"

static bool set(json_t *object, const char *key, json_t *value)
{
    return json_object_set_new(object, key, value) == 0;
}

/* Moves a finished list or object on, or gives up on all of it. */
static json_t *kept(json_t *value, bool complete)
{
    if (complete)
        return value;
    json_decref(value);
    return NULL;
}

/* A name or a reason with bytes that are no UTF-8 (a path, a text cut short) must not cost the
 * whole file: they become '?'. */
static json_t *text_json(const char *string)
{
    json_t *value = json_string(string);
    if (value != NULL)
        return value;
    struct text ascii = {0};
    for (const char *at = string; *at != '\0'; at++)
        text_append_bytes(&ascii, (unsigned char)*at < 0x80 ? at : "?", 1);
    value = ascii.failed ? NULL : json_string(text_string(&ascii));
    text_free(&ascii);
    return value;
}

static json_t *interval_json(struct stats_interval interval)
{
    json_t *list = json_array();
    bool complete = list != NULL && json_array_append_new(list, json_number(interval.low)) == 0 &&
                    json_array_append_new(list, json_number(interval.high)) == 0;
    return kept(list, complete);
}

static json_t *intervals_json(const struct results_intervals *intervals)
{
    if (isnan(intervals->mean.low))
        return json_null();
    json_t *object = json_object();
    bool complete = object != NULL && set(object, "mean", interval_json(intervals->mean)) &&
                    set(object, "median", interval_json(intervals->median));
    return kept(object, complete);
}

static json_t *summary_json(const struct results *results, const struct cell_record *cell,
                            const struct metric *metric)
{
    struct stats_summary summary;
    struct results_intervals intervals;
    if (results_summarise(results, cell, metric, &summary, NULL) != 0)
        return NULL;
    if (summary.count == 0)
        return json_null();
    if (results_find_intervals(results, cell, metric, &intervals, NULL) != 0)
        return NULL;
    json_t *object = json_object();
    bool complete = object != NULL && set(object, "mean", json_number(summary.mean)) &&
                    set(object, "std", json_number(summary.std)) &&
                    set(object, "min", json_number(summary.min)) &&
                    set(object, "max", json_number(summary.max)) &&
                    set(object, "median", json_number(summary.median)) &&
                    set(object, "ci95", intervals_json(&intervals));
    return kept(object, complete);
}

static json_t *steps_summary_json(const struct results *results, const struct cell_record *cell)
{
    struct results_steps steps;
    if (results_summarise_steps(results, cell, &steps, NULL) != 0)
        return NULL;
    if (steps.count == 0)
        return json_null();
    json_t *object = json_object();
    bool complete =
        object != NULL && set(object, "count", json_integer((json_int_t)steps.count)) &&
        set(object, "p50", json_number(steps.p50)) && set(object, "p90", json_number(steps.p90)) &&
        set(object, "p99", json_number(steps.p99)) && set(object, "max", json_number(steps.max));
    return kept(object, complete);
}

/* Of the three times that decide; null while there is one visit only. */
static json_t *spread_json(const struct results *results, const struct cell_record *cell)
{
    static const enum metric_id chosen[] = {METRIC_TOTAL_LATENCY, METRIC_PREFILL_TIME,
                                            METRIC_DECODE_TIME_PER_TOKEN};
    json_t *all = json_object();
    bool complete = all != NULL;
    for (size_t i = 0; complete && i < sizeof chosen / sizeof chosen[0]; i++) {
        struct results_spread spread;
        const struct metric *metric = &metrics[chosen[i]];
        if (results_find_spread(results, cell, metric, &spread, NULL) != 0)
            return kept(all, false);
        if (spread.visits.groups < 2)
            continue;
        json_t *one = json_object();
        complete = one != NULL &&
                   set(one, "between_processes", json_number(spread.processes.between)) &&
                   set(one, "within_processes", json_number(spread.processes.within)) &&
                   set(one, "between_passes", json_number(spread.visits.between)) &&
                   set(one, "within_passes", json_number(spread.visits.within));
        complete = set(all, metric->name, kept(one, complete));
    }
    if (complete && json_object_size(all) == 0) {
        json_decref(all);
        return json_null();
    }
    return kept(all, complete);
}

static json_t *drift_json(const struct results *results, const struct cell_record *cell)
{
    int drift;
    if (results_find_drift(results, cell, &drift, NULL) != 0)
        return NULL;
    return drift < 0 ? json_null() : json_boolean(drift == 1);
}

/* The object that a grouped value lies in, made where it is missing. */
static json_t *group_of(json_t *object, const char *group)
{
    if (group == NULL)
        return object;
    if (json_object_get(object, group) == NULL && !set(object, group, json_object()))
        return NULL;
    return json_object_get(object, group);
}

/* A value, or null where it is not known; that may leave the key out. */
static bool set_field(json_t *object, const char *key, json_t *value, enum field_presence presence)
{
    if (presence == FIELD_IF_KNOWN && json_is_null(value)) {
        json_decref(value);
        return true;
    }
    return set(object, key, value);
}

static bool set_cell_field(json_t *object, const struct cell_record *cell,
                           const struct cell_field *field)
{
    const char *place = (const char *)cell + field->offset;
    json_t *into = group_of(object, field->group);
    if (into == NULL)
        return false;
    switch (field->kind) {
    case FIELD_TEXT:
        return set_field(into, field->name, place[0] != '\0' ? text_json(place) : json_null(),
                         field->presence);
    case FIELD_COUNT:
        return set(into, field->name, json_integer(*(const int64_t *)(const void *)place));
    case FIELD_REAL:
        break;
    }
    double value = *(const double *)(const void *)place;
    return set_field(into, field->name, value != 0.0 ? json_number(value) : json_null(),
                     field->presence);
}

/* [before, after] */
static json_t *bandwidth_json(const struct cell_limits *limits)
{
    if (limits->bandwidth_before <= 0.0 || limits->bandwidth_after <= 0.0)
        return json_null();
    return json_pack("[f, f]", limits->bandwidth_before, limits->bandwidth_after);
}

static json_t *cell_json(const struct results *results, const struct cell_record *cell)
{
    json_t *object = json_object();
    bool complete =
        object != NULL && set(object, "batch_size", json_integer(cell->batch_size)) &&
        set(object, "input_length", json_integer(cell->input_length)) &&
        set(object, "status", json_string(cell_status_name(cell->status))) &&
        set(object, "reason", cell->reason[0] != '\0' ? text_json(cell->reason) : json_null());
    bool of_series =
        cell->model_name[0] != '\0' || cell->device[0] != '\0' || cell->dtype[0] != '\0';
    if (complete && of_series)
        complete = set(object, "model_name", text_json(cell->model_name)) &&
                   set(object, "device", text_json(cell->device)) &&
                   set(object, "dtype", text_json(cell->dtype));
    for (size_t i = 0; complete && i < CELL_FIELD_COUNT; i++)
        complete = set_cell_field(object, cell, &cell_fields[i]);
    for (size_t i = 0; complete && i < METRIC_COUNT; i++)
        complete = set(object, metrics[i].name, summary_json(results, cell, &metrics[i]));
    complete = complete && set(object, "decode_step_time", steps_summary_json(results, cell)) &&
               set(object, "spread", spread_json(results, cell)) &&
               set(object, "drift", drift_json(results, cell)) &&
               verdict_write(object, &cell->verdict) &&
               set(object, "bandwidth_gb_per_s", bandwidth_json(&cell->limits)) &&
               set(object, "breakdown", breakdown_json(&cell->breakdown));
    return kept(object, complete);
}

static json_t *field_json(const struct run_record *run, const struct run_field *field)
{
    const char *place = (const char *)run + field->offset;
    switch (field->kind) {
    case FIELD_TEXT:
        return field->presence == FIELD_IF_KNOWN && place[0] == '\0' ? json_null()
                                                                     : text_json(place);
    case FIELD_COUNT:
        return json_integer(*(const int64_t *)(const void *)place);
    case FIELD_REAL:
        break;
    }
    return json_number(*(const double *)(const void *)place);
}

/* Metrics of a group lie in an object of their own, there only where the machine has them. */
static bool set_metric(json_t *object, const struct metric *metric, double value)
{
    if (metric->group == NULL)
        return set(object, metric->name, json_number(value));
    json_t *group = group_of(object, metric->group);
    if (group == NULL)
        return false;
    return isnan(value) || set(group, metric->name, json_number(value));
}

static json_t *steps_json(const struct run_record *run)
{
    if (run->decode_step_times == NULL)
        return json_null();
    json_t *list = json_array();
    bool complete = list != NULL;
    for (size_t i = 0; complete && i < run->decode_step_count; i++)
        complete = json_array_append_new(list, json_number(run->decode_step_times[i])) == 0;
    return kept(list, complete);
}

static json_t *run_json(const struct run_record *run)
{
    json_t *object = json_object();
    bool complete = object != NULL;
    for (size_t i = 0; complete && i < RUN_FIELD_COUNT; i++)
        complete = set_field(object, run_fields[i].name, field_json(run, &run_fields[i]),
                             run_fields[i].presence);
    for (size_t i = 0; complete && i < METRIC_COUNT; i++)
        complete = set_metric(object, &metrics[i], metric_value(&metrics[i], run));
    complete = complete && set(object, "decode_step_times", steps_json(run));
    return kept(object, complete);
}

static json_t *cells_json(const struct results *results)
{
    json_t *list = json_array();
    bool complete = list != NULL;
    for (size_t i = 0; complete && i < results->cell_count; i++)
        complete = json_array_append_new(list, cell_json(results, &results->cells[i])) == 0;
    return kept(list, complete);
}

static json_t *runs_json(const struct results *results)
{
    json_t *list = json_array();
    bool complete = list != NULL;
    for (size_t i = 0; complete && i < results->run_count; i++)
        complete = json_array_append_new(list, run_json(&results->runs[i])) == 0;
    return kept(list, complete);
}

static json_t *block_json(json_t *block)
{
    return block != NULL ? json_incref(block) : json_null();
}

int results_write_json(const struct results *results, struct text *out, struct error *error)
{
    json_t *object = json_object();
    bool complete =
        object != NULL && set(object, "schema_version", json_integer(RESULTS_SCHEMA_VERSION)) &&
        set(object, "tool", block_json(results->tool)) &&
        set(object, "config", block_json(results->config)) &&
        set(object, "options", block_json(results->options)) &&
        set(object, "system", block_json(results->system)) &&
        set(object, "model", block_json(results->model)) &&
        set(object, "elapsed_s", json_number(results->elapsed_s)) &&
        set(object, "cells", cells_json(results)) && set(object, "runs", runs_json(results));
    int code = complete ? json_text_dump(out, object, 2, error)
                        : error_set(error, ERROR_MEMORY, "no memory to make the results into JSON");
    json_decref(object);
    text_append(out, "\n");
    if (code == 0 && out->failed)
        code = error_set(error, ERROR_MEMORY, "no memory to write the results");
    return code;
}
