/* Finds a model's files on this machine: which of a directory's files hold the weights, and
 * where the Hugging Face cache keeps a model of a given name. */
#ifndef TOKENMARK_MODEL_LOCATE_H
#define TOKENMARK_MODEL_LOCATE_H

#include <stdbool.h>

#include "base/error.h"
#include "model/model.h"

enum weights_form {
    WEIGHTS_ABSENT,
    WEIGHTS_SINGLE,  /* model.safetensors */
    WEIGHTS_SHARDED, /* model.safetensors.index.json */
    WEIGHTS_PICKLED, /* pytorch_model.bin, single or sharded: not readable here */
};

/* What `directory` holds; *path (caller frees) is the file to open, NULL if none. */
int locate_weights(enum weights_form *form, char **path, const char *directory,
                   struct error *error);

/* Whether `name` can be a hub id: "name" or "owner/name" of letters, digits, '.', '_', '-'. */
bool locate_is_hub_id(const char *name);

/* The cached snapshot of a hub id: *directory (caller frees), NULL where the cache has none. */
int locate_cached(char **directory, const char *name, const char *revision,
                  const struct model_environment *environment, struct error *error);

#endif
