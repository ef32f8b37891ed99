/* From prompts to tokens: prompts go through the layers in chunks, so that the workspace does
 * not grow with them; then one step at a time. Tokens are stamped as soon as they are known. */
#include "engine/cpu/cpu_engine.h"

#include <stdatomic.h>
#include <string.h>

#include "engine/sampler.h"

struct sample_task {
    struct session *session;
    atomic_bool not_finite;
};

static void sample_rows(void *context, int64_t first, int64_t count, int thread)
{
    struct sample_task *task = context;
    struct session *session = task->session;
    const struct engine *engine = session->engine;
    const struct architecture *a = engine->architecture;
    const struct cpu_plan *plan = &session->plan;
    int32_t *chosen = session_at(session, plan->chosen);
    unsigned char *scratch = session_at(session, plan->sample_scratch);
    for (int64_t row = first; row < first + count; row++) {
        float *logits = (float *)session_at(session, plan->logits) + row * a->vocabulary_size;
        if (a->logit_scale != 1 || a->logit_softcap != 0)
            engine->kernels->scale_softcap(logits, a->vocabulary_size, (float)a->logit_scale,
                                           (float)a->logit_softcap);
        struct sample_call call = {
            .logits = logits,
            .count = a->vocabulary_size,
            .temperature = (float)session->shape.temperature,
            .top_p = session->shape.top_p,
            .draw = sampler_draw(session->shape.seed, row, session->step),
            .workspace = (uint32_t *)(void *)(scratch + (size_t)thread * plan->sample_stride),
        };
        int64_t id = engine->kernels->sample(&call);
        if (id < 0)
            atomic_store_explicit(&task->not_finite, true, memory_order_relaxed);
        chosen[row] = (int32_t)(id < 0 ? 0 : id);
    }
}

/* plan.last to logits to one token a row, told to the sink; what is fed next to plan.tokens. */
static int finish_step(struct session *session, const struct token_sink *sink, struct error *error)
{
    struct engine *engine = session->engine;
    const struct architecture *a = engine->architecture;
    int64_t batch = session->shape.batch_size;
    float *logits = session_at(session, session->plan.logits);
    struct linear_output output = {logits, a->vocabulary_size, KERNEL_IDENTITY, 1, NULL};
    session_linear(session, &engine->head, session_at(session, session->plan.last), a->hidden_size,
                   batch, &output);
    session_mark(session, ENGINE_HEAD);
    struct sample_task task = {.session = session};
    engine_run_rows(engine, sample_rows, &task, batch, a->vocabulary_size);
    double now_s = clock_now_s(engine->clock);
    session_mark(session, ENGINE_SAMPLING);

    if (atomic_load_explicit(&task.not_finite, memory_order_relaxed))
        return error_set(error, ERROR_FAILED,
                         "the logits of step %lld are not finite: the weights or their dtype do "
                         "not fit this model",
                         (long long)session->step);
    int32_t *chosen = session_at(session, session->plan.chosen);
    sink->step(sink->context, session->step, chosen, now_s);
    if (session->shape.want_logits && sink->logits != NULL)
        sink->logits(sink->context, session->step, logits);
    const int32_t *next = chosen;
    if (session->shape.forced_tokens != NULL && session->step < session->shape.output_length)
        next = session->shape.forced_tokens + session->step * batch;
    memcpy(session_at(session, session->plan.tokens), next, (size_t)batch * sizeof *next);
    session->step++;
    return 0;
}

int session_prefill(struct session *session, const int32_t *ids, int64_t length,
                    const struct token_sink *sink, struct error *error)
{
    int64_t batch = session->shape.batch_size;
    int64_t limit = session->plan.chunk_rows;
    if (length < 1 || length > session->shape.input_length)
        return error_set(error, ERROR_INPUT,
                         "a prompt of %lld tokens in a session for at most %lld", (long long)length,
                         (long long)session->shape.input_length);
    session->length = 0;
    session->step = 0;
    session_mark_start(session);
    session_rope_fill(session, length);
    int64_t parts = (length + limit - 1) / limit;
    int64_t rows = parts > 1 ? 1 : limit / length;
    for (int64_t row = 0; row < batch; row += rows)
        for (int64_t part = 0; part < parts; part++) {
            int64_t first = length * part / parts, end = length * (part + 1) / parts;
            int64_t count = batch - row < rows ? batch - row : rows;
            struct cpu_pass pass = {
                .session = session,
                .first_row = row,
                .row_count = count,
                .first_position = first,
                .positions = end - first,
                .rows = count * (end - first),
                .is_final = part == parts - 1,
            };
            int code = pass_run(&pass, ids + row * length + first, length, sink, error);
            if (code != 0)
                return code;
        }
    session->length = length;
    return finish_step(session, sink, error);
}

int session_decode(struct session *session, int64_t steps, const struct token_sink *sink,
                   struct error *error)
{
    int64_t batch = session->shape.batch_size;
    if (session->step == 0 || steps < 0 || session->length + steps > session->plan.capacity)
        return error_set(
            error, ERROR_INPUT, "%lld steps after %lld positions do not fit a session of %lld",
            (long long)steps, (long long)session->length, (long long)session->plan.capacity);
    for (int64_t i = 0; i < steps; i++) {
        struct cpu_pass pass = {
            .session = session,
            .row_count = batch,
            .first_position = session->length,
            .positions = 1,
            .rows = batch,
            .is_final = true,
        };
        session_mark_start(session);
        int code = pass_run(&pass, session_at(session, session->plan.tokens), 1, sink, error);
        if (code != 0)
            return code;
        session->length++;
        code = finish_step(session, sink, error);
        if (code != 0)
            return code;
    }
    return 0;
}

void session_time_components(struct session *session, double *seconds)
{
    session->component_s = seconds;
}
