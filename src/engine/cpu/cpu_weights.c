/* Reads a model's weights once and packs them for the kernels: matrices that share an input
 * (query, key, value; gate, up) are stacked into one. The walk over a model runs twice, first to
 * measure, then to fill one piece of memory. Source pages are given back as soon as a matrix is
 * packed, so that loading needs little more than the result. */
#include "engine/cpu/cpu_engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "engine/cpu/cpu_grouped.h"

enum { PARTS_MAX = 3, ALIGN_BYTES = 128 };
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
    bool is_measuring; /* nothing is read yet: what will be taken is added up */
    size_t bytes_used; /* of engine->memory */
    bool overflow;
    int64_t scratch_floats; /* of a thread, for the widest matrix */
    float *scratch;         /* [threads][scratch_floats] */
    double start_s, noticed_s;
    int64_t parameters_done, parameters;
    double matrix_bytes, matrix_elements; /* of all but a table of its own for the embedding */
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
    double bytes = (double)loader->bytes_used;
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

/* The next part of the weights' memory; NULL while measuring. */
static void *take(struct loader *loader, size_t bytes)
{
    size_t offset = loader->bytes_used, rounded = 0;
    if (!size_add(bytes, ALIGN_BYTES - 1, &rounded) ||
        !size_add(offset, rounded / ALIGN_BYTES * ALIGN_BYTES, &loader->bytes_used))
        loader->overflow = true;
    return loader->is_measuring ? NULL : (unsigned char *)loader->engine->memory + offset;
}

static float *take_floats(struct loader *loader, int64_t count)
{
    return take(loader, (size_t)count * sizeof(float));
}

static void load_stack(struct loader *loader, struct cpu_matrix *matrix, enum kernel_type type,
                       struct stack *stack)
{
    struct engine *engine = loader->engine;
    int64_t outputs = 0;
    for (int i = 0; i < stack->part_count; i++)
        outputs += weight_rows(loader->model, stack->parts[i]);
    int64_t inputs = weight_columns(loader->model, stack->parts[0]);
    void *memory = take(loader, kernel_packed_bytes(type, outputs, inputs));
    if (cpu_pack_floats(inputs) > loader->scratch_floats)
        loader->scratch_floats = cpu_pack_floats(inputs);
    if (loader->is_measuring) {
        loader->matrix_bytes += (double)kernel_packed_bytes(type, outputs, inputs);
        loader->matrix_elements += (double)outputs * (double)inputs;
        if (type != KERNEL_F32 && kernel_prepared_bytes(type, 1, inputs) >
                                      kernel_prepared_bytes(engine->widest, 1, inputs))
            engine->widest = type;
        return;
    }
    if (engine->is_stored && kernel_type_is_grouped(type))
        grouped_pack_into(matrix, memory, loader->scratch, engine->pool, type, loader->model,
                          stack->parts, stack->part_count);
    else
        cpu_matrix_pack_into(matrix, memory, loader->scratch, engine->pool, engine->kernels, type,
                             outputs, inputs, read_stack, stack);
    for (int i = 0; i < stack->part_count; i++)
        weight_release(loader->model, stack->parts[i]);
    loader->parameters_done += outputs * inputs;
    give_notice(loader, false);
}

/* NULL where the model has none. */
static float *load_vector(struct loader *loader, enum weight_role role, int64_t layer)
{
    struct weight_id id = {.role = role, .layer = layer};
    int64_t elements = weight_elements(loader->model, id);
    if (elements == 0)
        return NULL;
    float *out = take_floats(loader, elements);
    if (out == NULL)
        return NULL;
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
    for (int i = 0; bias != NULL && i < stack->part_count; i++) {
        struct weight_id id = stack->parts[i];
        int64_t rows = weight_rows(loader->model, id);
        id.role = roles[i];
        if (weight_exists(loader->model, id))
            weight_read_rows(loader->model, id, 0, 1, next);
        next += rows;
    }
    return bias;
}

/* Where a file's types are kept, the matrix's own. A router is float32 in any case. */
static enum kernel_type stored_type(const struct loader *loader, enum kernel_type type,
                                    struct weight_id id)
{
    bool is_kept = loader->engine->is_stored && type == loader->engine->type;
    return is_kept ? grouped_stored_type(loader->model, id) : type;
}

