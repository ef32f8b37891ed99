/* Reads a configuration file. Nothing is taken unless everything is understood, and every
 * refusal says the line and column of what is wrong. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/suggest.h"
#include "base/text.h"
#include "config/check.h"

enum { CONFIG_FILE_LIMIT = 1 << 20 };

struct source {
    const char *text;
    size_t bytes;
    const char *name;
};

/* Puts "my.json:3:18: batch_sizes[1]: " before the text of the error. */
static int put_place(const struct source *source, size_t member, int64_t item, const char *key,
                     struct error *error)
{
    int line;
    int column;
    size_t offset = json_text_locate(source->text, source->bytes, member, item);
    json_text_position(source->text, source->bytes, offset, &line, &column);
    if (item >= 0)
        return error_prefix(error, "%s:%d:%d: %.60s[%d]", source->name, line, column, key,
                            (int)item);
    return error_prefix(error, "%s:%d:%d: %.60s", source->name, line, column, key);
}

/* A value as the person wrote it, short enough for a message. */
static int refuse_value(const struct config_key *key, const json_t *value, struct error *error)
{
    if (json_is_object(value) || json_is_array(value))
        return config_key_refuse(key, json_kind_name(value), error);
    struct text text = {0};
    int code = json_text_dump(&text, value, 0, error);
    if (code == 0 && text.length > 60)
        code = config_key_refuse(key, json_kind_name(value), error);
    else if (code == 0)
        code = config_key_refuse(key, text_string(&text), error);
    text_free(&text);
    return code;
}

static int check_integer(const struct config_key *key, const json_t *value, int64_t *out,
                         struct error *error)
{
    if (!json_is_integer(value) ||
        config_check_number(key, (double)json_integer_value(value), "", NULL) != 0)
        return refuse_value(key, value, error);
    *out = json_integer_value(value);
    return 0;
}

static int parse_list(struct config *config, const struct config_key *key, const json_t *value,
                      int64_t *item, struct error *error)
{
    if (!json_is_array(value))
        return refuse_value(key, value, error);
    if (json_array_size(value) == 0)
        return config_key_refuse(key, "an empty list", error);
    struct config_list *list = config_list_of(config, key);
    list->count = 0;
    for (size_t i = 0; i < json_array_size(value); i++) {
        int64_t number = 0;
        *item = (int64_t)i;
        int code = check_integer(key, json_array_get(value, i), &number, error);
        if (code == 0)
            code = config_list_add(list, key, number, error);
        if (code != 0)
            return code;
    }
    return 0;
}

static int parse_device(struct config *config, const struct config_key *key, const json_t *value,
                        struct error *error)
{
    if (!json_is_string(value))
        return refuse_value(key, value, error);
    const char *device = json_string_value(value);
    int code = config_check_device(key, device, error);
    if (code == 0)
        memcpy(config_device_of(config, key), device, strlen(device) + 1);
    return code;
}

/* *item is left at the list item that is wrong. */
static int parse_value(struct config *config, const struct config_key *key, const json_t *value,
                       int64_t *item, struct error *error)
{
    switch (key->kind) {
    case CONFIG_LIST:
        return parse_list(config, key, value, item, error);
    case CONFIG_INTEGER:
        return check_integer(key, value, config_integer_of(config, key), error);
    case CONFIG_REAL:
        if (!json_is_number(value) ||
            config_check_number(key, json_number_value(value), "", NULL) != 0)
            return refuse_value(key, value, error);
        *config_real_of(config, key) = json_number_value(value);
        return 0;
    case CONFIG_DEVICE:
        break;
    }
    return parse_device(config, key, value, error);
}

static int refuse_key(const char *name, struct error *error)
{
    const char *names[CONFIG_KEY_COUNT];
    for (size_t i = 0; i < config_key_count; i++)
        names[i] = config_keys[i].name;
    const char *near = suggest_nearest(name, names, config_key_count);
    if (near != NULL)
        return error_set(error, ERROR_INPUT, "unknown key, did you mean \"%s\"?", near);
    struct text list = {0};
    for (size_t i = 0; i < config_key_count; i++)
        text_printf(&list, "%s%s", i > 0 ? ", " : "", names[i]);
    int code = error_set(error, ERROR_INPUT, "unknown key, allowed are %s", text_string(&list));
    text_free(&list);
    return code;
}

static const struct config_key *find_key(const char *name)
{
    for (size_t i = 0; i < config_key_count; i++) {
        if (strcmp(config_keys[i].name, name) == 0)
            return &config_keys[i];
    }
    return NULL;
}

static int parse_object(struct config *config, const struct source *source, json_t *object,
                        struct error *error)
{
    if (!json_is_object(object))
        return error_set(error, ERROR_INPUT,
                         "%s:1:1: found %s, a configuration is an object: {\"batch_sizes\": ...}",
                         source->name, json_kind_name(object));
    size_t member = 0;
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value)
    {
        const struct config_key *key = find_key(name);
        int64_t item = JSON_AT_VALUE;
        if (key == NULL) {
            (void)refuse_key(name, error);
            return put_place(source, member, JSON_AT_KEY, name, error);
        }
        if (parse_value(config, key, value, &item, error) != 0)
            return put_place(source, member, item, name, error);
        member++;
    }
    return 0;
}

int config_parse(struct config *config, const char *json, size_t bytes, const char *name,
                 struct error *error)
{
    struct error own;
    if (error == NULL)
        error = &own;
    struct source source = {json, bytes, name};
    struct config result;
    config_defaults(&result);
    json_t *object;
    int code = json_text_load(&object, json, bytes, name, error);
    if (code == 0)
        code = parse_object(&result, &source, object, error);
    json_decref(object);
    if (code == 0)
        *config = result;
    return code;
}

int config_load(struct config *config, const char *path, struct error *error)
{
    char *text;
    size_t bytes;
    int code = file_read(&text, &bytes, path, CONFIG_FILE_LIMIT, error);
    if (code == 0)
        code = config_parse(config, text, bytes, path, error);
    free(text);
    return code;
}
