/* Uploads a model's weights in the compute type: rows are read as float32 by all threads into
 * pinned memory, copied, and rounded into place by the device, two pieces in flight. The walk over
 * a model runs twice, first to measure, then to fill one piece of memory. */
#include "engine/cuda/cuda_engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#ifndef CUDA_STAGING_FLOATS
#define CUDA_STAGING_FLOATS (4 << 20)
#endif

enum { SLOTS = 2, ALIGN_BYTES = 256, ROWS_A_TASK = 16 };
static const double notice_interval_s = 0.1;

/* How values change on their way: value * scale + shift. */
struct adjust {
    float scale, shift;
};
static const struct adjust unchanged = {1, 0};

struct slot {
    float *host, *device;
    cudaEvent_t done;
};

struct loader {
    struct engine *engine;
    const struct model *model;
    const struct engine_options *options;
    bool is_measuring; /* nothing is read yet: what will be taken is added up */
    size_t bytes_used; /* of engine->memory */
    bool overflow;
    int64_t columns_max; /* of all weights */
    int64_t slot_floats;
    struct slot slots[SLOTS];
    int slot;
    cudaError_t failure; /* the first */
    double start_s, noticed_s;
    int64_t parameters_done, parameters;
};

static void note(struct loader *loader, cudaError_t status)
{
    if (loader->failure == cudaSuccess)
        loader->failure = status;
}

