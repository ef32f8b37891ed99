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

static json_t *summary_json(const struct stats_summary *summary)
{
    if (summary->count == 0)
        return json_null();
    json_t *object = json_object();
    bool complete = object != NULL && set(object, "mean", json_number(summary->mean)) &&
                    set(object, "std", json_number(summary->std)) &&
                    set(object, "min", json_number(summary->min)) &&
                    set(object, "max", json_number(summary->max)) &&
                    set(object, "median", json_number(summary->median));
    return kept(object, complete);
}

static json_t *cell_json(const struct results *results, const struct cell_record *cell)
{
    json_t *object = json_object();
    bool complete =
        object != NULL && set(object, "batch_size", json_integer(cell->batch_size)) &&
        set(object, "input_length", json_integer(cell->input_length)) &&
        set(object, "status", json_string(cell_status_name(cell->status))) &&
        set(object, "reason", cell->reason[0] != '\0' ? text_json(cell->reason) : json_null());
    bool any_run = cell->model_name[0] == '\0' && cell->device[0] == '\0' && cell->dtype[0] == '\0';
    if (complete && !any_run)
        complete = set(object, "model_name", text_json(cell->model_name)) &&
                   set(object, "device", json_string(cell->device)) &&
                   set(object, "dtype", json_string(cell->dtype));
    for (size_t i = 0; complete && i < METRIC_COUNT; i++) {
        struct stats_summary summary;
        complete = results_summarise(results, cell, &metrics[i], &summary, NULL) == 0 &&
                   set(object, metrics[i].name, summary_json(&summary));
    }
    return kept(object, complete);
}

static json_t *field_json(const struct run_record *run, const struct run_field *field)
{
    const char *place = (const char *)run + field->offset;
    switch (field->kind) {
    case FIELD_TEXT:
        return text_json(place);
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
    json_t *group = json_object_get(object, metric->group);
    if (group == NULL) {
        if (!set(object, metric->group, json_object()))
            return false;
        group = json_object_get(object, metric->group);
    }
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
        complete = set(object, run_fields[i].name, field_json(run, &run_fields[i]));
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
        set(object, "cells", cells_json(results)) && set(object, "runs", runs_json(results));
    int code = complete ? json_text_dump(out, object, 2, error)
                        : error_set(error, ERROR_MEMORY, "no memory to make the results into JSON");
    json_decref(object);
    text_append(out, "\n");
    if (code == 0 && out->failed)
        code = error_set(error, ERROR_MEMORY, "no memory to write the results");
    return code;
}
