/* From GGUF metadata to the facts of a config.json; see gguf_config.h. Keys after ggml's
 * docs/gguf.md; the converter's changes after llama.cpp's convert_hf_to_gguf.py. */
#include "model/gguf_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES = 128, FACTORS_MAX = 512 };

/* How one general.architecture becomes a family of config.json. */
struct gguf_family {
    const char *architecture;
    const char *family;
    /* Query and key rows were permuted so that pairs of neighbours turn together. */
    bool interleaved;
    const struct tensor_naming *naming;
};

static const struct gguf_family families[] = {
    {"bloom", "bloom", false, &tensor_naming_gguf},
    {"falcon", "falcon", false, &tensor_naming_gguf_falcon},
    {"gemma", "gemma", false, &tensor_naming_gguf},
    {"gemma2", "gemma2", false, &tensor_naming_gguf},
    {"gpt2", "gpt2", false, &tensor_naming_gguf},
    {"gptneox", "gpt_neox", false, &tensor_naming_gguf},
    {"granite", "granite", true, &tensor_naming_gguf},
    {"llama", "llama", true, &tensor_naming_gguf},
    {"olmo", "olmo", true, &tensor_naming_gguf},
    {"olmo2", "olmo2", false, &tensor_naming_gguf},
    {"phi2", "phi", false, &tensor_naming_gguf},
    {"phi3", "phi3", false, &tensor_naming_gguf_phi3},
    {"qwen2", "qwen2", false, &tensor_naming_gguf},
    {"qwen3", "qwen3", false, &tensor_naming_gguf},
    {"qwen3moe", "qwen3_moe", false, &tensor_naming_gguf},
    {"stablelm", "stablelm", false, &tensor_naming_gguf},
};

/* Metadata "ARCHITECTURE.SUFFIX" is copied under each of the names that families look for. */
static const struct {
    const char *suffix;
    const char *keys[3];
} copied[] = {
    {"context_length", {"max_position_embeddings"}},
    {"embedding_length", {"hidden_size"}},
    {"block_count", {"num_hidden_layers"}},
    {"feed_forward_length", {"intermediate_size", "n_inner", "ffn_hidden_size"}},
    {"attention.head_count", {"num_attention_heads"}},
    {"attention.head_count_kv", {"num_key_value_heads", "num_kv_heads"}},
    {"attention.key_length", {"head_dim"}},
    {"attention.layer_norm_rms_epsilon", {"rms_norm_eps"}},
    {"attention.layer_norm_epsilon", {"layer_norm_eps", "layer_norm_epsilon"}},
    {"attention.sliding_window", {"sliding_window"}},
    {"attention.clamp_kqv", {"clip_qkv"}},
    {"attention.scale", {"attention_multiplier"}},
    {"attn_logit_softcapping", {"attn_logit_softcapping"}},
    {"final_logit_softcapping", {"final_logit_softcapping"}},
    {"rope.freq_base", {"rope_theta"}},
    {"use_parallel_residual", {"use_parallel_residual"}},
    {"embedding_scale", {"embedding_multiplier"}},
    {"residual_scale", {"residual_multiplier"}},
    {"logit_scale", {"logits_scaling"}},
    {"expert_count", {"num_local_experts", "num_experts"}},
    {"expert_used_count", {"num_experts_per_tok"}},
    {"expert_feed_forward_length", {"moe_intermediate_size"}},
};

struct translation {
    const json_t *metadata;
    const char *architecture;
    const struct tensor_set *tensors;
    json_t *config;
};

static const json_t *find(const struct translation *translation, const char *suffix)
{
    char key[NAME_BYTES];
    (void)snprintf(key, sizeof key, "%s.%s", translation->architecture, suffix);
    return json_object_get(translation->metadata, key);
}

static void set(struct translation *translation, const char *key, json_t *value)
{
    (void)json_object_set_new(translation->config, key, value);
}

static bool has_tensor(const struct translation *translation, const char *name)
{
    return tensor_find(translation->tensors, name) != NULL;
}

