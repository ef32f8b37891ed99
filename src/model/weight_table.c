/* Builds the table of weight_table.h: walks all weights that the architecture has and finds
 * each one's tensor by the family's naming rules. */
#include "model/weight_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "model/random_weights.h"

enum { NAME_MAX_BYTES = 256 };

struct binder {
    struct weight_table *table;
    const struct architecture *architecture;
    const struct tensor_naming *naming;
    const struct tensor_set *tensors;
    const char *prefix;
    const char *place;
    struct error *error;
};

static int64_t layers_of(const struct architecture *architecture, enum weight_role role)
{
    return weight_scope(role) == WEIGHT_OF_MODEL ? 1 : architecture->layer_count;
}

static int64_t experts_of(const struct weight_table *table, enum weight_role role)
{
    return weight_scope(role) == WEIGHT_OF_EXPERT ? table->experts : 1;
}

static int allocate(struct weight_table *table, const struct architecture *architecture,
                    struct error *error)
{
    *table = (struct weight_table){0};
    table->experts = architecture->experts.count > 1 ? architecture->experts.count : 1;
    for (int role = 0; role < WEIGHT_ROLE_COUNT; role++) {
        enum weight_role this = (enum weight_role)role;
        table->first[role] = table->count;
        table->count += (size_t)(layers_of(architecture, this) * experts_of(table, this));
    }
    table->sources = calloc(table->count, sizeof *table->sources);
    if (table->sources == NULL)
        return error_set(error, ERROR_MEMORY, "out of memory for %zu weights", table->count);
    return 0;
}

static struct weight_source *source_at(const struct weight_table *table, struct weight_id id)
{
    size_t index = (size_t)(id.layer * experts_of(table, id.role) + id.expert);
    return &table->sources[table->first[id.role] + index];
}

/* Calls `visit` for every weight that the architecture has, but for a tied head. */
static int for_each(struct weight_table *table, const struct architecture *architecture,
                    int (*visit)(void *context, struct weight_id id), void *context)
{
    for (int role = 0; role < WEIGHT_ROLE_COUNT; role++) {
        struct weight_id id = {(enum weight_role)role, 0, 0};
        if (id.role == WEIGHT_HEAD && architecture->tied_embedding)
            continue;
        for (id.layer = 0; id.layer < layers_of(architecture, id.role); id.layer++) {
            for (id.expert = 0; id.expert < experts_of(table, id.role); id.expert++) {
                struct weight_source *source = source_at(table, id);
                source->shape = weight_shape(architecture, id);
                int status = source->shape.exists ? visit(context, id) : 0;
                if (status != 0)
                    return status;
            }
        }
    }
    return 0;
}

/* Writes the name of a tensor; %d, %e and %h stand for layer, expert and head. */
static void spell(char name[NAME_MAX_BYTES], const char *prefix, const struct tensor_rule *rule,
                  struct weight_id id, int64_t head)
{
    size_t length = (size_t)snprintf(name, NAME_MAX_BYTES, "%s", rule->at_top ? "" : prefix);
    for (const char *in = rule->stem; *in != '\0' && length + 24 < NAME_MAX_BYTES; in++) {
        if (*in != '%') {
            name[length++] = *in;
            continue;
        }
        in++;
        int64_t number = *in == 'd' ? id.layer : *in == 'e' ? id.expert : head;
        length +=
            (size_t)snprintf(name + length, NAME_MAX_BYTES - length, "%lld", (long long)number);
    }
    name[length] = '\0';
    bool bare = rule->part == PART_EXPERTS || rule->part == PART_EXPERTS_GATE_UP;
    if (!bare)
        (void)snprintf(name + length, NAME_MAX_BYTES - length, "%s",
                       weight_kind(id.role) == WEIGHT_IS_BIAS ? ".bias" : ".weight");
}

/* Whether `rule` speaks of `id`: a bias goes by the rule of its matrix or gain. */
static bool rule_serves(const struct tensor_rule *rule, struct weight_id id,
                        const struct architecture *architecture)
{
    bool is_bias = weight_kind(id.role) == WEIGHT_IS_BIAS;
    if ((int)rule->role != (int)id.role - (is_bias ? 1 : 0))
        return false;
    bool of_experts = strstr(rule->stem, "%e") != NULL || rule->part == PART_EXPERTS ||
                      rule->part == PART_EXPERTS_GATE_UP;
    return weight_scope(id.role) != WEIGHT_OF_EXPERT ||
           of_experts == architecture->layer_is_sparse[id.layer];
}