/* Matrices `roles` of a layer (and expert), stacked, with the biases `bias_roles`. */
static void load_projection(struct loader *loader, struct cpu_projection *projection,
                            enum kernel_type type, struct weight_id id,
                            const enum weight_role *roles, const enum weight_role *bias_roles,
                            int count)
{
    struct stack stack = {.model = loader->model, .part_count = count};
    for (int i = 0; i < count; i++) {
        stack.parts[i] = id;
        stack.parts[i].role = roles[i];
    }
    if (bias_roles != NULL)
        projection->bias = load_stack_bias(loader, &stack, bias_roles);
    projection->outputs = 0;
    projection->more_count = 0;
    for (int first = 0; first < count;) {
        enum kernel_type own = stored_type(loader, type, stack.parts[first]);
        struct stack part = {.model = loader->model};
        while (first < count && stored_type(loader, type, stack.parts[first]) == own) {
            projection->outputs += weight_rows(loader->model, stack.parts[first]);
            part.parts[part.part_count++] = stack.parts[first++];
        }
        bool is_first = part.parts[0].role == roles[0];
        load_stack(loader,
                   is_first ? &projection->matrix : &projection->more[projection->more_count++],
                   own, &part);
    }
}

static void load_attention(struct loader *loader, struct cpu_layer *layer, int64_t index)
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
    load_projection(loader, &layer->qkv, type, id, qkv, qkv_bias, 3);
    load_projection(loader, &layer->attention_output, type, id, output, output_bias, 1);
}

static void load_mlp(struct loader *loader, struct cpu_projection *gate_up,
                     struct cpu_projection *down, struct weight_id id)
{
    static const enum weight_role gated[] = {WEIGHT_GATE, WEIGHT_UP};
    static const enum weight_role gated_bias[] = {WEIGHT_GATE_BIAS, WEIGHT_UP_BIAS};
    static const enum weight_role last[] = {WEIGHT_DOWN};
    static const enum weight_role last_bias[] = {WEIGHT_DOWN_BIAS};
    enum kernel_type type = loader->engine->type;
    int skip = loader->engine->architecture->mlp_gated ? 0 : 1;
    load_projection(loader, gate_up, type, id, gated + skip, gated_bias + skip, 2 - skip);
    load_projection(loader, down, type, id, last, last_bias, 1);
}

static void load_experts(struct loader *loader, struct cpu_layer *layer, int64_t index)
{
    static const enum weight_role router[] = {WEIGHT_ROUTER};
    struct engine *engine = loader->engine;
    int64_t count = engine->architecture->experts.count;
    struct weight_id id = {.layer = index};
    layer->experts = engine->experts + index * count;
    /* Which experts a token takes is decided in float32 whatever the weights are. */
    load_projection(loader, &layer->router, KERNEL_F32, id, router, NULL, 1);
    for (int64_t i = 0; i < count; i++) {
        id.expert = i;
        load_mlp(loader, &layer->experts[i].gate_up, &layer->experts[i].down, id);
    }
}

static void load_layer(struct loader *loader, int64_t index)
{
    struct cpu_layer *layer = &loader->engine->layers[index];
    layer->mlp_norm = load_norm(loader, WEIGHT_MLP_NORM_GAIN, WEIGHT_MLP_NORM_BIAS, index);
    layer->mlp_after_norm =
        load_norm(loader, WEIGHT_MLP_AFTER_NORM_GAIN, WEIGHT_MLP_AFTER_NORM_BIAS, index);
    load_attention(loader, layer, index);
    struct weight_id id = {.layer = index};
    if (loader->engine->architecture->layer_is_sparse[index])
        load_experts(loader, layer, index);
    else
        load_mlp(loader, &layer->gate_up, &layer->down, id);
}

static void load_all(struct loader *loader)
{
    static const enum weight_role head[] = {WEIGHT_HEAD};
    static const enum weight_role head_bias[] = {WEIGHT_HEAD_BIAS};
    static const enum weight_role embedding[] = {WEIGHT_TOKEN_EMBEDDING};
    struct engine *engine = loader->engine;
    struct weight_id id = {.layer = 0};
    loader->bytes_used = 0;
    for (int64_t i = 0; i < engine->architecture->layer_count; i++)
        load_layer(loader, i);
    engine->embedding_norm =
        load_norm(loader, WEIGHT_EMBEDDING_NORM_GAIN, WEIGHT_EMBEDDING_NORM_BIAS, 0);
    engine->final_norm = load_norm(loader, WEIGHT_FINAL_NORM_GAIN, WEIGHT_FINAL_NORM_BIAS, 0);
    engine->positions = load_vector(loader, WEIGHT_POSITION_EMBEDDING, 0);
    load_projection(loader, &engine->head, engine->type, id, head, head_bias, 1);
    if (loader->is_measuring)
        engine->element_bytes = loader->matrix_bytes / loader->matrix_elements;
    if (engine->architecture->tied_embedding) {
        engine->embedding = engine->head.matrix;
        return;
    }
    struct cpu_projection table = {0};
    load_projection(loader, &table, engine->type, id, embedding, NULL, 1);
    engine->embedding = table.matrix;
}

