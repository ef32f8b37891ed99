/* The inside of struct model, for model.c and weights.c alone. */
#ifndef TOKENMARK_MODEL_MODEL_INTERNAL_H
#define TOKENMARK_MODEL_MODEL_INTERNAL_H

#include "model/model.h"
#include "model/tensors.h"
#include "model/weight_table.h"

struct model {
    char *name;
    char *path; /* directory of its files; NULL for a known name */
    enum model_source source;
    struct architecture architecture;
    bool random;
    uint64_t seed;
    struct tensor_set tensors;
    struct weight_table weights;
};

#endif
