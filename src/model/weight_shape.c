/* The table of weight roles and the rules of weight_shape.h. */
#include "model/weight_shape.h"

static const struct {
    const char *name;
    enum weight_scope scope;
    enum weight_kind kind;
} roles[WEIGHT_ROLE_COUNT] = {
    [WEIGHT_TOKEN_EMBEDDING] = {"token_embedding", WEIGHT_OF_MODEL, WEIGHT_IS_MATRIX},
    [WEIGHT_POSITION_EMBEDDING] = {"position_embedding", WEIGHT_OF_MODEL, WEIGHT_IS_MATRIX},
    [WEIGHT_EMBEDDING_NORM_GAIN] = {"embedding_norm_gain", WEIGHT_OF_MODEL, WEIGHT_IS_GAIN},
    [WEIGHT_EMBEDDING_NORM_BIAS] = {"embedding_norm_bias", WEIGHT_OF_MODEL, WEIGHT_IS_BIAS},
    [WEIGHT_ATTENTION_NORM_GAIN] = {"attention_norm_gain", WEIGHT_OF_LAYER, WEIGHT_IS_GAIN},
    [WEIGHT_ATTENTION_NORM_BIAS] = {"attention_norm_bias", WEIGHT_OF_LAYER, WEIGHT_IS_BIAS},
    [WEIGHT_QUERY] = {"query", WEIGHT_OF_LAYER, WEIGHT_IS_MATRIX},
    [WEIGHT_QUERY_BIAS] = {"query_bias", WEIGHT_OF_LAYER, WEIGHT_IS_BIAS},
    [WEIGHT_KEY] = {"key", WEIGHT_OF_LAYER, WEIGHT_IS_MATRIX},
    [WEIGHT_KEY_BIAS] = {"key_bias", WEIGHT_OF_LAYER, WEIGHT_IS_BIAS},
    [WEIGHT_VALUE] = {"value", WEIGHT_OF_LAYER, WEIGHT_IS_MATRIX},
    [WEIGHT_VALUE_BIAS] = {"value_bias", WEIGHT_OF_LAYER, WEIGHT_IS_BIAS},
    [WEIGHT_QUERY_NORM_GAIN] = {"query_norm_gain", WEIGHT_OF_LAYER, WEIGHT_IS_GAIN},
    [WEIGHT_QUERY_NORM_BIAS] = {"query_norm_bias", WEIGHT_OF_LAYER, WEIGHT_IS_BIAS},
    [WEIGHT_KEY_NORM_GAIN] = {"key_norm_gain", WEIGHT_OF_LAYER, WEIGHT_IS_GAIN},
    [WEIGHT_KEY_NORM_BIAS] = {"key_norm_bias", WEIGHT_OF_LAYER, WEIGHT_IS_BIAS},
    [WEIGHT_ATTENTION_OUTPUT] = {"attention_output", WEIGHT_OF_LAYER, WEIGHT_IS_MATRIX},
    [WEIGHT_ATTENTION_OUTPUT_BIAS] = {"attention_output_bias", WEIGHT_OF_LAYER, WEIGHT_IS_BIAS},
    [WEIGHT_ATTENTION_AFTER_NORM_GAIN] = {"attention_after_norm_gain", WEIGHT_OF_LAYER,
                                          WEIGHT_IS_GAIN},
    [WEIGHT_ATTENTION_AFTER_NORM_BIAS] = {"attention_after_norm_bias", WEIGHT_OF_LAYER,
                                          WEIGHT_IS_BIAS},
    [WEIGHT_MLP_NORM_GAIN] = {"mlp_norm_gain", WEIGHT_OF_LAYER, WEIGHT_IS_GAIN},
    [WEIGHT_MLP_NORM_BIAS] = {"mlp_norm_bias", WEIGHT_OF_LAYER, WEIGHT_IS_BIAS},
    [WEIGHT_ROUTER] = {"router", WEIGHT_OF_LAYER, WEIGHT_IS_MATRIX},
    [WEIGHT_GATE] = {"gate", WEIGHT_OF_EXPERT, WEIGHT_IS_MATRIX},
    [WEIGHT_GATE_BIAS] = {"gate_bias", WEIGHT_OF_EXPERT, WEIGHT_IS_BIAS},
    [WEIGHT_UP] = {"up", WEIGHT_OF_EXPERT, WEIGHT_IS_MATRIX},
    [WEIGHT_UP_BIAS] = {"up_bias", WEIGHT_OF_EXPERT, WEIGHT_IS_BIAS},
    [WEIGHT_DOWN] = {"down", WEIGHT_OF_EXPERT, WEIGHT_IS_MATRIX},
    [WEIGHT_DOWN_BIAS] = {"down_bias", WEIGHT_OF_EXPERT, WEIGHT_IS_BIAS},
    [WEIGHT_MLP_AFTER_NORM_GAIN] = {"mlp_after_norm_gain", WEIGHT_OF_LAYER, WEIGHT_IS_GAIN},
    [WEIGHT_MLP_AFTER_NORM_BIAS] = {"mlp_after_norm_bias", WEIGHT_OF_LAYER, WEIGHT_IS_BIAS},
    [WEIGHT_FINAL_NORM_GAIN] = {"final_norm_gain", WEIGHT_OF_MODEL, WEIGHT_IS_GAIN},
    [WEIGHT_FINAL_NORM_BIAS] = {"final_norm_bias", WEIGHT_OF_MODEL, WEIGHT_IS_BIAS},
    [WEIGHT_HEAD] = {"head", WEIGHT_OF_MODEL, WEIGHT_IS_MATRIX},
    [WEIGHT_HEAD_BIAS] = {"head_bias", WEIGHT_OF_MODEL, WEIGHT_IS_BIAS},
};

