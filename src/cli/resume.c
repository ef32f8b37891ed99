/* Checks of a file that is to be continued; see resume.h. */
#include "cli/resume.h"

#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "cli/terminal.h"

/* Facts that change what is measured; others (load, free memory) change by themselves. */
static const char *const tool_keys[] = {"version", "commit", NULL};
static const char *const system_keys[] = {
    "cpu_model",   "architecture", "microcode", "logical_cpus", "physical_cores", "affinity_cpus",
    "cgroup_cpus", "governor",     "turbo",     "kernel",       "libc",           NULL,
};
static const char *const engine_keys[] = {
    "name", "device",  "device_name", "cuda_driver_version", "dtype", "kv_dtype",
    "isa",  "threads", NULL,
};

/* What a cell is filed under: runs of another kind would be mixed with those that are there. */
static const char *const cell_keys[] = {"device", "dtype", "kv_dtype"};

static const char *const gpu_keys[] = {
    "driver_version", "power_limit_w", "persistence_mode", "ecc", "mig", NULL,
};

int resume_check_file(const struct results *results, const char *file, struct error *error)
{
    if (results->origin == RESULTS_TOKENMARK_JSON && results->config != NULL &&
        results->options != NULL && results->system != NULL && results->model != NULL)
        return 0;
    return error_set(
        error, ERROR_INPUT,
        "%s: does not say how it was measured; only the JSON file of 'tokenmark bench' "
        "can be continued",
        file);
}

int resume_take_config(struct config *config, const struct results *results, const char *file,
                       struct error *error)
{
    struct text json = {0};
    int code = json_text_dump(&json, results->config, 2, error);
    if (code == 0)
        code = config_parse(config, text_string(&json), json.length, "config", error);
    text_free(&json);
    return code != 0 ? error_prefix(error, "%s", file) : 0;
}

/* `"a" there, "b" here` */
static void describe_difference(struct text *out, const json_t *there, const json_t *here)
{
    struct error ignored = {0};
    if (there != NULL)
        (void)json_text_dump(out, there, 0, &ignored);
    text_append(out, there != NULL ? " there, " : "nothing there, ");
    if (here != NULL)
        (void)json_text_dump(out, here, 0, &ignored);
    text_append(out, here != NULL ? " here" : "nothing here");
}

int resume_check_config(const struct config *found, const struct config *given, const char *file,
                        struct error *error)
{
    json_t *there = config_json(found), *here = config_json(given);
    int code = 0;
    if (there == NULL || here == NULL)
        code = error_set(error, ERROR_MEMORY, "no memory to compare configurations");
    for (size_t i = 0; code == 0 && i < CONFIG_KEY_COUNT; i++) {
        const json_t *a = json_object_get(there, config_keys[i].name);
        const json_t *b = json_object_get(here, config_keys[i].name);
        if (json_equal(a, b))
            continue;
        struct text words = {0};
        describe_difference(&words, a, b);
        code = error_set(error, ERROR_INPUT,
                         "--%s: %s: %s is continued with its own settings, leave the flag out",
                         config_keys[i].flag, text_string(&words), file);
        text_free(&words);
    }
    json_decref(there);
    json_decref(here);
    return code;
}

static void compare_key(struct text *out, const char *block, const char *key, const json_t *there,
                        const json_t *here)
{
    const json_t *a = json_object_get(there, key), *b = json_object_get(here, key);
    if (json_equal(a, b) || (a == NULL && b == NULL) || (a == NULL && json_is_null(b)) ||
        (b == NULL && json_is_null(a)))
        return;
    text_printf(out, "%s%s.%s: ", out->length > 0 ? "; " : "", block, key);
    describe_difference(out, a, b);
}

static void compare_keys(struct text *out, const char *block, const char *const *keys,
                         const json_t *there, const json_t *here)
{
    for (; *keys != NULL; keys++)
        compare_key(out, block, *keys, there, here);
}

static void compare_model(struct text *out, json_t *there, json_t *here)
{
    const char *key;
    json_t *value;
    json_object_foreach(here, key, value) compare_key(out, "model", key, there, here);
    json_object_foreach(there, key, value)
    {
        if (json_object_get(here, key) == NULL)
            compare_key(out, "model", key, there, here);
    }
}

/* Adds to the list options.resume_differences. */
static int note_differences(struct results *results, const char *words, struct error *error)
{
    static const char key[] = "resume_differences";
    if (json_object_get(results->options, key) == NULL)
        (void)json_object_set_new(results->options, key, json_array());
    if (json_array_append_new(json_object_get(results->options, key), json_string(words)) != 0)
        return error_set(error, ERROR_MEMORY, "no memory to note what is different here");
    return 0;
}

/* A cell has one device and one type of weights and cache: nothing forces two together. */
static int check_cell_keys(const json_t *there, const json_t *here, const char *file,
                           struct error *error)
{
    for (size_t i = 0; i < sizeof cell_keys / sizeof cell_keys[0]; i++) {
        const char *a = json_string_value(json_object_get(there, cell_keys[i]));
        const char *b = json_string_value(json_object_get(here, cell_keys[i]));
        if (a != NULL && b != NULL && strcmp(a, b) != 0)
            return error_set(error, ERROR_INPUT,
                             "%s was measured with engine.%s \"%s\", here it would be \"%s\": a "
                             "cell cannot hold both, not even with --force; measure into another "
                             "file",
                             file, cell_keys[i], a, b);
    }
    return 0;
}

int resume_check_conditions(struct results *results, const struct results *now, bool force,
                            const char *file, struct error *error)
{
    struct text words = {0};
    if (check_cell_keys(json_object_get(results->system, "engine"),
                        json_object_get(now->system, "engine"), file, error) != 0)
        return ERROR_INPUT;
    compare_keys(&words, "tool", tool_keys, results->tool, now->tool);
    compare_keys(&words, "system", system_keys, results->system, now->system);
    compare_keys(&words, "engine", engine_keys, json_object_get(results->system, "engine"),
                 json_object_get(now->system, "engine"));
    compare_keys(&words, "gpu", gpu_keys, json_object_get(results->system, "gpu"),
                 json_object_get(now->system, "gpu"));
    compare_model(&words, results->model, now->model);
    int code = 0;
    if (words.failed) {
        code = error_set(error, ERROR_MEMORY, "no memory to compare %s with this machine", file);
    } else if (words.length > 0 && !force) {
        code = error_set(error, ERROR_INPUT,
                         "%s was not measured under these conditions: %s; --force continues it all "
                         "the same",
                         file, text_string(&words));
    } else if (words.length > 0) {
        terminal_warn("%s was not measured under these conditions: %s", file, text_string(&words));
        code = note_differences(results, text_string(&words), error);
    }
    text_free(&words);
    return code;
}
