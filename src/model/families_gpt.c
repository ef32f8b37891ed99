/* Families that descend from GPT-2 and GPT-NeoX: layer norms, mostly with biases everywhere.
 * Each function is the list of a family's facts, with the defaults of its public definition
 * (Hugging Face transformers' configuration classes). */
#include "model/family.h"

#include <string.h>

/* Layer norms with gain and bias before attention and MLP, biases everywhere. */
static void set_gpt_block(struct architecture *architecture)
{
    architecture->norm = NORM_LAYER;
    architecture->norm_has_bias = true;
    architecture->qkv_bias = true;
    architecture->attention_output_bias = true;
    architecture->mlp_bias = true;
}

/* n_inner or its like; null or missing is four times the width. */
static int64_t read_inner(struct config_reader *reader, const char *keys, int64_t hidden_size)
{
    return config_size(reader, keys, 4 * hidden_size);
}

void family_read_gpt2(struct config_reader *reader, struct architecture *architecture)
{
    set_gpt_block(architecture);
    architecture->vocabulary_size = config_size(reader, "vocab_size", 50257);
    architecture->hidden_size = config_size(reader, "n_embd|hidden_size", 768);
    architecture->layer_count = config_size(reader, "n_layer|num_hidden_layers", 12);
    architecture->head_count = config_size(reader, "n_head|num_attention_heads", 12);
    architecture->intermediate_size = read_inner(reader, "n_inner", architecture->hidden_size);
    architecture->position = POSITION_LEARNED;
    architecture->position_limit =
        config_size(reader, "n_positions|max_position_embeddings|n_ctx", 1024);
    architecture->norm_epsilon = config_real(reader, "layer_norm_epsilon", 1e-5);
    architecture->tied_embedding = config_boolean(reader, "tie_word_embeddings", true);
    family_read_activation(reader, architecture, "activation_function", "gelu_new");
    family_read_head_dim(reader, architecture);
    if (!config_boolean(reader, "scale_attn_weights", true))
        architecture->attention_scale = 1;
    config_require(reader, "scale_attn_by_inverse_layer_idx", false,
                   "attention that is scaled by the layer's number is not supported");
    config_require(reader, "reorder_and_upcast_attn", false,
                   "only the usual order of attention is supported");
}

/* attention_types is [[["global", "local"], 12], ...]: the pattern, and how often it repeats. */
static void read_gpt_neo_windows(struct config_reader *reader, struct architecture *architecture)
{
    static const char why[] = "it must be a list like [[[\"global\", \"local\"], 12]] that gives "
                              "every layer one of the two";
    int64_t window = config_size(reader, "window_size", 256);
    const json_t *types = json_object_get(reader->object, "attention_types");
    if (types == NULL || json_is_null(types)) {
        for (int64_t layer = 0; layer < architecture->layer_count; layer++)
            architecture->window[layer] = layer % 2 == 1 ? window : 0;
        return;
    }
    int64_t layer = 0;
    for (size_t item = 0; item < json_array_size(types); item++) {
        const json_t *pattern = json_array_get(json_array_get(types, item), 0);
        json_int_t repeats = json_integer_value(json_array_get(json_array_get(types, item), 1));
        int64_t length = (int64_t)json_array_size(pattern);
        for (json_int_t i = 0; length > 0 && i < repeats; i++) {
            for (int64_t j = 0; j < length; j++) {
                const char *kind = json_string_value(json_array_get(pattern, (size_t)j));
                bool local = kind != NULL && strcmp(kind, "local") == 0;
                bool global = kind != NULL && strcmp(kind, "global") == 0;
                if (layer >= architecture->layer_count || (!local && !global)) {
                    config_refuse(reader, "attention_types", why);
                    return;
                }
                architecture->window[layer++] = local ? window : 0;
            }
        }
    }
    if (layer != architecture->layer_count)
        config_refuse(reader, "attention_types", why);
}

void family_read_gpt_neo(struct config_reader *reader, struct architecture *architecture)
{
    set_gpt_block(architecture);
    architecture->qkv_bias = false;
    architecture->vocabulary_size = config_size(reader, "vocab_size", 50257);
    architecture->hidden_size = config_size(reader, "hidden_size", 2048);
    architecture->layer_count = config_size(reader, "num_layers|num_hidden_layers", 24);
    architecture->head_count = config_size(reader, "num_heads|num_attention_heads", 16);
    architecture->intermediate_size =
        read_inner(reader, "intermediate_size", architecture->hidden_size);
    architecture->position = POSITION_LEARNED;
    architecture->position_limit = config_size(reader, "max_position_embeddings", 2048);
    architecture->norm_epsilon = config_real(reader, "layer_norm_epsilon", 1e-5);
    architecture->tied_embedding = config_boolean(reader, "tie_word_embeddings", true);
    architecture->attention_scale = 1; /* GPT-Neo does not divide by sqrt(head_dim) */
    family_read_activation(reader, architecture, "activation_function", "gelu_new");
    family_read_head_dim(reader, architecture);
    if (architecture->layer_count <= ARCHITECTURE_LAYERS_MAX)
        read_gpt_neo_windows(reader, architecture);
}

