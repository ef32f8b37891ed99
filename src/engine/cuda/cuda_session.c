/* A session's memory: one function plans it, so that what is predicted is what is allocated, in
 * two pieces, cache and workspace, both written once before the first run. */
#include "engine/cuda/cuda_engine.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#ifndef CUDA_CHUNK_ROWS
#define CUDA_CHUNK_ROWS 8192 /* tokens of a prompt at once; the emulated engine takes few */
#endif

enum {
    CHUNK_ROWS = CUDA_CHUNK_ROWS,
    EXPERT_CHUNK_ROWS = CHUNK_ROWS < 2048 ? CHUNK_ROWS : 2048, /* every token is there per_token
                                                                * times */
    ALIGN_BYTES = 256,
    SPLIT_KEYS = 256,   /* at least, of a part */
    RESERVE_PARTS = 64, /* of the device's memory a prediction leaves one, at most ... */
};
static const int64_t reserve_bytes_max = 512 << 20;

/* The next `count` * `size` bytes of the workspace. */
static size_t place(struct cuda_plan *plan, int64_t count, size_t size)
{
    size_t offset = plan->workspace_bytes, bytes = 0;
    if (!size_multiply((size_t)count, size, &bytes) || !size_add(bytes, ALIGN_BYTES - 1, &bytes) ||
        !size_add(offset, bytes / ALIGN_BYTES * ALIGN_BYTES, &plan->workspace_bytes))
        plan->overflow = true;
    return offset;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t divide_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

/* Tokens a chunk holds: whole prompts while they are short, else even parts of one. */
static int64_t choose_chunk_rows(int64_t most, int64_t batch, int64_t length)
{
    if (length >= most)
        return larger(batch, divide_up(length, divide_up(length, most)));
    int64_t groups = divide_up(batch, most / length);
    return larger(batch, divide_up(batch, groups) * length);
}

static void plan_cache(struct cuda_plan *plan, const struct engine *engine, int64_t batch)
{
    const struct architecture *a = engine->architecture;
    size_t bytes = (size_t)(batch * a->kv_head_count);
    if (!size_multiply(bytes, (size_t)plan->capacity, &bytes) ||
        !size_multiply(bytes, (size_t)a->head_dim * type_bytes(engine->type), &bytes) ||
        !size_add(bytes, ALIGN_BYTES - 1, &bytes) ||
        !size_multiply(bytes / ALIGN_BYTES * ALIGN_BYTES, (size_t)(2 * a->layer_count),
                       &plan->kv_bytes))
        plan->overflow = true;
    plan->layer_bytes = bytes / ALIGN_BYTES * ALIGN_BYTES;
}

static void plan_attention(struct cuda_plan *plan, const struct engine *engine, int64_t batch)
{
    const struct architecture *a = engine->architecture;
    size_t counters = attention_counters(batch, a->head_count, a->kv_head_count);
    int64_t wanted = divide_up(2 * engine->properties.multiProcessorCount, (int64_t)counters);
    int64_t most = divide_up(plan->capacity, SPLIT_KEYS);
    plan->splits = wanted < most ? wanted : most;
    size_t floats =
        attention_partial_floats(batch, a->head_count, a->kv_head_count, a->head_dim, plan->splits);
    plan->partials = place(plan, (int64_t)floats, sizeof(float));
    plan->counter_bytes = counters * sizeof(uint32_t);
    plan->counters = place(plan, (int64_t)counters, sizeof(uint32_t));
}

static void plan_rope(struct cuda_plan *plan, const struct architecture *a)
{
    if (a->position != POSITION_ROPE)
        return;
    for (int part = 0; part < 2; part++) {
        plan->rope[0][part] = place(plan, plan->capacity * (a->rope.rotary_dim / 2), sizeof(float));
        if (a->has_rope_local)
            plan->rope[1][part] =
                place(plan, plan->capacity * (a->rope_local.rotary_dim / 2), sizeof(float));
    }
}

static void plan_experts(struct cuda_plan *plan, const struct engine *engine)
{
    const struct architecture *a = engine->architecture;
    if (a->experts.count == 0)
        return;
    int64_t pairs = plan->chunk_rows * a->experts.per_token;
    int64_t inner = a->experts.intermediate_size * (a->mlp_gated ? 2 : 1);
    plan->normed_float = place(plan, plan->chunk_rows * a->hidden_size, sizeof(float));
    plan->router = place(plan, plan->chunk_rows * a->experts.count, sizeof(float));
    plan->expert_ids = place(plan, pairs, sizeof(int32_t));
    plan->expert_weights = place(plan, pairs, sizeof(float));
    plan->expert_order = place(plan, (int64_t)expert_order_bytes(pairs, a->experts.count), 1);
    plan->expert_inner = place(plan, pairs * inner, type_bytes(engine->type));
    plan->expert_output = place(plan, pairs * a->hidden_size, sizeof(float));
}

static void plan_generation(struct cuda_plan *plan, const struct session_shape *shape)
{
    int64_t batch = shape->batch_size;
    plan->state = place(plan, 1, sizeof(struct device_state));
    plan->ids = place(plan, batch * shape->input_length, sizeof(int32_t));
    plan->tokens = place(plan, batch, sizeof(int32_t));
    plan->chosen = place(plan, batch * shape->output_length, sizeof(int32_t));
    plan->stamps = place(plan, shape->output_length, sizeof(uint64_t));
    if (shape->forced_tokens != NULL)
        plan->forced = place(plan, batch * shape->output_length, sizeof(int32_t));
}

static void plan_workspace(struct cuda_plan *plan, const struct engine *engine,
                           const struct session_shape *shape)
{
    const struct architecture *a = engine->architecture;
    int64_t rows = plan->chunk_rows, batch = shape->batch_size;
    int64_t attended = a->head_count * a->head_dim;
    int64_t qkv = attended + 2 * a->kv_head_count * a->head_dim;
    size_t width = type_bytes(engine->type);

    plan->hidden = place(plan, rows * a->hidden_size, sizeof(float));
    plan->normed = place(plan, rows * a->hidden_size, width);
    plan->qkv = place(plan, rows * qkv, width);
    plan->attended = place(plan, rows * attended, width);
    plan->inner = place(plan, rows * a->intermediate_size * (a->mlp_gated ? 2 : 1), width);
    if (a->norm_after)
        plan->branch = place(plan, rows * a->hidden_size, sizeof(float));
    plan->kept_hidden = place(plan, batch * a->hidden_size, sizeof(float));
    plan->kept_normed = place(plan, batch * a->hidden_size, width);
    plan->kept_qkv = place(plan, batch * qkv, width);
    plan->last = place(plan, batch * a->hidden_size, width);
    plan->logits = place(plan, batch * a->vocabulary_size, sizeof(float));
    plan->linear = place(plan, CUDA_LINEAR_WORKSPACE, 1);
    plan->linear_counters = place(plan, SKINNY_COUNTERS, sizeof(uint32_t));
    plan_attention(plan, engine, batch);
    plan_rope(plan, a);
    plan_experts(plan, engine);
    plan_generation(plan, shape);
    plan->sample_weights = plan->logits;
    if (shape->want_logits)
        plan->sample_weights = place(plan, batch * a->vocabulary_size, sizeof(uint32_t));
}

/* Counts up to this keep every product with a model's widths inside int64_t. */
static bool is_plausible(int64_t count)
{
    return count >= 1 && count <= INT32_MAX;
}

static int plan_session(struct cuda_plan *plan, const struct engine *engine,
                        const struct session_shape *shape, struct error *error)
{
    *plan = (struct cuda_plan){0};
    enum { BATCH_MAX = 65535 }; /* rows of a grid */
    if (!is_plausible(shape->batch_size) || !is_plausible(shape->input_length) ||
        !is_plausible(shape->output_length) || shape->batch_size > BATCH_MAX)
        return error_set(error, ERROR_INPUT,
                         "input and output length must be at least 1 and below 2^31, the batch "
                         "size at most %d",
                         BATCH_MAX);
    plan->capacity = shape->input_length + shape->output_length - 1;
    int64_t most = engine->architecture->experts.count > 0 ? EXPERT_CHUNK_ROWS : CHUNK_ROWS;
    plan->chunk_rows = choose_chunk_rows(most, shape->batch_size, shape->input_length);
    plan_cache(plan, engine, shape->batch_size);
    plan_workspace(plan, engine, shape);
    size_t total = 0;
    if (plan->overflow || plan->capacity > INT32_MAX ||
        !size_add(plan->kv_bytes, plan->workspace_bytes, &total) || total > INT64_MAX)
        return error_set(error, ERROR_MEMORY,
                         "the cache of batch size %lld with %lld positions is larger than any "
                         "address",
                         (long long)shape->batch_size, (long long)plan->capacity);
    return 0;
}

static int check_positions(const struct cuda_plan *plan, const struct engine *engine,
                           struct error *error)
{
    int64_t limit = engine->architecture->position_limit;
    if (limit > 0 && plan->capacity > limit)
        return error_set(error, ERROR_INPUT,
                         "%lld positions are needed, the model has %lld: see --max-positions",
                         (long long)plan->capacity, (long long)limit);
    return 0;
}

int session_predict(const struct engine *engine, const struct session_shape *shape,
                    struct session_memory *memory, struct error *error)
{
    struct cuda_plan plan;
    int code = plan_session(&plan, engine, shape, error);
    if (code != 0)
        return code;
    size_t free_bytes = 0, total_bytes = 0;
    code = cuda_check(cudaMemGetInfo(&free_bytes, &total_bytes), "asking for free memory", error);
    if (code != 0)
        return code;
    int64_t reserve = (int64_t)total_bytes / RESERVE_PARTS;
    reserve = reserve < reserve_bytes_max ? reserve : reserve_bytes_max;
    /* What a probe still holds is given back before a session opens. */
    int64_t available =
        (int64_t)(free_bytes + engine->limit_bytes) + engine->session_bytes - reserve;
    if (engine->is_plan)
        available -= (int64_t)engine->memory_bytes;
    *memory = (struct session_memory){
        .weight_bytes = (int64_t)engine->memory_bytes,
        .kv_bytes = (int64_t)plan.kv_bytes,
        .workspace_bytes = (int64_t)plan.workspace_bytes,
        .on_device = true,
        .available_bytes = available > 0 ? available : 0,
    };
    return 0;
}

static int allocate_host(struct session *session, struct error *error)
{
    const struct session_shape *shape = &session->shape;
    const struct architecture *a = session->engine->architecture;
    struct cuda_pinned *pinned = &session->pinned;
    size_t batch = (size_t)shape->batch_size, steps = (size_t)shape->output_length;
    const struct {
        void **to;
        size_t bytes;
    } pieces[] = {
        {(void **)&pinned->ids, batch * (size_t)shape->input_length * sizeof *pinned->ids},
        {(void **)&pinned->chosen, batch * steps * sizeof *pinned->chosen},
        {(void **)&pinned->stamps, steps * sizeof *pinned->stamps},
        {(void **)&pinned->state, sizeof *pinned->state},
    };
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        int code = cuda_check(cudaMallocHost(pieces[i].to, pieces[i].bytes),
                              "taking host memory for tokens", error);
        if (code != 0)
            return code;
    }
    if (shape->want_logits) {
        session->host_logits = calloc(batch * (size_t)a->vocabulary_size, sizeof(float));
        if (session->host_logits == NULL)
            return error_set(error, ERROR_MEMORY, "no memory for the logits on the host");
    }
    return 0;
}