/* The rule whose tensor exists; *first_rule is the first that would do, for the message. */
static const struct tensor_rule *find_rule(const struct binder *binder, const char *prefix,
                                           struct weight_id id,
                                           const struct tensor_rule **first_rule)
{
    *first_rule = NULL;
    for (int list = 0; list < NAMING_LISTS_MAX && binder->naming->lists[list] != NULL; list++) {
        const struct tensor_rule *rule = binder->naming->lists[list];
        for (; rule->stem != NULL; rule++) {
            if (!rule_serves(rule, id, binder->architecture))
                continue;
            char name[NAME_MAX_BYTES];
            spell(name, prefix, rule, id, 0);
            if (*first_rule == NULL)
                *first_rule = rule;
            if (tensor_find(binder->tensors, name) != NULL)
                return rule;
        }
    }
    return NULL;
}

/* Sets the row map of `rule` and returns how many rows the fused tensor has. */
static int64_t map_rows(const struct architecture *architecture, const struct tensor_rule *rule,
                        struct weight_id id, struct weight_source *source, int64_t rows)
{
    int64_t query = architecture->head_count * architecture->head_dim;
    int64_t key = architecture->kv_head_count * architecture->head_dim;
    int64_t group = query / architecture->kv_head_count;
    source->group = source->stride = rows;
    source->offset = 0;
    switch (rule->part) {
    case PART_QKV_BLOCKS:
        if (rule->role != WEIGHT_QUERY)
            source->offset = query + (rule->role == WEIGHT_VALUE ? key : 0);
        return query + 2 * key;
    case PART_QKV_GROUPS:
        source->group = rule->role == WEIGHT_QUERY ? group : architecture->head_dim;
        source->stride = group + 2 * architecture->head_dim;
        if (rule->role != WEIGHT_QUERY)
            source->offset = group + (rule->role == WEIGHT_VALUE ? architecture->head_dim : 0);
        return query + 2 * key;
    case PART_GATE_UP:
        source->offset = rule->role == WEIGHT_UP ? rows : 0;
        return 2 * rows;
    case PART_EXPERTS:
        source->offset = id.expert * rows;
        return rows;
    case PART_EXPERTS_GATE_UP:
        source->offset = id.expert * 2 * rows + (rule->role == WEIGHT_UP ? rows : 0);
        return 2 * rows;
    default:
        return rows;
    }
}

static void append_shape(struct text *text, const int64_t *shape, int rank)
{
    text_append(text, "[");
    for (int axis = 0; axis < rank; axis++)
        text_printf(text, "%s%lld", axis > 0 ? ", " : "", (long long)shape[axis]);
    text_append(text, "]");
}

static int check_tensor(const struct binder *binder, const struct tensor *tensor,
                        const int64_t *shape, int rank)
{
    if (tensor->type == TENSOR_OTHER)
        return error_set(binder->error, ERROR_INPUT,
                         "%s: tensor \"%s\" has a type that is no weight's (float32, float16, "
                         "bfloat16 and float8_e4m3 are supported)",
                         tensor->file->path, tensor->name);
    bool equal = tensor->rank == rank;
    for (int axis = 0; equal && axis < rank; axis++)
        equal = tensor->shape[axis] == shape[axis];
    if (equal)
        return 0;
    struct text found = {0};
    struct text wanted = {0};
    append_shape(&found, tensor->shape, tensor->rank);
    append_shape(&wanted, shape, rank);
    int status =
        error_set(binder->error, ERROR_INPUT,
                  "%s: tensor \"%s\" has the shape %s; by config.json it must be %s",
                  tensor->file->path, tensor->name, text_string(&found), text_string(&wanted));
    text_free(&found);
    text_free(&wanted);
    return status;
}

static int missing(const struct binder *binder, const char *name)
{
    return error_set(binder->error, ERROR_INPUT, "%s: tensor \"%s\" is missing from its weights",
                     binder->place, name);
}

/* One tensor for each head, of head_dim elements. */
static int bind_heads(const struct binder *binder, const struct tensor_rule *rule,
                      struct weight_id id, struct weight_source *source)
{
    int64_t head_dim = binder->architecture->head_dim;
    source->head_count = source->shape.columns / head_dim;
    source->heads = calloc((size_t)source->head_count, sizeof(const struct tensor *));
    if (source->heads == NULL)
        return error_set(binder->error, ERROR_MEMORY, "out of memory");
    for (int64_t head = 0; head < source->head_count; head++) {
        char name[NAME_MAX_BYTES];
        spell(name, binder->prefix, rule, id, head);
        const struct tensor *tensor = tensor_find(binder->tensors, name);
        if (tensor == NULL)
            return missing(binder, name);
        int status = check_tensor(binder, tensor, &head_dim, 1);
        if (status != 0)
            return status;
        source->heads[head] = tensor;
    }
    return 0;
}

