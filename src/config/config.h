/* What is measured: the eight keys of a configuration, their one table, presets, and
 * loading, checking and saving. Knows no engine and no model. */
#ifndef TOKENMARK_CONFIG_CONFIG_H
#define TOKENMARK_CONFIG_CONFIG_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { CONFIG_KEY_COUNT = 8, CONFIG_LIST_MAX = 256, CONFIG_DEVICE_MAX = 32 };

struct config_list {
    size_t count;
    int64_t values[CONFIG_LIST_MAX]; /* in the order given; no value twice */
};

struct config {
    struct config_list batch_sizes;   /* sequences */
    struct config_list input_lengths; /* tokens */
    int64_t output_length;            /* tokens generated per sequence */
    int64_t num_runs;                 /* measured runs per cell */
    double temperature;               /* 0 = greedy */
    double top_p;                     /* (0, 1] */
    int64_t max_batch_input_product;  /* a cell above it is skipped */
    char device[CONFIG_DEVICE_MAX];   /* "auto", "cpu", "cuda", "cuda:N" */
};

enum config_kind { CONFIG_LIST, CONFIG_INTEGER, CONFIG_REAL, CONFIG_DEVICE };

/* One line per key: JSON, flags, help and checks all loop over it. */
struct config_key {
    const char *name; /* JSON key, e.g. "batch_sizes" */
    const char *flag; /* command-line flag without dashes, e.g. "batch-sizes" */
    enum config_kind kind;
    size_t offset; /* in struct config */
    double minimum, maximum;
    bool above_minimum;  /* the minimum itself is not allowed */
    const char *allowed; /* for messages: "whole numbers from 1 to 1048576" */
    const char *help;
};
extern const struct config_key config_keys[CONFIG_KEY_COUNT];
extern const size_t config_key_count;

struct config_preset {
    const char *name;
    const char *purpose; /* "a quick check" */
    struct config config;
};
extern const struct config_preset config_presets[];
extern const size_t config_preset_count;

/* The defaults of the specification. */
void config_defaults(struct config *config);

/* NULL when there is no such preset. */
const struct config_preset *config_preset_find(const char *name);

/* Loads `path` over the defaults. Everything must be understood: unknown keys (with a
 * suggestion), wrong types, empty lists, values out of range are ERROR_INPUT. */
int config_load(struct config *config, const char *path, struct error *error);

/* Same from memory; `name` stands for the path in messages. Fuzzed. */
int config_parse(struct config *config, const char *json, size_t bytes, const char *name,
                 struct error *error);

/* Sets one key from a flag's words ("1,2,4", "0.9"); same checks, names the flag. */
int config_set(struct config *config, const struct config_key *key, const char *words,
               struct error *error);

/* The eight keys as a new JSON object in table order; NULL when out of memory. */
json_t *config_json(const struct config *config);

/* Writes the file that config_load reads. */
int config_save(const struct config *config, const char *path, struct error *error);

#endif
