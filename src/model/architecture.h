/* What a decoder-only transformer is, as facts: one struct describes every family, and one
 * forward pass serves them all. Filled from config.json (or GGUF metadata) by the family
 * table; every fact comes from the file or from the family's documented default. */
#ifndef TOKENMARK_MODEL_ARCHITECTURE_H
#define TOKENMARK_MODEL_ARCHITECTURE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum { ARCHITECTURE_LAYERS_MAX = 512, ROPE_PAIRS_MAX = 256 };

enum norm_kind {
    NORM_LAYER, /* (x - mean) / sqrt(var + eps) * gain + bias; gain and bias may be absent */
    NORM_RMS,   /* x / sqrt(mean(x^2) + eps) * gain */
};

enum position_kind { POSITION_NONE, POSITION_LEARNED, POSITION_ROPE, POSITION_ALIBI };

enum rope_scaling {
    ROPE_SCALING_NONE,
    ROPE_SCALING_LINEAR,
    ROPE_SCALING_DYNAMIC,
    ROPE_SCALING_LLAMA3,
    ROPE_SCALING_YARN,
    ROPE_SCALING_LONGROPE,
};

enum activation_kind {
    ACTIVATION_GELU_TANH, /* gelu_new, gelu_pytorch_tanh, gelu_fast (same function) */
    ACTIVATION_GELU_ERF,
    ACTIVATION_RELU,
    ACTIVATION_SILU,
    ACTIVATION_QUICK_GELU, /* x * sigmoid(1.702 x) */
};

/* Norms over query and key before RoPE. */
enum qk_norm_kind {
    QK_NORM_NONE,
    QK_NORM_HEAD,     /* one gain [head_dim] shared by all heads (qwen3) */
    QK_NORM_PER_HEAD, /* own gain [head_dim] for each head (stablelm qk_layernorm) */
    QK_NORM_WIDE,     /* over the whole projection [heads * head_dim] (olmo2) */
};

struct rope_facts {
    int64_t rotary_dim; /* leading dimensions of a head that turn; even */
    bool interleaved;   /* pairs (0,1),(2,3) as gptj; else halves (0,d/2) as llama */
    double theta;
    enum rope_scaling scaling;
    double factor;
    double low_frequency_factor, high_frequency_factor; /* llama3 */
    double beta_fast, beta_slow;                        /* yarn */
    bool yarn_truncate;
    double attention_factor;    /* multiplies cos and sin; 1 where the kind has none */
    int64_t original_positions; /* of pre-training: where dynamic and longrope begin to change */
    double long_factors[ROPE_PAIRS_MAX], short_factors[ROPE_PAIRS_MAX]; /* longrope */
};

struct expert_facts {
    int64_t count; /* 0 = dense */
    int64_t per_token;
    int64_t intermediate_size;
    bool normalise_weights; /* the chosen experts' weights are scaled to sum 1 */
};

struct architecture {
    char family[32]; /* model_type: "gpt2", "llama", ... */
    int64_t vocabulary_size;
    int64_t hidden_size;
    int64_t layer_count;
    int64_t head_count;
    int64_t kv_head_count; /* divides head_count; GQA below, MHA equal */
    int64_t head_dim;
    int64_t intermediate_size;
    int64_t position_limit;     /* rows of the table or max_position_embeddings; 0 = no limit */
    int64_t own_position_limit; /* the model's own, before --max-positions */

    enum norm_kind norm;
    double norm_epsilon;
    bool norm_gain_plus_one; /* gemma: (1 + gain) */
    enum qk_norm_kind qk_norm;
    enum norm_kind qk_norm_function;

    enum position_kind position;
    int64_t position_offset; /* OPT's table starts 2 rows late */
    struct rope_facts rope;
    struct rope_facts rope_local; /* sliding layers' own RoPE where they have one */
    bool has_rope_local;

    enum activation_kind activation;
    bool mlp_gated; /* down(act(gate(x)) * up(x)) else down(act(up(x))) */

    /* Block: x += attention(norm_a(x)); x += mlp(norm_b(x)), with these variations. Which norms,
     * biases and projections follow from them is asked of weights.h: weight_exists. */
    bool parallel_block; /* x += attention(norm_a(x)) + mlp(norm_b(x)) on the same x */
    bool shared_norm;    /* parallel with one norm for both (gptj, phi, falcon 7B) */
    bool norm_before;    /* norms on the inputs of attention and MLP (all but olmo2) */
    bool norm_after;     /* norms on their outputs (olmo2; gemma2 has both) */
    bool embedding_norm; /* bloom */
    bool final_norm;
    bool tied_embedding; /* the head is the token embedding */

    bool norm_has_gain, norm_has_bias; /* all norms but those of query and key */
    bool qk_norm_has_bias;
    bool qkv_bias, attention_output_bias, mlp_bias, head_bias;

    double attention_scale;   /* multiplies q . k */
    double attention_softcap; /* 0 = none: cap * tanh(score / cap) */
    double logit_softcap;     /* 0 = none */
    double embedding_scale;   /* gemma, granite; 1 */
    double residual_scale;    /* granite; 1 */
    double logit_scale;       /* logits are multiplied by it (granite: 1 / logits_scaling); 1 */
    double clip_qkv;          /* olmo: q, k, v clamped to [-c, c]; 0 = none */

    int64_t window[ARCHITECTURE_LAYERS_MAX];       /* keys a layer sees, itself included; 0 = all */
    bool layer_is_sparse[ARCHITECTURE_LAYERS_MAX]; /* an expert layer */
    struct expert_facts experts;

    double initializer_range;
};

/* From a parsed config.json. `file` names it in messages. A key whose value the engine cannot
 * honour is ERROR_INPUT that names the key; so is a family that is not in the table. */
int architecture_from_config(struct architecture *architecture, const json_t *config,
                             const char *file, struct error *error);

/* Parameters of all tensors, embeddings counted once when tied. */
int64_t architecture_parameter_count(const struct architecture *architecture);

/* RoPE's angles per position for `rope`: inverse frequencies [rotary_dim / 2] for sequences
 * of `length` positions (dynamic and longrope depend on it) and the factor on cos and sin. */
void architecture_rope_frequencies(const struct rope_facts *rope, int64_t length,
                                   double *inverse_frequencies, double *attention_factor);

/* ALiBi slopes [head_count], as in Press et al. 2021 and bloom's rule for head counts that
 * are no power of two. */
void architecture_alibi_slopes(int64_t head_count, float *slopes);

#endif
