/* Attention over the pool. Storing: clamp, norm and turn queries and keys, keys and values to
 * the cache, by row and block of positions. Attending: a prompt by row, KV head and block of
 * query positions, the heaviest first; a single position by row and KV head, its keys cut into
 * parts where there are too few of those for the threads. */
#include "engine/cpu/cpu_engine.h"

#include <math.h>

enum {
    STORE_POSITIONS = 64,      /* a thread never shares a panel of keys with another */
    QUERY_ROWS = 96,           /* of one call: as many as share a block of keys in the kernel */
    SPLIT_KEYS = 256,          /* parts are whole multiples of it */
    CHUNKS_A_THREAD = 4,       /* fewer leave threads idle at the end */
    STORE_INLINE_FLOATS = 8192 /* fewer are not worth a region */
};

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t divide_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

int64_t attention_block_positions(int64_t group)
{
    return group >= QUERY_ROWS ? 1 : QUERY_ROWS / group;
}

int64_t attention_split_count(int64_t items, int64_t key_count, int threads)
{
    int64_t wanted = (int64_t)CHUNKS_A_THREAD * threads;
    if (threads == 1 || items >= wanted)
        return 1;
    int64_t most = divide_up(key_count, SPLIT_KEYS);
    return smaller(divide_up(wanted, items), most > 0 ? most : 1);
}

struct attention_work {
    const struct cpu_pass *pass;
    const struct architecture *architecture;
    const struct kernels *kernels;
    const struct cpu_layer *layer;
    int64_t layer_index;
    int64_t qkv_width;
    float *qkv;
    const struct cpu_rope *rope;
    const struct rope_facts *rope_facts; /* NULL: positions do not turn anything */
    int64_t blocks, splits;
};

static struct attention_work start_work(const struct cpu_pass *pass, int64_t layer)
{
    struct session *session = pass->session;
    const struct architecture *a = session->engine->architecture;
    bool is_local = a->has_rope_local && a->window[layer] > 0;
    return (struct attention_work){
        .pass = pass,
        .architecture = a,
        .kernels = session->engine->kernels,
        .layer = &session->engine->layers[layer],
        .layer_index = layer,
        .qkv_width = (a->head_count + 2 * a->kv_head_count) * a->head_dim,
        .qkv = session_at(session, session->plan.qkv),
        .rope = is_local ? &session->rope_local : &session->rope,
        .rope_facts = a->position != POSITION_ROPE ? NULL
                      : is_local                   ? &a->rope_local
                                                   : &a->rope,
        .blocks = 1,
        .splits = 1,
    };
}

static void *cache_keys(const struct attention_work *work, int64_t row, int64_t kv_head)
{
    const struct session *session = work->pass->session;
    const struct cpu_plan *plan = &session->plan;
    int64_t index =
        (work->layer_index * session->shape.batch_size + row) * work->architecture->kv_head_count +
        kv_head;
    return session->kv + (size_t)index * (plan->key_bytes + plan->value_bytes);
}

static void *cache_values(const struct attention_work *work, int64_t row, int64_t kv_head)
{
    return (unsigned char *)cache_keys(work, row, kv_head) + work->pass->session->plan.key_bytes;
}

static void norm_heads(const struct attention_work *work, const struct cpu_norm *norm, float *x,
                       int64_t heads)
{
    const struct architecture *a = work->architecture;
    float epsilon = (float)a->norm_epsilon;
    bool is_wide = a->qk_norm == QK_NORM_WIDE;
    int64_t width = is_wide ? heads * a->head_dim : a->head_dim;
    int64_t pieces = is_wide ? 1 : heads;
    bool own_gains = a->qk_norm == QK_NORM_PER_HEAD;
    int64_t rows = own_gains ? 1 : pieces; /* of one call: those that share a gain */
    for (int64_t i = 0; i < pieces; i += rows) {
        int64_t offset = i * width;
        const float *gain = norm->gain != NULL ? norm->gain + offset : NULL;
        const float *bias = norm->bias != NULL ? norm->bias + offset : NULL;
        if (a->qk_norm_function == NORM_RMS)
            work->kernels->norm_rms(x + offset, width, x + offset, width, rows, width, gain,
                                    epsilon);
        else
            work->kernels->norm_layer(x + offset, width, x + offset, width, rows, width, gain, bias,
                                      epsilon);
    }
}

