/* Reads results from CSV: tokenmark's own, or the Python suite's, whose memory_usage cell holds
 * the text of a Python dict. Columns are found by name, in any order; unknown ones are passed
 * over. */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "results/csv_reader.h"
#include "results/fields.h"
#include "results/load.h"

enum { NO_COLUMN = -1 };

/* Where each thing stands in a row. */
struct columns {
    int fields[RUN_FIELD_COUNT];
    int metrics[METRIC_COUNT];
    int estimated_prefill_time;
    int memory_usage;
    size_t count;
};

static int find_column(const struct csv_reader *reader, const char *name)
{
    for (size_t i = 0; i < reader->field_count; i++) {
        if (strcmp(csv_field(reader, i), name) == 0)
            return (int)i;
    }
    return NO_COLUMN;
}

static int read_header(struct columns *columns, const struct csv_reader *reader,
                       struct error *error)
{
    columns->count = reader->field_count;
    for (size_t i = 0; i < reader->field_count; i++) {
        if (csv_field(reader, i)[0] != '\0' && find_column(reader, csv_field(reader, i)) != (int)i)
            return error_set(error, ERROR_INPUT, "%s:%d: the column %.60s is there twice",
                             reader->name, reader->line, csv_field(reader, i));
    }
    for (size_t i = 0; i < RUN_FIELD_COUNT; i++) {
        columns->fields[i] = find_column(reader, run_fields[i].name);
        if (columns->fields[i] == NO_COLUMN && run_fields[i].presence == FIELD_REQUIRED)
            return error_set(error, ERROR_INPUT,
                             "%s:%d: is no results file: there is no column %s (columns are "
                             "separated by commas)",
                             reader->name, reader->line, run_fields[i].name);
    }
    for (size_t i = 0; i < METRIC_COUNT; i++)
        columns->metrics[i] = find_column(reader, metrics[i].name);
    columns->estimated_prefill_time = find_column(reader, "estimated_prefill_time");
    columns->memory_usage = find_column(reader, "memory_usage");
    return 0;
}

static int refuse(const struct csv_reader *reader, const char *column, const char *found,
                  const char *needed, struct error *error)
{
    return error_set(error, ERROR_INPUT, "%s:%d: %s: found \"%.60s\", %s is needed", reader->name,
                     reader->line, column, found, needed);
}

/* Empty, and what other writers put where there is no number. */
static bool is_missing(const char *word)
{
    return word[0] == '\0' || strcasecmp(word, "nan") == 0 || strcasecmp(word, "none") == 0 ||
           strcasecmp(word, "null") == 0;
}

/* strtod alone would also take "inf", hexadecimal and leading blanks. */
static bool read_number(const char *word, double *out)
{
    if (strspn(word, "0123456789+-.eE") != strlen(word))
        return false;
    char *end;
    *out = strtod(word, &end);
    return end != word && *end == '\0' && isfinite(*out);
}

static int read_metric(const struct csv_reader *reader, int column, const char *name, double *out,
                       struct error *error)
{
    *out = NAN;
    const char *word = column != NO_COLUMN ? csv_field(reader, (size_t)column) : "";
    if (is_missing(word))
        return 0;
    if (!read_number(word, out) || *out < 0.0)
        return refuse(reader, name, word, "a number from 0 up", error);
    return 0;
}

static int read_text(char *out, const struct run_field *field, const char *word,
                     const struct csv_reader *reader, struct error *error)
{
    if (strlen(word) >= field->capacity)
        return refuse(reader, field->name, word, "a shorter text", error);
    json_t *valid = json_string(word);
    if (valid == NULL)
        return refuse(reader, field->name, "?", "text in UTF-8", error);
    json_decref(valid);
    memcpy(out, word, strlen(word) + 1);
    return 0;
}

static int read_field(struct run_record *run, const struct run_field *field, int column,
                      const struct csv_reader *reader, struct error *error)
{
    const char *word = column != NO_COLUMN ? csv_field(reader, (size_t)column) : "";
    if (is_missing(word))
        return field->presence == FIELD_REQUIRED
                   ? refuse(reader, field->name, word, "a value", error)
                   : 0;
    if (field->kind == FIELD_TEXT)
        return read_text(run_field_text(run, field), field, word, reader, error);
    double number;
    if (!read_number(word, &number))
        return refuse(reader, field->name, word, "a number", error);
    if (field->kind == FIELD_REAL) {
        *run_field_real(run, field) = number;
        return 0;
    }
    if (number != floor(number) || number < (double)field->minimum || number > FIELD_COUNT_MAXIMUM)
        return refuse(reader, field->name, word,
                      field->minimum > 0 ? "a whole number from 1 to 1073741824"
                                         : "a whole number from 0 to 1073741824",
                      error);
    *run_field_count(run, field) = (int64_t)number;
    return 0;
}