const char *weight_role_name(enum weight_role role)
{
    return roles[role].name;
}

enum weight_scope weight_scope(enum weight_role role)
{
    return roles[role].scope;
}

enum weight_kind weight_kind(enum weight_role role)
{
    return roles[role].kind;
}

static struct weight_shape shaped(bool exists, int64_t rows, int64_t columns)
{
    return (struct weight_shape){exists, exists ? rows : 0, exists ? columns : 0};
}

/* A norm over the hidden state. */
static struct weight_shape norm_shape(const struct architecture *architecture, bool exists,
                                      enum weight_kind kind)
{
    bool wanted =
        kind == WEIGHT_IS_GAIN ? architecture->norm_has_gain : architecture->norm_has_bias;
    return shaped(exists && wanted, 1, architecture->hidden_size);
}

/* The norm of query or key with `heads` heads. */
static struct weight_shape qk_norm_shape(const struct architecture *architecture, int64_t heads,
                                         enum weight_kind kind)
{
    bool exists = architecture->qk_norm != QK_NORM_NONE &&
                  (kind == WEIGHT_IS_GAIN || architecture->qk_norm_has_bias);
    int64_t groups = architecture->qk_norm == QK_NORM_HEAD ? 1 : heads;
    return shaped(exists, 1, groups * architecture->head_dim);
}

static struct weight_shape attention_shape(const struct architecture *architecture,
                                           enum weight_role role)
{
    int64_t hidden = architecture->hidden_size;
    int64_t query = architecture->head_count * architecture->head_dim;
    int64_t key = architecture->kv_head_count * architecture->head_dim;
    switch (role) {
    case WEIGHT_QUERY:
        return shaped(true, query, hidden);
    case WEIGHT_QUERY_BIAS:
        return shaped(architecture->qkv_bias, 1, query);
    case WEIGHT_KEY:
    case WEIGHT_VALUE:
        return shaped(true, key, hidden);
    case WEIGHT_KEY_BIAS:
    case WEIGHT_VALUE_BIAS:
        return shaped(architecture->qkv_bias, 1, key);
    case WEIGHT_QUERY_NORM_GAIN:
    case WEIGHT_QUERY_NORM_BIAS:
        return qk_norm_shape(architecture, architecture->head_count, roles[role].kind);
    case WEIGHT_KEY_NORM_GAIN:
    case WEIGHT_KEY_NORM_BIAS:
        return qk_norm_shape(architecture, architecture->kv_head_count, roles[role].kind);
    case WEIGHT_ATTENTION_OUTPUT:
        return shaped(true, hidden, query);
    default: /* WEIGHT_ATTENTION_OUTPUT_BIAS */
        return shaped(architecture->attention_output_bias, 1, hidden);
    }
}