/* One token's queries and keys as attention wants them. */
static void finish_token(const struct attention_work *work, float *qkv, int64_t position)
{
    const struct architecture *a = work->architecture;
    float *keys = qkv + a->head_count * a->head_dim;
    if (a->clip_qkv > 0) {
        float limit = (float)a->clip_qkv;
        for (int64_t i = 0; i < work->qkv_width; i++)
            qkv[i] = fminf(fmaxf(qkv[i], -limit), limit);
    }
    if (a->qk_norm != QK_NORM_NONE) {
        norm_heads(work, &work->layer->query_norm, qkv, a->head_count);
        norm_heads(work, &work->layer->key_norm, keys, a->kv_head_count);
    }
    if (work->rope_facts != NULL) {
        int64_t dim = work->rope_facts->rotary_dim;
        /* Queries and keys are neighbours: one call turns them all. */
        work->kernels->rope(qkv, a->head_count + a->kv_head_count, a->head_dim, dim,
                            work->rope->cosine + position * (dim / 2),
                            work->rope->sine + position * (dim / 2), work->rope_facts->interleaved);
    }
}

static void store_block(void *context, int64_t chunk, int thread)
{
    (void)thread;
    const struct attention_work *work = context;
    const struct cpu_pass *pass = work->pass;
    const struct session *session = pass->session;
    const struct architecture *a = work->architecture;
    enum kernel_type type = session->engine->kv_type;
    int64_t row = chunk / work->blocks, block = chunk % work->blocks;
    int64_t block_start = (pass->first_position / STORE_POSITIONS + block) * STORE_POSITIONS;
    int64_t first = block_start > pass->first_position ? block_start : pass->first_position;
    int64_t end = smaller(block_start + STORE_POSITIONS, pass->first_position + pass->positions);
    float *qkv =
        work->qkv + (row * pass->positions + first - pass->first_position) * work->qkv_width;

    for (int64_t position = first; position < end; position++)
        finish_token(work, qkv + (position - first) * work->qkv_width, position);
    for (int64_t head = 0; head < a->kv_head_count; head++) {
        const float *keys = qkv + (a->head_count + head) * a->head_dim;
        const float *values = keys + a->kv_head_count * a->head_dim;
        work->kernels->store_keys(type, cache_keys(work, pass->first_row + row, head),
                                  session->plan.capacity, a->head_dim, first, end - first, keys,
                                  work->qkv_width);
        work->kernels->store_values(type, cache_values(work, pass->first_row + row, head),
                                    session->plan.capacity, a->head_dim, first, end - first, values,
                                    work->qkv_width);
    }
}

void pass_store(const struct cpu_pass *pass, int64_t layer)
{
    struct attention_work work = start_work(pass, layer);
    int64_t last = pass->first_position + pass->positions - 1;
    work.blocks = last / STORE_POSITIONS - pass->first_position / STORE_POSITIONS + 1;
    int64_t chunks = pass->row_count * work.blocks;
    if (pass->rows * work.qkv_width > STORE_INLINE_FLOATS) {
        thread_pool_run(pass->session->engine->pool, store_block, &work, chunks);
        return;
    }
    for (int64_t i = 0; i < chunks; i++)
        store_block(&work, i, 0);
}

/* The call for `count` query positions of a row from `first` (within the pass) on. */
static struct attention_call start_call(const struct attention_work *work, int64_t row,
                                        int64_t kv_head, int64_t first, int64_t count, int thread)
{
    const struct cpu_pass *pass = work->pass;
    struct session *session = pass->session;
    const struct cpu_plan *plan = &session->plan;
    const struct architecture *a = work->architecture;
    int64_t group = a->head_count / a->kv_head_count;
    int64_t head = kv_head * group, token = row * pass->positions + first;
    int64_t out_stride = a->head_count * a->head_dim;
    float *attended = session_at(session, plan->attended);
    unsigned char *scratch = session_at(session, plan->attention_scratch);
    return (struct attention_call){
        .kv_type = session->engine->kv_type,
        .queries = work->qkv + token * work->qkv_width + head * a->head_dim,
        .query_stride = work->qkv_width,
        .out = attended + token * out_stride + head * a->head_dim,
        .out_stride = out_stride,
        .position_count = count,
        .first_position = pass->first_position + first,
        .group = group,
        .head_dim = a->head_dim,
        .keys = cache_keys(work, pass->first_row + row, kv_head),
        .values = cache_values(work, pass->first_row + row, kv_head),
        .capacity = plan->capacity,
        .scale = (float)a->attention_scale,
        .softcap = (float)a->attention_softcap,
        .window = a->window[work->layer_index],
        .alibi_slopes =
            session->engine->alibi_slopes != NULL ? session->engine->alibi_slopes + head : NULL,
        .workspace = (float *)(void *)(scratch + (size_t)thread * plan->attention_stride),
    };
}

