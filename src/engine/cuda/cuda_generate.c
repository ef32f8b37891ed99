/* From prompts to tokens. A prompt goes through the layers in chunks; its time ends when the first
 * tokens are on the host. Decode steps take nothing from the host: they are queued one behind the
 * other, as a captured graph, and waited for once; each step's time is the device's own stamp,
 * placed between the host's times before the first and after the last of them. */
#include "engine/cuda/cuda_engine.h"

#include <math.h>
#include <string.h>

enum { QUEUED_STEPS = 32 }; /* so many steps or fewer run between two questions whether to stop */

static int check_launches(struct session *session, const char *what, struct error *error)
{
    cudaError_t status = session->failure;
    session->failure = cudaSuccess;
    return cuda_check(status, what, error);
}

static bool should_stop(const struct token_sink *sink)
{
    return sink->stop != NULL && sink->stop(sink->context);
}

static int stopped(struct session *session, struct error *error)
{
    (void)cudaStreamSynchronize(session->engine->stream);
    return error_set(error, ERROR_STOPPED, "stopped");
}

/* Steps [first, first + count) from the device to pinned memory, then the wait for all. */
static int fetch_steps(struct session *session, int64_t first, int64_t count, struct error *error)
{
    cudaStream_t stream = session->engine->stream;
    const struct cuda_plan *plan = &session->plan;
    const struct cuda_pinned *pinned = &session->pinned;
    int64_t batch = session->shape.batch_size;
    const int32_t *chosen = session_at(session, plan->chosen);
    const uint64_t *stamps = session_at(session, plan->stamps);
    session_note(session, cudaMemcpyAsync(pinned->chosen + first * batch, chosen + first * batch,
                                          (size_t)(count * batch) * sizeof *chosen,
                                          cudaMemcpyDeviceToHost, stream));
    session_note(session,
                 cudaMemcpyAsync(pinned->stamps + first, stamps + first,
                                 (size_t)count * sizeof *stamps, cudaMemcpyDeviceToHost, stream));
    session_note(session, cudaMemcpyAsync(pinned->state, session_state(session),
                                          sizeof *pinned->state, cudaMemcpyDeviceToHost, stream));
    session_note(session, cudaStreamSynchronize(stream));
    return check_launches(session, "generating", error);
}

static int refuse_logits(const struct session *session, int64_t first, int64_t count,
                         struct error *error)
{
    int64_t batch = session->shape.batch_size, step = first;
    for (int64_t i = 0; i < count * batch; i++)
        if (session->pinned.chosen[first * batch + i] < 0) {
            step = first + i / batch;
            break;
        }
    return error_set(error, ERROR_FAILED,
                     "the logits of step %lld are not finite: the weights or their dtype do not "
                     "fit this model",
                     (long long)step);
}

/* Tells the sink steps [first, first + count), which are on the host since now_s. */
static int deliver(struct session *session, int64_t first, int64_t count, double now_s,
                   const struct token_sink *sink, struct error *error)
{
    int64_t batch = session->shape.batch_size;
    const struct cuda_pinned *pinned = &session->pinned;
    if (pinned->state->not_finite != 0)
        return refuse_logits(session, first, count, error);
    double span_ns = (double)(pinned->stamps[first + count - 1] - session->anchor_ns);
    for (int64_t step = first; step < first + count; step++) {
        double time_s = now_s;
        if (step < first + count - 1 && span_ns > 0) {
            double part = (double)(pinned->stamps[step] - session->anchor_ns) / span_ns;
            /* Rounded, the sum may lie above now_s where part is 1: stamps can be equal. */
            time_s = fmin(session->anchor_s + part * (now_s - session->anchor_s), now_s);
        }
        sink->step(sink->context, step, pinned->chosen + step * batch, time_s);
    }
    session->anchor_s = now_s;
    session->anchor_ns = pinned->stamps[first + count - 1];
    session->step = first + count;
    return 0;
}