static int allocate_device(struct session *session, struct error *error)
{
    const struct cuda_plan *plan = &session->plan;
    cudaStream_t stream = session->engine->stream;
    int code =
        cuda_check(cudaMalloc((void **)&session->kv, plan->kv_bytes), "taking the cache", error);
    if (code == 0)
        code = cuda_check(cudaMalloc((void **)&session->workspace, plan->workspace_bytes),
                          "taking the workspace", error);
    if (code != 0)
        return error_prefix(error, "%.1f MB for the cache and %.1f MB for the workspace",
                            (double)plan->kv_bytes / 1048576,
                            (double)plan->workspace_bytes / 1048576);
    session->engine->session_bytes = (int64_t)(plan->kv_bytes + plan->workspace_bytes);
    session_note(session, cudaMemsetAsync(session->kv, 0, plan->kv_bytes, stream));
    session_note(session, cudaMemsetAsync(session->workspace, 0, plan->workspace_bytes, stream));
    for (int i = 0; i < CUDA_QUEUE_EVENTS; i++)
        session_note(session,
                     cudaEventCreateWithFlags(&session->events[i], cudaEventDisableTiming));
    session_note(session, cudaStreamSynchronize(stream));
    return cuda_check(session->failure, "clearing the cache and the workspace", error);
}

