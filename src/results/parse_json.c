/* Reads results from JSON: tokenmark's own document, or the bare list of run records that the
 * Python suite writes. Unknown keys belong to newer writers and are passed over; known keys of a
 * wrong type are refused. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "results/fields.h"
#include "results/load.h"

enum { PATH_MAX_BYTES = 96 };

static int read_text(const json_t *object, struct json_place place, const char *key, bool required,
                     char *out, size_t capacity, struct error *error)
{
    bool found = true;
    const char *value = NULL;
    int code = json_get_string(object, place, key, &value, required ? NULL : &found, error);
    if (code != 0 || !found)
        return code;
    size_t length = strlen(value);
    if (length >= capacity)
        return error_set(error, ERROR_INPUT, "%s: %s.%s: has %zu bytes, at most %zu are allowed",
                         place.file, place.path, key, length, capacity - 1);
    memcpy(out, value, length + 1);
    return 0;
}

static int read_field(struct run_record *run, const struct run_field *field, const json_t *object,
                      struct json_place place, struct error *error)
{
    bool found;
    bool *optional = field->presence == FIELD_REQUIRED ? NULL : &found;
    switch (field->kind) {
    case FIELD_TEXT:
        return read_text(object, place, field->name, field->presence == FIELD_REQUIRED,
                         run_field_text(run, field), field->capacity, error);
    case FIELD_COUNT:
        return json_get_integer(object, place, field->name, field->minimum, FIELD_COUNT_MAXIMUM,
                                run_field_count(run, field), optional, error);
    case FIELD_REAL:
        break;
    }
    return json_get_real(object, place, field->name, run_field_real(run, field), optional, error);
}

/* A metric that may be missing and is never negative; NaN where it is missing. */
static int read_metric(const json_t *object, struct json_place place, const char *key, double *out,
                       struct error *error)
{
    bool found;
    *out = NAN;
    int code = json_get_real(object, place, key, out, &found, error);
    if (code == 0 && *out < 0.0)
        code = error_set(error, ERROR_INPUT, "%s: %s.%s: is %g, a number from 0 up is needed",
                         place.file, place.path, key, *out);
    return code;
}

static int read_group_metrics(struct run_record *run, const json_t *object, struct json_place place,
                              struct error *error)
{
    int code = 0;
    for (size_t i = 0; code == 0 && i < METRIC_COUNT; i++) {
        if (metrics[i].group == NULL)
            continue;
        const json_t *group = json_object_get(object, metrics[i].group);
        if (group == NULL || json_is_null(group))
            continue;
        char path[PATH_MAX_BYTES];
        (void)snprintf(path, sizeof path, "%s.%s", place.path, metrics[i].group);
        if (!json_is_object(group))
            return error_set(error, ERROR_INPUT, "%s: %s: is %s, an object is needed", place.file,
                             path, json_kind_name(group));
        struct json_place inside = {place.file, path};
        code =
            read_metric(group, inside, metrics[i].name, run_metric_place(run, &metrics[i]), error);
    }
    return code;
}

static int read_times(struct run_times *times, const json_t *object, struct json_place place,
                      struct error *error)
{
    int code = read_metric(object, place, "total_latency", &times->total_latency, error);
    if (code == 0)
        code = read_metric(object, place, "prefill_time", &times->prefill_time, error);
    /* The Python suite's name for it where it could only guess. */
    if (code == 0 && isnan(times->prefill_time))
        code = read_metric(object, place, "estimated_prefill_time", &times->prefill_time, error);
    if (code == 0)
        code = read_metric(object, place, "decode_time", &times->decode_time, error);
    return code;
}

static int read_steps(struct run_record *run, const json_t *object, struct json_place place,
                      struct error *error)
{
    const json_t *list = json_object_get(object, "decode_step_times");
    if (list == NULL || json_is_null(list))
        return 0;
    if (!json_is_array(list))
        return error_set(error, ERROR_INPUT, "%s: %s.decode_step_times: is %s, a list is needed",
                         place.file, place.path, json_kind_name(list));
    size_t count = json_array_size(list);
    run->decode_step_times = reallocarray(NULL, count + 1, sizeof(double));
    if (run->decode_step_times == NULL)
        return error_set(error, ERROR_MEMORY, "%s: no memory for %zu step times", place.file,
                         count);
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(list, i);
        if (!json_is_number(item) || json_number_value(item) < 0.0)
            return error_set(error, ERROR_INPUT,
                             "%s: %s.decode_step_times[%zu]: is %s, a number from 0 up is needed",
                             place.file, place.path, i,
                             json_is_number(item) ? "negative" : json_kind_name(item));
        run->decode_step_times[i] = json_number_value(item);
    }
    run->decode_step_count = count;
    return 0;
}

