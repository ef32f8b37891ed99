/* Reads the headers of safetensors files: bytes stay where they are, mapped. Every size is
 * checked against the file; what is wrong is said with file and tensor. */
#ifndef TOKENMARK_MODEL_SAFETENSORS_H
#define TOKENMARK_MODEL_SAFETENSORS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "model/tensors.h"

/* Adds the tensors of one file to `set`. */
int safetensors_open(struct tensor_set *set, const char *path, struct error *error);

/* Adds the tensors of all files that an index (model.safetensors.index.json) names; they lie
 * beside it. */
int safetensors_open_index(struct tensor_set *set, const char *index_path, struct error *error);

/* Whether every file that the index names is there; false for an index that cannot be read. */
bool safetensors_index_is_complete(const char *index_path);

/* The same as safetensors_open from bytes in `file`'s map. Fuzzed. */
int safetensors_parse(struct tensor_set *set, const struct tensor_file *file, struct error *error);

#endif
