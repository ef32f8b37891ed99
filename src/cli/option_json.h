/* Options as a results file keeps them, so that it can be continued with nothing else: written,
 * and taken back where no flag says otherwise. */
#ifndef TOKENMARK_CLI_OPTION_JSON_H
#define TOKENMARK_CLI_OPTION_JSON_H

#include <jansson.h>

#include "cli/command.h"

/* Adds every row to `object` under its name with "_" for "-" ("_s" after a duration's); null
 * where it is not set. False when out of memory. */
bool option_json_write(const struct option *rows, size_t count, const void *flags, json_t *object);

/* Sets every row that was not given from `object`, whose strings then belong to the flags too. A
 * row that was given must agree: ERROR_INPUT names both values. `file` is for messages. */
int option_json_continue(const struct option *rows, size_t count, void *flags, const json_t *object,
                         const char *file, struct error *error);

#endif
