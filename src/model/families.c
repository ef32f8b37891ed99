/* The table of families and the reads that several of them share. */
#include "model/family.h"

#include <math.h>
#include <string.h>

#include "model/tensor_naming.h"

const struct family families[] = {
    {"bloom", family_read_bloom, &tensor_naming_bloom},
    {"falcon", family_read_falcon, &tensor_naming_falcon},
    {"gemma", family_read_gemma, &tensor_naming_llama},
    {"gemma2", family_read_gemma2, &tensor_naming_gemma2},
    {"gpt2", family_read_gpt2, &tensor_naming_gpt2},
    {"gpt_neo", family_read_gpt_neo, &tensor_naming_gpt_neo},
    {"gpt_neox", family_read_gpt_neox, &tensor_naming_gpt_neox},
    {"gptj", family_read_gptj, &tensor_naming_gptj},
    {"granite", family_read_granite, &tensor_naming_llama},
    {"llama", family_read_llama, &tensor_naming_llama},
    {"mistral", family_read_mistral, &tensor_naming_llama},
    {"mixtral", family_read_mixtral, &tensor_naming_mixtral},
    {"olmo", family_read_olmo, &tensor_naming_llama},
    {"olmo2", family_read_olmo2, &tensor_naming_olmo2},
    {"opt", family_read_opt, &tensor_naming_opt},
    {"phi", family_read_phi, &tensor_naming_phi},
    {"phi3", family_read_phi3, &tensor_naming_phi3},
    {"qwen2", family_read_qwen2, &tensor_naming_llama},
    {"qwen3", family_read_qwen3, &tensor_naming_llama},
    {"qwen3_moe", family_read_qwen3_moe, &tensor_naming_qwen3_moe},
    {"stablelm", family_read_stablelm, &tensor_naming_stablelm},
};
const size_t family_count = sizeof families / sizeof families[0];

const struct family *family_find(const char *name)
{
    for (size_t i = 0; i < family_count; i++)
        if (strcmp(families[i].name, name) == 0)
            return &families[i];
    return NULL;
}

void family_read_activation(struct config_reader *reader, struct architecture *architecture,
                            const char *keys, const char *missing)
{
    static const struct {
        const char *name;
        enum activation_kind kind;
    } activations[] = {
        {"gelu", ACTIVATION_GELU_ERF},
        {"gelu_python", ACTIVATION_GELU_ERF},
        {"gelu_new", ACTIVATION_GELU_TANH},
        {"gelu_fast", ACTIVATION_GELU_TANH},
        {"gelu_pytorch_tanh", ACTIVATION_GELU_TANH},
        {"gelu_accurate", ACTIVATION_GELU_TANH},
        {"relu", ACTIVATION_RELU},
        {"silu", ACTIVATION_SILU},
        {"swish", ACTIVATION_SILU},
        {"quick_gelu", ACTIVATION_QUICK_GELU},
    };
    const char *name = config_string(reader, keys, missing);
    for (size_t i = 0; i < sizeof activations / sizeof activations[0]; i++) {
        if (strcmp(activations[i].name, name) == 0) {
            architecture->activation = activations[i].kind;
            return;
        }
    }
    const char *key = keys;
    for (const char *rest = keys; (rest = strchr(rest, '|')) != NULL;)
        key = ++rest;
    config_refuse(reader, strchr(keys, '|') == NULL ? keys : key,
                  "this activation function is not one that tokenmark has (gelu, gelu_new, "
                  "gelu_pytorch_tanh, relu, silu, quick_gelu)");
}

void family_read_head_dim(struct config_reader *reader, struct architecture *architecture)
{
    int64_t whole = architecture->hidden_size / architecture->head_count;
    architecture->head_dim = config_size(reader, "head_dim", whole);
    bool given = config_has(reader, "head_dim") && !config_is_null(reader, "head_dim");
    if (!given && architecture->hidden_size % architecture->head_count != 0)
        config_refuse(reader, "hidden_size",
                      "without head_dim it must be a multiple of the number of heads");
}

/* The entry of layer_types for one layer, false after a refusal. */
static bool read_layer_type(struct config_reader *reader, const json_t *types, int64_t layer,
                            bool *slides)
{
    const char *type = json_string_value(json_array_get(types, (size_t)layer));
    *slides = type != NULL && strcmp(type, "sliding_attention") == 0;
    if (*slides || (type != NULL && strcmp(type, "full_attention") == 0))
        return true;
    config_refuse(reader, "layer_types",
                  "each entry must be \"full_attention\" or \"sliding_attention\"");
    return false;
}

void family_read_windows(struct config_reader *reader, struct architecture *architecture,
                         int64_t window, bool (*slides)(int64_t layer, int64_t context),
                         int64_t context)
{
    const json_t *types = json_object_get(reader->object, "layer_types");
    bool listed = types != NULL && !json_is_null(types);
    if (listed && (int64_t)json_array_size(types) != architecture->layer_count) {
        config_refuse(reader, "layer_types", "it must be a list with one entry a layer");
        return;
    }
    for (int64_t layer = 0; layer < architecture->layer_count; layer++) {
        bool sliding = !listed && slides(layer, context);
        if (listed && !read_layer_type(reader, types, layer, &sliding))
            return;
        if (sliding && window == 0) {
            config_refuse(reader, "sliding_window", "layer_types asks for one");
            return;
        }
        architecture->window[layer] = sliding ? window : 0;
    }
}
