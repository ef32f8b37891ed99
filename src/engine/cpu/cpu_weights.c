/* Reads a model's weights once and packs them for the kernels: matrices that share an input
 * (query, key, value; gate, up) are stacked into one, vectors lie together. Source pages are
 * given back as soon as a matrix is packed, so that loading needs little more than the result. */
#include "engine/cpu/cpu_engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { PARTS_MAX = 3, VECTOR_ALIGN_FLOATS = 16 };
static const double notice_interval_s = 0.1;

/* Matrices with the same input, one below the other. */
struct stack {
    const struct model *model;
    struct weight_id parts[PARTS_MAX];
    int part_count;
};

struct loader {
    struct engine *engine;
    const struct model *model;
    const struct engine_options *options;
    int64_t floats_used; /* of engine->vectors */
    double start_s, noticed_s;
    int64_t parameters_done, parameters;
};

static int64_t weight_elements(const struct model *model, struct weight_id id)
{
    return weight_exists(model, id) ? weight_rows(model, id) * weight_columns(model, id) : 0;
}

static void give_notice(struct loader *loader, bool is_last)
{
    if (loader->options->notice == NULL)
        return;
    double now_s = clock_now_s(loader->engine->clock);
    if (!is_last && now_s - loader->noticed_s < notice_interval_s)
        return;
    loader->noticed_s = now_s;
    double elapsed_s = now_s - loader->start_s;
    double bytes = (double)loader->engine->weight_bytes;
    char text[96];
    (void)snprintf(text, sizeof text, "packing weights: %.0f MB, %.0f MB/s", bytes / 1048576,
                   elapsed_s > 0 ? bytes / 1048576 / elapsed_s : 0.0);
    double fraction = (double)loader->parameters_done / (double)loader->parameters;
    loader->options->notice(loader->options->notice_context, text,
                            is_last || fraction > 1 ? 1 : fraction);
}

/* Rows of a stack, from whichever of its parts hold them. */
static void read_stack(void *context, int64_t first, int64_t count, float *out)
{
    const struct stack *stack = context;
    int64_t start = 0;
    for (int i = 0; i < stack->part_count && count > 0; i++) {
        int64_t rows = weight_rows(stack->model, stack->parts[i]);
        int64_t columns = weight_columns(stack->model, stack->parts[i]);
        int64_t taken = start + rows - first;
        taken = taken < count ? taken : count;
        if (taken > 0) {
            weight_read_rows(stack->model, stack->parts[i], first - start, taken, out);
            first += taken;
            count -= taken;
            out += taken * columns;
        }
        start += rows;
    }
}

static int load_stack(struct loader *loader, struct cpu_matrix *matrix, enum kernel_type type,
                      const struct stack *stack, struct error *error)
{
    struct engine *engine = loader->engine;
    int64_t outputs = 0;
    for (int i = 0; i < stack->part_count; i++)
        outputs += weight_rows(loader->model, stack->parts[i]);
    int64_t inputs = weight_columns(loader->model, stack->parts[0]);
    struct stack copy = *stack;
    int code = cpu_matrix_pack(matrix, engine->pool, engine->kernels, type, outputs, inputs,
                               read_stack, &copy, error);
    if (code != 0)
        return code;
    for (int i = 0; i < stack->part_count; i++)
        weight_release(loader->model, stack->parts[i]);
    engine->weight_bytes += (int64_t)matrix->bytes;
    loader->parameters_done += outputs * inputs;
    give_notice(loader, false);
    return 0;
}

static float *take_floats(struct loader *loader, int64_t count)
{
    float *out = loader->engine->vectors + loader->floats_used;
    loader->floats_used +=
        (count + VECTOR_ALIGN_FLOATS - 1) / VECTOR_ALIGN_FLOATS * VECTOR_ALIGN_FLOATS;
    return out;
}

