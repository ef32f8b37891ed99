/* One forward pass for every family, as launches: which norms, biases, products and orders a
 * layer has are facts of the architecture, looked at here. The residual stream is float32; what
 * enters a matrix product has the compute type. */
#include "engine/cuda/cuda_engine.h"

static enum device_activation activation_of(const struct architecture *a)
{
    static const enum device_activation table[] = {
        [ACTIVATION_GELU_TANH] = DEVICE_GELU_TANH,
        [ACTIVATION_GELU_ERF] = DEVICE_GELU_ERF,
        [ACTIVATION_RELU] = DEVICE_RELU,
        [ACTIVATION_SILU] = DEVICE_SILU,
        [ACTIVATION_QUICK_GELU] = DEVICE_QUICK_GELU,
    };
    return table[a->activation];
}

/* Fills in what all products of a session share. */
static void run_linear(struct session *session, struct cuda_linear_call call)
{
    const struct engine *engine = session->engine;
    call.type = engine->type;
    call.workspace = session_at(session, session->plan.linear);
    call.counters = session_at(session, session->plan.linear_counters);
    call.stream = engine->stream;
    session_note(session, cuda_linear_run(engine->linear, &call));
}

static void run_norm(struct session *session, const struct cuda_norm *norm, struct norm_call call)
{
    const struct architecture *a = session->engine->architecture;
    call.type = session->engine->type;
    call.gain = norm->gain;
    call.bias = a->norm == NORM_LAYER ? norm->bias : NULL;
    call.width = a->hidden_size;
    call.epsilon = (float)a->norm_epsilon;
    call.rms = a->norm == NORM_RMS;
    call.overlap = session->engine->overlaps;
    call.stream = session->engine->stream;
    session_note(session, kernel_norm(&call));
}

static void embed(const struct cuda_pass *pass)
{
    struct session *session = pass->session;
    const struct engine *engine = session->engine;
    const struct architecture *a = engine->architecture;
    struct embed_call call = {
        .type = engine->type,
        .x = pass->hidden,
        .table = engine->embedding,
        .positions = engine->positions,
        .ids = pass->ids,
        .id_stride = pass->id_stride,
        .rows = pass->rows,
        .count = pass->positions,
        .width = a->hidden_size,
        .position_offset = a->position_offset,
        .scale = (float)a->embedding_scale,
        .state = session_state(session),
        .stream = engine->stream,
    };
    session_note(session, kernel_embed(&call));
    if (a->embedding_norm)
        run_norm(session, &engine->embedding_norm,
                 (struct norm_call){.x = pass->hidden, .y32 = pass->hidden, .rows = pass->rows});
}

/* The input of attention or MLP in the compute type: normed, or x itself where the family norms
 * only outputs; in float32 too where a router reads it. */
static void norm_input(struct cuda_pass *pass, const struct cuda_norm *norm, bool for_router)
{
    struct session *session = pass->session;
    const struct architecture *a = session->engine->architecture;
    bool is_done = pass->next_norm == norm;
    pass->next_norm = NULL;
    if (is_done)
        return;
    if (a->norm_before) {
        float *copy = for_router ? session_at(session, session->plan.normed_float) : NULL;
        run_norm(session, norm,
                 (struct norm_call){
                     .x = pass->hidden, .y = pass->normed, .y32 = copy, .rows = pass->rows});
        return;
    }
    struct convert_call call = {
        .type = session->engine->type,
        .to = pass->normed,
        .from = pass->hidden,
        .count = pass->rows * a->hidden_size,
        .scale = 1,
        .stream = session->engine->stream,
    };
    session_note(session, kernel_convert(&call));
}

/* x += scale * norm(branch), and what norm_input(next) would do where `next` is not NULL. */
static void add_normed(struct cuda_pass *pass, const struct cuda_norm *after,
                       const struct cuda_norm *next, bool for_router)
{
    struct session *session = pass->session;
    const struct architecture *a = session->engine->architecture;
    struct norm_call call = {
        .x = session_at(session, session->plan.branch),
        .residual = pass->hidden,
        .rows = pass->rows,
        .scale = (float)a->residual_scale,
    };
    pass->next_norm = a->norm_before ? next : NULL;
    if (pass->next_norm != NULL) {
        call.next_gain = next->gain;
        call.next_bias = a->norm == NORM_LAYER ? next->bias : NULL;
        call.next_y = pass->normed;
        call.next_y32 = for_router ? session_at(session, session->plan.normed_float) : NULL;
    }
    run_norm(session, after, call);
}