static void attend_block(void *context, int64_t chunk, int thread)
{
    const struct attention_work *work = context;
    const struct cpu_pass *pass = work->pass;
    int64_t size = attention_block_positions(work->architecture->head_count /
                                             work->architecture->kv_head_count);
    int64_t items = pass->row_count * work->architecture->kv_head_count;
    /* Later positions see more keys: they come first. */
    int64_t first = (work->blocks - 1 - chunk / items) * size, item = chunk % items;
    struct attention_call call = start_call(work, item / work->architecture->kv_head_count,
                                            item % work->architecture->kv_head_count, first,
                                            smaller(size, pass->positions - first), thread);
    work->kernels->attention(&call);
}

/* Keys that the one query position of a decode step sees, cut into work->splits parts. */
static void split_keys(const struct attention_work *work, int64_t split, int64_t *first,
                       int64_t *count)
{
    int64_t end = work->pass->first_position + 1;
    int64_t window = work->architecture->window[work->layer_index];
    int64_t start = window > 0 && end > window ? (end - window) / SPLIT_KEYS : 0;
    int64_t parts = divide_up(end, SPLIT_KEYS) - start;
    int64_t low = start + parts * split / work->splits;
    int64_t high = start + parts * (split + 1) / work->splits;
    *first = low * SPLIT_KEYS;
    *count = smaller(high * SPLIT_KEYS, end) - *first;
}

static float *partial_at(const struct attention_work *work, int64_t item)
{
    const struct architecture *a = work->architecture;
    const struct session *session = work->pass->session;
    int64_t floats = work->splits * (a->head_count / a->kv_head_count) * (a->head_dim + 2);
    return (float *)session_at(session, session->plan.partials) + item * floats;
}

static void attend_split(void *context, int64_t chunk, int thread)
{
    const struct attention_work *work = context;
    const struct architecture *a = work->architecture;
    int64_t item = chunk / work->splits, split = chunk % work->splits;
    struct attention_call call =
        start_call(work, item / a->kv_head_count, item % a->kv_head_count, 0, 1, thread);
    call.partial = partial_at(work, item) + split * call.group * (a->head_dim + 2);
    split_keys(work, split, &call.key_first, &call.key_count);
    work->kernels->attention(&call);
}

static void combine_items(void *context, int64_t first, int64_t count, int thread)
{
    const struct attention_work *work = context;
    int64_t kv_heads = work->architecture->kv_head_count;
    for (int64_t item = first; item < first + count; item++) {
        struct attention_call call =
            start_call(work, item / kv_heads, item % kv_heads, 0, 1, thread);
        work->kernels->attention_combine(partial_at(work, item), work->splits, 1, call.group,
                                         call.head_dim, call.out, call.out_stride);
    }
}

void pass_attend(const struct cpu_pass *pass, int64_t layer)
{
    struct session *session = pass->session;
    struct engine *engine = session->engine;
    struct attention_work work = start_work(pass, layer);
    const struct architecture *a = work.architecture;
    int64_t items = pass->row_count * a->kv_head_count;
    int64_t keys = pass->first_position + pass->positions, window = a->window[layer];
    if (window > 0 && window < keys)
        keys = window;
    if (pass->positions == 1)
        work.splits = attention_split_count(items, keys, thread_pool_thread_count(engine->pool));
    if (work.splits > 1) {
        thread_pool_run(engine->pool, attend_split, &work, items * work.splits);
        engine_run_rows(engine, combine_items, &work, items,
                        work.splits * (a->head_count / a->kv_head_count) * (a->head_dim + 2));
        return;
    }
    work.blocks =
        divide_up(pass->positions, attention_block_positions(a->head_count / a->kv_head_count));
    thread_pool_run(engine->pool, attend_block, &work, items * work.blocks);
}