/* NULL where the model has none. */
static float *load_vector(struct loader *loader, enum weight_role role, int64_t layer)
{
    struct weight_id id = {.role = role, .layer = layer};
    int64_t elements = weight_elements(loader->model, id);
    if (elements == 0)
        return NULL;
    float *out = take_floats(loader, elements);
    weight_read_rows(loader->model, id, 0, weight_rows(loader->model, id), out);
    weight_release(loader->model, id);
    return out;
}

static struct cpu_norm load_norm(struct loader *loader, enum weight_role gain_role,
                                 enum weight_role bias_role, int64_t layer)
{
    float *gain = load_vector(loader, gain_role, layer);
    struct weight_id id = {.role = gain_role, .layer = layer};
    if (gain != NULL && loader->engine->architecture->norm_gain_plus_one)
        for (int64_t i = 0; i < weight_elements(loader->model, id); i++)
            gain[i] += 1;
    return (struct cpu_norm){gain, load_vector(loader, bias_role, layer)};
}

/* The biases of stacked matrices; a part without one gets zeros. */
static const float *load_stack_bias(struct loader *loader, const struct stack *stack,
                                    const enum weight_role *roles)
{
    bool any = false;
    int64_t outputs = 0;
    for (int i = 0; i < stack->part_count; i++) {
        struct weight_id id = stack->parts[i];
        outputs += weight_rows(loader->model, id);
        id.role = roles[i];
        any = any || weight_exists(loader->model, id);
    }
    if (!any)
        return NULL;
    float *bias = take_floats(loader, outputs);
    float *next = bias;
    for (int i = 0; i < stack->part_count; i++) {
        struct weight_id id = stack->parts[i];
        int64_t rows = weight_rows(loader->model, id);
        id.role = roles[i];
        if (weight_exists(loader->model, id))
            weight_read_rows(loader->model, id, 0, 1, next);
        next += rows;
    }
    return bias;
}

/* Matrices `roles` of a layer (and expert), stacked, with the biases `bias_roles`. */
static int load_projection(struct loader *loader, struct cpu_projection *projection,
                           enum kernel_type type, struct weight_id id,
                           const enum weight_role *roles, const enum weight_role *bias_roles,
                           int count, struct error *error)
{
    struct stack stack = {.model = loader->model, .part_count = count};
    for (int i = 0; i < count; i++) {
        stack.parts[i] = id;
        stack.parts[i].role = roles[i];
    }
    if (bias_roles != NULL)
        projection->bias = load_stack_bias(loader, &stack, bias_roles);
    return load_stack(loader, &projection->matrix, type, &stack, error);
}

static int load_attention(struct loader *loader, struct cpu_layer *layer, int64_t index,
                          struct error *error)
{
    static const enum weight_role qkv[] = {WEIGHT_QUERY, WEIGHT_KEY, WEIGHT_VALUE};
    static const enum weight_role qkv_bias[] = {WEIGHT_QUERY_BIAS, WEIGHT_KEY_BIAS,
                                                WEIGHT_VALUE_BIAS};
    static const enum weight_role output[] = {WEIGHT_ATTENTION_OUTPUT};
    static const enum weight_role output_bias[] = {WEIGHT_ATTENTION_OUTPUT_BIAS};
    struct weight_id id = {.layer = index};
    enum kernel_type type = loader->engine->type;
    layer->attention_norm =
        load_norm(loader, WEIGHT_ATTENTION_NORM_GAIN, WEIGHT_ATTENTION_NORM_BIAS, index);
    layer->attention_after_norm = load_norm(loader, WEIGHT_ATTENTION_AFTER_NORM_GAIN,
                                            WEIGHT_ATTENTION_AFTER_NORM_BIAS, index);
    layer->query_norm = load_norm(loader, WEIGHT_QUERY_NORM_GAIN, WEIGHT_QUERY_NORM_BIAS, index);
    layer->key_norm = load_norm(loader, WEIGHT_KEY_NORM_GAIN, WEIGHT_KEY_NORM_BIAS, index);
    int code = load_projection(loader, &layer->qkv, type, id, qkv, qkv_bias, 3, error);
    if (code != 0)
        return code;
    return load_projection(loader, &layer->attention_output, type, id, output, output_bias, 1,
                           error);
}

