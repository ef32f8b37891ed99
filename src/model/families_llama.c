/* Families that descend from Llama: RMS norms, rotary positions, gated MLPs; a few with layer
 * norms. Each function is the list of a family's facts, with the defaults of its public
 * definition (Hugging Face transformers' configuration classes). */
#include "model/family.h"

#include <math.h>

struct llama_defaults {
    int64_t vocabulary_size, hidden_size, layer_count, head_count;
    int64_t kv_head_count; /* 0 = as many as head_count */
    int64_t head_dim;      /* 0 = hidden_size / head_count */
    int64_t intermediate_size, position_limit;
    const char *epsilon_keys;
    double epsilon;
    bool tied;
};

/* What all of them have; RoPE is read by the caller, who knows its defaults. */
static void read_common(struct config_reader *reader, struct architecture *architecture,
                        const struct llama_defaults *defaults)
{
    architecture->mlp_gated = true;
    architecture->vocabulary_size = config_size(reader, "vocab_size", defaults->vocabulary_size);
    architecture->hidden_size = config_size(reader, "hidden_size", defaults->hidden_size);
    architecture->layer_count = config_size(reader, "num_hidden_layers", defaults->layer_count);
    architecture->head_count = config_size(reader, "num_attention_heads", defaults->head_count);
    bool as_heads = defaults->kv_head_count == 0 || config_is_null(reader, "num_key_value_heads");
    architecture->kv_head_count =
        config_size(reader, "num_key_value_heads",
                    as_heads ? architecture->head_count : defaults->kv_head_count);
    architecture->intermediate_size =
        config_size(reader, "intermediate_size", defaults->intermediate_size);
    architecture->position_limit =
        config_size(reader, "max_position_embeddings", defaults->position_limit);
    if (defaults->epsilon_keys != NULL)
        architecture->norm_epsilon = config_real(reader, defaults->epsilon_keys, defaults->epsilon);
    else
        architecture->norm_epsilon = defaults->epsilon;
    architecture->tied_embedding = config_boolean(reader, "tie_word_embeddings", defaults->tied);
    family_read_head_dim(reader, architecture);
    if (defaults->head_dim != 0)
        architecture->head_dim = config_size(reader, "head_dim", defaults->head_dim);
}

/* One key for the biases of all four attention projections. */
static void read_attention_bias(struct config_reader *reader, struct architecture *architecture)
{
    architecture->qkv_bias = config_boolean(reader, "attention_bias", false);
    architecture->attention_output_bias = architecture->qkv_bias;
}

/* One window in every layer; null is none, `missing` where the key is missing. */
static void read_window(struct config_reader *reader, struct architecture *architecture,
                        int64_t missing)
{
    int64_t window = config_size(reader, "sliding_window",
                                 config_is_null(reader, "sliding_window") ? 0 : missing);
    for (int64_t layer = 0; layer < ARCHITECTURE_LAYERS_MAX; layer++)
        architecture->window[layer] = window;
}

void family_read_llama(struct config_reader *reader, struct architecture *architecture)
{
    static const struct llama_defaults defaults = {.vocabulary_size = 32000,
                                                   .hidden_size = 4096,
                                                   .layer_count = 32,
                                                   .head_count = 32,
                                                   .intermediate_size = 11008,
                                                   .position_limit = 2048,
                                                   .epsilon_keys = "rms_norm_eps",
                                                   .epsilon = 1e-6};
    read_common(reader, architecture, &defaults);
    read_attention_bias(reader, architecture);
    architecture->mlp_bias = config_boolean(reader, "mlp_bias", false);
    family_read_activation(reader, architecture, "hidden_act", "silu");
    family_read_rope(reader, architecture, 10000, 1);
}

void family_read_mistral(struct config_reader *reader, struct architecture *architecture)
{
    static const struct llama_defaults defaults = {.vocabulary_size = 32000,
                                                   .hidden_size = 4096,
                                                   .layer_count = 32,
                                                   .head_count = 32,
                                                   .kv_head_count = 8,
                                                   .intermediate_size = 14336,
                                                   .position_limit = 131072,
                                                   .epsilon_keys = "rms_norm_eps",
                                                   .epsilon = 1e-6};
    read_common(reader, architecture, &defaults);
    family_read_activation(reader, architecture, "hidden_act", "silu");
    family_read_rope(reader, architecture, 10000, 1);
    read_window(reader, architecture, 4096);
}

