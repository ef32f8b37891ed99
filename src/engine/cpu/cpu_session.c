/* A session's memory: one function plans it, so that what is predicted is what is allocated;
 * all of it is touched at opening by the threads that will use it. The cache lies
 * [layer][row][kv head] in the kernels' own layout. */
#include "engine/cpu/cpu_engine.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { CHUNK_ROWS = 512, LINE_BYTES = 128, PAGE_BYTES = 4096 };

/* The next `count` * `size` bytes of the workspace. */
static size_t place(struct cpu_plan *plan, int64_t count, size_t size)
{
    size_t offset = plan->workspace_bytes, bytes = 0;
    if (!size_multiply((size_t)count, size, &bytes) || !size_add(bytes, LINE_BYTES - 1, &bytes) ||
        !size_add(offset, bytes / LINE_BYTES * LINE_BYTES, &plan->workspace_bytes))
        plan->overflow = true;
    return offset;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t inner_width(const struct architecture *a)
{
    return larger(a->intermediate_size, a->experts.intermediate_size);
}

/* Tokens a chunk holds: whole prompts while they are short, else even parts of one. */
static int64_t choose_chunk_rows(int64_t batch, int64_t length)
{
    if (length >= CHUNK_ROWS) {
        int64_t parts = (length + CHUNK_ROWS - 1) / CHUNK_ROWS;
        return larger(batch, (length + parts - 1) / parts);
    }
    int64_t rows = CHUNK_ROWS / length;
    int64_t groups = (batch + rows - 1) / rows;
    return larger(batch, (batch + groups - 1) / groups * length);
}

static void plan_cache(struct cpu_plan *plan, const struct engine *engine, int64_t batch)
{
    const struct architecture *a = engine->architecture;
    plan->key_bytes = kernel_key_bytes(engine->kv_type, plan->capacity, a->head_dim);
    plan->value_bytes = kernel_value_bytes(engine->kv_type, plan->capacity, a->head_dim);
    size_t heads = 0;
    if (!size_multiply((size_t)(a->layer_count * a->kv_head_count), (size_t)batch, &heads) ||
        !size_multiply(heads, plan->key_bytes + plan->value_bytes, &plan->kv_bytes))
        plan->overflow = true;
}

static void plan_rope(struct cpu_plan *plan, const struct architecture *a)
{
    if (a->position != POSITION_ROPE)
        return;
    for (int part = 0; part < 2; part++) {
        int64_t floats = plan->capacity * (a->rope.rotary_dim / 2);
        plan->rope[0][part] = place(plan, floats, sizeof(float));
        floats = plan->capacity * (a->rope_local.rotary_dim / 2);
        if (a->has_rope_local)
            plan->rope[1][part] = place(plan, floats, sizeof(float));
    }
}

static void plan_experts(struct cpu_plan *plan, const struct architecture *a)
{
    if (a->experts.count == 0)
        return;
    int64_t pairs = plan->chunk_rows * a->experts.per_token;
    plan->router = place(plan, plan->chunk_rows * a->experts.count, sizeof(float));
    plan->expert_ids = place(plan, pairs, sizeof(int32_t));
    plan->expert_weights = place(plan, pairs, sizeof(float));
    plan->expert_offsets = place(plan, 2 * (a->experts.count + 1), sizeof(int64_t));
    plan->expert_rows = place(plan, pairs, sizeof(int64_t));
    plan->gathered = place(plan, plan->chunk_rows * a->hidden_size, sizeof(float));
}

/* Partial results of attention at once, whatever number of rows a pass has: a prefill's passes may
 * hold fewer rows than the batch, whose keys are then cut into more parts. */
static int64_t count_partials(const struct engine *engine, int64_t batch, int64_t capacity)
{
    const struct architecture *a = engine->architecture;
    int threads = thread_pool_thread_count(engine->pool);
    int64_t most = 0;
    for (int64_t rows = 1; rows <= batch; rows++) {
        int64_t items = rows * a->kv_head_count;
        int64_t splits = attention_split_count(items, capacity, threads);
        if (splits == 1) /* more rows are cut no more */
            break;
        most = larger(most, items * splits);
    }
    return most;
}

/* Scratch of the attention kernel: it is called with as many positions as one block holds. */
static void plan_attention(struct cpu_plan *plan, const struct engine *engine, int64_t batch)
{
    const struct architecture *a = engine->architecture;
    int threads = thread_pool_thread_count(engine->pool);
    int64_t group = a->head_count / a->kv_head_count;
    plan->partials = place(plan, count_partials(engine, batch, plan->capacity) * group,
                           (size_t)(a->head_dim + 2) * sizeof(float));
    size_t floats =
        kernel_attention_workspace_floats(attention_block_positions(group), group, a->head_dim);
    plan->attention_stride = (floats * sizeof(float) + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
    plan->attention_scratch = place(plan, threads, plan->attention_stride);
}

static void plan_workspace(struct cpu_plan *plan, const struct engine *engine, int64_t batch)
{
    const struct architecture *a = engine->architecture;
    int threads = thread_pool_thread_count(engine->pool);
    int64_t rows = plan->chunk_rows, attended = a->head_count * a->head_dim;
    int64_t inner = inner_width(a) * (a->mlp_gated ? 2 : 1);
    int64_t widest = larger(larger(a->hidden_size, attended), inner_width(a));

    plan->hidden = place(plan, rows * a->hidden_size, sizeof(float));
    plan->normed = place(plan, rows * a->hidden_size, sizeof(float));
    plan->qkv = place(plan, rows * (attended + 2 * a->kv_head_count * a->head_dim), sizeof(float));
    plan->attended = place(plan, rows * attended, sizeof(float));
    plan->inner = place(plan, rows * inner, sizeof(float));
    plan->branch = place(plan, rows * a->hidden_size, sizeof(float));
    if (engine->type != KERNEL_F32)
        plan->prepared = place(plan, 1, kernel_prepared_bytes(engine->widest, rows, widest));
    plan->last = place(plan, batch * a->hidden_size, sizeof(float));
    plan->logits = place(plan, batch * a->vocabulary_size, sizeof(float));
    plan->chosen = place(plan, batch, sizeof(int32_t));
    plan->tokens = place(plan, batch, sizeof(int32_t));
    size_t words = kernel_sample_workspace_words(a->vocabulary_size);
    plan->sample_stride = (words * sizeof(uint32_t) + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
    plan->sample_scratch = place(plan, threads, plan->sample_stride);
    plan_attention(plan, engine, batch);
    plan_rope(plan, a);
    plan_experts(plan, a);
}

/* Counts up to this keep every product with a model's widths inside int64_t. */
static bool is_plausible(int64_t count)
{
    return count >= 1 && count <= INT32_MAX;
}

static int plan_session(struct cpu_plan *plan, const struct engine *engine,
                        const struct session_shape *shape, struct error *error)
{
    *plan = (struct cpu_plan){0};
    if (!is_plausible(shape->batch_size) || !is_plausible(shape->input_length) ||
        !is_plausible(shape->output_length))
        return error_set(error, ERROR_INPUT,
                         "batch size, input and output length must be at least 1 and below 2^31");
    plan->capacity = shape->input_length + shape->output_length - 1;
    plan->chunk_rows = choose_chunk_rows(shape->batch_size, shape->input_length);
    plan_cache(plan, engine, shape->batch_size);
    plan_workspace(plan, engine, shape->batch_size);
    size_t total = 0;
    if (plan->overflow || !size_add(plan->kv_bytes, plan->workspace_bytes, &total) ||
        total > INT64_MAX)
        return error_set(error, ERROR_MEMORY,
                         "the cache of batch size %lld with %lld positions is larger than any "
                         "address",
                         (long long)shape->batch_size, (long long)plan->capacity);
    return 0;
}

static int check_positions(const struct cpu_plan *plan, const struct engine *engine,
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
    struct cpu_plan plan;
    int code = plan_session(&plan, engine, shape, error);
    if (code != 0)
        return code;
    int64_t available = memory_available_bytes();
    if (engine->memory == NULL && available >= 0) {
        int64_t weights = (int64_t)engine->memory_bytes;
        available = available > weights ? available - weights : 0;
    }
    *memory = (struct session_memory){
        .weight_bytes = (int64_t)engine->memory_bytes,
        .kv_bytes = (int64_t)plan.kv_bytes,
        .workspace_bytes = (int64_t)plan.workspace_bytes,
        .available_bytes = available,
    };
    return 0;
}

enum { TOUCH_BYTES = 1 << 20 };

struct touch_call {
    unsigned char *memory;
    size_t bytes;
};

static void touch_part(void *context, int64_t chunk, int thread)
{
    (void)thread;
    const struct touch_call *call = context;
    size_t first = (size_t)chunk * TOUCH_BYTES;
    size_t bytes = call->bytes - first < TOUCH_BYTES ? call->bytes - first : TOUCH_BYTES;
    memset(call->memory + first, 0, bytes);
}

static void touch(struct engine *engine, void *memory, size_t bytes)
{
    struct touch_call call = {memory, bytes};
    thread_pool_run_static(engine->pool, touch_part, &call,
                           (int64_t)((bytes + TOUCH_BYTES - 1) / TOUCH_BYTES));
}

static void place_rope(struct session *session)
{
    struct cpu_rope *ropes[2] = {&session->rope, &session->rope_local};
    for (int i = 0; i < 2; i++) {
        ropes[i]->cosine = session_at(session, session->plan.rope[i][0]);
        ropes[i]->sine = session_at(session, session->plan.rope[i][1]);
    }
    if (!session->engine->architecture->has_rope_local)
        session->rope_local = session->rope;
}

static int allocate(struct session *session, struct error *error)
{
    const struct cpu_plan *plan = &session->plan;
    int64_t needed = (int64_t)(plan->kv_bytes + plan->workspace_bytes);
    int64_t available = memory_available_bytes();
    if (available >= 0 && needed > available)
        return error_set(error, ERROR_MEMORY,
                         "%.1f MB are needed for the cache and %.1f MB for the workspace, "
                         "%.1f MB are there",
                         (double)plan->kv_bytes / 1048576, (double)plan->workspace_bytes / 1048576,
                         (double)available / 1048576);
    void *memory = NULL;
    int code = memory_map(&memory, plan->kv_bytes, error);
    if (code != 0)
        return code;
    session->kv = memory;
    code = memory_map(&memory, plan->workspace_bytes, error);
    if (code != 0)
        return code;
    session->workspace = memory;
    touch(session->engine, session->kv, plan->kv_bytes);
    touch(session->engine, session->workspace, plan->workspace_bytes);
    return 0;
}

int session_open(struct session **out, struct engine *engine, const struct session_shape *shape,
                 struct error *error)
{
    *out = NULL;
    if (engine->memory == NULL)
        return error_set(error, ERROR_FAILED, "the engine was opened for planning: no weights");
    engine_limit_release(engine);
    memory_peak_reset();
    struct session *session = calloc(1, sizeof *session);
    if (session == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for a session");
    session->engine = engine;
    session->shape = *shape;
    int code = plan_session(&session->plan, engine, shape, error);
    if (code == 0)
        code = check_positions(&session->plan, engine, error);
    if (code != 0)
        goto fail;
    code = allocate(session, error);
    if (code != 0)
        goto fail;
    place_rope(session);
    session_rope_fill(session, shape->input_length);
    *out = session;
    return 0;
fail:
    session_close(session);
    return code;
}

void session_close(struct session *session)
{
    if (session == NULL)
        return;
    memory_unmap(session->kv, session->plan.kv_bytes);
    memory_unmap(session->workspace, session->plan.workspace_bytes);
    free(session);
}