static int read_run(struct results *results, const json_t *object, struct json_place place,
                    struct error *error)
{
    if (!json_is_object(object))
        return error_set(error, ERROR_INPUT, "%s: %s: is %s, a run record is an object", place.file,
                         place.path, json_kind_name(object));
    struct run_record run;
    struct run_times times;
    run_record_init(&run);
    int code = 0;
    for (size_t i = 0; code == 0 && i < RUN_FIELD_COUNT; i++)
        code = read_field(&run, &run_fields[i], object, place, error);
    if (code == 0)
        code = read_group_metrics(&run, object, place, error);
    if (code == 0)
        code = read_times(&times, object, place, error);
    if (code == 0)
        code = read_steps(&run, object, place, error);
    if (code != 0) {
        free(run.decode_step_times);
        return code;
    }
    char where[512];
    (void)snprintf(where, sizeof where, "%s: %s", place.file, place.path);
    return load_add_run(results, &run, &times, where, error);
}

static int read_runs(struct results *results, const json_t *list, const char *prefix,
                     const char *name, struct error *error)
{
    int code = 0;
    for (size_t i = 0; code == 0 && i < json_array_size(list); i++) {
        char path[PATH_MAX_BYTES];
        (void)snprintf(path, sizeof path, "%s[%zu]", prefix, i);
        struct json_place place = {name, path};
        code = read_run(results, json_array_get(list, i), place, error);
    }
    return code;
}

static int read_status(enum cell_status *out, const json_t *object, struct json_place place,
                       struct error *error)
{
    const char *name;
    int code = json_get_string(object, place, "status", &name, NULL, error);
    if (code != 0)
        return code;
    for (int status = CELL_PENDING; status <= CELL_FAILED; status++) {
        if (strcmp(name, cell_status_name((enum cell_status)status)) == 0) {
            *out = (enum cell_status)status;
            return 0;
        }
    }
    return error_set(error, ERROR_INPUT,
                     "%s: %s.status: is \"%.40s\", allowed are pending, partial, measured, skipped "
                     "and failed",
                     place.file, place.path, name);
}

static int read_cell_field(struct cell_record *cell, const struct cell_field *field,
                           const json_t *object, struct json_place place, struct error *error)
{
    char path[PATH_MAX_BYTES];
    struct json_place at = place;
    bool found;
    char *out = (char *)cell + field->offset;
    if (field->group != NULL) {
        object = json_object_get(object, field->group);
        (void)snprintf(path, sizeof path, "%s.%s", place.path, field->group);
        at.path = path;
        if (object == NULL || json_is_null(object))
            return 0;
        if (!json_is_object(object))
            return error_set(error, ERROR_INPUT, "%s: %s: is %s, an object is needed", place.file,
                             path, json_kind_name(object));
    }
    switch (field->kind) {
    case FIELD_TEXT:
        return read_text(object, at, field->name, false, out, field->capacity, error);
    case FIELD_COUNT:
        return json_get_integer(object, at, field->name, 0, FIELD_COUNT_MAXIMUM,
                                (int64_t *)(void *)out, &found, error);
    case FIELD_REAL:
        break;
    }
    return json_get_real(object, at, field->name, (double *)(void *)out, &found, error);
}

/* [before, after] */
static int read_bandwidth(struct cell_limits *limits, const json_t *object, struct json_place place,
                          struct error *error)
{
    const json_t *list = json_object_get(object, "bandwidth_gb_per_s");
    if (list == NULL || json_is_null(list))
        return 0;
    const json_t *before = json_array_get(list, 0), *after = json_array_get(list, 1);
    if (json_array_size(list) != 2 || !json_is_number(before) || !json_is_number(after))
        return error_set(error, ERROR_INPUT,
                         "%s: %s.bandwidth_gb_per_s: a list of two numbers is needed", place.file,
                         place.path);
    limits->bandwidth_before = json_number_value(before);
    limits->bandwidth_after = json_number_value(after);
    return 0;
}

