/* A GGUF file's metadata as the facts of a config.json, so that one table of families serves
 * both; and what the converter to GGUF changed about the weights. */
#ifndef TOKENMARK_MODEL_GGUF_CONFIG_H
#define TOKENMARK_MODEL_GGUF_CONFIG_H

#include <jansson.h>

#include "base/error.h"
#include "model/architecture.h"
#include "model/tensor_naming.h"
#include "model/tensors.h"

/* Fills `architecture` from metadata and tensors (finished set) and says how its tensors are
 * named. ERROR_INPUT names what the file lacks or what cannot be honoured. */
int gguf_architecture(struct architecture *architecture, const struct tensor_naming **naming,
                      const json_t *metadata, const struct tensor_set *tensors, const char *file,
                      struct error *error);

#endif