static void give_notice(struct loader *loader, bool is_last)
{
    if (loader->options->notice == NULL)
        return;
    double now_s = clock_now_s(loader->engine->clock);
    if (!is_last && now_s - loader->noticed_s < notice_interval_s)
        return;
    loader->noticed_s = now_s;
    double elapsed_s = now_s - loader->start_s, bytes = (double)loader->bytes_used;
    char text[96];
    (void)snprintf(text, sizeof text, "uploading weights: %.0f MB, %.0f MB/s", bytes / 1048576,
                   elapsed_s > 0 ? bytes / 1048576 / elapsed_s : 0.0);
    double fraction = (double)loader->parameters_done / (double)loader->parameters;
    loader->options->notice(loader->options->notice_context, text,
                            is_last || fraction > 1 ? 1 : fraction);
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

struct read_task {
    const struct model *model;
    struct weight_id id;
    int64_t first, rows, columns;
    float *out;
};

static void read_rows(void *context, int64_t chunk, int thread)
{
    (void)thread;
    const struct read_task *task = context;
    int64_t start = chunk * ROWS_A_TASK, left = task->rows - start;
    weight_read_rows(task->model, task->id, task->first + start,
                     left < ROWS_A_TASK ? left : ROWS_A_TASK, task->out + start * task->columns);
}

/* All rows of a weight to `to`, which is of `type`. */
static void upload(struct loader *loader, void *to, enum device_type type, struct weight_id id,
                   struct adjust adjust)
{
    const struct model *model = loader->model;
    int64_t rows = weight_rows(model, id), columns = weight_columns(model, id);
    cudaStream_t stream = loader->engine->stream;
    if (columns > loader->columns_max)
        loader->columns_max = columns;
    if (loader->is_measuring || loader->failure != cudaSuccess)
        return;
    int64_t rows_a_slot = loader->slot_floats / columns;
    for (int64_t first = 0; first < rows; first += rows_a_slot) {
        struct slot *slot = &loader->slots[loader->slot++ % SLOTS];
        note(loader, cudaEventSynchronize(slot->done));
        int64_t count = rows - first < rows_a_slot ? rows - first : rows_a_slot;
        struct read_task task = {model, id, first, count, columns, slot->host};
        thread_pool_run(loader->engine->pool, read_rows, &task,
                        (count + ROWS_A_TASK - 1) / ROWS_A_TASK);
        note(loader,
             cudaMemcpyAsync(slot->device, slot->host, (size_t)(count * columns) * sizeof(float),
                             cudaMemcpyHostToDevice, stream));
        struct convert_call call = {
            .type = type,
            .to = (unsigned char *)to + (size_t)(first * columns) * type_bytes(type),
            .from = slot->device,
            .count = count * columns,
            .scale = adjust.scale,
            .shift = adjust.shift,
            .stream = stream,
        };
        note(loader, kernel_convert(&call));
        note(loader, cudaEventRecord(slot->done, stream));
        loader->parameters_done += count * columns;
        give_notice(loader, false);
    }
    weight_release(model, id);
}

static int64_t elements(const struct model *model, struct weight_id id)
{
    return weight_exists(model, id) ? weight_rows(model, id) * weight_columns(model, id) : 0;
}

/* float32; NULL where the model has none. */
static float *load_vector(struct loader *loader, enum weight_role role, int64_t layer,
                          struct adjust adjust)
{
    struct weight_id id = {.role = role, .layer = layer};
    int64_t count = elements(loader->model, id);
    if (count == 0)
        return NULL;
    float *out = take(loader, (size_t)count * sizeof(float));
    upload(loader, out, DEVICE_F32, id, adjust);
    return out;
}

static struct cuda_norm load_norm(struct loader *loader, enum weight_role gain,
                                  enum weight_role bias, int64_t layer)
{
    struct adjust adjust = {1, loader->engine->architecture->norm_gain_plus_one ? 1 : 0};
    const float *gains = load_vector(loader, gain, layer, adjust);
    return (struct cuda_norm){gains, load_vector(loader, bias, layer, unchanged)};
}

/* Matrices with the same input, one below the other, and their biases of `bias_type`. */
struct stack {
    const enum weight_role *roles, *bias_roles;
    int count;
    enum device_type bias_type;
    float bias_scale;
};

static void *load_stack_bias(struct loader *loader, const struct stack *stack, struct weight_id id,
                             int64_t outputs)
{
    bool any = false;
    for (int i = 0; stack->bias_roles != NULL && i < stack->count; i++) {
        id.role = stack->bias_roles[i];
        any = any || weight_exists(loader->model, id);
    }
    if (!any)
        return NULL;
    size_t width = type_bytes(stack->bias_type);
    unsigned char *bias = take(loader, (size_t)outputs * width), *next = bias;
    if (bias != NULL) /* a part without one has zeros */
        note(loader, cudaMemsetAsync(bias, 0, (size_t)outputs * width, loader->engine->stream));
    for (int i = 0; i < stack->count; i++) {
        id.role = stack->roles[i];
        int64_t rows = weight_rows(loader->model, id);
        id.role = stack->bias_roles[i];
        if (weight_exists(loader->model, id))
            upload(loader, next, stack->bias_type, id, (struct adjust){stack->bias_scale, 0});
        if (next != NULL)
            next += (size_t)rows * width;
    }
    return bias;
}

static struct cuda_projection load_stack(struct loader *loader, const struct stack *stack,
                                         struct weight_id id)
{
    struct cuda_projection projection = {0};
    enum device_type type = loader->engine->type;
    for (int i = 0; i < stack->count; i++) {
        id.role = stack->roles[i];
        projection.outputs += weight_rows(loader->model, id);
        projection.inputs = weight_columns(loader->model, id);
    }
    projection.bias = load_stack_bias(loader, stack, id, projection.outputs);
    size_t row_bytes = (size_t)projection.inputs * type_bytes(type), bytes = 0;
    if (!size_multiply((size_t)projection.outputs, row_bytes, &bytes))
        loader->overflow = true;
    unsigned char *next = take(loader, bytes);
    projection.weight = next;
    for (int i = 0; i < stack->count; i++) {
        id.role = stack->roles[i];
        upload(loader, next, type, id, unchanged);
        if (next != NULL)
            next += (size_t)weight_rows(loader->model, id) * row_bytes;
    }
    return projection;
}

/* The scale of what a projection back to the residual stream adds: alpha scales the product, so
 * the bias must be scaled as well. */
static float back_scale(const struct loader *loader)
{
    const struct architecture *a = loader->engine->architecture;
    return a->norm_after ? 1 : (float)a->residual_scale;
}

static void load_attention(struct loader *loader, struct cuda_layer *layer, int64_t index)
{
    static const enum weight_role qkv[] = {WEIGHT_QUERY, WEIGHT_KEY, WEIGHT_VALUE};
    static const enum weight_role qkv_bias[] = {WEIGHT_QUERY_BIAS, WEIGHT_KEY_BIAS,
                                                WEIGHT_VALUE_BIAS};
    static const enum weight_role output[] = {WEIGHT_ATTENTION_OUTPUT};
    static const enum weight_role output_bias[] = {WEIGHT_ATTENTION_OUTPUT_BIAS};
    const struct stack in = {qkv, qkv_bias, 3, loader->engine->type, 1};
    const struct stack out = {output, output_bias, 1, DEVICE_F32, back_scale(loader)};
    struct weight_id id = {.layer = index};
    layer->attention_norm =
        load_norm(loader, WEIGHT_ATTENTION_NORM_GAIN, WEIGHT_ATTENTION_NORM_BIAS, index);
    layer->attention_after_norm = load_norm(loader, WEIGHT_ATTENTION_AFTER_NORM_GAIN,
                                            WEIGHT_ATTENTION_AFTER_NORM_BIAS, index);
    layer->query_norm = load_norm(loader, WEIGHT_QUERY_NORM_GAIN, WEIGHT_QUERY_NORM_BIAS, index);
    layer->key_norm = load_norm(loader, WEIGHT_KEY_NORM_GAIN, WEIGHT_KEY_NORM_BIAS, index);
    layer->qkv = load_stack(loader, &in, id);
    layer->attention_output = load_stack(loader, &out, id);
}

static const enum weight_role gated_roles[] = {WEIGHT_GATE, WEIGHT_UP};
static const enum weight_role gated_bias_roles[] = {WEIGHT_GATE_BIAS, WEIGHT_UP_BIAS};
static const enum weight_role down_roles[] = {WEIGHT_DOWN};
static const enum weight_role down_bias_roles[] = {WEIGHT_DOWN_BIAS};

/* The stack of gate and up; up alone where there is no gate. */
static struct stack inner_stack(const struct loader *loader, enum device_type bias_type)
{
    int skip = loader->engine->architecture->mlp_gated ? 0 : 1;
    return (struct stack){gated_roles + skip, gated_bias_roles + skip, 2 - skip, bias_type, 1};
}

/* A table of addresses on the device, from one on the host. */
static const void *const *load_table(struct loader *loader, const void **addresses, int64_t count)
{
    size_t bytes = (size_t)count * sizeof *addresses;
    void *table = take(loader, bytes);
    if (table != NULL) {
        note(loader, cudaMemcpyAsync(table, addresses, bytes, cudaMemcpyHostToDevice,
                                     loader->engine->stream));
        note(loader, cudaStreamSynchronize(loader->engine->stream));
    }
    return table;
}

static void load_expert_table(struct loader *loader, struct cuda_expert_table *out,
                              const struct stack *stack, int64_t layer)
{
    int64_t count = loader->engine->architecture->experts.count;
    const void **addresses = calloc((size_t)(2 * count), sizeof *addresses);
    if (addresses == NULL) {
        note(loader, cudaErrorMemoryAllocation);
        return;
    }
    bool any_bias = false;
    for (int64_t i = 0; i < count; i++) {
        struct weight_id id = {.layer = layer, .expert = i};
        struct cuda_projection expert = load_stack(loader, stack, id);
        addresses[i] = expert.weight;
        addresses[count + i] = expert.bias;
        any_bias = any_bias || expert.bias != NULL;
        out->outputs = expert.outputs;
        out->inputs = expert.inputs;
    }
    out->weights = load_table(loader, addresses, count);
    const void *const *biases = load_table(loader, addresses + count, count);
    out->biases = any_bias ? biases : NULL;
    free(addresses);
}

static void load_layer(struct loader *loader, int64_t index)
{
    struct cuda_layer *layer = &loader->engine->layers[index];
    layer->mlp_norm = load_norm(loader, WEIGHT_MLP_NORM_GAIN, WEIGHT_MLP_NORM_BIAS, index);
    layer->mlp_after_norm =
        load_norm(loader, WEIGHT_MLP_AFTER_NORM_GAIN, WEIGHT_MLP_AFTER_NORM_BIAS, index);
    load_attention(loader, layer, index);
    struct stack down = {down_roles, down_bias_roles, 1, DEVICE_F32, back_scale(loader)};
    if (loader->engine->architecture->layer_is_sparse[index]) {
        /* Which experts a token takes is decided in float32; their sum is scaled, not each. */
        down.bias_scale = 1;
        struct stack inner = inner_stack(loader, DEVICE_F32);
        layer->router = load_vector(loader, WEIGHT_ROUTER, index, unchanged);
        load_expert_table(loader, &layer->expert_gate_up, &inner, index);
        load_expert_table(loader, &layer->expert_down, &down, index);
        return;
    }
    struct stack inner = inner_stack(loader, loader->engine->type);
    struct weight_id id = {.layer = index};
    layer->gate_up = load_stack(loader, &inner, id);
    layer->down = load_stack(loader, &down, id);
}

static void load_slopes(struct loader *loader)
{
    const struct architecture *a = loader->engine->architecture;
    if (a->position != POSITION_ALIBI)
        return;
    size_t bytes = (size_t)a->head_count * sizeof(float);
    float *slopes = take(loader, bytes), *host = loader->slots[0].host;
    loader->engine->alibi_slopes = slopes;
    if (slopes == NULL)
        return;
    note(loader, cudaStreamSynchronize(loader->engine->stream));
    architecture_alibi_slopes(a->head_count, host);
    note(loader, engine_upload(loader->engine, slopes, host, bytes));
}

static void load_all(struct loader *loader)
{
    static const enum weight_role head[] = {WEIGHT_HEAD};
    static const enum weight_role head_bias[] = {WEIGHT_HEAD_BIAS};
    static const enum weight_role embedding[] = {WEIGHT_TOKEN_EMBEDDING};
    struct engine *engine = loader->engine;
    loader->bytes_used = 0;
    for (int64_t i = 0; i < engine->architecture->layer_count; i++)
        load_layer(loader, i);
    engine->embedding_norm =
        load_norm(loader, WEIGHT_EMBEDDING_NORM_GAIN, WEIGHT_EMBEDDING_NORM_BIAS, 0);
    engine->final_norm = load_norm(loader, WEIGHT_FINAL_NORM_GAIN, WEIGHT_FINAL_NORM_BIAS, 0);
    engine->positions = load_vector(loader, WEIGHT_POSITION_EMBEDDING, 0, unchanged);
    load_slopes(loader);
    const struct stack head_stack = {head, head_bias, 1, DEVICE_F32, 1};
    const struct stack table_stack = {embedding, NULL, 1, DEVICE_F32, 1};
    engine->head = load_stack(loader, &head_stack, (struct weight_id){.layer = 0});
    engine->embedding = engine->head.weight;
    if (!engine->architecture->tied_embedding)
        engine->embedding = load_stack(loader, &table_stack, (struct weight_id){.layer = 0}).weight;
}

static int open_staging(struct loader *loader, struct error *error)
{
    int64_t heads = loader->engine->architecture->head_count;
    loader->slot_floats = CUDA_STAGING_FLOATS;
    if (loader->columns_max > loader->slot_floats)
        loader->slot_floats = loader->columns_max;
    if (heads > loader->slot_floats)
        loader->slot_floats = heads;
    size_t bytes = (size_t)loader->slot_floats * sizeof(float);
    for (int i = 0; i < SLOTS; i++) {
        struct slot *slot = &loader->slots[i];
        note(loader, cudaMallocHost((void **)&slot->host, bytes));
        note(loader, cudaMalloc((void **)&slot->device, bytes));
        note(loader, cudaEventCreateWithFlags(&slot->done, cudaEventDisableTiming));
        if (loader->failure == cudaSuccess)
            note(loader, cudaEventRecord(slot->done, loader->engine->stream));
    }
    return cuda_check(loader->failure, "taking memory for the upload", error);
}

static void close_staging(struct loader *loader)
{
    (void)cudaStreamSynchronize(loader->engine->stream);
    for (int i = 0; i < SLOTS; i++) {
        struct slot *slot = &loader->slots[i];
        if (slot->host != NULL)
            (void)cudaFreeHost(slot->host);
        (void)cudaFree(slot->device);
        if (slot->done != NULL)
            (void)cudaEventDestroy(slot->done);
    }
}

static int allocate(struct loader *loader, struct error *error)
{
    struct engine *engine = loader->engine;
    if (loader->overflow)
        return error_set(error, ERROR_MEMORY, "they are larger than any address");
    int code =
        cuda_check(cudaMalloc(&engine->memory, loader->bytes_used), "taking device memory", error);
    if (code != 0)
        return error_prefix(error, "they take %.1f GB in this dtype",
                            (double)loader->bytes_used / 1073741824);
    engine->memory_bytes = loader->bytes_used;
    return 0;
}

int engine_weights_load(struct engine *engine, const struct model *model,
                        const struct engine_options *options, struct error *error)
{
    struct loader loader = {
        .engine = engine, .model = model, .options = options, .is_measuring = true};
    engine->layers = calloc((size_t)engine->architecture->layer_count, sizeof *engine->layers);
    if (engine->layers == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for the table of layers");
    load_all(&loader);
    if (options->plan_only) {
        engine->memory_bytes = loader.bytes_used;
        engine->is_plan = true;
        return 0;
    }
    int code = allocate(&loader, error);
    if (code == 0)
        code = open_staging(&loader, error);
    if (code == 0) {
        loader.is_measuring = false;
        loader.parameters = architecture_parameter_count(engine->architecture);
        loader.start_s = loader.noticed_s = clock_now_s(engine->clock);
        load_all(&loader);
        note(&loader, cudaStreamSynchronize(engine->stream));
        code = cuda_check(loader.failure, "copying", error);
    }
    if (code == 0)
        give_notice(&loader, true);
    close_staging(&loader);
    return code == 0 ? 0 : error_prefix(error, "uploading the weights");
}

void engine_weights_free(struct engine *engine)
{
    (void)cudaFree(engine->memory);
    free(engine->layers);
}
