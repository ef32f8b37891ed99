/* Reading JSON: Jansson with positions and paths in its errors. Writing is json_write.c. */
#include "base/json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

/* Jansson's position is the end of the token that it could not use; the message quotes a short
 * token ("... near 'NaN'"), which gives its start. */
static size_t fault_offset(const json_error_t *fault)
{
    size_t end = fault->position > 0 ? (size_t)fault->position : 0;
    const char *quoted = strstr(fault->text, " near '");
    size_t length = strlen(fault->text);
    size_t token = 1;
    if (quoted != NULL && fault->text[length - 1] == '\'')
        token = length - 1 - ((size_t)(quoted - fault->text) + strlen(" near '"));
    return end > token ? end - token : 0;
}

int json_text_load(json_t **out, const char *text, size_t bytes, const char *name,
                   struct error *error)
{
    *out = NULL;
    size_t skipped = bytes >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    json_error_t fault;
    json_t *value = json_loadb(text + skipped, bytes - skipped, JSON_REJECT_DUPLICATES, &fault);
    if (value == NULL) {
        if (json_error_code(&fault) == json_error_out_of_memory)
            return error_set(error, ERROR_MEMORY, "%s: no memory to read it", name);
        size_t offset = skipped + fault_offset(&fault);
        int line;
        int column;
        json_text_position(text, bytes, offset, &line, &column);
        return error_set(error, ERROR_INPUT, "%s:%d:%d: not valid JSON: %s", name, line, column,
                         fault.text);
    }
    *out = value;
    return 0;
}

int json_file_load(json_t **out, const char *path, size_t limit, struct error *error)
{
    *out = NULL;
    char *text;
    size_t bytes;
    int code = file_read(&text, &bytes, path, limit, error);
    if (code != 0)
        return code;
    code = json_text_load(out, text, bytes, path, error);
    free(text);
    return code;
}

json_t *json_number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

const char *json_kind_name(const json_t *value)
{
    if (value == NULL)
        return "nothing";
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "a list";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
        return "a whole number";
    case JSON_REAL:
        return "a number with a fraction";
    case JSON_TRUE:
    case JSON_FALSE:
        return "a boolean";
    case JSON_NULL:
        break;
    }
    return "null";
}

/* Starts every refusal: "my.json: runs[3].prefill_time: ". */
static void place_text(char *out, size_t capacity, struct json_place place, const char *key)
{
    (void)snprintf(out, capacity, "%s: %s%s%s", place.file, place.path,
                   place.path[0] != '\0' ? "." : "", key);
}

/* NULL where the key is absent or null; *code then tells whether that is allowed. */
static const json_t *find(const json_t *object, struct json_place place, const char *key,
                          bool *found, const char *allowed, int *code, struct error *error)
{
    const json_t *value = json_object_get(object, key);
    bool present = value != NULL && !json_is_null(value);
    *code = 0;
    if (found != NULL) {
        *found = present;
    } else if (!present) {
        char where[512];
        place_text(where, sizeof where, place, key);
        *code = error_set(error, ERROR_INPUT, "%s: is %s, %s is needed", where,
                          value == NULL ? "missing" : "null", allowed);
    }
    return present ? value : NULL;
}

static int wrong_kind(const json_t *value, struct json_place place, const char *key,
                      const char *allowed, struct error *error)
{
    char where[512];
    place_text(where, sizeof where, place, key);
    return error_set(error, ERROR_INPUT, "%s: is %s, %s is needed", where, json_kind_name(value),
                     allowed);
}

int json_get_integer(const json_t *object, struct json_place place, const char *key,
                     int64_t minimum, int64_t maximum, int64_t *out, bool *found,
                     struct error *error)
{
    int code;
    const json_t *value = find(object, place, key, found, "a whole number", &code, error);
    if (value == NULL)
        return code;
    /* 12.0 is a whole number too: other writers (pandas) turn whole columns into reals. */
    double real = json_is_real(value) ? json_real_value(value) : 0.0;
    bool whole = json_is_integer(value) ||
                 (json_is_real(value) && real == floor(real) && fabs(real) <= 9007199254740992.0);
    if (!whole)
        return wrong_kind(value, place, key, "a whole number", error);
    int64_t number = json_is_integer(value) ? json_integer_value(value) : (int64_t)real;
    if (number < minimum || number > maximum) {
        char where[512];
        place_text(where, sizeof where, place, key);
        return error_set(error, ERROR_INPUT,
                         "%s: is %" PRId64 ", allowed is %" PRId64 " to %" PRId64, where, number,
                         minimum, maximum);
    }
    *out = number;
    return 0;
}

int json_get_real(const json_t *object, struct json_place place, const char *key, double *out,
                  bool *found, struct error *error)
{
    int code;
    const json_t *value = find(object, place, key, found, "a number", &code, error);
    if (value == NULL)
        return code;
    if (!json_is_number(value))
        return wrong_kind(value, place, key, "a number", error);
    *out = json_number_value(value);
    return 0;
}

int json_get_boolean(const json_t *object, struct json_place place, const char *key, bool *out,
                     bool *found, struct error *error)
{
    int code;
    const json_t *value = find(object, place, key, found, "true or false", &code, error);
    if (value == NULL)
        return code;
    if (!json_is_boolean(value))
        return wrong_kind(value, place, key, "true or false", error);
    *out = json_is_true(value);
    return 0;
}

int json_get_string(const json_t *object, struct json_place place, const char *key,
                    const char **out, bool *found, struct error *error)
{
    int code;
    const json_t *value = find(object, place, key, found, "a string", &code, error);
    if (value == NULL)
        return code;
    if (!json_is_string(value))
        return wrong_kind(value, place, key, "a string", error);
    *out = json_string_value(value);
    return 0;
}
