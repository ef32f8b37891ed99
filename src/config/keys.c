/* The table of the eight keys, and writing a configuration. Reading one is parse.c (files) and
 * words.c (flags), both through check.c; the values that come with the program are presets.c. */
#include "config/config.h"

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"

const struct config_key config_keys[CONFIG_KEY_COUNT] = {
    {"batch_sizes", "batch-sizes", CONFIG_LIST, offsetof(struct config, batch_sizes), 1, 1048576,
     false, "a list of different whole numbers from 1 to 1048576", "sequences generated together"},
    {"input_lengths", "input-lengths", CONFIG_LIST, offsetof(struct config, input_lengths), 1,
     1048576, false, "a list of different whole numbers from 1 to 1048576",
     "prompt lengths in tokens"},
    {"output_length", "output-length", CONFIG_INTEGER, offsetof(struct config, output_length), 1,
     1048576, false, "a whole number from 1 to 1048576", "tokens generated per sequence"},
    {"num_runs", "num-runs", CONFIG_INTEGER, offsetof(struct config, num_runs), 1, 1000000, false,
     "a whole number from 1 to 1000000", "measured runs per cell"},
    {"temperature", "temperature", CONFIG_REAL, offsetof(struct config, temperature), 0, 1e6, false,
     "a number from 0 (greedy) to 1000000", "0 = greedy, above = random sampling"},
    {"top_p", "top-p", CONFIG_REAL, offsetof(struct config, top_p), 0, 1, true,
     "a number above 0 and at most 1", "nucleus sampling: smallest set of tokens of that mass"},
    {"max_batch_input_product", "max-batch-input-product", CONFIG_INTEGER,
     offsetof(struct config, max_batch_input_product), 1, 1e12, false,
     "a whole number from 1 to 1000000000000", "cells with batch x length above it are skipped"},
    {"device", "device", CONFIG_DEVICE, offsetof(struct config, device), 0, 0, false,
     "\"auto\", \"cpu\", \"cuda\" or \"cuda:N\"", "where the model runs"},
};
const size_t config_key_count = CONFIG_KEY_COUNT;

static json_t *list_json(const struct config_list *list)
{
    json_t *array = json_array();
    for (size_t i = 0; array != NULL && i < list->count; i++) {
        if (json_array_append_new(array, json_integer(list->values[i])) != 0) {
            json_decref(array);
            array = NULL;
        }
    }
    return array;
}

static json_t *value_json(const struct config *config, const struct config_key *key)
{
    const char *place = (const char *)config + key->offset;
    switch (key->kind) {
    case CONFIG_LIST:
        return list_json((const struct config_list *)(const void *)place);
    case CONFIG_INTEGER:
        return json_integer(*(const int64_t *)(const void *)place);
    case CONFIG_REAL:
        return json_real(*(const double *)(const void *)place);
    case CONFIG_DEVICE:
        break;
    }
    return json_string(place);
}

json_t *config_json(const struct config *config)
{
    json_t *object = json_object();
    for (size_t i = 0; object != NULL && i < config_key_count; i++) {
        const struct config_key *key = &config_keys[i];
        if (json_object_set_new(object, key->name, value_json(config, key)) != 0) {
            json_decref(object);
            object = NULL;
        }
    }
    return object;
}

int config_save(const struct config *config, const char *path, struct error *error)
{
    struct text text = {0};
    json_t *object = config_json(config);
    int code = object != NULL ? json_text_dump(&text, object, 2, error)
                              : error_set(error, ERROR_MEMORY, "no memory to write %s", path);
    json_decref(object);
    text_append(&text, "\n");
    if (code == 0 && text.failed)
        code = error_set(error, ERROR_MEMORY, "no memory to write %s", path);
    if (code == 0)
        code = file_write_atomic(path, text_string(&text), text.length, error);
    text_free(&text);
    return code;
}
