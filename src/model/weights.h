/* Weights by role, independent of where and how they lie: rows of a logical matrix come out
 * as float32, whatever the file's names, types, fusions or transpositions. Engines pack from
 * here in parallel; nothing is ever expanded as a whole. Thread-safe after model_open. */
#ifndef TOKENMARK_MODEL_WEIGHTS_H
#define TOKENMARK_MODEL_WEIGHTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum weight_role {
    WEIGHT_TOKEN_EMBEDDING,     /* [vocabulary_size, hidden_size] */
    WEIGHT_POSITION_EMBEDDING,  /* [position_limit + position_offset, hidden_size] */
    WEIGHT_EMBEDDING_NORM_GAIN, /* norms are [1, width] */
    WEIGHT_EMBEDDING_NORM_BIAS,
    WEIGHT_ATTENTION_NORM_GAIN, /* before attention; per layer from here */
    WEIGHT_ATTENTION_NORM_BIAS,
    WEIGHT_QUERY,      /* [head_count * head_dim, hidden_size]; rows are outputs */
    WEIGHT_QUERY_BIAS, /* biases are [1, outputs] */
    WEIGHT_KEY,        /* [kv_head_count * head_dim, hidden_size] */
    WEIGHT_KEY_BIAS,
    WEIGHT_VALUE,
    WEIGHT_VALUE_BIAS,
    WEIGHT_QUERY_NORM_GAIN, /* [1, head_dim], [1, heads * head_dim] by qk_norm */
    WEIGHT_QUERY_NORM_BIAS,
    WEIGHT_KEY_NORM_GAIN,
    WEIGHT_KEY_NORM_BIAS,
    WEIGHT_ATTENTION_OUTPUT, /* [hidden_size, head_count * head_dim] */
    WEIGHT_ATTENTION_OUTPUT_BIAS,
    WEIGHT_ATTENTION_AFTER_NORM_GAIN,
    WEIGHT_ATTENTION_AFTER_NORM_BIAS,
    WEIGHT_MLP_NORM_GAIN,
    WEIGHT_MLP_NORM_BIAS,
    WEIGHT_ROUTER, /* [experts.count, hidden_size] */
    WEIGHT_GATE,   /* [intermediate_size, hidden_size]; of `expert` in a sparse layer */
    WEIGHT_GATE_BIAS,
    WEIGHT_UP,
    WEIGHT_UP_BIAS,
    WEIGHT_DOWN, /* [hidden_size, intermediate_size] */
    WEIGHT_DOWN_BIAS,
    WEIGHT_MLP_AFTER_NORM_GAIN,
    WEIGHT_MLP_AFTER_NORM_BIAS,
    WEIGHT_FINAL_NORM_GAIN, /* no layer from here */
    WEIGHT_FINAL_NORM_BIAS,
    WEIGHT_HEAD, /* [vocabulary_size, hidden_size]; answers for the embedding when tied */
    WEIGHT_HEAD_BIAS,
    WEIGHT_ROLE_COUNT,
};

/* Which matrix: `layer` and `expert` are 0 where the role has none. */
struct weight_id {
    enum weight_role role;
    int64_t layer;
    int64_t expert;
};

struct model;

/* Whether this model has that weight at all. */
bool weight_exists(const struct model *model, struct weight_id id);

/* Its logical shape. */
int64_t weight_rows(const struct model *model, struct weight_id id);
int64_t weight_columns(const struct model *model, struct weight_id id);

/* Rows [first, first + count) as float32 into out [count, columns]. Any thread, any order. */
void weight_read_rows(const struct model *model, struct weight_id id, int64_t first, int64_t count,
                      float *out);

/* The type of its numbers: "F32", "F16", "BF16", or the GGUF format ("Q4_K") whose blocks its rows
 * consist of; "F32" also for what can only be had as float32. */
const char *weight_format(const struct model *model, struct weight_id id);

/* Rows of quantised weights, every array [count][...] without gaps; gguf_parts.h tells what they
 * mean. Those that a format does not have are left alone. */
struct weight_parts {
    uint8_t *values;  /* [columns] */
    uint16_t *scales; /* [columns / elements of a block] */
    uint16_t *minimums;
    int8_t *sub_scales; /* Q4_K, Q5_K: [columns / 32]; Q6_K: [columns / 16] */
    int8_t *sub_minimums;
};

/* Rows [first, first + count) of a matrix whose weight_format() is a GGUF format. Any thread. */
void weight_read_parts(const struct model *model, struct weight_id id, int64_t first, int64_t count,
                       const struct weight_parts *out);

/* The whole of it has been read: its source pages need not stay resident. */
void weight_release(const struct model *model, struct weight_id id);

#endif
