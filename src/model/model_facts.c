/* The block `model` of a results file. */
#include "model/model.h"
#include "model/model_internal.h"

/* The type that the matrices have in the files. */
static const char *weights_type(const struct model *model)
{
    const struct weight_source *source = weight_table_find(
        &model->weights, &model->architecture, (struct weight_id){WEIGHT_ATTENTION_OUTPUT, 0, 0});
    bool in_file = source != NULL && source->tensor != NULL;
    return in_file ? tensor_type_name(source->tensor) : "float32";
}

static const char *position_word(const struct architecture *architecture)
{
    static const char *const words[] = {[POSITION_NONE] = "none",
                                        [POSITION_LEARNED] = "learned",
                                        [POSITION_ROPE] = "rotary",
                                        [POSITION_ALIBI] = "ALiBi"};
    return words[architecture->position];
}

static const char *activation_word(const struct architecture *architecture)
{
    static const char *const words[] = {[ACTIVATION_GELU_TANH] = "gelu_tanh",
                                        [ACTIVATION_GELU_ERF] = "gelu",
                                        [ACTIVATION_RELU] = "relu",
                                        [ACTIVATION_SILU] = "silu",
                                        [ACTIVATION_QUICK_GELU] = "quick_gelu"};
    return words[architecture->activation];
}

/* The widest sliding window; 0 where every layer sees all keys. */
static int64_t widest_window(const struct architecture *architecture)
{
    int64_t widest = 0;
    for (int64_t i = 0; i < architecture->layer_count; i++)
        if (architecture->window[i] > widest)
            widest = architecture->window[i];
    return widest;
}

/* A limit as JSON: null where there is none. */
static json_t *limit_json(int64_t limit)
{
    return limit > 0 ? json_integer(limit) : json_null();
}

static json_t *architecture_facts(const struct architecture *architecture)
{
    json_t *facts = json_object();
    const struct {
        const char *name;
        int64_t value;
    } sizes[] = {
        {"layers", architecture->layer_count},
        {"hidden_size", architecture->hidden_size},
        {"heads", architecture->head_count},
        {"kv_heads", architecture->kv_head_count},
        {"head_dim", architecture->head_dim},
        {"intermediate_size", architecture->intermediate_size},
        {"vocabulary_size", architecture->vocabulary_size},
        {"experts", architecture->experts.count},
        {"experts_per_token", architecture->experts.per_token},
    };
    int failed = json_object_set_new(facts, "family", json_string(architecture->family));
    bool dense = architecture->experts.count == 0;
    size_t count = sizeof sizes / sizeof sizes[0] - (dense ? 2 : 0);
    for (size_t i = 0; i < count; i++)
        failed |= json_object_set_new(facts, sizes[i].name, json_integer(sizes[i].value));
    json_t *words = json_pack(
        "{s:s, s:s, s:s, s:b, s:b, s:o}", "norm", architecture->norm == NORM_RMS ? "RMS" : "layer",
        "position_kind", position_word(architecture), "activation", activation_word(architecture),
        "gated_mlp", architecture->mlp_gated, "tied_embedding", architecture->tied_embedding,
        "sliding_window", limit_json(widest_window(architecture)));
    failed |= json_object_update(facts, words);
    json_decref(words);
    if (failed != 0) {
        json_decref(facts);
        return NULL;
    }
    return facts;
}

json_t *model_facts(const struct model *model)
{
    static const char *const sources[] = {
        [MODEL_FROM_DIRECTORY] = "directory",   [MODEL_FROM_FILE] = "file",
        [MODEL_FROM_CACHE] = "cache",           [MODEL_FROM_HUB] = "hub",
        [MODEL_FROM_KNOWN_NAME] = "known name",
    };
    const struct architecture *architecture = &model->architecture;
    json_int_t parameters = architecture_parameter_count(architecture);
    return json_pack("{s:s, s:s, s:o, s:I, s:o, s:o, s:s, s:s}", "name", model->name, "source",
                     sources[model->source], "architecture", architecture_facts(architecture),
                     "parameters", parameters, "positions",
                     limit_json(architecture->position_limit), "own_positions",
                     limit_json(architecture->own_position_limit), "weights_dtype",
                     weights_type(model), "weights", model->random ? "random" : "real");
}
