/* The sticky reader of config_reader.h, over the getters of base/json.h. */
#include "model/config_reader.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_MAX = 64 };

/* Copies the next of `keys` into `key` and moves on; false after the last. */
static bool next_key(const char **keys, char key[KEY_MAX])
{
    if (**keys == '\0')
        return false;
    size_t length = strcspn(*keys, "|");
    (void)snprintf(key, KEY_MAX, "%.*s", (int)length, *keys);
    *keys += length;
    if (**keys == '|')
        (*keys)++;
    return true;
}

/* The first of `keys` that is there and not null. */
static bool find_key(const struct config_reader *reader, const char *keys, char key[KEY_MAX])
{
    while (reader->status == 0 && next_key(&keys, key)) {
        const json_t *value = json_object_get(reader->object, key);
        if (value != NULL && !json_is_null(value))
            return true;
    }
    return false;
}

int64_t config_integer(struct config_reader *reader, const char *keys, int64_t missing,
                       int64_t minimum, int64_t maximum)
{
    char key[KEY_MAX];
    if (!find_key(reader, keys, key))
        return missing;
    int64_t value = missing;
    reader->status = json_get_integer(reader->object, reader->place, key, minimum, maximum, &value,
                                      NULL, reader->error);
    return reader->status == 0 ? value : missing;
}

int64_t config_size(struct config_reader *reader, const char *keys, int64_t missing)
{
    return config_integer(reader, keys, missing, 1, (1 << 24) - 1);
}

double config_real(struct config_reader *reader, const char *keys, double missing)
{
    char key[KEY_MAX];
    if (!find_key(reader, keys, key))
        return missing;
    double value = missing;
    reader->status = json_get_real(reader->object, reader->place, key, &value, NULL, reader->error);
    if (reader->status == 0 && !isfinite(value))
        config_refuse(reader, key, "it must be a finite number");
    return reader->status == 0 ? value : missing;
}

bool config_boolean(struct config_reader *reader, const char *keys, bool missing)
{
    char key[KEY_MAX];
    if (!find_key(reader, keys, key))
        return missing;
    bool value = missing;
    reader->status =
        json_get_boolean(reader->object, reader->place, key, &value, NULL, reader->error);
    return reader->status == 0 ? value : missing;
}

const char *config_string(struct config_reader *reader, const char *keys, const char *missing)
{
    char key[KEY_MAX];
    if (!find_key(reader, keys, key))
        return missing;
    const char *value = missing;
    reader->status =
        json_get_string(reader->object, reader->place, key, &value, NULL, reader->error);
    return reader->status == 0 ? value : missing;
}

bool config_has(const struct config_reader *reader, const char *key)
{
    return json_object_get(reader->object, key) != NULL;
}

bool config_is_null(const struct config_reader *reader, const char *key)
{
    return json_is_null(json_object_get(reader->object, key));
}

void config_refuse(struct config_reader *reader, const char *key, const char *why)
{
    if (reader->status != 0)
        return;
    const json_t *value = json_object_get(reader->object, key);
    char *found = value != NULL ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
    const char *dot = reader->place.path[0] != '\0' ? "." : "";
    reader->status = error_set(reader->error, ERROR_INPUT, "%s: %s%s%s%s%.80s: %s",
                               reader->place.file, reader->place.path, dot, key,
                               found != NULL ? " is " : "", found != NULL ? found : "", why);
    free(found);
}

void config_require(struct config_reader *reader, const char *key, bool wanted, const char *why)
{
    if (config_boolean(reader, key, wanted) != wanted)
        config_refuse(reader, key, why);
}

bool config_descend(struct config_reader *reader, const char *key, struct config_reader *inner)
{
    const json_t *value = json_object_get(reader->object, key);
    if (reader->status != 0 || value == NULL || json_is_null(value))
        return false;
    if (!json_is_object(value)) {
        config_refuse(reader, key, "it must be an object");
        return false;
    }
    *inner = *reader;
    inner->object = value;
    inner->place.path = key;
    return true;
}

void config_reals(struct config_reader *reader, const char *key, double *out, int64_t count)
{
    const json_t *list = json_object_get(reader->object, key);
    if (reader->status != 0)
        return;
    if (!json_is_array(list) || (int64_t)json_array_size(list) != count) {
        char why[80];
        (void)snprintf(why, sizeof why, "a list of %lld numbers is needed", (long long)count);
        config_refuse(reader, key, why);
        return;
    }
    for (int64_t i = 0; i < count; i++) {
        const json_t *value = json_array_get(list, (size_t)i);
        out[i] = json_number_value(value);
        if (!json_is_number(value) || !isfinite(out[i])) {
            config_refuse(reader, key, "all of its entries must be finite numbers");
            return;
        }
    }
}