void family_read_mixtral(struct config_reader *reader, struct architecture *architecture)
{
    static const struct llama_defaults defaults = {.vocabulary_size = 32000,
                                                   .hidden_size = 4096,
                                                   .layer_count = 32,
                                                   .head_count = 32,
                                                   .kv_head_count = 8,
                                                   .intermediate_size = 14336,
                                                   .position_limit = 131072,
                                                   .epsilon_keys = "rms_norm_eps",
                                                   .epsilon = 1e-5};
    read_common(reader, architecture, &defaults);
    family_read_activation(reader, architecture, "hidden_act", "silu");
    family_read_rope(reader, architecture, 1000000, 1);
    read_window(reader, architecture, 0);
    architecture->experts.count = config_size(reader, "num_local_experts|num_experts", 8);
    architecture->experts.per_token = config_size(reader, "num_experts_per_tok", 2);
    architecture->experts.intermediate_size = architecture->intermediate_size;
    architecture->experts.normalise_weights = true;
    for (int64_t layer = 0; layer < ARCHITECTURE_LAYERS_MAX; layer++)
        architecture->layer_is_sparse[layer] = true;
}

static bool slides_from(int64_t layer, int64_t first)
{
    return layer >= first;
}

/* Qwen's windows: off unless use_sliding_window, then from layer max_window_layers on. */
static void read_qwen_windows(struct config_reader *reader, struct architecture *architecture)
{
    bool used = config_boolean(reader, "use_sliding_window", false) &&
                !config_is_null(reader, "sliding_window");
    int64_t window = used ? config_size(reader, "sliding_window", 4096) : 0;
    int64_t first = used ? config_integer(reader, "max_window_layers", 28, 0, 1 << 24)
                         : ARCHITECTURE_LAYERS_MAX;
    family_read_windows(reader, architecture, window, slides_from, first);
}

static void read_qwen(struct config_reader *reader, struct architecture *architecture,
                      int64_t head_dim)
{
    struct llama_defaults defaults = {.vocabulary_size = 151936,
                                      .hidden_size = 4096,
                                      .layer_count = 32,
                                      .head_count = 32,
                                      .kv_head_count = 32,
                                      .head_dim = head_dim,
                                      .intermediate_size = 22016,
                                      .position_limit = 32768,
                                      .epsilon_keys = "rms_norm_eps",
                                      .epsilon = 1e-6};
    read_common(reader, architecture, &defaults);
    family_read_activation(reader, architecture, "hidden_act", "silu");
    family_read_rope(reader, architecture, 10000, 1);
}

void family_read_qwen2(struct config_reader *reader, struct architecture *architecture)
{
    read_qwen(reader, architecture, 0);
    architecture->qkv_bias = true;
    if (architecture->layer_count <= ARCHITECTURE_LAYERS_MAX)
        read_qwen_windows(reader, architecture);
}

void family_read_qwen3(struct config_reader *reader, struct architecture *architecture)
{
    read_qwen(reader, architecture, 128);
    read_attention_bias(reader, architecture);
    architecture->qk_norm = QK_NORM_HEAD;
    architecture->qk_norm_function = NORM_RMS;
    if (architecture->layer_count <= ARCHITECTURE_LAYERS_MAX)
        read_qwen_windows(reader, architecture);
}

/* Which layers have experts: every decoder_sparse_step-th, but for those of mlp_only_layers. */
static void read_sparse_layers(struct config_reader *reader, struct architecture *architecture)
{
    int64_t step = config_size(reader, "decoder_sparse_step", 1);
    for (int64_t layer = 0; layer < ARCHITECTURE_LAYERS_MAX; layer++)
        architecture->layer_is_sparse[layer] = (layer + 1) % step == 0;
    const json_t *dense = json_object_get(reader->object, "mlp_only_layers");
    if (dense == NULL || json_is_null(dense))
        return;
    if (!json_is_array(dense))
        config_refuse(reader, "mlp_only_layers", "it must be a list of layer numbers");
    for (size_t i = 0; i < json_array_size(dense); i++) {
        json_int_t layer = json_integer_value(json_array_get(dense, i));
        if (!json_is_integer(json_array_get(dense, i)) || layer < 0 ||
            layer >= architecture->layer_count || layer >= ARCHITECTURE_LAYERS_MAX) {
            config_refuse(reader, "mlp_only_layers", "it must be a list of layer numbers");
            return;
        }
        architecture->layer_is_sparse[layer] = false;
    }
}