static int read_cell(struct results *results, const json_t *object, struct json_place place,
                     struct error *error)
{
    if (!json_is_object(object))
        return error_set(error, ERROR_INPUT, "%s: %s: is %s, a cell is an object", place.file,
                         place.path, json_kind_name(object));
    struct cell_record cell = {0};
    int code = json_get_integer(object, place, "batch_size", 1, FIELD_COUNT_MAXIMUM,
                                &cell.batch_size, NULL, error);
    if (code == 0)
        code = json_get_integer(object, place, "input_length", 1, FIELD_COUNT_MAXIMUM,
                                &cell.input_length, NULL, error);
    if (code == 0)
        code = read_status(&cell.status, object, place, error);
    if (code == 0)
        code = read_text(object, place, "reason", false, cell.reason, sizeof cell.reason, error);
    if (code == 0)
        code = read_text(object, place, "model_name", false, cell.model_name,
                         sizeof cell.model_name, error);
    if (code == 0)
        code = read_text(object, place, "device", false, cell.device, sizeof cell.device, error);
    if (code == 0)
        code = read_text(object, place, "dtype", false, cell.dtype, sizeof cell.dtype, error);
    for (size_t i = 0; code == 0 && i < CELL_FIELD_COUNT; i++)
        code = read_cell_field(&cell, &cell_fields[i], object, place, error);
    if (code == 0)
        code = read_bandwidth(&cell.limits, object, place, error);
    if (code == 0)
        code = verdict_read(&cell.verdict, object, place, error);
    if (code == 0)
        code = breakdown_read(&cell.breakdown, object, place, error);
    return code != 0 ? code : results_add_cell(results, &cell, error);
}

static int read_block(json_t **out, const json_t *document, const char *key, const char *name,
                      struct error *error)
{
    json_t *block = json_object_get(document, key);
    if (block == NULL || json_is_null(block))
        return 0;
    if (!json_is_object(block))
        return error_set(error, ERROR_INPUT, "%s: %s: is %s, an object is needed", name, key,
                         json_kind_name(block));
    *out = json_incref(block);
    return 0;
}

static int read_document(struct results *results, const json_t *document, const char *name,
                         struct error *error)
{
    const struct json_place top = {name, ""};
    const json_t *runs = json_object_get(document, "runs");
    const json_t *cells = json_object_get(document, "cells");
    if (!json_is_array(runs) || json_object_get(document, "schema_version") == NULL)
        return error_set(error, ERROR_INPUT,
                         "%s: is no results file: an object with schema_version and a list of runs "
                         "is needed, or a list of run records",
                         name);
    int64_t version;
    int code = json_get_integer(document, top, "schema_version", 1, RESULTS_SCHEMA_VERSION,
                                &version, NULL, error);
    if (code == 0 && cells != NULL && !json_is_null(cells) && !json_is_array(cells))
        code = error_set(error, ERROR_INPUT, "%s: cells: is %s, a list is needed", name,
                         json_kind_name(cells));
    if (code == 0)
        code = read_block(&results->tool, document, "tool", name, error);
    if (code == 0)
        code = read_block(&results->config, document, "config", name, error);
    if (code == 0)
        code = read_block(&results->options, document, "options", name, error);
    if (code == 0)
        code = read_block(&results->system, document, "system", name, error);
    if (code == 0)
        code = read_block(&results->model, document, "model", name, error);
    bool found;
    if (code == 0)
        code = json_get_real(document, top, "elapsed_s", &results->elapsed_s, &found, error);
    for (size_t i = 0; code == 0 && i < json_array_size(cells); i++) {
        char path[PATH_MAX_BYTES];
        (void)snprintf(path, sizeof path, "cells[%zu]", i);
        const struct json_place place = {name, path};
        code = read_cell(results, json_array_get(cells, i), place, error);
    }
    return code != 0 ? code : read_runs(results, runs, "runs", name, error);
}

int results_parse_json(struct results *results, const char *json, size_t bytes, const char *name,
                       struct error *error)
{
    json_t *document;
    results_init(results);
    int code = json_text_load(&document, json, bytes, name, error);
    if (code != 0)
        return code;
    if (json_is_array(document)) {
        results->origin = RESULTS_PYTHON_SUITE;
        code = read_runs(results, document, "", name, error);
    } else {
        results->origin = RESULTS_TOKENMARK_JSON;
        code = read_document(results, document, name, error);
    }
    json_decref(document);
    if (code == 0)
        code = load_complete_cells(results, error);
    if (code != 0)
        results_free(results);
    return code;
}
