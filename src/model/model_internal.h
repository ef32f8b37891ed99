/* The inside of struct model, and the steps of opening one: for model*.c and weights.c alone. */
#ifndef TOKENMARK_MODEL_MODEL_INTERNAL_H
#define TOKENMARK_MODEL_MODEL_INTERNAL_H

#include "model/model.h"
#include "model/tensors.h"
#include "model/weight_table.h"

struct model {
    char *name;
    char *path; /* directory of its files; NULL where there is none */
    enum model_source source;
    struct architecture architecture;
    bool random;
    uint64_t seed;
    struct tensor_set tensors;
    struct weight_table weights;
};

/* From the files in model->path. */
int model_open_directory(struct model *model, const struct model_options *options,
                         struct error *error);

/* Random weights for model->architecture. */
int model_open_random(struct model *model, const struct model_options *options,
                      struct error *error);

/* From a name that is no path: the cache, the hub, or the list of known names. */
int model_open_name(struct model *model, const struct model_options *options, struct error *error);

#endif
