/* Small helpers over Jansson: loading with file, line and column in the error, getters
 * that name the path of what is wrong ("cells[3].prefill_time"), exact doubles. */
#ifndef TOKENMARK_BASE_JSON_H
#define TOKENMARK_BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"

/* Parses a file (at most `limit` bytes; duplicate keys are refused). ERROR_INPUT on any
 * fault of the file, with "PATH:LINE:COLUMN: what". The caller owns *out (json_decref). */
int json_file_load(json_t **out, const char *path, size_t limit, struct error *error);

/* The same from memory; `name` stands for the path in messages. */
int json_text_load(json_t **out, const char *text, size_t bytes, const char *name,
                   struct error *error);

/* Line and column (in characters), both from 1, of the byte at `offset` of a text. */
void json_text_position(const char *text, size_t bytes, size_t offset, int *line, int *column);

/* Where the member number `member` (from 0, in order of the text) of the object that is the whole
 * of `text` lies: its key with `item` JSON_AT_KEY, its value with JSON_AT_VALUE, else item number
 * `item` of the list that it is. `text` must have parsed. Jansson forgets positions; a person
 * who edits the file needs them. Returns the byte offset. */
enum { JSON_AT_KEY = -2, JSON_AT_VALUE = -1 };
size_t json_text_locate(const char *text, size_t bytes, size_t member, int64_t item);

/* Appends `value` to `text`: every double reads back the same, key order is kept; `indent`
 * spaces a level with a list of plain values on one line, or 0 for one line in all. */
int json_text_dump(struct text *text, const json_t *value, int indent, struct error *error);

/* A JSON number for a double; null for NaN and infinities, which JSON does not have. */
json_t *json_number(double value);

/* Where a value is looked for: the file and the path of the object, for messages. */
struct json_place {
    const char *file;
    const char *path; /* "" at the top, else like "runs[3]" */
};

/* Getters from `object`. A missing key (or null) gives *found = false and success; a value of
 * the wrong type or out of range is ERROR_INPUT that names file, path and key, what was found
 * and what is allowed. `found` may be NULL: the key is then required. */
int json_get_integer(const json_t *object, struct json_place place, const char *key,
                     int64_t minimum, int64_t maximum, int64_t *out, bool *found,
                     struct error *error);
int json_get_real(const json_t *object, struct json_place place, const char *key, double *out,
                  bool *found, struct error *error);
int json_get_boolean(const json_t *object, struct json_place place, const char *key, bool *out,
                     bool *found, struct error *error);
/* *out is owned by the object. */
int json_get_string(const json_t *object, struct json_place place, const char *key,
                    const char **out, bool *found, struct error *error);

/* "a string", "a list", ... for messages. */
const char *json_kind_name(const json_t *value);

#endif