/* {'cpu_memory_mb': 1273.9, 'x': None} as Python prints a dict, made into JSON. */
static void append_as_json(struct text *out, const char *dict)
{
    bool quoted = false;
    for (const char *at = dict; *at != '\0'; at++) {
        if (*at == '\'' || *at == '"') {
            quoted = !quoted;
            text_append(out, "\"");
        } else if (!quoted && isupper((unsigned char)*at) != 0 && strncmp(at, "None", 4) == 0) {
            text_append(out, "null");
            at += 3;
        } else if (!quoted && strncmp(at, "nan", 3) == 0) {
            text_append(out, "null");
            at += 2;
        } else {
            text_append_bytes(out, at, 1);
        }
    }
}

static int read_memory_dict(struct run_record *run, const struct csv_reader *reader, int column,
                            struct error *error)
{
    const char *word = csv_field(reader, (size_t)column);
    if (is_missing(word))
        return 0;
    struct text text = {0};
    append_as_json(&text, word);
    json_t *dict =
        text.failed ? NULL : json_loads(text_string(&text), JSON_REJECT_DUPLICATES, NULL);
    text_free(&text);
    int code = 0;
    if (!json_is_object(dict))
        code = refuse(reader, "memory_usage", word, "a dict of numbers", error);
    for (size_t i = 0; code == 0 && i < METRIC_COUNT; i++) {
        const json_t *value = json_object_get(dict, metrics[i].name);
        if (metrics[i].group == NULL || value == NULL || json_is_null(value))
            continue;
        if (!json_is_number(value) || json_number_value(value) < 0.0)
            code = refuse(reader, "memory_usage", word, "a dict of numbers from 0 up", error);
        else
            *run_metric_place(run, &metrics[i]) = json_number_value(value);
    }
    json_decref(dict);
    return code;
}

static int read_times(struct run_times *times, const struct columns *columns,
                      const struct csv_reader *reader, struct error *error)
{
    int code = read_metric(reader, columns->metrics[METRIC_TOTAL_LATENCY], "total_latency",
                           &times->total_latency, error);
    if (code == 0)
        code = read_metric(reader, columns->metrics[METRIC_PREFILL_TIME], "prefill_time",
                           &times->prefill_time, error);
    if (code == 0 && isnan(times->prefill_time))
        code = read_metric(reader, columns->estimated_prefill_time, "estimated_prefill_time",
                           &times->prefill_time, error);
    if (code == 0)
        code = read_metric(reader, columns->metrics[METRIC_DECODE_TIME], "decode_time",
                           &times->decode_time, error);
    return code;
}

static int read_row(struct results *results, const struct columns *columns,
                    const struct csv_reader *reader, struct error *error)
{
    if (reader->field_count != columns->count)
        return error_set(error, ERROR_INPUT, "%s:%d: has %zu fields, the header has %zu",
                         reader->name, reader->line, reader->field_count, columns->count);
    struct run_record run;
    struct run_times times;
    run_record_init(&run);
    int code = 0;
    for (size_t i = 0; code == 0 && i < RUN_FIELD_COUNT; i++)
        code = read_field(&run, &run_fields[i], columns->fields[i], reader, error);
    for (size_t i = 0; code == 0 && i < METRIC_COUNT; i++)
        code = read_metric(reader, columns->metrics[i], metrics[i].name,
                           run_metric_place(&run, &metrics[i]), error);
    if (code == 0 && columns->memory_usage != NO_COLUMN)
        code = read_memory_dict(&run, reader, columns->memory_usage, error);
    if (code == 0)
        code = read_times(&times, columns, reader, error);
    if (code != 0)
        return code;
    char where[512];
    (void)snprintf(where, sizeof where, "%s:%d", reader->name, reader->line);
    return load_add_run(results, &run, &times, where, error);
}

static int read_rows(struct results *results, struct csv_reader *reader, struct error *error)
{
    bool found;
    struct columns columns = {0};
    int code = csv_next(reader, &found, error);
    if (code == 0 && !found)
        code = error_set(error, ERROR_INPUT, "%s: is empty, results were expected", reader->name);
    if (code == 0)
        code = read_header(&columns, reader, error);
    if (code != 0)
        return code;
    bool own = columns.metrics[METRIC_PREFILL_TOKENS_PER_SECOND] != NO_COLUMN;
    results->origin = own ? RESULTS_TOKENMARK_CSV : RESULTS_PYTHON_SUITE;
    for (;;) {
        code = csv_next(reader, &found, error);
        if (code != 0 || !found)
            return code;
        code = read_row(results, &columns, reader, error);
        if (code != 0)
            return code;
    }
}

int results_parse_csv(struct results *results, const char *csv, size_t bytes, const char *name,
                      struct error *error)
{
    struct csv_reader reader;
    results_init(results);
    csv_open(&reader, csv, bytes, name);
    int code = read_rows(results, &reader, error);
    if (code == 0)
        code = load_complete_cells(results, error);
    csv_close(&reader);
    if (code != 0)
        results_free(results);
    return code;
}
