/* What the files of the CPU engine share: the packed weights, a session's memory and the pass
 * over one chunk of tokens. cpu_engine.c opens and closes, cpu_weights.c packs, cpu_session.c
 * sizes and owns memory, cpu_generate.c drives, cpu_forward.c computes. */
#ifndef TOKENMARK_ENGINE_CPU_CPU_ENGINE_H
#define TOKENMARK_ENGINE_CPU_CPU_ENGINE_H

#include "base/thread_pool.h"
#include "engine/cpu/cpu_linear.h"
#include "engine/engine.h"
#include "kernels/kernels.h"

/* Vectors are NULL where the model has none. */
struct cpu_norm {
    const float *gain;
    const float *bias;
};

/* Matrices with the same input, one below the other: one, unless a file holds them in different
 * types that are kept. */
struct cpu_projection {
    struct cpu_matrix matrix;
    struct cpu_matrix more[2];
    int more_count;
    int64_t outputs; /* of all */
    const float *bias;
};

struct cpu_expert {
    struct cpu_projection gate_up;
    struct cpu_projection down;
};

struct cpu_layer {
    struct cpu_norm attention_norm, attention_after_norm, mlp_norm, mlp_after_norm;
    struct cpu_norm query_norm, key_norm;
    struct cpu_projection qkv; /* rows: all queries, keys, values */
    struct cpu_projection attention_output;
    struct cpu_projection gate_up; /* gated: gate's rows, then up's; else up alone */
    struct cpu_projection down;
    struct cpu_projection router;
    struct cpu_expert *experts; /* [experts.count] in a sparse layer, else NULL */
};

struct engine {
    const struct architecture *architecture; /* the model's */
    const struct kernels *kernels;
    struct thread_pool *pool;
    const struct clock *clock;
    enum kernel_type type;    /* of packed weights and prepared activations */
    bool is_stored;           /* weights stay as the file has them; most of them are `type` */
    enum kernel_type widest;  /* the type whose prepared activations take the most */
    double element_bytes;     /* of matrices as packed, the mean over what a token may read */
    char dtype[24];           /* the name in the results */
    enum kernel_type kv_type; /* of the cache */

    struct cpu_layer *layers;   /* [layer_count] */
    struct cpu_expert *experts; /* [layer_count * experts.count] or NULL */
    struct cpu_norm embedding_norm, final_norm;
    struct cpu_projection head;
    struct cpu_matrix embedding; /* the head's own memory when tied */
    const float *positions;      /* learned, [rows, hidden_size], or NULL */
    float *alibi_slopes;         /* [head_count] or NULL */

    void *memory; /* of all weights; NULL in an engine that only plans */
    size_t memory_bytes;

    void *limit_buffer; /* of the last bandwidth probe */
    size_t limit_bytes;
};

/* Cosines and sines by position, [capacity][rotary_dim / 2] each. */
struct cpu_rope {
    float *cosine;
    float *sine;
};

/* Where everything of a session lies: byte offsets into its workspace. */
struct cpu_plan {
    int64_t capacity;              /* positions a row of the cache holds */
    int64_t chunk_rows;            /* tokens that go through the layers at once */
    size_t key_bytes, value_bytes; /* of one KV head of one row */
    size_t kv_bytes;

    size_t hidden, normed, qkv, attended, inner, branch, last, logits, prepared;
    size_t partials, attention_scratch, sample_scratch; /* the scratches: one a thread */
    size_t attention_stride, sample_stride;
    size_t chosen, tokens;
    size_t rope[2][2]; /* [global, local][cosine, sine] */
    size_t router, expert_ids, expert_weights, expert_offsets, expert_rows, gathered;
    size_t workspace_bytes;
    bool overflow; /* the sizes do not fit size_t */
};

struct session {
    struct engine *engine;
    struct session_shape shape;
    struct cpu_plan plan;
    unsigned char *kv;          /* [layer][row][kv head] of keys, then values */
    unsigned char *workspace;   /* by plan */
    struct cpu_rope rope;       /* of layers that see all keys */
    struct cpu_rope rope_local; /* of layers with a window */
    int64_t rope_length;        /* prompt length that the tables were made for */
    int64_t length;             /* positions in the cache */
    int64_t step;               /* next to be generated */
    double *component_s;        /* of session_time_components; NULL: nobody asks */
    double mark_s;              /* when the last component ended */
};

