/* What the tensors of each family are called in its files and how the logical matrices lie in
 * them: whole, transposed, or as a part of a fused tensor. Data only; weight_table.c binds. */
#ifndef TOKENMARK_MODEL_TENSOR_NAMING_H
#define TOKENMARK_MODEL_TENSOR_NAMING_H

#include <stdbool.h>

#include "model/weights.h"

enum tensor_part {
    PART_WHOLE,
    PART_QKV_BLOCKS,      /* all query rows, then all key rows, then all value rows */
    PART_QKV_GROUPS,      /* for each KV head: its query heads, its key, its value */
    PART_GATE_UP,         /* all gate rows, then all up rows */
    PART_EXPERTS,         /* [experts, rows, columns] */
    PART_EXPERTS_GATE_UP, /* [experts, gate rows then up rows, columns] */
    PART_HEADS,           /* one tensor for each head: %h in the stem */
};

struct tensor_rule {
    enum weight_role role; /* of the matrix or gain; its bias, where there is one, is role + 1 */
    /* %d is the layer, %e the expert; ".weight" or ".bias" follows but for PART_EXPERTS*. */
    const char *stem;
    enum tensor_part part;
    bool transposed; /* the file has [inputs, outputs] */
    bool at_top;     /* not under the prefix */
};

enum { NAMING_PREFIXES_MAX = 4, NAMING_LISTS_MAX = 5 };

struct tensor_naming {
    /* Tried in this order; the one under which the token embedding is found holds for all. */
    const char *prefixes[NAMING_PREFIXES_MAX];
    /* Each ends with a NULL stem. For one weight the first rule whose tensor exists counts. */
    const struct tensor_rule *lists[NAMING_LISTS_MAX];
};

extern const struct tensor_naming tensor_naming_bloom;
extern const struct tensor_naming tensor_naming_falcon;
extern const struct tensor_naming tensor_naming_gemma2;
extern const struct tensor_naming tensor_naming_gguf; /* most families in GGUF files */
extern const struct tensor_naming tensor_naming_gguf_falcon;
extern const struct tensor_naming tensor_naming_gguf_phi3;
extern const struct tensor_naming tensor_naming_gpt2;
extern const struct tensor_naming tensor_naming_gpt_neo;
extern const struct tensor_naming tensor_naming_gpt_neox;
extern const struct tensor_naming tensor_naming_gptj;
extern const struct tensor_naming tensor_naming_llama;
extern const struct tensor_naming tensor_naming_mixtral;
extern const struct tensor_naming tensor_naming_olmo2;
extern const struct tensor_naming tensor_naming_opt;
extern const struct tensor_naming tensor_naming_phi;
extern const struct tensor_naming tensor_naming_phi3;
extern const struct tensor_naming tensor_naming_qwen3_moe;
extern const struct tensor_naming tensor_naming_stablelm;

#endif