void family_read_qwen3_moe(struct config_reader *reader, struct architecture *architecture)
{
    static const struct llama_defaults defaults = {.vocabulary_size = 151936,
                                                   .hidden_size = 2048,
                                                   .layer_count = 24,
                                                   .head_count = 32,
                                                   .kv_head_count = 4,
                                                   .intermediate_size = 6144,
                                                   .position_limit = 32768,
                                                   .epsilon_keys = "rms_norm_eps",
                                                   .epsilon = 1e-6};
    read_common(reader, architecture, &defaults);
    read_attention_bias(reader, architecture);
    architecture->qk_norm = QK_NORM_HEAD;
    architecture->qk_norm_function = NORM_RMS;
    family_read_activation(reader, architecture, "hidden_act", "silu");
    family_read_rope(reader, architecture, 10000, 1);
    if (config_boolean(reader, "use_sliding_window", false))
        read_window(reader, architecture, 4096);
    architecture->experts.count = config_size(reader, "num_experts|num_local_experts", 128);
    architecture->experts.per_token = config_size(reader, "num_experts_per_tok", 8);
    architecture->experts.intermediate_size = config_size(reader, "moe_intermediate_size", 768);
    architecture->experts.normalise_weights = config_boolean(reader, "norm_topk_prob", false);
    read_sparse_layers(reader, architecture);
}

void family_read_phi3(struct config_reader *reader, struct architecture *architecture)
{
    static const struct llama_defaults defaults = {.vocabulary_size = 32064,
                                                   .hidden_size = 3072,
                                                   .layer_count = 32,
                                                   .head_count = 32,
                                                   .intermediate_size = 8192,
                                                   .position_limit = 4096,
                                                   .epsilon_keys = "rms_norm_eps",
                                                   .epsilon = 1e-5};
    read_common(reader, architecture, &defaults);
    family_read_activation(reader, architecture, "hidden_act", "silu");
    family_read_rope(reader, architecture, 10000, 1);
    read_window(reader, architecture, 0);
}

/* What gemma and gemma2 share. */
static void set_gemma(struct config_reader *reader, struct architecture *architecture)
{
    read_attention_bias(reader, architecture);
    architecture->norm_gain_plus_one = true;
    architecture->embedding_scale = sqrt((double)architecture->hidden_size);
    family_read_rope(reader, architecture, 10000, 1);
    config_require(reader, "use_bidirectional_attention", false,
                   "only causal attention is supported");
}

void family_read_gemma(struct config_reader *reader, struct architecture *architecture)
{
    static const struct llama_defaults defaults = {.vocabulary_size = 256000,
                                                   .hidden_size = 3072,
                                                   .layer_count = 28,
                                                   .head_count = 16,
                                                   .kv_head_count = 16,
                                                   .head_dim = 256,
                                                   .intermediate_size = 24576,
                                                   .position_limit = 8192,
                                                   .epsilon_keys = "rms_norm_eps",
                                                   .epsilon = 1e-6,
                                                   .tied = true};
    read_common(reader, architecture, &defaults);
    set_gemma(reader, architecture);
    family_read_activation(reader, architecture, "hidden_activation|hidden_act",
                           "gelu_pytorch_tanh");
    /* The first published files say "gelu" and mean its tanh form. */
    if (architecture->activation == ACTIVATION_GELU_ERF)
        architecture->activation = ACTIVATION_GELU_TANH;
}

static bool slides_alternately(int64_t layer, int64_t period)
{
    return (layer + 1) % period != 0;
}

