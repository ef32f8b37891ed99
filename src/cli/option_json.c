/* Rows of an option table to JSON and back; see option_json.h. */
#include "cli/option_json.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"

enum { KEY_MAX = 64 };

static void make_key(const struct option *row, char out[KEY_MAX])
{
    (void)snprintf(out, KEY_MAX, "%s%s", row->name, row->kind == OPTION_DURATION ? "_s" : "");
    for (char *at = out; *at != '\0'; at++) {
        if (*at == '-')
            *at = '_';
    }
}

/* The row's value; null where it was not given. */
static json_t *row_json(const struct option *row, const void *flags)
{
    const void *place = (const char *)flags + row->offset;
    const char *text;
    uint64_t seed;
    switch (row->kind) {
    case OPTION_TEXT:
    case OPTION_CHOICE:
        text = *(const char *const *)place;
        return text != NULL ? json_string(text) : json_null();
    case OPTION_INTEGER:
        return *(const int64_t *)place != 0 ? json_integer(*(const int64_t *)place) : json_null();
    case OPTION_SEED:
        seed = *(const uint64_t *)place;
        return seed != OPTION_SEED_UNSET ? json_integer((json_int_t)seed) : json_null();
    case OPTION_FRACTION:
    case OPTION_DURATION:
        return *(const double *)place > 0.0 ? json_real(*(const double *)place) : json_null();
    case OPTION_SWITCH:
        return *(const bool *)place ? json_true() : json_null();
    case OPTION_PRESET:
    case OPTION_LIST:
    case OPTION_KEY:
        break;
    }
    return json_null();
}

bool option_json_write(const struct option *rows, size_t count, const void *flags, json_t *object)
{
    bool done = true;
    for (size_t i = 0; done && i < count; i++) {
        char key[KEY_MAX];
        make_key(&rows[i], key);
        done = json_object_set_new(object, key, row_json(&rows[i], flags)) == 0;
    }
    return done;
}

/* Is this what the row's kind writes? */
static bool has_kind(const struct option *row, const json_t *value)
{
    switch (row->kind) {
    case OPTION_TEXT:
    case OPTION_CHOICE:
        return json_is_string(value);
    case OPTION_INTEGER:
        return json_is_integer(value) && json_integer_value(value) >= row->minimum &&
               json_integer_value(value) <= row->maximum;
    case OPTION_SEED:
        return json_is_integer(value) && json_integer_value(value) >= 0;
    case OPTION_FRACTION:
    case OPTION_DURATION:
        return json_is_number(value) && json_number_value(value) > 0.0;
    case OPTION_SWITCH:
        return json_is_true(value);
    case OPTION_PRESET:
    case OPTION_LIST:
    case OPTION_KEY:
        break;
    }
    return false;
}

static void set_row(const struct option *row, void *flags, const json_t *value)
{
    void *place = (char *)flags + row->offset;
    if (json_is_string(value))
        *(const char **)place = json_string_value(value);
    else if (row->kind == OPTION_SWITCH)
        *(bool *)place = true;
    else if (row->kind == OPTION_FRACTION || row->kind == OPTION_DURATION)
        *(double *)place = json_number_value(value);
    else if (row->kind == OPTION_SEED)
        *(uint64_t *)place = (uint64_t)json_integer_value(value);
    else
        *(int64_t *)place = json_integer_value(value);
}

static int refuse_other(const struct option *row, const json_t *given, const json_t *found,
                        const char *file, struct error *error)
{
    struct text words = {0};
    struct error ignored = {0};
    (void)json_text_dump(&words, given, 0, &ignored);
    text_append(&words, ", but the file says ");
    (void)json_text_dump(&words, found, 0, &ignored);
    int code = error_set(error, ERROR_INPUT,
                         "--%s: is %s: %s is continued with its own settings, leave the flag out",
                         row->name, text_string(&words), file);
    text_free(&words);
    return code;
}

static int continue_row(const struct option *row, void *flags, const json_t *object,
                        const char *file, struct error *error)
{
    char key[KEY_MAX];
    make_key(row, key);
    json_t *given = row_json(row, flags);
    json_t *found = json_object_get(object, key);
    bool empty = found == NULL || json_is_null(found);
    int code = 0;
    if (given == NULL)
        code = error_set(error, ERROR_MEMORY, "no memory for --%s", row->name);
    else if (!empty && !has_kind(row, found))
        code = error_set(error, ERROR_INPUT, "%s: options.%s: is nothing that --%s can be", file,
                         key, row->name);
    else if (!json_is_null(given) && !json_equal(given, empty ? json_null() : found))
        code = refuse_other(row, given, empty ? json_null() : found, file, error);
    else if (!empty)
        set_row(row, flags, found);
    json_decref(given);
    return code;
}

int option_json_continue(const struct option *rows, size_t count, void *flags, const json_t *object,
                         const char *file, struct error *error)
{
    int code = 0;
    for (size_t i = 0; code == 0 && i < count; i++)
        code = continue_row(&rows[i], flags, object, file, error);
    return code;
}