static void link_projection(struct cpu_projection *projection, struct cpu_matrix **last)
{
    (*last)->next = &projection->matrix;
    *last = &projection->matrix;
    for (int i = 0; i < projection->more_count; i++) {
        (*last)->next = &projection->more[i];
        *last = &projection->more[i];
    }
}

/* Tells every matrix which one is read after it. Which experts come next nobody knows. */
static void link_matrices(struct engine *engine)
{
    const struct architecture *a = engine->architecture;
    struct cpu_matrix nothing;
    struct cpu_matrix *last = &engine->head.matrix;
    for (int64_t i = 0; i < a->layer_count; i++) {
        struct cpu_layer *layer = &engine->layers[i];
        link_projection(&layer->qkv, &last);
        if (a->parallel_block && layer->experts == NULL)
            link_projection(&layer->gate_up, &last);
        link_projection(&layer->attention_output, &last);
        if (layer->experts != NULL) {
            link_projection(&layer->router, &last);
            last = &nothing;
            continue;
        }
        if (!a->parallel_block)
            link_projection(&layer->gate_up, &last);
        link_projection(&layer->down, &last);
    }
    last->next = &engine->head.matrix;
}

static int allocate_tables(struct engine *engine, struct error *error)
{
    const struct architecture *a = engine->architecture;
    engine->layers = calloc((size_t)a->layer_count, sizeof *engine->layers);
    if (a->experts.count > 0)
        engine->experts =
            calloc((size_t)(a->layer_count * a->experts.count), sizeof *engine->experts);
    if (engine->layers == NULL || (a->experts.count > 0 && engine->experts == NULL))
        return error_set(error, ERROR_MEMORY, "no memory for the table of layers");
    return 0;
}

static int allocate_weights(struct engine *engine, const struct loader *loader, struct error *error)
{
    int64_t available = memory_available_bytes();
    if (loader->overflow || (available >= 0 && loader->bytes_used > (size_t)available))
        return error_set(error, ERROR_MEMORY,
                         "they take %.1f GB in this dtype, %.1f GB of memory are there",
                         (double)loader->bytes_used / 1073741824, (double)available / 1073741824);
    engine->memory_bytes = loader->bytes_used;
    return memory_map(&engine->memory, engine->memory_bytes, error);
}

int engine_weights_load(struct engine *engine, const struct model *model,
                        const struct engine_options *options, struct error *error)
{
    struct loader loader = {
        .engine = engine, .model = model, .options = options, .is_measuring = true};
    void *scratch = NULL;
    size_t scratch_bytes = 0;
    int code = allocate_tables(engine, error);
    if (code != 0)
        goto fail;
    load_all(&loader);
    if (options->plan_only) {
        engine->memory_bytes = loader.bytes_used;
        return 0;
    }
    code = allocate_weights(engine, &loader, error);
    if (code != 0)
        goto fail;
    scratch_bytes = (size_t)thread_pool_thread_count(engine->pool) * (size_t)loader.scratch_floats *
                    sizeof(float);
    code = memory_map(&scratch, scratch_bytes, error);
    if (code != 0)
        goto fail;
    loader.scratch = scratch;
    loader.is_measuring = false;
    loader.parameters = architecture_parameter_count(engine->architecture);
    loader.start_s = loader.noticed_s = clock_now_s(engine->clock);
    load_all(&loader);
    link_matrices(engine);
    give_notice(&loader, true);
    memory_unmap(scratch, scratch_bytes);
    return 0;
fail:
    return error_prefix(error, "packing the weights");
}

void engine_weights_free(struct engine *engine)
{
    memory_unmap(engine->memory, engine->memory_bytes);
    free(engine->layers);
    free(engine->experts);
}