/* sample_scale() and sample_fraction() of kernels/sample_definition.h: the definition of sampling
 * wants them in these very steps. */
static float sample_scale(float temperature)
{
    float scale = 0x1.715476p+0f / temperature;
    return scale > 0x1.fffffep+127f ? 0x1.fffffep+127f : scale;
}

static uint64_t sample_fraction(double top_p)
{
    double fraction = top_p * 4294967296.0 + 0.5;
    return fraction >= 4294967296.0 ? 4294967296U : (uint64_t)fraction;
}

static int prepare_sampling(struct session *session, struct error *error)
{
    const struct session_shape *shape = &session->shape;
    const struct cuda_plan *plan = &session->plan;
    int32_t *forced = NULL;
    if (shape->forced_tokens != NULL) {
        forced = session_at(session, plan->forced);
        size_t bytes = (size_t)(shape->output_length * shape->batch_size) * sizeof *forced;
        int code = cuda_check(engine_upload(session->engine, forced, shape->forced_tokens, bytes),
                              "uploading the tokens to be fed", error);
        if (code != 0)
            return code;
    }
    float temperature = (float)shape->temperature;
    session->sampling = (struct sample_call){
        .logits = session_at(session, plan->logits),
        .weights = session_at(session, plan->sample_weights),
        .chosen = session_at(session, plan->chosen),
        .next = session_at(session, plan->tokens),
        .forced = forced,
        .forced_steps = shape->output_length,
        .rows = shape->batch_size,
        .vocabulary = session->engine->architecture->vocabulary_size,
        .temperature = temperature,
        .scale = temperature > 0 ? sample_scale(temperature) : 0,
        .fraction = sample_fraction(shape->top_p),
        .seed = shape->seed,
        .state = session_state(session),
        .overlap = session->engine->overlaps,
        .stream = session->engine->stream,
    };
    return 0;
}

