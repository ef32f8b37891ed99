/* One forward pass for every family: which norms, biases, products and orders a layer has are
 * facts of the architecture, looked at here; the arithmetic is the kernels'. */
#include "engine/cpu/cpu_engine.h"

#include <string.h>

/* Activations of one stage of the pass. */
struct view {
    const float *x;
    int64_t stride;
    enum kernel_type prepared;
};

static float *hidden_rows(const struct cpu_pass *pass)
{
    return session_at(pass->session, pass->session->plan.hidden);
}

static enum kernel_activation activation_of(const struct architecture *a)
{
    static const enum kernel_activation table[] = {
        [ACTIVATION_GELU_TANH] = KERNEL_GELU_TANH,
        [ACTIVATION_GELU_ERF] = KERNEL_GELU_ERF,
        [ACTIVATION_RELU] = KERNEL_RELU,
        [ACTIVATION_SILU] = KERNEL_SILU,
        [ACTIVATION_QUICK_GELU] = KERNEL_QUICK_GELU,
    };
    return table[a->activation];
}

/* Activations as a type's products take them; all grouped types share one form. */
static bool is_prepared(enum kernel_type prepared, enum kernel_type type)
{
    return prepared == type || (kernel_type_is_grouped(prepared) && kernel_type_is_grouped(type));
}

/* One matrix of a projection: the outputs from `column` on. view->prepared says for which type the
 * rows have been made ready, KERNEL_F32 for none. */
static void run_matrix(struct session *session, const struct cpu_matrix *matrix, const float *bias,
                       struct view *view, int64_t rows, int64_t column,
                       const struct linear_output *output)
{
    struct engine *engine = session->engine;
    struct linear_call call = {
        .type = matrix->type,
        .x = view->x,
        .x_stride = view->stride,
        .inputs = matrix->inputs,
        .outputs = matrix->outputs,
        .weight = matrix->data,
        .y = output->y + column,
        .y_stride = output->stride,
        .bias = bias != NULL ? bias + column : NULL,
        .activation = output->activation,
        .scale = output->scale,
        .residual = output->residual != NULL ? output->residual + column : NULL,
        .residual_stride = output->stride,
    };
    if (matrix->type != KERNEL_F32) {
        void *prepared = session_at(session, session->plan.prepared);
        if (!is_prepared(view->prepared, matrix->type))
            cpu_linear_prepare(engine->pool, engine->kernels, matrix->type, view->x, view->stride,
                               rows, matrix->inputs, prepared);
        view->prepared = matrix->type;
        call.x = prepared;
        call.x_stride = matrix->inputs;
    }
    cpu_linear_announce(engine->pool, matrix->next, rows);
    cpu_linear_run(engine->pool, engine->kernels, &call, rows);
}

/* y = act(x W^T + bias) * scale + residual, x made ready as the weights' type first. */
void session_linear(struct session *session, const struct cpu_projection *projection,
                    const float *x, int64_t x_stride, int64_t rows,
                    const struct linear_output *output)
{
    struct view view = {x, x_stride, KERNEL_F32};
    int64_t column = projection->matrix.outputs;
    run_matrix(session, &projection->matrix, projection->bias, &view, rows, 0, output);
    for (int i = 0; i < projection->more_count; i++) {
        const struct cpu_matrix *matrix = &projection->more[i];
        run_matrix(session, matrix, projection->bias, &view, rows, column, output);
        column += matrix->outputs;
    }
}

struct norm_task {
    struct engine *engine;
    const float *x;
    float *y;
    const struct cpu_norm *norm;
    float *residual; /* y is added to it, times scale; NULL: y is the result */
    float scale;
};

static void norm_part(void *context, int64_t first, int64_t count, int thread)
{
    (void)thread;
    const struct norm_task *task = context;
    const struct architecture *a = task->engine->architecture;
    const struct kernels *kernels = task->engine->kernels;
    int64_t width = a->hidden_size;
    const float *x = task->x + first * width;
    float *y = task->y + first * width;
    if (a->norm == NORM_RMS)
        kernels->norm_rms(x, width, y, width, count, width, task->norm->gain,
                          (float)a->norm_epsilon);
    else
        kernels->norm_layer(x, width, y, width, count, width, task->norm->gain, task->norm->bias,
                            (float)a->norm_epsilon);
    if (task->residual != NULL)
        kernels->add_scaled(task->residual + first * width, y, task->scale, count * width);
}

static void run_norm(struct session *session, const struct cpu_norm *norm, const float *x, float *y,
                     int64_t rows, float *residual, float scale)
{
    struct engine *engine = session->engine;
    struct norm_task task = {engine, x, y, norm, residual, scale};
    engine_run_rows(engine, norm_part, &task, rows, engine->architecture->hidden_size);
    session_mark(session, ENGINE_NORMS);
}