static void copy_keys(struct translation *translation)
{
    for (size_t i = 0; i < sizeof copied / sizeof copied[0]; i++) {
        const json_t *value = find(translation, copied[i].suffix);
        for (size_t k = 0; value != NULL && k < 3 && copied[i].keys[k] != NULL; k++)
            set(translation, copied[i].keys[k], json_deep_copy(value));
    }
}

/* What config.json says in words is here said by which tensors there are. */
static void read_presence(struct translation *translation)
{
    bool query_bias = has_tensor(translation, "blk.0.attn_q.bias") ||
                      has_tensor(translation, "blk.0.attn_qkv.bias");
    bool mlp_bias = has_tensor(translation, "blk.0.ffn_up.bias");
    set(translation, "tie_word_embeddings",
        json_boolean(!has_tensor(translation, "output.weight")));
    set(translation, "attention_bias", json_boolean(query_bias));
    set(translation, "use_qkv_bias", json_boolean(query_bias));
    set(translation, "bias", json_boolean(query_bias));
    set(translation, "mlp_bias", json_boolean(mlp_bias));
    set(translation, "qk_layernorm",
        json_boolean(has_tensor(translation, "blk.0.attn_q_norm.weight")));
    const struct tensor *embedding = tensor_find(translation->tensors, "token_embd.weight");
    if (embedding != NULL && embedding->rank == 2)
        set(translation, "vocab_size", json_integer(embedding->shape[0]));
}

/* The factors that a tensor of divisors holds; NULL where there is no such tensor. */
static json_t *read_factors(const struct translation *translation, const char *name)
{
    float factors[FACTORS_MAX];
    const struct tensor *tensor = tensor_find(translation->tensors, name);
    if (tensor == NULL || tensor->rank != 1 || tensor->shape[0] > FACTORS_MAX)
        return NULL;
    tensor_read(tensor, 0, tensor->shape[0], factors);
    json_t *list = json_array();
    for (int64_t i = 0; i < tensor->shape[0]; i++)
        (void)json_array_append_new(list, json_real((double)factors[i]));
    return list;
}

/* Llama 3's and LongRoPE's stretches come as divisors of the frequencies; in the end both are
 * LongRoPE, the first with the same factors at every length. */
static void read_rope_factors(struct translation *translation, json_t *scaling)
{
    json_t *both = read_factors(translation, "rope_freqs.weight");
    json_t *longs = read_factors(translation, "rope_factors_long.weight");
    json_t *shorts = read_factors(translation, "rope_factors_short.weight");
    if (both != NULL) {
        longs = json_deep_copy(both);
        shorts = both;
        (void)json_object_set_new(scaling, "attention_factor", json_real(1.0));
        (void)json_object_set_new(scaling, "factor", json_real(1.0));
    }
    if (longs != NULL && shorts != NULL) {
        (void)json_object_set_new(scaling, "rope_type", json_string("longrope"));
        (void)json_object_set_new(scaling, "long_factor", longs);
        (void)json_object_set_new(scaling, "short_factor", shorts);
        return;
    }
    json_decref(longs);
    json_decref(shorts);
}

static void read_rope(struct translation *translation)
{
    json_t *scaling = json_object();
    const json_t *type = find(translation, "rope.scaling.type");
    const json_t *factor = find(translation, "rope.scaling.factor");
    const json_t *original = find(translation, "rope.scaling.original_context_length");
    const json_t *magnitude = find(translation, "rope.scaling.attn_factor");
    if (type != NULL &&
        strcmp(json_string_value(type) != NULL ? json_string_value(type) : "", "none") != 0)
        (void)json_object_set(scaling, "rope_type", (json_t *)type);
    if (factor != NULL)
        (void)json_object_set(scaling, "factor", (json_t *)factor);
    if (magnitude != NULL)
        (void)json_object_set(scaling, "attention_factor", (json_t *)magnitude);
    if (original != NULL)
        (void)json_object_set(scaling, "original_max_position_embeddings", (json_t *)original);
    read_rope_factors(translation, scaling);
    if (json_object_get(scaling, "rope_type") != NULL)
        set(translation, "rope_scaling", scaling);
    else
        json_decref(scaling);

    const json_t *dimensions = find(translation, "rope.dimension_count");
    const json_t *heads = find(translation, "attention.head_count");
    const json_t *width = find(translation, "embedding_length");
    const json_t *key_length = find(translation, "attention.key_length");
    json_int_t head_dim = json_integer_value(key_length);
    if (head_dim <= 0 && json_integer_value(heads) > 0)
        head_dim = json_integer_value(width) / json_integer_value(heads);
    json_int_t turning = json_integer_value(dimensions);
    /* The half keeps the product with head_dim above the whole number that is meant. */
    if (turning > 0 && head_dim > 0)
        set(translation, "partial_rotary_factor",
            json_real(turning >= head_dim ? 1.0 : ((double)turning + 0.5) / (double)head_dim));
}