/* Where the residual stream goes after a branch: through the branch's own norm where the family has
 * one, and then into the norm of the next part of the layer. */
struct branch_norms {
    const struct cuda_norm *after, *next; /* next: NULL where something comes between */
    bool for_router;                      /* `next` is read by a router too */
};

/* x += scale * (norm of) projection(input); the bias was scaled at loading. */
static void project_back(struct cuda_pass *pass, const struct cuda_projection *projection,
                         const void *input, int64_t input_stride, struct branch_norms norms)
{
    struct session *session = pass->session;
    const struct architecture *a = session->engine->architecture;
    bool is_normed = a->norm_after;
    run_linear(session,
               (struct cuda_linear_call){
                   .projection = projection,
                   .y_type = DEVICE_F32,
                   .x = input,
                   .x_stride = input_stride,
                   .y = is_normed ? session_at(session, session->plan.branch) : pass->hidden,
                   .y_stride = a->hidden_size,
                   .rows = pass->rows,
                   .alpha = is_normed ? 1 : (float)a->residual_scale,
                   .accumulate = !is_normed,
               });
    if (is_normed)
        add_normed(pass, norms.after, norms.next, norms.for_router);
}

static void run_qkv(const struct cuda_pass *pass, const struct cuda_layer *layer)
{
    struct session *session = pass->session;
    run_linear(session, (struct cuda_linear_call){
                            .projection = &layer->qkv,
                            .y_type = session->engine->type,
                            .x = pass->normed,
                            .x_stride = session->engine->architecture->hidden_size,
                            .y = pass->qkv,
                            .y_stride = layer->qkv.outputs,
                            .rows = pass->rows,
                            .alpha = 1,
                        });
}

static unsigned char *cache_keys(const struct session *session, int64_t layer)
{
    return session->kv + (size_t)(2 * layer) * session->plan.layer_bytes;
}

static unsigned char *cache_values(const struct session *session, int64_t layer)
{
    return cache_keys(session, layer) + session->plan.layer_bytes;
}

static enum device_qk_norm qk_norm_of(const struct architecture *a)
{
    static const enum device_qk_norm table[] = {
        [QK_NORM_NONE] = DEVICE_QK_NONE,
        [QK_NORM_HEAD] = DEVICE_QK_HEAD,
        [QK_NORM_PER_HEAD] = DEVICE_QK_PER_HEAD,
        [QK_NORM_WIDE] = DEVICE_QK_WIDE,
    };
    return table[a->qk_norm];
}

static void store(const struct cuda_pass *pass, int64_t index)
{
    struct session *session = pass->session;
    const struct architecture *a = session->engine->architecture;
    const struct cuda_layer *layer = &session->engine->layers[index];
    bool turns = a->position == POSITION_ROPE;
    bool is_local = a->has_rope_local && a->window[index] > 0;
    const struct rope_facts *rope = is_local ? &a->rope_local : &a->rope;
    const size_t *tables = session->plan.rope[is_local];
    struct heads_call call = {
        .type = session->engine->type,
        .qkv = pass->qkv,
        .keys = cache_keys(session, index),
        .values = cache_values(session, index),
        .query_gain = layer->query_norm.gain,
        .query_bias = layer->query_norm.bias,
        .key_gain = layer->key_norm.gain,
        .key_bias = layer->key_norm.bias,
        .cosine = turns ? session_at(session, tables[0]) : NULL,
        .sine = turns ? session_at(session, tables[1]) : NULL,
        .rows = pass->rows,
        .count = pass->positions,
        .first_row = pass->first_row,
        .heads = a->head_count,
        .kv_heads = a->kv_head_count,
        .head_dim = a->head_dim,
        .rotary_dim = turns ? rope->rotary_dim : 0,
        .capacity = session->plan.capacity,
        .clip = (float)a->clip_qkv,
        .epsilon = (float)a->norm_epsilon,
        .qk_norm = qk_norm_of(a),
        .qk_rms = a->qk_norm_function == NORM_RMS,
        .interleaved = rope->interleaved,
        .state = session_state(session),
        .overlap = session->engine->overlaps,
        .stream = session->engine->stream,
    };
    session_note(session, kernel_heads(&call));
}

