/* The counts of cost.h, over the shapes that weight_shape.h knows. */
#include "model/cost.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "model/weight_shape.h"

double model_cost_type_bytes(const char *dtype)
{
    static const struct {
        const char *name;
        double bytes;
    } types[] = {{"float32", 4}, {"float16", 2}, {"bfloat16", 2}, {"int8", 1}};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (strcmp(types[i].name, dtype) == 0)
            return types[i].bytes;
    }
    return NAN;
}

/* Elements of matrices: what all tokens read, and what the tokens of a layer's experts read. */
struct matrix_elements {
    double shared;     /* but the head */
    double per_token;  /* multiplied for each token: `shared` and the experts it is sent to */
    double one_expert; /* of all sparse layers together */
    double last_only;  /* of per_token: in the last layer all but keys and values, which of a prompt
                        * only the last position goes through */
    double head;
};

static double elements(const struct architecture *architecture, struct weight_id id)
{
    struct weight_shape shape = weight_shape(architecture, id);
    return shape.exists ? (double)shape.rows * (double)shape.columns : 0.0;
}

static struct matrix_elements count_matrices(const struct architecture *architecture)
{
    struct matrix_elements count = {0};
    for (int role = 0; role < WEIGHT_ROLE_COUNT; role++) {
        struct weight_id id = {.role = (enum weight_role)role};
        /* A token takes one row of each table: nothing is multiplied, next to nothing read. */
        if (weight_kind(id.role) != WEIGHT_IS_MATRIX || id.role == WEIGHT_TOKEN_EMBEDDING ||
            id.role == WEIGHT_POSITION_EMBEDDING || id.role == WEIGHT_HEAD)
            continue;
        for (id.layer = 0; id.layer < architecture->layer_count; id.layer++) {
            bool of_expert = weight_scope(id.role) == WEIGHT_OF_EXPERT &&
                             architecture->layer_is_sparse[id.layer];
            double own = elements(architecture, id);
            *(of_expert ? &count.one_expert : &count.shared) += own;
            if (id.layer == architecture->layer_count - 1 && id.role != WEIGHT_KEY &&
                id.role != WEIGHT_VALUE)
                count.last_only += of_expert ? own * (double)architecture->experts.per_token : own;
        }
    }
    count.per_token = count.shared + count.one_expert * (double)architecture->experts.per_token;
    count.head = (double)architecture->vocabulary_size * (double)architecture->hidden_size;
    return count;
}

/* How many of a layer's experts `tokens` tokens read, if every expert is as likely as another. */
static double experts_read(const struct expert_facts *experts, double tokens)
{
    double count = (double)experts->count;
    if (experts->count == 0)
        return 0.0;
    return count * (1.0 - pow(1.0 - (double)experts->per_token / count, tokens));
}

static double weight_elements(const struct architecture *architecture, double tokens)
{
    struct matrix_elements count = count_matrices(architecture);
    return count.shared + count.one_expert * experts_read(&architecture->experts, tokens) +
           count.head;
}

/* Keys that the tokens at positions [first, last) of one row attend to in a layer. */
static double layer_keys_seen(const struct architecture *architecture, int64_t layer, int64_t first,
                              int64_t last)
{
    int64_t window = architecture->window[layer];
    int64_t full = window > 0 && window < last ? window : last; /* until there it grows */
    double growing = full > first ? (double)(full - first) * (double)(first + 1 + full) / 2.0 : 0.0;
    int64_t begin = full > first ? full : first;
    return growing + (double)(last - begin) * (double)window;
}

/* The same over layers [0, layers). */
static double keys_seen(const struct architecture *architecture, int64_t layers, int64_t first,
                        int64_t last)
{
    double seen = 0.0;
    for (int64_t layer = 0; layer < layers; layer++)
        seen += layer_keys_seen(architecture, layer, first, last);
    return seen;
}

struct model_cost model_cost_prefill(const struct architecture *architecture, int64_t batch,
                                     int64_t length, struct model_cost_types types)
{
    struct matrix_elements count = count_matrices(architecture);
    double rows = (double)batch, tokens = rows * (double)length;
    double heads = (double)architecture->head_count * (double)architecture->head_dim;
    double kv = (double)architecture->kv_head_count * (double)architecture->head_dim;
    int64_t last_layer = architecture->layer_count - 1;
    double multiplied =
        tokens * (count.per_token - count.last_only) + rows * (count.last_only + count.head);
    double keys = keys_seen(architecture, last_layer, 0, length) +
                  layer_keys_seen(architecture, last_layer, length - 1, length);
    return (struct model_cost){
        .flops = 2.0 * multiplied + 4.0 * rows * heads * keys,
        .weight_bytes = weight_elements(architecture, tokens) * types.weight,
        .kv_bytes = 2.0 * tokens * kv * (double)architecture->layer_count * types.kv,
    };
}

struct model_cost model_cost_decode_step(const struct architecture *architecture, int64_t batch,
                                         int64_t length, int64_t steps,
                                         struct model_cost_types types)
{
    if (steps < 1)
        return (struct model_cost){0};
    struct matrix_elements count = count_matrices(architecture);
    double rows = (double)batch;
    double heads = (double)architecture->head_count * (double)architecture->head_dim;
    double kv = (double)architecture->kv_head_count * (double)architecture->head_dim;
    double keys =
        keys_seen(architecture, architecture->layer_count, length, length + steps) / (double)steps;
    return (struct model_cost){
        .flops = rows * (2.0 * (count.per_token + count.head) + 4.0 * heads * keys),
        .weight_bytes = weight_elements(architecture, rows) * types.weight,
        .kv_bytes = 2.0 * rows * kv * keys * types.kv,
    };
}