static inline void *session_at(const struct session *session, size_t offset)
{
    return session->workspace + offset;
}

/* What follows belongs to the component that is marked next. */
static inline void session_mark_start(struct session *session)
{
    if (session->component_s != NULL)
        session->mark_s = clock_now_s(session->engine->clock);
}

/* All time since the last mark was this component's. */
static inline void session_mark(struct session *session, enum engine_component component)
{
    if (session->component_s == NULL)
        return;
    double now_s = clock_now_s(session->engine->clock);
    session->component_s[component] += now_s - session->mark_s;
    session->mark_s = now_s;
}

/* Tokens that go through the layers together: `positions` from first_position on of each of
 * `row_count` rows of the batch from first_row on, row-major. */
struct cpu_pass {
    struct session *session;
    int64_t first_row, row_count;
    int64_t first_position, positions;
    int64_t rows;  /* row_count * positions */
    bool is_final; /* holds the last position of its rows: logits are wanted */
};

/* cpu_weights.c: reads and packs all weights; engine_weights_free takes a half-made engine. */
int engine_weights_load(struct engine *engine, const struct model *model,
                        const struct engine_options *options, struct error *error);
void engine_weights_free(struct engine *engine);

/* cpu_session.c */
int session_predict(const struct engine *engine, const struct session_shape *shape,
                    struct session_memory *memory, struct error *error);
int session_open(struct session **out, struct engine *engine, const struct session_shape *shape,
                 struct error *error);
void session_close(struct session *session);

/* cpu_rope.c: fills the session's tables for a prompt of `length` positions. */
void session_rope_fill(struct session *session, int64_t length);

/* cpu_generate.c */
int session_prefill(struct session *session, const int32_t *ids, int64_t length,
                    const struct token_sink *sink, struct error *error);
int session_decode(struct session *session, int64_t steps, const struct token_sink *sink,
                   struct error *error);
void session_time_components(struct session *session, double *seconds);

/* cpu_forward.c: embeds the pass's tokens (ids [row_count, positions], rows id_stride apart),
 * runs all layers, leaves the last position of each row in plan.last when the pass is final.
 * ERROR_STOPPED when the sink says so between layers. */
int pass_run(struct cpu_pass *pass, const int32_t *ids, int64_t id_stride,
             const struct token_sink *sink, struct error *error);

/* y = act(x W^T + bias) * scale + residual; rows of y and of the residual lie stride apart. */
struct linear_output {
    float *y;
    int64_t stride;
    enum kernel_activation activation;
    float scale;
    const float *residual;
};
void session_linear(struct session *session, const struct cpu_projection *projection,
                    const float *x, int64_t x_stride, int64_t rows,
                    const struct linear_output *output);

/* The activated inner rows of an MLP in plan.inner, ready for its down projection; returns the
 * floats between rows. input: [rows, hidden_size]. */
int64_t session_inner(struct session *session, const struct cpu_projection *gate_up,
                      const float *input, int64_t rows);

/* cpu_attention.c: turns and stores the keys and values in plan.qkv, then attends: qkv to
 * plan.attended. */
void pass_store(const struct cpu_pass *pass, int64_t layer);
void pass_attend(const struct cpu_pass *pass, int64_t layer);
/* Query positions of one kernel call when `group` heads share a KV head. */
int64_t attention_block_positions(int64_t group);
/* Parts that one row's keys are cut into when `items` (row, KV head) pairs are to be spread. */
int64_t attention_split_count(int64_t items, int64_t key_count, int threads);

/* cpu_experts.c: x += scale * experts(input) (rows hidden_size apart), chosen by the router. */
void pass_experts(const struct cpu_pass *pass, const struct cpu_layer *layer, const float *input,
                  float *x, float scale);

/* cpu_limits.c */
int engine_limit_run(struct engine *engine, struct limit_probe *probe, struct error *error);

/* Frees the probes' buffer, which must not count as a cell's memory. */
void engine_limit_release(struct engine *engine);

/* Rows of work that are worth a region: runs task(context, first, count) over [0, rows) in
 * pieces, on the caller alone where `row_floats` * rows is small. */
typedef void row_task(void *context, int64_t first, int64_t count, int thread);
void engine_run_rows(struct engine *engine, row_task *task, void *context, int64_t rows,
                     int64_t row_floats);

#endif
