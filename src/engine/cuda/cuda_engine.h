/* What the files of the CUDA engine share. cuda_engine.c opens and closes, cuda_weights.c uploads,
 * cuda_session.c sizes and owns memory, cuda_generate.c drives, cuda_forward.c walks the layers,
 * cuda_linear.c multiplies, cuda_nvml.c reads the card beside runs, kernels are behind
 * cuda_kernels.h. All of it is C: the same object is linked with the CUDA runtime and with its
 * emulator. */
#ifndef TOKENMARK_ENGINE_CUDA_CUDA_ENGINE_H
#define TOKENMARK_ENGINE_CUDA_CUDA_ENGINE_H

#include "base/thread_pool.h"
#include "engine/cuda/cuda_kernels.h"
#include "engine/cuda/cuda_linear.h"
#include "engine/cuda/cuda_nvml.h"
#include "engine/engine.h"

/* Vectors are float32 and NULL where the model has none. */
struct cuda_norm {
    const float *gain;
    const float *bias;
};

/* The matrices of all experts of a layer: tables of addresses, themselves on the device. */
struct cuda_expert_table {
    const void *const *weights;
    const void *const *biases; /* NULL: none has one */
    int64_t outputs, inputs;
};

struct cuda_layer {
    struct cuda_norm attention_norm, attention_after_norm, mlp_norm, mlp_after_norm;
    struct cuda_norm query_norm, key_norm;
    struct cuda_projection qkv; /* rows: all queries, keys, values */
    struct cuda_projection attention_output;
    struct cuda_projection gate_up; /* gated: gate's rows, then up's; else up alone */
    struct cuda_projection down;
    const float *router; /* NULL: no expert layer */
    struct cuda_expert_table expert_gate_up, expert_down;
};

struct engine {
    const struct architecture *architecture; /* the model's */
    const struct clock *clock;
    struct thread_pool *pool; /* reads weights, fills tables of angles */
    int device;
    struct cudaDeviceProp properties;
    cudaStream_t stream;
    struct cuda_linear_context *linear;
    enum device_type type; /* of weights, activations and cache */
    bool overlaps;         /* kernels may start before the one before them has ended */
    bool use_graph;
    bool sync_steps;
    bool is_plan; /* its weights were measured only */

    struct cuda_layer *layers; /* [layer_count] */
    struct cuda_norm embedding_norm, final_norm;
    struct cuda_projection head;
    const void *embedding;  /* the head's own memory when tied */
    const float *positions; /* learned, or NULL */
    const float *alibi_slopes;

    void *memory; /* of all weights */
    size_t memory_bytes;
    int64_t session_bytes;        /* of the open session */
    int64_t context_bytes;        /* that this process' context takes; 0 where nobody tells */
    uint64_t clock_resolution_ns; /* of the device's clock; 0 where it was not seen to move */
    int64_t free_at_opening;      /* device memory when this process had its context and no more */

    void *limit_memory;
    size_t limit_bytes;
    enum device_type limit_type; /* of the random numbers in it */
    struct cuda_nvml *nvml;      /* what the driver tells of the device */
};

/* Where everything of a session lies: byte offsets into its workspace. */
struct cuda_plan {
    int64_t capacity;   /* positions a row of the cache holds */
    int64_t chunk_rows; /* tokens that go through the layers at once */
    int64_t splits;     /* parts that a decode step cuts a row's keys into */
    size_t layer_bytes; /* of the keys, or the values, of one layer */
    size_t kv_bytes;

    size_t hidden, normed, normed_float, qkv, attended, inner, branch, last, logits;
    size_t kept_hidden, kept_normed, kept_qkv;
    size_t partials, counters, counter_bytes;
    size_t state, ids, tokens, chosen, stamps, forced;
    size_t sample_weights; /* in the logits' place where nobody asks for them afterwards */
    size_t rope[2][2];     /* [global, local][cosine, sine] */
    size_t router, expert_ids, expert_weights, expert_order, expert_inner, expert_output;
    size_t linear, linear_counters;
    size_t workspace_bytes;
    bool overflow; /* the sizes do not fit size_t */
};

/* Host memory that the device copies from and to. */
struct cuda_pinned {
    int32_t *ids;    /* [batch, input_length] */
    int32_t *chosen; /* [output_length, batch] */
    uint64_t *stamps;
    struct device_state *state;
};