int session_open(struct session **out, struct engine *engine, const struct session_shape *shape,
                 struct error *error)
{
    *out = NULL;
    if (engine->is_plan)
        return error_set(error, ERROR_INPUT, "this engine was opened to plan: it has no weights");
    engine_limit_release(engine);
    (void)memory_peak_reset();
    struct session *session = calloc(1, sizeof *session);
    if (session == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for a session");
    session->engine = engine;
    session->shape = *shape;
    int code = plan_session(&session->plan, engine, shape, error);
    if (code == 0)
        code = check_positions(&session->plan, engine, error);
    if (code == 0)
        code = allocate_host(session, error);
    if (code == 0)
        code = allocate_device(session, error);
    if (code == 0)
        code = prepare_sampling(session, error);
    if (code == 0)
        code = session_rope_fill(session, shape->input_length, error);
    if (code != 0) {
        session_close(session);
        return code;
    }
    *out = session;
    return 0;
}

void session_close(struct session *session)
{
    if (session == NULL)
        return;
    struct engine *engine = session->engine;
    (void)cudaStreamSynchronize(engine->stream);
    if (session->graph != NULL)
        (void)cudaGraphExecDestroy(session->graph);
    for (int i = 0; i < CUDA_QUEUE_EVENTS; i++)
        if (session->events[i] != NULL)
            (void)cudaEventDestroy(session->events[i]);
    void *pinned[] = {session->pinned.ids, session->pinned.chosen, session->pinned.stamps,
                      session->pinned.state};
    for (size_t i = 0; i < sizeof pinned / sizeof pinned[0]; i++)
        if (pinned[i] != NULL)
            (void)cudaFreeHost(pinned[i]);
    (void)cudaFree(session->kv);
    (void)cudaFree(session->workspace);
    (void)cudaDeviceGraphMemTrim(engine->device);
    engine->session_bytes = 0;
    free(session->host_logits);
    free(session->angles);
    free(session);
}

int session_memory_usage(const struct session *session, struct memory_usage *usage,
                         struct error *error)
{
    const struct engine *engine = session->engine;
    size_t free_bytes = 0, total_bytes = 0;
    int code =
        cuda_check(cudaMemGetInfo(&free_bytes, &total_bytes), "asking for free memory", error);
    if (code != 0)
        return code;
    int64_t allocated = (int64_t)engine->memory_bytes + engine->session_bytes;
    /* The context, and what has gone since this process had it: also what the driver rounds up,
     * loads and keeps. What others take or give back meanwhile falls into it too. */
    int64_t reserved = engine->context_bytes + engine->free_at_opening - (int64_t)free_bytes;
    *usage = (struct memory_usage){
        .host_peak_bytes = memory_peak_bytes(),
        .device_allocated_bytes = allocated,
        .device_reserved_bytes = reserved > allocated ? reserved : allocated,
    };
    return 0;
}