static int tell_logits(struct session *session, const struct token_sink *sink, struct error *error)
{
    if (!session->shape.want_logits || sink->logits == NULL)
        return 0;
    size_t bytes =
        (size_t)(session->shape.batch_size * session->engine->architecture->vocabulary_size) *
        sizeof(float);
    int code =
        cuda_check(cudaMemcpy(session->host_logits, session_at(session, session->plan.logits),
                              bytes, cudaMemcpyDeviceToHost),
                   "reading the logits", error);
    if (code == 0)
        sink->logits(sink->context, session->step - 1, session->host_logits);
    return code;
}

static void queue_sampling(struct session *session)
{
    session_queue_head(session);
    const struct engine *engine = session->engine;
    session_note(session, kernel_state_advance(session_state(session),
                                               session_at(session, session->plan.stamps),
                                               engine->overlaps, engine->stream));
}

/* The prompt's chunks, with a wait for the one before the last queued. */
static int queue_prompt(struct session *session, int64_t length, const struct token_sink *sink,
                        struct error *error)
{
    cudaStream_t stream = session->engine->stream;
    const int32_t *ids = session_at(session, session->plan.ids);
    int64_t batch = session->shape.batch_size, limit = session->plan.chunk_rows;
    int64_t parts = (length + limit - 1) / limit;
    int64_t rows = parts > 1 ? 1 : limit / length;
    int64_t chunk = 0;
    for (int64_t row = 0; row < batch; row += rows)
        for (int64_t part = 0; part < parts; part++, chunk++) {
            int64_t first = length * part / parts, end = length * (part + 1) / parts;
            int64_t count = batch - row < rows ? batch - row : rows;
            struct cuda_pass pass = {
                .session = session,
                .first_row = row,
                .row_count = count,
                .positions = end - first,
                .rows = count * (end - first),
                .is_final = part == parts - 1,
                .ids = ids + row * length + first,
                .id_stride = length,
            };
            session_note(session, kernel_state_set(session_state(session), (int32_t)first, 0,
                                                   chunk == 0, stream));
            pass_run(&pass);
            cudaEvent_t *event = &session->events[chunk % CUDA_QUEUE_EVENTS];
            session_note(session, cudaEventRecord(*event, stream));
            if (chunk > 0)
                session_note(session, cudaEventSynchronize(
                                          session->events[(chunk - 1) % CUDA_QUEUE_EVENTS]));
            int code = check_launches(session, "the prompt", error);
            if (code != 0)
                return code;
            if (should_stop(sink))
                return stopped(session, error);
        }
    return 0;
}

int session_prefill(struct session *session, const int32_t *ids, int64_t length,
                    const struct token_sink *sink, struct error *error)
{
    int64_t batch = session->shape.batch_size;
    size_t id_bytes = (size_t)(batch * length) * sizeof *ids;
    if (length < 1 || length > session->shape.input_length)
        return error_set(error, ERROR_INPUT,
                         "a prompt of %lld tokens in a session for at most %lld", (long long)length,
                         (long long)session->shape.input_length);
    session->length = 0;
    session->step = 0;
    int code = session_rope_fill(session, length, error);
    if (code != 0)
        return code;
    memcpy(session->pinned.ids, ids, id_bytes);
    session_note(session,
                 cudaMemcpyAsync(session_at(session, session->plan.ids), session->pinned.ids,
                                 id_bytes, cudaMemcpyHostToDevice, session->engine->stream));
    code = queue_prompt(session, length, sink, error);
    if (code != 0)
        return code;
    queue_sampling(session);
    code = fetch_steps(session, 0, 1, error);
    if (code != 0)
        return code;
    double now_s = clock_now_s(session->engine->clock);
    session->length = length;
    code = deliver(session, 0, 1, now_s, sink, error);
    return code == 0 ? tell_logits(session, sink, error) : code;
}

static void queue_step(struct session *session)
{
    int64_t batch = session->shape.batch_size;
    struct cuda_pass pass = {
        .session = session,
        .row_count = batch,
        .positions = 1,
        .rows = batch,
        .is_final = true,
        .ids = session_at(session, session->plan.tokens),
        .id_stride = 1,
    };
    pass_run(&pass);
    queue_sampling(session);
}