struct embed_task {
    const struct cpu_pass *pass;
    const int32_t *ids;
    int64_t id_stride;
};

static void embed_part(void *context, int64_t first, int64_t count, int thread)
{
    (void)thread;
    const struct embed_task *task = context;
    const struct cpu_pass *pass = task->pass;
    const struct engine *engine = pass->session->engine;
    const struct architecture *a = engine->architecture;
    int64_t width = a->hidden_size;
    for (int64_t i = first; i < first + count; i++) {
        float *x = hidden_rows(pass) + i * width;
        int64_t row = i / pass->positions, column = i % pass->positions;
        engine->kernels->unpack_row(engine->embedding.type, engine->embedding.data, width,
                                    task->ids[row * task->id_stride + column], x);
        if (a->embedding_scale != 1)
            engine->kernels->scale_softcap(x, width, (float)a->embedding_scale, 0);
        if (a->position == POSITION_LEARNED) {
            int64_t position = pass->first_position + column + a->position_offset;
            engine->kernels->add_scaled(x, engine->positions + position * width, 1, width);
        }
    }
}

static void embed(const struct cpu_pass *pass, const int32_t *ids, int64_t id_stride)
{
    struct engine *engine = pass->session->engine;
    struct embed_task task = {pass, ids, id_stride};
    engine_run_rows(engine, embed_part, &task, pass->rows, 4 * engine->architecture->hidden_size);
    session_mark(pass->session, ENGINE_EMBEDDING);
    float *x = hidden_rows(pass);
    if (engine->architecture->embedding_norm)
        run_norm(pass->session, &engine->embedding_norm, x, x, pass->rows, NULL, 1);
}

/* The input of attention or MLP: normed, or x itself where the family norms only outputs. */
static const float *norm_input(const struct cpu_pass *pass, const struct cpu_norm *norm)
{
    struct session *session = pass->session;
    float *x = hidden_rows(pass);
    if (!session->engine->architecture->norm_before)
        return x;
    float *normed = session_at(session, session->plan.normed);
    run_norm(session, norm, x, normed, pass->rows, NULL, 1);
    return normed;
}

/* x += scale * (norm of) projection(input). */
static void project_back(const struct cpu_pass *pass, enum engine_component component,
                         const struct cpu_projection *projection, const float *input,
                         int64_t input_stride, const struct cpu_norm *after)
{
    struct session *session = pass->session;
    const struct architecture *a = session->engine->architecture;
    float *x = hidden_rows(pass);
    float scale = (float)a->residual_scale;
    if (!a->norm_after) {
        struct linear_output output = {x, a->hidden_size, KERNEL_IDENTITY, scale, x};
        session_linear(session, projection, input, input_stride, pass->rows, &output);
        session_mark(session, component);
        return;
    }
    float *branch = session_at(session, session->plan.branch);
    struct linear_output output = {branch, a->hidden_size, KERNEL_IDENTITY, 1, NULL};
    session_linear(session, projection, input, input_stride, pass->rows, &output);
    session_mark(session, component);
    run_norm(session, after, branch, branch, pass->rows, x, scale);
}

struct gate_task {
    struct engine *engine;
    float *inner;
    int64_t width;
};

static void gate_part(void *context, int64_t first, int64_t count, int thread)
{
    (void)thread;
    const struct gate_task *task = context;
    enum kernel_activation kind = activation_of(task->engine->architecture);
    for (int64_t i = first; i < first + count; i++) {
        float *row = task->inner + i * 2 * task->width;
        task->engine->kernels->gate(kind, row, row + task->width, task->width);
    }
}

int64_t session_inner(struct session *session, const struct cpu_projection *gate_up,
                      const float *input, int64_t rows)
{
    const struct architecture *a = session->engine->architecture;
    float *inner = session_at(session, session->plan.inner);
    int64_t outputs = gate_up->outputs;
    struct linear_output output = {inner, outputs, KERNEL_IDENTITY, 1, NULL};
    if (!a->mlp_gated)
        output.activation = activation_of(a);
    session_linear(session, gate_up, input, a->hidden_size, rows, &output);
    if (a->mlp_gated) {
        struct gate_task task = {session->engine, inner, outputs / 2};
        engine_run_rows(session->engine, gate_part, &task, rows, 4 * outputs);
    }
    return outputs;
}

