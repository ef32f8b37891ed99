/* config.json -> struct architecture: the common defaults, the family's own facts
 * (families*.c), and the checks that every family must pass. */
#include "model/architecture.h"

#include <math.h>
#include <string.h>

#include "base/suggest.h"
#include "base/text.h"
#include "model/config_reader.h"
#include "model/family.h"
#include "model/weight_shape.h"

enum { FAMILIES_MAX = 64, HEAD_DIM_MAX = 1024, EXPERTS_MAX = 1024 };

static int refuse_family(const char *file, const char *type, struct error *error)
{
    const char *names[FAMILIES_MAX];
    struct text list = {0};
    for (size_t i = 0; i < family_count; i++) {
        names[i] = families[i].name;
        text_printf(&list, "%s%s", i > 0 ? ", " : "", families[i].name);
    }
    const char *near = suggest_nearest(type, names, family_count);
    int code = error_set(error, ERROR_INPUT,
                         "%s: model_type \"%.60s\" is not a family that tokenmark knows%s%s%s; "
                         "known: %s",
                         file, type, near != NULL ? " (did you mean \"" : "",
                         near != NULL ? near : "", near != NULL ? "\"?)" : "", text_string(&list));
    text_free(&list);
    return code;
}

/* Before the family speaks: what most have. */
static void set_defaults(struct architecture *architecture)
{
    *architecture = (struct architecture){0};
    architecture->norm = NORM_RMS;
    architecture->norm_has_gain = true;
    architecture->norm_before = true;
    architecture->final_norm = true;
    architecture->position = POSITION_ROPE;
    architecture->embedding_scale = 1;
    architecture->residual_scale = 1;
    architecture->logit_scale = 1;
    architecture->rope.factor = 1;
    architecture->rope.attention_factor = 1;
}

/* What no family of this program can be. */
static void refuse_foreign(struct config_reader *reader)
{
    if (config_has(reader, "quantization_config") && !config_is_null(reader, "quantization_config"))
        config_refuse(reader, "quantization_config",
                      "weights quantised for another engine are not supported; take the "
                      "repository with float16, bfloat16 or float32 weights");
    config_require(reader, "is_encoder_decoder", false, "only decoder-only models are supported");
    config_require(reader, "add_cross_attention", false, "cross-attention is not supported");
}

static void derive(struct config_reader *reader, struct architecture *architecture)
{
    if (architecture->kv_head_count == 0)
        architecture->kv_head_count = architecture->head_count;
    if (architecture->attention_scale == 0)
        architecture->attention_scale = 1 / sqrt((double)architecture->head_dim);
    if (architecture->initializer_range == 0)
        architecture->initializer_range = config_real(reader, "initializer_range", 0.02);
    if (architecture->position == POSITION_ALIBI)
        architecture->position_limit = 0;
    architecture->own_position_limit = architecture->position_limit;
}

/* Near enough to tell whether the exact count fits 64 bits. */
static bool is_countable(const struct architecture *architecture)
{
    double hidden = (double)architecture->hidden_size;
    double heads = (double)(architecture->head_count + 2 * architecture->kv_head_count);
    double dense = 3 * hidden * (double)architecture->intermediate_size;
    double sparse = 3 * hidden * (double)architecture->experts.intermediate_size *
                    (double)architecture->experts.count;
    double layer = dense + sparse + 2 * hidden * heads * (double)architecture->head_dim;
    double tables = (double)(2 * architecture->vocabulary_size + architecture->position_limit);
    return layer * (double)architecture->layer_count + tables * hidden < 0x1p60;
}

static void check(struct config_reader *reader, const struct architecture *architecture)
{
    const struct rope_facts *rope = &architecture->rope;
    const struct expert_facts *experts = &architecture->experts;
    const struct {
        bool broken;
        const char *key, *why;
    } rules[] = {
        {architecture->layer_count > ARCHITECTURE_LAYERS_MAX, "num_hidden_layers",
         "at most 512 layers are supported"},
        {architecture->head_count > 1 << 16, "num_attention_heads", "that many heads cannot be"},
        {architecture->head_count % architecture->kv_head_count != 0, "num_key_value_heads",
         "it must divide the number of attention heads"},
        {architecture->head_dim > HEAD_DIM_MAX, "head_dim",
         "heads of more than 1024 dimensions are not supported"},
        {architecture->position == POSITION_ROPE &&
             (rope->rotary_dim < 2 || rope->rotary_dim % 2 != 0 ||
              rope->rotary_dim > architecture->head_dim || rope->rotary_dim > 2 * ROPE_PAIRS_MAX),
         "partial_rotary_factor",
         "the dimensions of a head that turn must be an even number from 2 to 512 within the head"},
        {architecture->position == POSITION_ROPE && !(rope->theta > 0), "rope_theta",
         "it must be above 0"},
        {!(architecture->norm_epsilon >= 0), "norm epsilon", "it must not be negative"},
        {!(architecture->initializer_range > 0), "initializer_range", "it must be above 0"},
        {architecture->attention_softcap < 0 || architecture->logit_softcap < 0,
         "final_logit_softcapping", "a soft cap must be above 0"},
        {experts->count > EXPERTS_MAX, "num_experts", "at most 1024 experts are supported"},
        {experts->count > 0 && experts->per_token > experts->count, "num_experts_per_tok",
         "there are not so many experts"},
        {!is_countable(architecture), "hidden_size", "no machine holds a model of these sizes"},
    };
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        if (rules[i].broken)
            config_refuse(reader, rules[i].key, rules[i].why);
}

int architecture_from_config(struct architecture *architecture, const json_t *config,
                             const char *file, struct error *error)
{
    struct config_reader reader = {config, {file, ""}, error, 0};
    if (!json_is_object(config))
        return error_set(error, ERROR_INPUT, "%s: it must hold a JSON object", file);
    const char *type = config_string(&reader, "model_type", "");
    if (reader.status != 0)
        return reader.status;
    if (type[0] == '\0')
        return error_set(error, ERROR_INPUT,
                         "%s: model_type is missing: this is no config.json of a Hugging Face "
                         "model",
                         file);
    const struct family *family = family_find(type);
    if (family == NULL)
        return refuse_family(file, type, error);

    set_defaults(architecture);
    strncpy(architecture->family, family->name, sizeof architecture->family - 1);
    refuse_foreign(&reader);
    family->read(&reader, architecture);
    derive(&reader, architecture);
    check(&reader, architecture);
    return reader.status;
}

int64_t architecture_parameter_count(const struct architecture *architecture)
{
    int64_t total = 0;
    for (int role = 0; role < WEIGHT_ROLE_COUNT; role++) {
        enum weight_scope scope = weight_scope((enum weight_role)role);
        int64_t layers = scope == WEIGHT_OF_MODEL ? 1 : architecture->layer_count;
        for (int64_t layer = 0; layer < layers; layer++) {
            struct weight_id id = {(enum weight_role)role, layer, 0};
            struct weight_shape shape = weight_shape(architecture, id);
            bool sparse = scope == WEIGHT_OF_EXPERT && architecture->layer_is_sparse[layer];
            bool tied = role == WEIGHT_HEAD && architecture->tied_embedding;
            if (shape.exists && !tied)
                total += shape.rows * shape.columns * (sparse ? architecture->experts.count : 1);
        }
    }
    return total;
}