static cudaError_t capture_step(struct session *session)
{
    cudaStream_t stream = session->engine->stream;
    cudaGraph_t graph = NULL;
    cudaError_t status = cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal);
    if (status != cudaSuccess)
        return status;
    queue_step(session);
    session_note(session, cudaStreamEndCapture(stream, &graph));
    status = session->failure;
    session->failure = cudaSuccess;
    if (status == cudaSuccess)
        status = cudaGraphInstantiate(&session->graph, graph, 0);
    if (graph != NULL)
        (void)cudaGraphDestroy(graph);
    return status;
}

/* Records one step; where it cannot be recorded the engine goes on with plain launches, which its
 * facts tell. What is wrong with the device itself, the next launch shows. */
static void record_step(struct session *session)
{
    if (!session->engine->use_graph || session->graph != NULL)
        return;
    if (capture_step(session) == cudaSuccess)
        return;
    (void)cudaGetLastError();
    session->graph = NULL;
    session->engine->use_graph = false;
}

/* The first step of a session runs plainly: what is loaded or planned at a first use must not
 * happen while recording. */
static int launch_step(struct session *session, bool is_first, struct error *error)
{
    if (!is_first)
        record_step(session);
    if (session->graph != NULL)
        session_note(session, cudaGraphLaunch(session->graph, session->engine->stream));
    else
        queue_step(session);
    return check_launches(session, "a decode step", error);
}

/* All steps queued, never further ahead than two runs of QUEUED_STEPS. */
static int queue_steps(struct session *session, int64_t steps, const struct token_sink *sink,
                       struct error *error)
{
    cudaStream_t stream = session->engine->stream;
    for (int64_t i = 0; i < steps; i++) {
        int code = launch_step(session, i == 0, error);
        if (code != 0)
            return code;
        if ((i + 1) % QUEUED_STEPS != 0)
            continue;
        int64_t run = i / QUEUED_STEPS;
        session_note(session, cudaEventRecord(session->events[run % CUDA_QUEUE_EVENTS], stream));
        if (run > 0)
            session_note(session,
                         cudaEventSynchronize(session->events[(run - 1) % CUDA_QUEUE_EVENTS]));
        if (should_stop(sink))
            return stopped(session, error);
    }
    return 0;
}

/* One wait a step: where the host's clock is asked for, and for logits, which only the last step
 * leaves on the device. */
static int decode_stepwise(struct session *session, int64_t steps, const struct token_sink *sink,
                           struct error *error)
{
    for (int64_t i = 0; i < steps; i++) {
        if (should_stop(sink))
            return stopped(session, error);
        int64_t step = session->step;
        int code = launch_step(session, i == 0, error);
        if (code == 0)
            code = fetch_steps(session, step, 1, error);
        double now_s = clock_now_s(session->engine->clock);
        session->length++;
        if (code == 0)
            code = deliver(session, step, 1, now_s, sink, error);
        if (code == 0)
            code = tell_logits(session, sink, error);
        if (code != 0)
            return code;
    }
    record_step(session);
    return 0;
}

int session_decode(struct session *session, int64_t steps, const struct token_sink *sink,
                   struct error *error)
{
    if (session->step == 0 || steps < 0 || session->length + steps > session->plan.capacity ||
        session->step + steps > session->shape.output_length)
        return error_set(
            error, ERROR_INPUT, "%lld steps after %lld positions do not fit a session of %lld",
            (long long)steps, (long long)session->length, (long long)session->plan.capacity);
    if (steps == 0)
        return 0;
    if (session->shape.want_logits || session->engine->sync_steps)
        return decode_stepwise(session, steps, sink, error);
    int64_t first = session->step;
    int code = queue_steps(session, steps, sink, error);
    if (code == 0)
        code = fetch_steps(session, first, steps, error);
    if (code != 0)
        return code;
    double now_s = clock_now_s(session->engine->clock);
    session->length += steps;
    code = deliver(session, first, steps, now_s, sink, error);
    if (code == 0)
        record_step(session); /* for the next run, where this one had a single step */
    return code;
}

double session_device_decode_s(const struct session *session)
{
    const uint64_t *stamps = session->pinned.stamps;
    if (session->step == 0 || session->engine->clock_resolution_ns == 0)
        return NAN;
    return (double)(stamps[session->step - 1] - stamps[0]) * 1e-9;
}