static void run_mlp(struct cpu_pass *pass, const struct cpu_layer *layer, const float *input)
{
    struct session *session = pass->session;
    const struct architecture *a = session->engine->architecture;
    if (layer->experts == NULL) {
        int64_t stride = session_inner(session, &layer->gate_up, input, pass->rows);
        project_back(pass, ENGINE_MLP, &layer->down, session_at(session, session->plan.inner),
                     stride, &layer->mlp_after_norm);
        return;
    }
    float *x = hidden_rows(pass);
    if (!a->norm_after) {
        pass_experts(pass, layer, input, x, (float)a->residual_scale);
        session_mark(session, ENGINE_MLP);
        return;
    }
    float *branch = session_at(session, session->plan.branch);
    memset(branch, 0, (size_t)(pass->rows * a->hidden_size) * sizeof(float));
    pass_experts(pass, layer, input, branch, 1);
    session_mark(session, ENGINE_MLP);
    run_norm(session, &layer->mlp_after_norm, branch, branch, pass->rows, x,
             (float)a->residual_scale);
}

/* Only the last position of each row goes on: what the last layer does to the others nobody
 * asks for. Moves rows to the front, so order matters. */
static void keep_last_positions(struct cpu_pass *pass)
{
    struct session *session = pass->session;
    const struct cpu_plan *plan = &session->plan;
    const struct architecture *a = session->engine->architecture;
    int64_t qkv_width = (a->head_count + 2 * a->kv_head_count) * a->head_dim;
    float *buffers[] = {hidden_rows(pass), session_at(session, plan->normed),
                        session_at(session, plan->qkv)};
    int64_t widths[] = {a->hidden_size, a->hidden_size, qkv_width};
    for (int i = 0; i < 3; i++)
        for (int64_t row = 0; row < pass->row_count; row++) {
            int64_t source = (row + 1) * pass->positions - 1;
            memmove(buffers[i] + row * widths[i], buffers[i] + source * widths[i],
                    (size_t)widths[i] * sizeof(float));
        }
    pass->first_position += pass->positions - 1;
    pass->positions = 1;
    pass->rows = pass->row_count;
}

static void run_layer(struct cpu_pass *pass, int64_t index)
{
    struct session *session = pass->session;
    const struct cpu_layer *layer = &session->engine->layers[index];
    const struct architecture *a = session->engine->architecture;
    bool is_last = index == a->layer_count - 1;
    float *attended = session_at(session, session->plan.attended);
    float *qkv = session_at(session, session->plan.qkv);

    const float *input = norm_input(pass, &layer->attention_norm);
    struct linear_output output = {qkv, layer->qkv.outputs, KERNEL_IDENTITY, 1, NULL};
    session_linear(session, &layer->qkv, input, a->hidden_size, pass->rows, &output);
    session_mark(session, ENGINE_ATTENTION_PROJECTIONS);
    pass_store(pass, index);
    session_mark(session, ENGINE_ATTENTION);
    if (is_last && !pass->is_final)
        return;
    if (is_last && pass->positions > 1)
        keep_last_positions(pass);
    pass_attend(pass, index);
    session_mark(session, ENGINE_ATTENTION);

    int64_t attended_width = a->head_count * a->head_dim;
    if (a->parallel_block) {
        /* The MLP reads x before attention is added; its result is added after. */
        if (!a->shared_norm)
            input = norm_input(pass, &layer->mlp_norm);
        int64_t stride = session_inner(session, &layer->gate_up, input, pass->rows);
        session_mark(session, ENGINE_MLP);
        project_back(pass, ENGINE_ATTENTION_PROJECTIONS, &layer->attention_output, attended,
                     attended_width, &layer->attention_after_norm);
        project_back(pass, ENGINE_MLP, &layer->down, session_at(session, session->plan.inner),
                     stride, &layer->mlp_after_norm);
        return;
    }
    project_back(pass, ENGINE_ATTENTION_PROJECTIONS, &layer->attention_output, attended,
                 attended_width, &layer->attention_after_norm);
    run_mlp(pass, layer, norm_input(pass, &layer->mlp_norm));
}

int pass_run(struct cpu_pass *pass, const int32_t *ids, int64_t id_stride,
             const struct token_sink *sink, struct error *error)
{
    struct session *session = pass->session;
    const struct engine *engine = session->engine;
    const struct architecture *a = engine->architecture;
    embed(pass, ids, id_stride);
    for (int64_t i = 0; i < a->layer_count; i++) {
        if (sink->stop != NULL && sink->stop(sink->context))
            return error_set(error, ERROR_STOPPED, "stopped");
        run_layer(pass, i);
    }
    if (!pass->is_final)
        return 0;
    float *last =
        (float *)session_at(session, session->plan.last) + pass->first_row * a->hidden_size;
    if (a->final_norm)
        run_norm(session, &engine->final_norm, hidden_rows(pass), last, pass->rows, NULL, 1);
    else
        memcpy(last, hidden_rows(pass), (size_t)(pass->rows * a->hidden_size) * sizeof(float));
    return 0;
}