static int load_mlp(struct loader *loader, struct cpu_projection *gate_up,
                    struct cpu_projection *down, struct weight_id id, struct error *error)
{
    static const enum weight_role gated[] = {WEIGHT_GATE, WEIGHT_UP};
    static const enum weight_role gated_bias[] = {WEIGHT_GATE_BIAS, WEIGHT_UP_BIAS};
    static const enum weight_role last[] = {WEIGHT_DOWN};
    static const enum weight_role last_bias[] = {WEIGHT_DOWN_BIAS};
    enum kernel_type type = loader->engine->type;
    int skip = loader->engine->architecture->mlp_gated ? 0 : 1;
    int code = load_projection(loader, gate_up, type, id, gated + skip, gated_bias + skip, 2 - skip,
                               error);
    if (code != 0)
        return code;
    return load_projection(loader, down, type, id, last, last_bias, 1, error);
}

static int load_experts(struct loader *loader, struct cpu_layer *layer, int64_t index,
                        struct error *error)
{
    static const enum weight_role router[] = {WEIGHT_ROUTER};
    struct engine *engine = loader->engine;
    int64_t count = engine->architecture->experts.count;
    struct weight_id id = {.layer = index};
    layer->experts = engine->experts + index * count;
    /* Which experts a token takes is decided in float32 whatever the weights are. */
    int code = load_projection(loader, &layer->router, KERNEL_F32, id, router, NULL, 1, error);
    for (int64_t i = 0; i < count && code == 0; i++) {
        id.expert = i;
        code = load_mlp(loader, &layer->experts[i].gate_up, &layer->experts[i].down, id, error);
    }
    return code;
}

static int load_layer(struct loader *loader, int64_t index, struct error *error)
{
    struct cpu_layer *layer = &loader->engine->layers[index];
    layer->mlp_norm = load_norm(loader, WEIGHT_MLP_NORM_GAIN, WEIGHT_MLP_NORM_BIAS, index);
    layer->mlp_after_norm =
        load_norm(loader, WEIGHT_MLP_AFTER_NORM_GAIN, WEIGHT_MLP_AFTER_NORM_BIAS, index);
    int code = load_attention(loader, layer, index, error);
    if (code != 0)
        return code;
    if (loader->engine->architecture->layer_is_sparse[index])
        return load_experts(loader, layer, index, error);
    struct weight_id id = {.layer = index};
    return load_mlp(loader, &layer->gate_up, &layer->down, id, error);
}

static int load_ends(struct loader *loader, struct error *error)
{
    static const enum weight_role head[] = {WEIGHT_HEAD};
    static const enum weight_role head_bias[] = {WEIGHT_HEAD_BIAS};
    static const enum weight_role embedding[] = {WEIGHT_TOKEN_EMBEDDING};
    struct engine *engine = loader->engine;
    struct weight_id id = {.layer = 0};
    engine->embedding_norm =
        load_norm(loader, WEIGHT_EMBEDDING_NORM_GAIN, WEIGHT_EMBEDDING_NORM_BIAS, 0);
    engine->final_norm = load_norm(loader, WEIGHT_FINAL_NORM_GAIN, WEIGHT_FINAL_NORM_BIAS, 0);
    engine->positions = load_vector(loader, WEIGHT_POSITION_EMBEDDING, 0);
    int code = load_projection(loader, &engine->head, engine->type, id, head, head_bias, 1, error);
    if (code != 0)
        return code;
    if (engine->architecture->tied_embedding) {
        engine->embedding = engine->head.matrix;
        return 0;
    }
    struct cpu_projection table = {0};
    code = load_projection(loader, &table, engine->type, id, embedding, NULL, 1, error);
    engine->embedding = table.matrix;
    return code;
}