static struct weight_shape mlp_shape(const struct architecture *architecture, struct weight_id id)
{
    bool sparse = architecture->layer_is_sparse[id.layer];
    const struct expert_facts *experts = &architecture->experts;
    int64_t inner = sparse ? experts->intermediate_size : architecture->intermediate_size;
    int64_t hidden = architecture->hidden_size;
    bool there = id.expert >= 0 && id.expert < (sparse ? experts->count : 1);
    bool gated = there && architecture->mlp_gated;
    bool bias = architecture->mlp_bias;
    switch (id.role) {
    case WEIGHT_ROUTER:
        return shaped(sparse, experts->count, hidden);
    case WEIGHT_GATE:
        return shaped(gated, inner, hidden);
    case WEIGHT_GATE_BIAS:
        return shaped(gated && bias, 1, inner);
    case WEIGHT_UP:
        return shaped(there, inner, hidden);
    case WEIGHT_UP_BIAS:
        return shaped(there && bias, 1, inner);
    case WEIGHT_DOWN:
        return shaped(there, hidden, inner);
    default: /* WEIGHT_DOWN_BIAS */
        return shaped(there && bias, 1, hidden);
    }
}

struct weight_shape weight_shape(const struct architecture *architecture, struct weight_id id)
{
    enum weight_kind kind = roles[id.role].kind;
    switch (id.role) {
    case WEIGHT_TOKEN_EMBEDDING:
    case WEIGHT_HEAD:
        return shaped(true, architecture->vocabulary_size, architecture->hidden_size);
    case WEIGHT_HEAD_BIAS:
        return shaped(architecture->head_bias, 1, architecture->vocabulary_size);
    case WEIGHT_POSITION_EMBEDDING:
        return shaped(architecture->position == POSITION_LEARNED,
                      architecture->position_limit + architecture->position_offset,
                      architecture->hidden_size);
    case WEIGHT_EMBEDDING_NORM_GAIN:
    case WEIGHT_EMBEDDING_NORM_BIAS:
        return norm_shape(architecture, architecture->embedding_norm, kind);
    case WEIGHT_ATTENTION_NORM_GAIN:
    case WEIGHT_ATTENTION_NORM_BIAS:
        return norm_shape(architecture, architecture->norm_before, kind);
    case WEIGHT_MLP_NORM_GAIN:
    case WEIGHT_MLP_NORM_BIAS:
        return norm_shape(architecture, architecture->norm_before && !architecture->shared_norm,
                          kind);
    case WEIGHT_ATTENTION_AFTER_NORM_GAIN:
    case WEIGHT_ATTENTION_AFTER_NORM_BIAS:
    case WEIGHT_MLP_AFTER_NORM_GAIN:
    case WEIGHT_MLP_AFTER_NORM_BIAS:
        return norm_shape(architecture, architecture->norm_after, kind);
    case WEIGHT_FINAL_NORM_GAIN:
    case WEIGHT_FINAL_NORM_BIAS:
        return norm_shape(architecture, architecture->final_norm, kind);
    case WEIGHT_ROUTER:
    case WEIGHT_GATE:
    case WEIGHT_GATE_BIAS:
    case WEIGHT_UP:
    case WEIGHT_UP_BIAS:
    case WEIGHT_DOWN:
    case WEIGHT_DOWN_BIAS:
        return mlp_shape(architecture, id);
    default:
        return attention_shape(architecture, id.role);
    }
}
