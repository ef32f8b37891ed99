/* The runs as CSV after RFC 4180: a row each, for spreadsheets. */
#include <inttypes.h>
#include <string.h>

#include "results/fields.h"
#include "results/results.h"

static void append_quoted(struct text *out, const char *string)
{
    if (strpbrk(string, ",\"\r\n") == NULL) {
        text_append(out, string);
        return;
    }
    text_append(out, "\"");
    for (const char *at = string; *at != '\0'; at++) {
        if (*at == '"')
            text_append(out, "\"");
        text_append_bytes(out, at, 1);
    }
    text_append(out, "\"");
}

static void append_field(struct text *out, const struct run_record *run,
                         const struct run_field *field)
{
    const char *place = (const char *)run + field->offset;
    switch (field->kind) {
    case FIELD_TEXT:
        append_quoted(out, place);
        break;
    case FIELD_COUNT:
        text_printf(out, "%" PRId64, *(const int64_t *)(const void *)place);
        break;
    case FIELD_REAL:
        text_append_real(out, *(const double *)(const void *)place);
        break;
    }
}

int results_write_csv(const struct results *results, struct text *out, struct error *error)
{
    for (size_t i = 0; i < RUN_FIELD_COUNT; i++)
        text_printf(out, "%s%s", i > 0 ? "," : "", run_fields[i].name);
    for (size_t i = 0; i < METRIC_COUNT; i++)
        text_printf(out, ",%s", metrics[i].name);
    text_append(out, "\r\n");
    for (size_t row = 0; row < results->run_count; row++) {
        const struct run_record *run = &results->runs[row];
        for (size_t i = 0; i < RUN_FIELD_COUNT; i++) {
            if (i > 0)
                text_append(out, ",");
            append_field(out, run, &run_fields[i]);
        }
        for (size_t i = 0; i < METRIC_COUNT; i++) {
            text_append(out, ",");
            text_append_real(out, metric_value(&metrics[i], run));
        }
        text_append(out, "\r\n");
    }
    return out->failed ? error_set(error, ERROR_MEMORY, "no memory to write the results") : 0;
}