void family_read_gptj(struct config_reader *reader, struct architecture *architecture)
{
    set_gpt_block(architecture);
    architecture->qkv_bias = false;
    architecture->attention_output_bias = false;
    architecture->head_bias = true;
    architecture->parallel_block = true;
    architecture->shared_norm = true;
    architecture->vocabulary_size = config_size(reader, "vocab_size", 50400);
    architecture->hidden_size = config_size(reader, "n_embd|hidden_size", 4096);
    architecture->layer_count = config_size(reader, "n_layer|num_hidden_layers", 28);
    architecture->head_count = config_size(reader, "n_head|num_attention_heads", 16);
    architecture->intermediate_size = read_inner(reader, "n_inner", architecture->hidden_size);
    architecture->position = POSITION_ROPE;
    architecture->position_limit = config_size(reader, "n_positions|max_position_embeddings", 2048);
    architecture->norm_epsilon = config_real(reader, "layer_norm_epsilon", 1e-5);
    architecture->tied_embedding = config_boolean(reader, "tie_word_embeddings", false);
    family_read_activation(reader, architecture, "activation_function", "gelu_new");
    family_read_head_dim(reader, architecture);
    if (config_is_null(reader, "rotary_dim"))
        config_refuse(reader, "rotary_dim", "the number of turning dimensions is needed");
    architecture->rope.interleaved = true;
    architecture->rope.theta = 10000;
    architecture->rope.rotary_dim = config_size(reader, "rotary_dim", 64);
}

void family_read_gpt_neox(struct config_reader *reader, struct architecture *architecture)
{
    set_gpt_block(architecture);
    architecture->vocabulary_size = config_size(reader, "vocab_size", 50432);
    architecture->hidden_size = config_size(reader, "hidden_size", 6144);
    architecture->layer_count = config_size(reader, "num_hidden_layers", 44);
    architecture->head_count = config_size(reader, "num_attention_heads", 64);
    architecture->intermediate_size = config_size(reader, "intermediate_size", 24576);
    architecture->position_limit = config_size(reader, "max_position_embeddings", 2048);
    architecture->norm_epsilon = config_real(reader, "layer_norm_eps", 1e-5);
    architecture->tied_embedding = config_boolean(reader, "tie_word_embeddings", false);
    architecture->parallel_block = config_boolean(reader, "use_parallel_residual", true);
    architecture->qkv_bias = config_boolean(reader, "attention_bias", true);
    architecture->attention_output_bias = architecture->qkv_bias;
    family_read_activation(reader, architecture, "hidden_act", "gelu");
    family_read_head_dim(reader, architecture);
    family_read_rope(reader, architecture, 10000, 0.25);
}

void family_read_opt(struct config_reader *reader, struct architecture *architecture)
{
    set_gpt_block(architecture);
    architecture->vocabulary_size = config_size(reader, "vocab_size", 50272);
    architecture->hidden_size = config_size(reader, "hidden_size", 768);
    architecture->layer_count = config_size(reader, "num_hidden_layers", 12);
    architecture->head_count = config_size(reader, "num_attention_heads", 12);
    architecture->intermediate_size = config_size(reader, "ffn_dim", 3072);
    architecture->position = POSITION_LEARNED;
    architecture->position_offset = 2;
    architecture->position_limit = config_size(reader, "max_position_embeddings", 2048);
    architecture->norm_epsilon = 1e-5;
    architecture->tied_embedding = config_boolean(reader, "tie_word_embeddings", true);
    architecture->initializer_range = config_real(reader, "init_std", 0.02);
    bool bias = config_boolean(reader, "enable_bias", true);
    architecture->qkv_bias = bias;
    architecture->attention_output_bias = bias;
    architecture->mlp_bias = bias;
    architecture->norm_has_gain = config_boolean(reader, "layer_norm_elementwise_affine", true);
    architecture->norm_has_bias = architecture->norm_has_gain;
    architecture->final_norm = !config_boolean(reader, "_remove_final_layer_norm", false);
    family_read_activation(reader, architecture, "activation_function", "relu");
    family_read_head_dim(reader, architecture);
    config_require(reader, "do_layer_norm_before", true,
                   "norms on the sums after attention and MLP are not supported");
    int64_t projected = config_size(reader, "word_embed_proj_dim", architecture->hidden_size);
    if (projected != architecture->hidden_size)
        config_refuse(reader, "word_embed_proj_dim",
                      "embeddings narrower than hidden_size are not supported");
}

