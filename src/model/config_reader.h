/* Reads facts out of a config.json for the family functions. The first fault sticks in the
 * reader and every later read is then harmless, so that a family is a plain list of facts. */
#ifndef TOKENMARK_MODEL_CONFIG_READER_H
#define TOKENMARK_MODEL_CONFIG_READER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/json.h"

struct config_reader {
    const json_t *object;
    struct json_place place;
    struct error *error;
    int status; /* 0, or the code of the first fault */
};

/* `keys` are the names that a fact has had, newest first, separated by '|': the first that is
 * there and not null counts, `missing` if none. */
int64_t config_integer(struct config_reader *reader, const char *keys, int64_t missing,
                       int64_t minimum, int64_t maximum);
/* A size: from 1 to 2^24 - 1, far above any model and far below what overflows a product. */
int64_t config_size(struct config_reader *reader, const char *keys, int64_t missing);
double config_real(struct config_reader *reader, const char *keys, double missing);
bool config_boolean(struct config_reader *reader, const char *keys, bool missing);
const char *config_string(struct config_reader *reader, const char *keys, const char *missing);

/* Whether `key` is there at all, null included: null often means "none" where a missing key
 * means the family's default. */
bool config_has(const struct config_reader *reader, const char *key);
bool config_is_null(const struct config_reader *reader, const char *key);

/* The model asks by `key` for something that the engine does not do. */
void config_refuse(struct config_reader *reader, const char *key, const char *why);

/* Refuses unless the boolean `key` is `wanted` or missing. */
void config_require(struct config_reader *reader, const char *key, bool wanted, const char *why);

/* The object under `key` as a reader of its own (same error); false if missing or null. */
bool config_descend(struct config_reader *reader, const char *key, struct config_reader *inner);

/* Copies the list of `key` into out[count]; any other length is refused. */
void config_reals(struct config_reader *reader, const char *key, double *out, int64_t count);

#endif