/* An upper bound of what take_floats hands out: all that is no matrix, and whole stacks of
 * biases. */
static int64_t count_vector_floats(const struct loader *loader)
{
    static const enum weight_role ends[] = {WEIGHT_EMBEDDING_NORM_GAIN, WEIGHT_EMBEDDING_NORM_BIAS,
                                            WEIGHT_FINAL_NORM_GAIN,     WEIGHT_FINAL_NORM_BIAS,
                                            WEIGHT_POSITION_EMBEDDING,  WEIGHT_HEAD_BIAS};
    const struct architecture *a = loader->engine->architecture;
    int64_t floats = 0;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        struct weight_id id = {.role = ends[i]};
        floats += weight_elements(loader->model, id) + VECTOR_ALIGN_FLOATS;
    }
    int64_t width = a->head_count * a->head_dim;
    int64_t inner = a->intermediate_size + (a->experts.count + 1) * a->experts.intermediate_size;
    enum { HIDDEN_VECTORS = 10, WIDE_VECTORS = 7, INNER_VECTORS = 2, VECTORS = 32 };
    int64_t layer = HIDDEN_VECTORS * a->hidden_size + WIDE_VECTORS * width + INNER_VECTORS * inner +
                    a->experts.count * a->hidden_size +
                    (VECTORS + 2 * a->experts.count) * VECTOR_ALIGN_FLOATS;
    return floats + layer * a->layer_count;
}

int engine_weights_load(struct engine *engine, const struct model *model,
                        const struct engine_options *options, struct error *error)
{
    const struct architecture *a = engine->architecture;
    struct loader loader = {.engine = engine, .model = model, .options = options};
    loader.start_s = loader.noticed_s = clock_now_s(engine->clock);
    loader.parameters = architecture_parameter_count(a);
    engine->layers = calloc((size_t)a->layer_count, sizeof *engine->layers);
    if (a->experts.count > 0)
        engine->experts =
            calloc((size_t)(a->layer_count * a->experts.count), sizeof *engine->experts);
    if (engine->layers == NULL || (a->experts.count > 0 && engine->experts == NULL))
        return error_set(error, ERROR_MEMORY, "no memory for the table of layers");
    void *memory = NULL;
    engine->vector_bytes = (size_t)count_vector_floats(&loader) * sizeof(float);
    int code = memory_map(&memory, engine->vector_bytes, error);
    engine->vectors = memory;
    for (int64_t i = 0; i < a->layer_count && code == 0; i++)
        code = load_layer(&loader, i, error);
    if (code == 0)
        code = load_ends(&loader, error);
    if (code != 0)
        return error_prefix(error, "packing the weights");
    engine->weight_bytes += loader.floats_used * (int64_t)sizeof(float);
    give_notice(&loader, true);
    return 0;
}

static void free_layer(struct cpu_layer *layer, int64_t expert_count)
{
    cpu_matrix_free(&layer->qkv.matrix);
    cpu_matrix_free(&layer->attention_output.matrix);
    cpu_matrix_free(&layer->gate_up.matrix);
    cpu_matrix_free(&layer->down.matrix);
    cpu_matrix_free(&layer->router.matrix);
    for (int64_t i = 0; layer->experts != NULL && i < expert_count; i++) {
        cpu_matrix_free(&layer->experts[i].gate_up.matrix);
        cpu_matrix_free(&layer->experts[i].down.matrix);
    }
}

void engine_weights_free(struct engine *engine)
{
    const struct architecture *a = engine->architecture;
    for (int64_t i = 0; engine->layers != NULL && i < a->layer_count; i++)
        free_layer(&engine->layers[i], a->experts.count);
    if (engine->embedding.data != engine->head.matrix.data)
        cpu_matrix_free(&engine->embedding);
    cpu_matrix_free(&engine->head.matrix);
    memory_unmap(engine->vectors, engine->vector_bytes);
    free(engine->layers);
    free(engine->experts);
}