static void attend(const struct cuda_pass *pass, int64_t index)
{
    struct session *session = pass->session;
    const struct engine *engine = session->engine;
    const struct architecture *a = engine->architecture;
    struct attention_call call = {
        .type = engine->type,
        .queries = pass->qkv,
        .out = session_at(session, session->plan.attended),
        .keys = cache_keys(session, index),
        .values = cache_values(session, index),
        .alibi = engine->alibi_slopes,
        .query_stride = (a->head_count + 2 * a->kv_head_count) * a->head_dim,
        .rows = pass->rows,
        .count = pass->positions,
        .first_row = pass->first_row,
        .heads = a->head_count,
        .kv_heads = a->kv_head_count,
        .head_dim = a->head_dim,
        .capacity = session->plan.capacity,
        .window = a->window[index],
        .scale = (float)a->attention_scale,
        .softcap = (float)a->attention_softcap,
        .splits = pass->positions == 1 ? session->plan.splits : 1,
        .partials = session_at(session, session->plan.partials),
        .counters = session_at(session, session->plan.counters),
        .state = session_state(session),
        .overlap = engine->overlaps,
        .stream = engine->stream,
    };
    if (flash_decode_serves(&call))
        session_note(session, kernel_flash_decode(&call));
    else
        session_note(session, flash_attention_serves(&call) ? kernel_flash_attention(&call)
                                                            : kernel_attention(&call));
}

/* The activated inner rows of a dense MLP in plan.inner; returns the elements between rows. */
static int64_t run_inner(const struct cuda_pass *pass, const struct cuda_layer *layer)
{
    struct session *session = pass->session;
    const struct architecture *a = session->engine->architecture;
    void *inner = session_at(session, session->plan.inner);
    int64_t outputs = layer->gate_up.outputs;
    run_linear(session, (struct cuda_linear_call){
                            .projection = &layer->gate_up,
                            .y_type = session->engine->type,
                            .x = pass->normed,
                            .x_stride = a->hidden_size,
                            .y = inner,
                            .y_stride = outputs,
                            .rows = pass->rows,
                            .alpha = 1,
                            .gated = a->mlp_gated,
                            .activation = activation_of(a),
                        });
    return outputs;
}

/* With more tokens than a decode step has, those of an expert are multiplied together. */
static bool is_grouped(const struct cuda_pass *pass)
{
    return pass->rows > SKINNY_ROWS_MAX;
}

static void run_expert_matrix(const struct cuda_pass *pass, const struct cuda_expert_table *table,
                              struct expert_linear_call call)
{
    struct session *session = pass->session;
    call.type = session->engine->type;
    call.weights = table->weights;
    call.biases = table->biases;
    call.ids = session_at(session, session->plan.expert_ids);
    call.pairs = pass->rows * session->engine->architecture->experts.per_token;
    call.inputs = table->inputs;
    call.outputs = table->outputs;
    call.experts = session->engine->architecture->experts.count;
    call.order = is_grouped(pass) ? session_at(session, session->plan.expert_order) : NULL;
    call.stream = session->engine->stream;
    session_note(session, expert_group_serves(&call) ? kernel_expert_group(&call)
                                                     : kernel_expert_linear(&call));
}