enum { CUDA_QUEUE_EVENTS = 2 };

struct session {
    struct engine *engine;
    struct session_shape shape;
    struct cuda_plan plan;
    unsigned char *kv;        /* [layer][keys, values][row][kv head][position][head_dim] */
    unsigned char *workspace; /* by plan */
    struct cuda_pinned pinned;
    struct sample_call sampling;
    float *host_logits;    /* [batch, vocabulary] where they are wanted */
    float *angles;         /* scratch of the tables of angles, on the host */
    int64_t rope_length;   /* prompt length that the tables were made for */
    int64_t length;        /* positions in the cache */
    int64_t step;          /* next to be generated */
    double anchor_s;       /* when step - 1 was known on the host ... */
    uint64_t anchor_ns;    /* ... and its stamp by the device's clock */
    cudaError_t failure;   /* the first of the launches since the last check */
    cudaGraphExec_t graph; /* one decode step; NULL until one was run plainly */
    cudaEvent_t events[CUDA_QUEUE_EVENTS];
};

static inline void *session_at(const struct session *session, size_t offset)
{
    return session->workspace + offset;
}

static inline struct device_state *session_state(const struct session *session)
{
    return session_at(session, session->plan.state);
}

/* Keeps the first failure of a row of launches, to be asked for once. */
static inline void session_note(struct session *session, cudaError_t status)
{
    if (session->failure == cudaSuccess)
        session->failure = status;
}

static inline size_t type_bytes(enum device_type type)
{
    return type == DEVICE_F32 ? 4 : 2;
}

/* Tokens that go through the layers together: `positions` from first_position on of each of
 * `row_count` rows of the batch from first_row on, row-major. */
struct cuda_pass {
    struct session *session;
    int64_t first_row, row_count;
    int64_t positions;
    int64_t rows;       /* row_count * positions */
    bool is_final;      /* holds the last position of its rows: logits are wanted */
    const int32_t *ids; /* on the device: [row_count, positions], rows id_stride apart */
    int64_t id_stride;
    float *hidden; /* the residual stream and what is made of it; moved by the last layer */
    void *normed, *qkv;
    const struct cuda_norm *next_norm; /* what `normed` holds already, or NULL */
};

/* 0, or the code and text of a failed call; ERROR_MEMORY where the device has no more memory. */
int cuda_check(cudaError_t status, const char *what, struct error *error);

/* Host memory of any kind to the device: it is there, for engine->stream too, when this returns.
 * (cudaMemcpy may return earlier, and engine->stream does not wait for its stream.) */
cudaError_t engine_upload(const struct engine *engine, void *to, const void *from, size_t bytes);

/* cuda_weights.c: uploads all weights; engine_weights_free takes a half-made engine. */
int engine_weights_load(struct engine *engine, const struct model *model,
                        const struct engine_options *options, struct error *error);
void engine_weights_free(struct engine *engine);

/* cuda_session.c */
int session_predict(const struct engine *engine, const struct session_shape *shape,
                    struct session_memory *memory, struct error *error);
int session_open(struct session **out, struct engine *engine, const struct session_shape *shape,
                 struct error *error);
void session_close(struct session *session);
int session_memory_usage(const struct session *session, struct memory_usage *usage,
                         struct error *error);

/* cuda_rope.c: fills the session's tables for a prompt of `length` positions. */
int session_rope_fill(struct session *session, int64_t length, struct error *error);

/* cuda_generate.c */
int session_prefill(struct session *session, const int32_t *ids, int64_t length,
                    const struct token_sink *sink, struct error *error);
int session_decode(struct session *session, int64_t steps, const struct token_sink *sink,
                   struct error *error);
double session_device_decode_s(const struct session *session);

/* cuda_forward.c: queues the pass; failures are noted in the session. The last position of each
 * row is left in plan.last when the pass is final. */
void pass_run(struct cuda_pass *pass);
/* Queues head and sampling of one step from plan.last. */
void session_queue_head(struct session *session);

/* cuda_limits.c */
int engine_limit_run(struct engine *engine, struct limit_probe *probe, struct error *error);
void engine_limit_release(struct engine *engine);

#endif
