/* Which of a model directory's files hold the weights. */
#ifndef TOKENMARK_MODEL_LOCATE_H
#define TOKENMARK_MODEL_LOCATE_H

#include "base/error.h"

enum weights_form {
    WEIGHTS_ABSENT,
    WEIGHTS_SINGLE,  /* model.safetensors */
    WEIGHTS_SHARDED, /* model.safetensors.index.json */
    WEIGHTS_PICKLED, /* pytorch_model.bin, single or sharded: not readable here */
};

/* What `directory` holds; *path (caller frees) is the file to open, NULL if none. */
int locate_weights(enum weights_form *form, char **path, const char *directory,
                   struct error *error);

#endif