static void route(const struct cuda_pass *pass, const struct cuda_layer *layer)
{
    struct session *session = pass->session;
    const struct cuda_plan *plan = &session->plan;
    const struct architecture *a = session->engine->architecture;
    struct route_call call = {
        .x = a->norm_before ? session_at(session, plan->normed_float) : pass->hidden,
        .router = layer->router,
        .logits = session_at(session, plan->router),
        .ids = session_at(session, plan->expert_ids),
        .weights = session_at(session, plan->expert_weights),
        .rows = pass->rows,
        .width = a->hidden_size,
        .experts = a->experts.count,
        .per_token = a->experts.per_token,
        .normalise = a->experts.normalise_weights,
        .stream = session->engine->stream,
    };
    session_note(session, kernel_route(&call));
    if (is_grouped(pass))
        session_note(session,
                     kernel_expert_order(call.ids, call.rows * call.per_token, call.experts,
                                         session_at(session, plan->expert_order), call.stream));
}

static void run_experts(struct cuda_pass *pass, const struct cuda_layer *layer,
                        struct branch_norms norms)
{
    struct session *session = pass->session;
    const struct cuda_plan *plan = &session->plan;
    const struct architecture *a = session->engine->architecture;
    cudaStream_t stream = session->engine->stream;
    void *inner = session_at(session, plan->expert_inner);
    int64_t pairs = pass->rows * a->experts.per_token, outputs = layer->expert_gate_up.outputs;
    route(pass, layer);
    run_expert_matrix(pass, &layer->expert_gate_up,
                      (struct expert_linear_call){.x = pass->normed,
                                                  .x_share = a->experts.per_token,
                                                  .x_stride = a->hidden_size,
                                                  .y = inner});
    if (a->mlp_gated) {
        struct gate_call call = {session->engine->type, inner, pairs, outputs / 2,
                                 activation_of(a),      stream};
        session_note(session, kernel_gate(&call));
    } else {
        struct activate_call call = {session->engine->type, inner, NULL, pairs, outputs, outputs,
                                     activation_of(a),      stream};
        session_note(session, kernel_activate(&call));
    }
    run_expert_matrix(pass, &layer->expert_down,
                      (struct expert_linear_call){.x = inner,
                                                  .x_share = 1,
                                                  .x_stride = outputs,
                                                  .y = session_at(session, plan->expert_output),
                                                  .y_float = true});
    struct expert_sum_call sum = {
        .x = a->norm_after ? session_at(session, plan->branch) : pass->hidden,
        .y = session_at(session, plan->expert_output),
        .weights = session_at(session, plan->expert_weights),
        .rows = pass->rows,
        .width = a->hidden_size,
        .per_token = a->experts.per_token,
        .scale = a->norm_after ? 1 : (float)a->residual_scale,
        .set = a->norm_after,
        .stream = stream,
    };
    session_note(session, kernel_expert_sum(&sum));
    if (a->norm_after)
        add_normed(pass, norms.after, norms.next, norms.for_router);
}

/* Only the last position of each row goes on: what the last layer does to the others nobody asks
 * for. */
static void keep_last_positions(struct cuda_pass *pass)
{
    struct session *session = pass->session;
    const struct cuda_plan *plan = &session->plan;
    const struct architecture *a = session->engine->architecture;
    int64_t width = (int64_t)type_bytes(session->engine->type);
    float *hidden = session_at(session, plan->kept_hidden);
    void *normed = session_at(session, plan->kept_normed);
    void *qkv = session_at(session, plan->kept_qkv);
    const struct {
        const void *from;
        void *to;
        int64_t row_bytes;
    } moves[] = {
        {pass->hidden, hidden, a->hidden_size * (int64_t)sizeof(float)},
        {pass->normed, normed, a->hidden_size * width},
        {pass->qkv, qkv, (a->head_count + 2 * a->kv_head_count) * a->head_dim * width},
    };
    for (int i = 0; i < 3; i++) {
        struct keep_last_call call = {moves[i].from,   moves[i].to,     moves[i].row_bytes,
                                      pass->row_count, pass->positions, session->engine->stream};
        session_note(session, kernel_keep_last(&call));
    }
    pass->hidden = hidden;
    pass->normed = normed;
    pass->qkv = qkv;
    pass->positions = 1;
    pass->rows = pass->row_count;
}