void family_read_gemma2(struct config_reader *reader, struct architecture *architecture)
{
    static const struct llama_defaults defaults = {.vocabulary_size = 256000,
                                                   .hidden_size = 2304,
                                                   .layer_count = 26,
                                                   .head_count = 8,
                                                   .kv_head_count = 4,
                                                   .head_dim = 256,
                                                   .intermediate_size = 9216,
                                                   .position_limit = 8192,
                                                   .epsilon_keys = "rms_norm_eps",
                                                   .epsilon = 1e-6,
                                                   .tied = true};
    read_common(reader, architecture, &defaults);
    set_gemma(reader, architecture);
    architecture->norm_after = true;
    family_read_activation(reader, architecture, "hidden_activation", "gelu_pytorch_tanh");
    architecture->attention_scale =
        1 / sqrt((double)config_size(reader, "query_pre_attn_scalar", 256));
    if (!config_is_null(reader, "attn_logit_softcapping"))
        architecture->attention_softcap = config_real(reader, "attn_logit_softcapping", 50);
    if (!config_is_null(reader, "final_logit_softcapping"))
        architecture->logit_softcap = config_real(reader, "final_logit_softcapping", 30);
    int64_t window =
        config_size(reader, "sliding_window", config_is_null(reader, "sliding_window") ? 0 : 4096);
    int64_t period = config_size(reader, "sliding_window_pattern", 2);
    if (architecture->layer_count <= ARCHITECTURE_LAYERS_MAX)
        family_read_windows(reader, architecture, window, slides_alternately, period);
}

void family_read_stablelm(struct config_reader *reader, struct architecture *architecture)
{
    static const struct llama_defaults defaults = {.vocabulary_size = 50304,
                                                   .hidden_size = 2560,
                                                   .layer_count = 32,
                                                   .head_count = 32,
                                                   .kv_head_count = 32,
                                                   .intermediate_size = 6912,
                                                   .position_limit = 4096,
                                                   .epsilon_keys = "layer_norm_eps|norm_eps",
                                                   .epsilon = 1e-5};
    read_common(reader, architecture, &defaults);
    architecture->norm = NORM_LAYER;
    architecture->norm_has_bias = true;
    architecture->qkv_bias = config_boolean(reader, "use_qkv_bias", false);
    architecture->parallel_block = config_boolean(reader, "use_parallel_residual", false);
    architecture->shared_norm = architecture->parallel_block;
    if (config_boolean(reader, "qk_layernorm", false)) {
        architecture->qk_norm = QK_NORM_PER_HEAD;
        architecture->qk_norm_function = NORM_LAYER;
    }
    family_read_activation(reader, architecture, "hidden_act", "silu");
    family_read_rope(reader, architecture, 10000, 0.25);
}

static const struct llama_defaults olmo_defaults = {.vocabulary_size = 50304,
                                                    .hidden_size = 4096,
                                                    .layer_count = 32,
                                                    .head_count = 32,
                                                    .intermediate_size = 11008,
                                                    .position_limit = 2048,
                                                    .epsilon = 1e-5};

void family_read_olmo(struct config_reader *reader, struct architecture *architecture)
{
    read_common(reader, architecture, &olmo_defaults);
    read_attention_bias(reader, architecture);
    architecture->norm = NORM_LAYER;
    architecture->norm_has_gain = false;
    architecture->clip_qkv = config_real(reader, "clip_qkv", 0);
    family_read_activation(reader, architecture, "hidden_act", "silu");
    family_read_rope(reader, architecture, 10000, 1);
}

void family_read_olmo2(struct config_reader *reader, struct architecture *architecture)
{
    struct llama_defaults defaults = olmo_defaults;
    defaults.epsilon_keys = "rms_norm_eps";
    read_common(reader, architecture, &defaults);
    read_attention_bias(reader, architecture);
    architecture->norm_before = false;
    architecture->norm_after = true;
    architecture->qk_norm = QK_NORM_WIDE;
    architecture->qk_norm_function = NORM_RMS;
    family_read_activation(reader, architecture, "hidden_act", "silu");
    family_read_rope(reader, architecture, 10000, 1);
}

void family_read_granite(struct config_reader *reader, struct architecture *architecture)
{
    family_read_llama(reader, architecture);
    architecture->embedding_scale = config_real(reader, "embedding_multiplier", 1);
    architecture->residual_scale = config_real(reader, "residual_multiplier", 1);
    architecture->attention_scale = config_real(reader, "attention_multiplier", 1);
    double scaling = config_real(reader, "logits_scaling", 1);
    if (scaling == 0)
        config_refuse(reader, "logits_scaling", "the logits are divided by it");
    architecture->logit_scale = 1 / scaling;
}
