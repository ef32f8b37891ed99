/* Which weights an architecture has and their logical shapes: the one place that knows, for
 * counting parameters, making random numbers and checking files alike. */
#ifndef TOKENMARK_MODEL_WEIGHT_SHAPE_H
#define TOKENMARK_MODEL_WEIGHT_SHAPE_H

#include "model/architecture.h"
#include "model/weights.h"

enum weight_scope { WEIGHT_OF_MODEL, WEIGHT_OF_LAYER, WEIGHT_OF_EXPERT };
enum weight_kind { WEIGHT_IS_MATRIX, WEIGHT_IS_GAIN, WEIGHT_IS_BIAS };

struct weight_shape {
    bool exists;
    int64_t rows, columns;
};

const char *weight_role_name(enum weight_role role);
enum weight_scope weight_scope(enum weight_role role);
enum weight_kind weight_kind(enum weight_role role);

/* `id.layer` must be below layer_count; an expert beyond those of its layer does not exist. */
struct weight_shape weight_shape(const struct architecture *architecture, struct weight_id id);

#endif