/* The position of the state follows: a pass of one position attends from there. */
static void move_state(const struct cuda_pass *pass, int64_t positions)
{
    struct session *session = pass->session;
    session_note(session, kernel_state_move(session_state(session), (int32_t)positions,
                                            session->engine->stream));
}

static void run_layer(struct cuda_pass *pass, int64_t index)
{
    struct session *session = pass->session;
    const struct cuda_layer *layer = &session->engine->layers[index];
    const struct architecture *a = session->engine->architecture;
    bool is_last = index == a->layer_count - 1;
    norm_input(pass, &layer->attention_norm, false);
    run_qkv(pass, layer);
    store(pass, index);
    if (is_last && !pass->is_final)
        return;
    if (is_last && pass->positions > 1) {
        move_state(pass, pass->positions - 1);
        keep_last_positions(pass);
    }
    attend(pass, index);

    const void *attended = session_at(session, session->plan.attended);
    int64_t attended_width = a->head_count * a->head_dim;
    bool has_router = layer->router != NULL;
    struct branch_norms to_mlp = {&layer->attention_after_norm, &layer->mlp_norm, has_router};
    struct branch_norms to_next = {&layer->mlp_after_norm,
                                   is_last ? NULL : &layer[1].attention_norm, false};
    if (a->parallel_block) {
        /* The MLP reads x before attention is added; its result is added after. */
        if (!a->shared_norm)
            norm_input(pass, &layer->mlp_norm, false);
        int64_t stride = run_inner(pass, layer);
        to_mlp.next = NULL;
        project_back(pass, &layer->attention_output, attended, attended_width, to_mlp);
        project_back(pass, &layer->down, session_at(session, session->plan.inner), stride, to_next);
        return;
    }
    project_back(pass, &layer->attention_output, attended, attended_width, to_mlp);
    norm_input(pass, &layer->mlp_norm, has_router);
    if (has_router) {
        run_experts(pass, layer, to_next);
        return;
    }
    int64_t stride = run_inner(pass, layer);
    project_back(pass, &layer->down, session_at(session, session->plan.inner), stride, to_next);
}

void pass_run(struct cuda_pass *pass)
{
    struct session *session = pass->session;
    const struct engine *engine = session->engine;
    const struct architecture *a = engine->architecture;
    pass->hidden = session_at(session, session->plan.hidden);
    pass->normed = session_at(session, session->plan.normed);
    pass->qkv = session_at(session, session->plan.qkv);
    embed(pass);
    for (int64_t i = 0; i < a->layer_count; i++)
        run_layer(pass, i);
    if (!pass->is_final)
        return;
    size_t row_bytes = (size_t)a->hidden_size * type_bytes(engine->type);
    void *last = session_at(session, session->plan.last + (size_t)pass->first_row * row_bytes);
    if (a->final_norm) {
        run_norm(session, &engine->final_norm,
                 (struct norm_call){.x = pass->hidden, .y = last, .rows = pass->rows});
        return;
    }
    struct convert_call call = {
        .type = engine->type,
        .to = last,
        .from = pass->hidden,
        .count = pass->rows * a->hidden_size,
        .scale = 1,
        .stream = engine->stream,
    };
    session_note(session, kernel_convert(&call));
}

void session_queue_head(struct session *session)
{
    const struct engine *engine = session->engine;
    const struct architecture *a = engine->architecture;
    const struct cuda_plan *plan = &session->plan;
    int64_t batch = session->shape.batch_size;
    float *logits = session_at(session, plan->logits);
    run_linear(session, (struct cuda_linear_call){
                            .projection = &engine->head,
                            .y_type = DEVICE_F32,
                            .x = session_at(session, plan->last),
                            .x_stride = a->hidden_size,
                            .y = logits,
                            .y_stride = a->vocabulary_size,
                            .rows = batch,
                            .alpha = 1,
                        });
    if (a->logit_scale != 1 || a->logit_softcap != 0)
        session_note(session,
                     kernel_scale_softcap(logits, batch * a->vocabulary_size, (float)a->logit_scale,
                                          (float)a->logit_softcap, engine->stream));
    struct sample_call call = session->sampling;
    session_note(session, kernel_sample(&call));
}