static void read_family(struct translation *translation, const char *family)
{
    json_int_t kv_heads = json_integer_value(find(translation, "attention.head_count_kv"));
    json_int_t experts = json_integer_value(find(translation, "expert_count"));
    if (strcmp(family, "llama") == 0 && experts > 0)
        family = "mixtral";
    set(translation, "model_type", json_string(family));
    if (strcmp(family, "falcon") == 0) {
        set(translation, "multi_query", json_boolean(kv_heads <= 1));
        set(translation, "new_decoder_architecture", json_boolean(kv_heads > 1));
        set(translation, "num_ln_in_parallel_attn",
            json_integer(has_tensor(translation, "blk.0.attn_norm_2.weight") ? 2 : 1));
    } else if (strcmp(family, "qwen3_moe") == 0) {
        set(translation, "norm_topk_prob", json_true());
    } else if (strcmp(family, "gemma2") == 0) {
        /* The file does not say query_pre_attn_scalar. It is head_dim but in the 27B model (46
         * layers), where it is hidden_size / heads. */
        json_int_t heads = json_integer_value(find(translation, "attention.head_count"));
        json_int_t scalar = json_integer_value(find(translation, "attention.key_length"));
        if (json_integer_value(find(translation, "block_count")) == 46 && heads > 0)
            scalar = json_integer_value(find(translation, "embedding_length")) / heads;
        if (scalar > 0)
            set(translation, "query_pre_attn_scalar", json_integer(scalar));
    } else if (strcmp(family, "qwen2") == 0 || strcmp(family, "qwen3") == 0) {
        set(translation, "use_sliding_window", json_false());
    }
}

static const struct gguf_family *find_family(const char *architecture)
{
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
        if (strcmp(families[i].architecture, architecture) == 0)
            return &families[i];
    return NULL;
}

int gguf_architecture(struct architecture *architecture, const struct tensor_naming **naming,
                      const json_t *metadata, const struct tensor_set *tensors, const char *file,
                      struct error *error)
{
    const char *name = json_string_value(json_object_get(metadata, "general.architecture"));
    if (name == NULL)
        return error_set(error, ERROR_INPUT, "%s: general.architecture is missing", file);
    const struct gguf_family *family = find_family(name);
    if (family == NULL || strlen(name) > 32)
        return error_set(error, ERROR_INPUT,
                         "%s: general.architecture is '%.40s'; tokenmark knows bloom, falcon, "
                         "gemma, gemma2, gpt2, gptneox, granite, llama, olmo, olmo2, phi2, phi3, "
                         "qwen2, qwen3, qwen3moe, stablelm",
                         file, name);
    struct translation translation = {metadata, name, tensors, json_object()};
    if (translation.config == NULL)
        return error_set(error, ERROR_MEMORY, "out of memory");
    static const char *const required[] = {"embedding_length", "block_count",
                                           "attention.head_count"};
    int result = 0;
    for (size_t i = 0; i < sizeof required / sizeof required[0] && result == 0; i++)
        if (find(&translation, required[i]) == NULL)
            result = error_set(error, ERROR_INPUT, "%s: metadata %s.%s is missing", file, name,
                               required[i]);
    if (result == 0) {
        copy_keys(&translation);
        read_presence(&translation);
        read_rope(&translation);
        read_family(&translation, family->family);
        result = architecture_from_config(architecture, translation.config, file, error);
    }
    json_decref(translation.config);
    if (result == 0) {
        *naming = family->naming;
        architecture->rope.interleaved = family->interleaved;
        /* gemma's converter has already added the 1. */
        architecture->norm_gain_plus_one = false;
    }
    return result;
}
