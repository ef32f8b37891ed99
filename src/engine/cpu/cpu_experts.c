/* Mixture of experts: the router's choice for every token, then one expert after the other over
 * the tokens that chose it, so that each expert's weights are read once a chunk. */
#include "engine/cpu/cpu_engine.h"

#include <math.h>
#include <string.h>

struct expert_work {
    struct session *session;
    const struct cpu_layer *layer;
    const float *input;
    float *x;
    float scale;
    const float *router;   /* [rows, experts] */
    int32_t *ids;          /* [rows, per_token] */
    float *weights;        /* [rows, per_token] */
    int64_t *pairs;        /* row * per_token + place, sorted by expert */
    float *gathered;       /* rows of the expert at hand */
    const int64_t *chosen; /* its pairs */
};

/* The experts with the largest logits, ties to the lower id; their softmax weights. */
static void choose_row(const struct expert_facts *facts, const float *logits, int32_t *ids,
                       float *weights)
{
    float largest = logits[0];
    for (int64_t i = 1; i < facts->count; i++)
        largest = fmaxf(largest, logits[i]);
    float total = 0;
    for (int64_t i = 0; i < facts->count; i++)
        total += expf(logits[i] - largest);
    float kept = 0;
    for (int64_t place = 0; place < facts->per_token; place++) {
        int64_t best = -1;
        for (int64_t i = 0; i < facts->count; i++) {
            bool is_taken = false;
            for (int64_t k = 0; k < place; k++)
                is_taken = is_taken || ids[k] == i;
            if (!is_taken && (best < 0 || logits[i] > logits[best]))
                best = i;
        }
        ids[place] = (int32_t)best;
        weights[place] = expf(logits[best] - largest) / total;
        kept += weights[place];
    }
    for (int64_t place = 0; facts->normalise_weights && place < facts->per_token; place++)
        weights[place] /= kept;
}

static void choose_rows(void *context, int64_t first, int64_t count, int thread)
{
    (void)thread;
    const struct expert_work *work = context;
    const struct expert_facts *facts = &work->session->engine->architecture->experts;
    for (int64_t row = first; row < first + count; row++)
        choose_row(facts, work->router + row * facts->count, work->ids + row * facts->per_token,
                   work->weights + row * facts->per_token);
}

/* Counting sort of the pairs by expert; offsets [count + 1] say where each one's begin. */
static void sort_pairs(const struct expert_work *work, int64_t rows, int64_t *offsets)
{
    const struct expert_facts *facts = &work->session->engine->architecture->experts;
    int64_t *cursor = offsets + facts->count + 1;
    int64_t pairs = rows * facts->per_token;
    memset(offsets, 0, (size_t)(facts->count + 1) * sizeof *offsets);
    for (int64_t i = 0; i < pairs; i++)
        offsets[work->ids[i] + 1]++;
    for (int64_t i = 0; i < facts->count; i++) {
        offsets[i + 1] += offsets[i];
        cursor[i] = offsets[i];
    }
    for (int64_t i = 0; i < pairs; i++)
        work->pairs[cursor[work->ids[i]]++] = i;
}

static void gather_rows(void *context, int64_t first, int64_t count, int thread)
{
    (void)thread;
    const struct expert_work *work = context;
    const struct architecture *a = work->session->engine->architecture;
    for (int64_t i = first; i < first + count; i++) {
        int64_t row = work->chosen[i] / a->experts.per_token;
        memcpy(work->gathered + i * a->hidden_size, work->input + row * a->hidden_size,
               (size_t)a->hidden_size * sizeof(float));
    }
}

static void scatter_rows(void *context, int64_t first, int64_t count, int thread)
{
    (void)thread;
    const struct expert_work *work = context;
    const struct engine *engine = work->session->engine;
    int64_t width = engine->architecture->hidden_size;
    for (int64_t i = first; i < first + count; i++) {
        int64_t pair = work->chosen[i], row = pair / engine->architecture->experts.per_token;
        engine->kernels->add_scaled(work->x + row * width, work->gathered + i * width,
                                    work->weights[pair] * work->scale, width);
    }
}

static void run_expert(struct expert_work *work, const struct cpu_expert *expert, int64_t rows)
{
    struct session *session = work->session;
    int64_t width = session->engine->architecture->hidden_size;
    engine_run_rows(session->engine, gather_rows, work, rows, width);
    int64_t stride = session_inner(session, &expert->gate_up, work->gathered, rows);
    struct linear_output output = {work->gathered, width, KERNEL_IDENTITY, 1, NULL};
    session_linear(session, &expert->down, session_at(session, session->plan.inner), stride, rows,
                   &output);
    engine_run_rows(session->engine, scatter_rows, work, rows, width);
}

void pass_experts(const struct cpu_pass *pass, const struct cpu_layer *layer, const float *input,
                  float *x, float scale)
{
    struct session *session = pass->session;
    const struct cpu_plan *plan = &session->plan;
    const struct architecture *a = session->engine->architecture;
    float *router = session_at(session, plan->router);
    int64_t *offsets = session_at(session, plan->expert_offsets);
    struct expert_work work = {
        .session = session,
        .layer = layer,
        .input = input,
        .x = x,
        .scale = scale,
        .router = router,
        .ids = session_at(session, plan->expert_ids),
        .weights = session_at(session, plan->expert_weights),
        .pairs = session_at(session, plan->expert_rows),
        .gathered = session_at(session, plan->gathered),
    };
    struct linear_output output = {router, a->experts.count, KERNEL_IDENTITY, 1, NULL};
    session_linear(session, &layer->router, input, a->hidden_size, pass->rows, &output);
    engine_run_rows(session->engine, choose_rows, &work, pass->rows,
                    a->experts.count * (a->experts.per_token + 8));
    sort_pairs(&work, pass->rows, offsets);
    for (int64_t i = 0; i < a->experts.count; i++) {
        work.chosen = work.pairs + offsets[i];
        if (offsets[i + 1] > offsets[i])
            run_expert(&work, &layer->experts[i], offsets[i + 1] - offsets[i]);
    }
}