static int bind_one(void *context, struct weight_id id)
{
    const struct binder *binder = context;
    const struct architecture *architecture = binder->architecture;
    struct weight_source *source = source_at(binder->table, id);
    const struct tensor_rule *first_rule;
    const struct tensor_rule *rule = find_rule(binder, binder->prefix, id, &first_rule);
    if (first_rule == NULL)
        return error_set(binder->error, ERROR_INPUT,
                         "%s: a model of family %s has no known tensor for %s", binder->place,
                         architecture->family, weight_role_name(id.role));
    char name[NAME_MAX_BYTES];
    spell(name, binder->prefix, rule != NULL ? rule : first_rule, id, 0);
    if (rule == NULL)
        return missing(binder, name);
    if (rule->part == PART_HEADS)
        return bind_heads(binder, rule, id, source);

    bool matrix = weight_kind(id.role) == WEIGHT_IS_MATRIX;
    int64_t rows = matrix ? source->shape.rows : source->shape.columns;
    int64_t all = map_rows(architecture, rule, id, source, rows);
    source->tensor = tensor_find(binder->tensors, name);
    source->transposed = rule->transposed && matrix;
    source->tensor_outputs = all;
    int64_t columns = source->shape.columns;
    bool stacked = rule->part == PART_EXPERTS || rule->part == PART_EXPERTS_GATE_UP;
    int64_t shape[3] = {architecture->experts.count, all, columns};
    if (source->transposed) {
        shape[1] = columns;
        shape[2] = all;
    }
    return check_tensor(binder, source->tensor, stacked ? shape : shape + 1,
                        stacked  ? 3
                        : matrix ? 2
                                 : 1);
}

int weight_table_bind(struct weight_table *table, const struct architecture *architecture,
                      const struct tensor_naming *naming, const struct tensor_set *tensors,
                      const char *place, struct error *error)
{
    struct binder binder = {table, architecture, naming, tensors, NULL, place, error};
    int status = allocate(table, architecture, error);
    if (status != 0)
        return status;
    const struct weight_id embedding = {WEIGHT_TOKEN_EMBEDDING, 0, 0};
    const struct tensor_rule *first_rule = NULL;
    for (int i = 0; i < NAMING_PREFIXES_MAX && naming->prefixes[i] != NULL; i++) {
        if (find_rule(&binder, naming->prefixes[i], embedding, &first_rule) != NULL) {
            binder.prefix = naming->prefixes[i];
            break;
        }
    }
    if (binder.prefix == NULL) {
        char name[NAME_MAX_BYTES];
        (void)find_rule(&binder, naming->prefixes[0], embedding, &first_rule);
        spell(name, naming->prefixes[0], first_rule, embedding, 0);
        return missing(&binder, name);
    }
    return for_each(table, architecture, bind_one, &binder);
}

static int randomise_one(void *context, struct weight_id id)
{
    struct weight_table *table = context;
    char name[NAME_MAX_BYTES];
    const char *role = weight_role_name(id.role);
    switch (weight_scope(id.role)) {
    case WEIGHT_OF_MODEL:
        (void)snprintf(name, sizeof name, "%s", role);
        break;
    case WEIGHT_OF_LAYER:
        (void)snprintf(name, sizeof name, "layers.%lld.%s", (long long)id.layer, role);
        break;
    case WEIGHT_OF_EXPERT:
        (void)snprintf(name, sizeof name, "layers.%lld.experts.%lld.%s", (long long)id.layer,
                       (long long)id.expert, role);
        break;
    }
    source_at(table, id)->stream = random_weights_stream(name);
    return 0;
}

int weight_table_randomise(struct weight_table *table, const struct architecture *architecture,
                           struct error *error)
{
    int status = allocate(table, architecture, error);
    return status != 0 ? status : for_each(table, architecture, randomise_one, table);
}

void weight_table_free(struct weight_table *table)
{
    for (size_t i = 0; i < table->count && table->sources != NULL; i++)
        free(table->sources[i].heads);
    free(table->sources);
    *table = (struct weight_table){0};
}

const struct weight_source *weight_table_find(const struct weight_table *table,
                                              const struct architecture *architecture,
                                              struct weight_id id)
{
    if (id.role == WEIGHT_HEAD && architecture->tied_embedding)
        id.role = WEIGHT_TOKEN_EMBEDDING;
    if (id.layer < 0 || id.layer >= layers_of(architecture, id.role) || id.expert < 0 ||
        id.expert >= experts_of(table, id.role))
        return NULL;
    const struct weight_source *source = source_at(table, id);
    return source->shape.exists ? source : NULL;
}