void family_read_bloom(struct config_reader *reader, struct architecture *architecture)
{
    set_gpt_block(architecture);
    architecture->vocabulary_size = config_size(reader, "vocab_size", 250880);
    architecture->hidden_size = config_size(reader, "n_embed|hidden_size", 64);
    architecture->layer_count = config_size(reader, "n_layer|num_hidden_layers", 2);
    architecture->head_count = config_size(reader, "n_head|num_attention_heads", 8);
    architecture->intermediate_size = 4 * architecture->hidden_size;
    architecture->position = POSITION_ALIBI;
    architecture->embedding_norm = true;
    architecture->norm_epsilon = config_real(reader, "layer_norm_epsilon", 1e-5);
    architecture->tied_embedding = config_boolean(reader, "tie_word_embeddings", true);
    architecture->activation = ACTIVATION_GELU_TANH;
    family_read_head_dim(reader, architecture);
    config_require(reader, "apply_residual_connection_post_layernorm", false,
                   "residuals taken after the norm are not supported");
}

void family_read_falcon(struct config_reader *reader, struct architecture *architecture)
{
    set_gpt_block(architecture);
    architecture->vocabulary_size = config_size(reader, "vocab_size", 65024);
    architecture->hidden_size = config_size(reader, "n_embed|hidden_size", 4544);
    architecture->layer_count = config_size(reader, "num_hidden_layers|n_layer", 32);
    architecture->head_count = config_size(reader, "num_attention_heads|n_head", 71);
    bool grouped = config_boolean(reader, "new_decoder_architecture", false);
    bool one_kv_head = !grouped && config_boolean(reader, "multi_query", true);
    architecture->kv_head_count =
        one_kv_head ? 1 : config_size(reader, "num_kv_heads|n_head_kv", architecture->head_count);
    architecture->intermediate_size =
        read_inner(reader, "ffn_hidden_size", architecture->hidden_size);
    architecture->position_limit = config_size(reader, "max_position_embeddings", 2048);
    architecture->norm_epsilon = config_real(reader, "layer_norm_epsilon", 1e-5);
    architecture->tied_embedding = config_boolean(reader, "tie_word_embeddings", true);
    bool bias = config_boolean(reader, "bias", false);
    architecture->qkv_bias = bias;
    architecture->attention_output_bias = bias;
    architecture->mlp_bias = bias;
    architecture->parallel_block = grouped || config_boolean(reader, "parallel_attn", true);
    int64_t norms = config_integer(reader, "num_ln_in_parallel_attn", grouped ? 2 : 1, 1, 2);
    architecture->shared_norm = architecture->parallel_block && !(grouped && norms == 2);
    family_read_activation(reader, architecture, "activation", "gelu");
    family_read_head_dim(reader, architecture);
    family_read_rope(reader, architecture, 10000, 1);
    config_require(reader, "alibi", false,
                   "Falcon's scaled ALiBi is not supported; Falcon with rotary positions is");
}

void family_read_phi(struct config_reader *reader, struct architecture *architecture)
{
    set_gpt_block(architecture);
    architecture->head_bias = true;
    architecture->parallel_block = true;
    architecture->shared_norm = true;
    architecture->vocabulary_size = config_size(reader, "vocab_size", 51200);
    architecture->hidden_size = config_size(reader, "hidden_size", 2048);
    architecture->layer_count = config_size(reader, "num_hidden_layers", 24);
    architecture->head_count = config_size(reader, "num_attention_heads", 32);
    architecture->kv_head_count =
        config_size(reader, "num_key_value_heads", architecture->head_count);
    architecture->intermediate_size = config_size(reader, "intermediate_size", 8192);
    architecture->position_limit = config_size(reader, "max_position_embeddings", 2048);
    architecture->norm_epsilon = config_real(reader, "layer_norm_eps", 1e-5);
    architecture->tied_embedding = config_boolean(reader, "tie_word_embeddings", false);
    if (config_boolean(reader, "qk_layernorm", false)) {
        architecture->qk_norm = QK_NORM_HEAD;
        architecture->qk_norm_function = NORM_LAYER;
        architecture->qk_norm_has_bias = true;
    }
    family_read_activation(reader, architecture, "hidden_act", "gelu_new");
    family_read_head_dim(reader, architecture);
    family_read_rope(reader, architecture, 10000, 0.5);
}
