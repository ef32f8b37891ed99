/* Reads GGUF files (versions 2 and 3, little-endian): metadata as JSON, tensors into a set. Every
 * count and offset is checked against the file; what is wrong is said with file and name. */
#ifndef TOKENMARK_MODEL_GGUF_H
#define TOKENMARK_MODEL_GGUF_H

#include <jansson.h>

#include "base/error.h"
#include "model/tensors.h"

/* Opens `path`: its tensors into `set`, its metadata into a new object: key -> number, string,
 * boolean or list of numbers. Lists of strings and lists over 4096 entries (vocabularies) are
 * * left out: {"count": N} stands for them. */
int gguf_open(struct tensor_set *set, json_t **metadata, const char *path, struct error *error);

/* The same from bytes in `file`'s map. Fuzzed. */
int gguf_parse(struct tensor_set *set, json_t **metadata, const struct tensor_file *file,
               struct error *error);

#endif
