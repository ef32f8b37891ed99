/* Where each logical weight lies: built once by model_open, read by weights.c from any thread.
 * Either bound to tensors of files, or to streams of random numbers. */
#ifndef TOKENMARK_MODEL_WEIGHT_TABLE_H
#define TOKENMARK_MODEL_WEIGHT_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "model/architecture.h"
#include "model/tensor_naming.h"
#include "model/tensors.h"
#include "model/weight_shape.h"

struct weight_source {
    struct weight_shape shape;
    const struct tensor *tensor; /* NULL for random numbers */
    const struct tensor **heads; /* PART_HEADS: one tensor each, instead of `tensor` */
    int64_t head_count;
    /* Logical row r is the tensor's row (or column, if transposed)
     * r / group * stride + r % group + offset. A vector's elements count as rows of one. */
    int64_t group, stride, offset;
    int64_t tensor_outputs; /* transposed: columns of the tensor */
    bool transposed;
    uint64_t stream; /* random numbers */
};

struct weight_table {
    struct weight_source *sources;
    size_t count;
    size_t first[WEIGHT_ROLE_COUNT]; /* index of layer 0, expert 0 */
    int64_t experts;                 /* sources per layer of a WEIGHT_OF_EXPERT role */
};

/* Every weight of `architecture` must be in `tensors` with the right shape and a float type;
 * `place` names the model in messages. */
int weight_table_bind(struct weight_table *table, const struct architecture *architecture,
                      const struct tensor_naming *naming, const struct tensor_set *tensors,
                      const char *place, struct error *error);

/* The same weights as random numbers. */
int weight_table_randomise(struct weight_table *table, const struct architecture *architecture,
                           struct error *error);

void weight_table_free(struct weight_table *table);

/* NULL where the model has no such weight. A tied head is the token embedding. */
const struct weight_source *weight_table_find(const struct weight_table *table,
                                              const struct architecture *architecture,
                                              struct weight_id id);

#endif
