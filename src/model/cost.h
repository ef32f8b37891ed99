/* What a pass of a model costs at least, counted from its architecture: floating-point operations
 * and bytes of memory traffic. docs/metrics.md explains the formulas. */
#ifndef TOKENMARK_MODEL_COST_H
#define TOKENMARK_MODEL_COST_H

#include <stdint.h>

#include "model/architecture.h"

struct model_cost {
    double flops;        /* of matrices and attention, 2 per multiply-add */
    double weight_bytes; /* matrices, each read once */
    double kv_bytes;     /* of the KV cache: read by a step, written by a prefill */
};

/* Bytes of an element. */
struct model_cost_types {
    double weight, kv;
};

/* NaN for a type that is not known. */
double model_cost_type_bytes(const char *dtype);

/* A prefill of `batch` rows of `length` tokens: the logits are of the last position only. */
struct model_cost model_cost_prefill(const struct architecture *architecture, int64_t batch,
                                     int64_t length, struct model_cost_types types);

/* The mean of `steps` decode steps after that prefill. */
struct model_cost model_cost_decode_step(const struct architecture *architecture, int64_t batch,
                                         int64_t length, int64_t steps,
                                         struct model_cost_types types);

#endif
