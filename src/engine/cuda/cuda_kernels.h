/* The launchers of the device's kernels, as the engine's C files call them. Every one queues on
 * call->stream and returns; pointers are the device's. Tensors are row-major and dense unless a
 * stride is named; strides count elements. `type` is that of weights, activations and cache;
 * the residual stream, norms, router and logits are float32. */
#ifndef TOKENMARK_ENGINE_CUDA_CUDA_KERNELS_H
#define TOKENMARK_ENGINE_CUDA_CUDA_KERNELS_H

#include <cuda_runtime_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum device_type { DEVICE_F32, DEVICE_F16, DEVICE_BF16 };

/* As architecture.h has them, and none. */
enum device_activation {
    DEVICE_IDENTITY,
    DEVICE_GELU_TANH,
    DEVICE_GELU_ERF,
    DEVICE_RELU,
    DEVICE_SILU,
    DEVICE_QUICK_GELU
};

/* What a captured step must not take from the host: read and advanced by the kernels. */
struct device_state {
    int32_t position;    /* of the first token that goes through the layers now */
    int32_t step;        /* next to be generated */
    uint32_t not_finite; /* rows of steps whose logits were not finite: they chose -1 */
    uint32_t unused;
};

/* convert.cu: to[i] = from[i], rounded to `type`, scaled and shifted before. */
struct convert_call {
    enum device_type type;
    void *to;
    const float *from;
    int64_t count;
    float scale, shift;
    cudaStream_t stream;
};
cudaError_t kernel_convert(const struct convert_call *call);

/* state.cu: sets position and step at the start of a pass. */
cudaError_t kernel_state_set(struct device_state *state, int32_t position, int32_t step, bool clear,
                             cudaStream_t stream);
/* position += positions */
cudaError_t kernel_state_move(struct device_state *state, int32_t positions, cudaStream_t stream);
/* Stamps the step with the device's clock, then moves position and step on; `overlap`: see
 * norm_call. */
cudaError_t kernel_state_advance(struct device_state *state, uint64_t *stamps, bool overlap,
                                 cudaStream_t stream);
/* By how many nanoseconds at once the device's clock moves on, as far as a thread can tell that
 * reads it as fast as it can; 0 where it does not move for milliseconds. */
cudaError_t kernel_clock_resolution(uint64_t *resolution_ns, cudaStream_t stream);

/* embed.cu: x = embedding[id] * scale + positions[position + offset]. */
struct embed_call {
    enum device_type type;
    float *x;               /* [rows, width] */
    const void *table;      /* [vocabulary, width] of type */
    const float *positions; /* learned, or NULL */
    const int32_t *ids;     /* [rows / count rows of id_stride, count] */
    int64_t id_stride, rows, count, width, position_offset;
    float scale;
    const struct device_state *state;
    cudaStream_t stream;
};
cudaError_t kernel_embed(const struct embed_call *call);

/* to[group] = from[group * count + count - 1] */
struct keep_last_call {
    const void *from;
    void *to;
    int64_t row_bytes; /* a multiple of 2 */
    int64_t groups, count;
    cudaStream_t stream;
};
cudaError_t kernel_keep_last(const struct keep_last_call *call);

/* norm.cu: n = norm(x) * gain + bias goes to each of y, y32 that is not NULL; residual += scale *
 * n. y32 may be x. Where next_y is not NULL, the new residual is normed in the same pass:
 * next_y, next_y32 = norm(residual) * next_gain + next_bias. */
struct norm_call {
    enum device_type type; /* of y and next_y */
    const float *x;
    const float *gain, *bias; /* or NULL */
    void *y;
    float *y32, *residual;
    const float *next_gain, *next_bias; /* or NULL */
    void *next_y;
    float *next_y32; /* or NULL */
    int64_t rows, width;
    float epsilon, scale;
    bool rms;
    bool overlap; /* it may start before the kernel before it has ended */
    cudaStream_t stream;
};
cudaError_t kernel_norm(const struct norm_call *call);

/* heads.cu: clamps, norms and turns queries and keys; keys and values go to the cache, queries
 * back to where they were. */
enum device_qk_norm { DEVICE_QK_NONE, DEVICE_QK_HEAD, DEVICE_QK_PER_HEAD, DEVICE_QK_WIDE };
struct heads_call {
    enum device_type type;
    void *qkv;           /* [rows, (heads + 2 kv_heads) * head_dim] */
    void *keys, *values; /* of the layer: [batch, kv_heads, capacity, head_dim] */
    const float *query_gain, *query_bias, *key_gain, *key_bias;
    const float *cosine, *sine; /* [capacity, rotary_dim / 2], or NULL: nothing turns */
    int64_t rows, count;        /* tokens; positions of each row of the batch */
    int64_t first_row;          /* of the batch */
    int64_t heads, kv_heads, head_dim, rotary_dim, capacity;
    float clip; /* 0 = none */
    float epsilon;
    enum device_qk_norm qk_norm;
    bool qk_rms, interleaved;
    const struct device_state *state;
    bool overlap; /* it may start before the kernel before it has ended */
    cudaStream_t stream;
};
cudaError_t kernel_heads(const struct heads_call *call);

/* attention.cu, flash.cu, flash_decode.cu: out[token, head] = softmax(q k^T) v over the cache,
 * causal. */
struct attention_call {
    enum device_type type;
    const void *queries; /* [rows, query_stride] */
    void *out;           /* [rows, heads * head_dim] */
    const void *keys, *values;
    const float *alibi; /* [heads] or NULL */
    int64_t query_stride, rows, count, first_row;
    int64_t heads, kv_heads, head_dim, capacity;
    int64_t window; /* 0 = all keys */
    float scale, softcap;
    int64_t splits;     /* parts of the keys, > 1 only where count is 1 */
    float *partials;    /* attention_partial_floats() of them */
    uint32_t *counters; /* [attention_counters()], zero between calls */
    const struct device_state *state;
    bool overlap; /* it may start before the kernel before it has ended */
    cudaStream_t stream;
};
/* Any type and head size up to 512; keys in parts where there are few rows. */
cudaError_t kernel_attention(const struct attention_call *call);
/* Prompts on tensor cores: 16-bit types, head sizes up to 256 in whole 16 bytes, splits unused. */
bool flash_attention_serves(const struct attention_call *call);
cudaError_t kernel_flash_attention(const struct attention_call *call);
/* Decode steps (count is 1) on tensor cores, the same types and heads, keys in parts. */
bool flash_decode_serves(const struct attention_call *call);
cudaError_t kernel_flash_decode(const struct attention_call *call);
size_t attention_partial_floats(int64_t rows, int64_t heads, int64_t kv_heads, int64_t head_dim,
                                int64_t splits);
size_t attention_counters(int64_t rows, int64_t heads, int64_t kv_heads);

/* skinny.cu, gemv.cu: the products of decode steps, y[row] = act(alpha * W x[row] + y[row] where it
 * accumulates + bias), for so few rows that reading W is all the time. Gated, the first half of the
 * outputs is the gate of the second: y[row, i] = act(v[i]) * v[outputs / 2 + i]. */
enum { SKINNY_ROWS_MAX = 16, SKINNY_COUNTERS = 1024 };
struct skinny_call {
    enum device_type type;   /* of weight and x */
    enum device_type y_type; /* `type` or float32 */
    const void *weight;      /* [outputs, inputs] */
    const void *bias;        /* [outputs] of y_type, or NULL */
    const void *x;           /* [rows, x_stride] */
    void *y;                 /* [rows, y_stride] */
    int64_t x_stride, y_stride, rows, outputs, inputs;
    float alpha;
    bool accumulate, gated;
    enum device_activation activation;
    float *partials; /* where the inputs are cut into parts */
    size_t partial_bytes;
    uint32_t *counters;      /* [SKINNY_COUNTERS], zero between calls */
    int64_t multiprocessors; /* of the device: so many parts are made that all have work */
    bool overlap;            /* weights may be fetched while the kernel before still runs */
    cudaStream_t stream;
};
/* 16-bit types whose rows are aligned to 16 bytes on tensor cores, up to SKINNY_ROWS_MAX rows;
 * float32 up to half as many. */
bool skinny_serves(const struct skinny_call *call);
cudaError_t kernel_skinny(const struct skinny_call *call);
/* kernel_architecture() of its code: `overlap` needs what was compiled for 9.0 or later. */
int kernel_skinny_architecture(void);
/* What kernel_skinny runs for float32. */
cudaError_t kernel_gemv(const struct skinny_call *call);

/* pointwise.cu: y = act(x + bias), in place; bias may be NULL and has y's type. */
struct activate_call {
    enum device_type type;
    void *y;
    const void *bias;
    int64_t rows, width, stride;
    enum device_activation activation;
    cudaStream_t stream;
};
cudaError_t kernel_activate(const struct activate_call *call);

/* y[row, i] = act(y[row, i]) * y[row, width + i] */
struct gate_call {
    enum device_type type;
    void *y; /* [rows, 2 * width] */
    int64_t rows, width;
    enum device_activation activation;
    cudaStream_t stream;
};
cudaError_t kernel_gate(const struct gate_call *call);

/* logits = softcap(logits * scale) */
cudaError_t kernel_scale_softcap(float *logits, int64_t count, float scale, float softcap,
                                 cudaStream_t stream);

/* experts.cu: the router's choice, one expert matrix a (token, place) pair, and the sum. */
struct route_call {
    const float *x;      /* [rows, width] */
    const float *router; /* [experts, width] */
    float *logits;       /* [rows, experts], scratch */
    int32_t *ids;        /* [rows, per_token] */
    float *weights;      /* [rows, per_token] */
    int64_t rows, width, experts, per_token;
    bool normalise;
    cudaStream_t stream;
};
cudaError_t kernel_route(const struct route_call *call);

/* The pairs of each expert in a row, for the products of many tokens. Scratch of a layer:
 * expert_order_bytes() of it, filled by kernel_expert_order. */
size_t expert_order_bytes(int64_t pairs, int64_t experts);
cudaError_t kernel_expert_order(const int32_t *ids, int64_t pairs, int64_t experts, void *order,
                                cudaStream_t stream);

/* y[pair] = W[ids[pair]] x[pair / x_share] + bias[ids[pair]]; y is of type, or float32. */
struct expert_linear_call {
    enum device_type type;
    const void *x;              /* [pairs / x_share, x_stride] */
    const void *const *weights; /* [experts] -> [outputs, inputs] of type, aligned to 256 bytes */
    const void *const *biases;  /* [experts] of float, or NULL */
    const int32_t *ids;
    const void *order; /* made from ids, or NULL: each pair by itself */
    void *y;           /* [pairs, outputs] */
    int64_t pairs, experts, x_share, x_stride, inputs, outputs;
    bool y_float;
    cudaStream_t stream;
};
/* One output of a pair a warp. */
cudaError_t kernel_expert_linear(const struct expert_linear_call *call);
/* expert_group.cu: an expert's tokens together on tensor cores; 16-bit types with an order whose
 * rows are aligned to 16 bytes. */
bool expert_group_serves(const struct expert_linear_call *call);
cudaError_t kernel_expert_group(const struct expert_linear_call *call);

/* x[row] += scale * sum of weights[row, place] * y[row * per_token + place]; x = where `set`. */
struct expert_sum_call {
    float *x;
    const float *y, *weights;
    int64_t rows, width, per_token;
    float scale;
    bool set;
    cudaStream_t stream;
};
cudaError_t kernel_expert_sum(const struct expert_sum_call *call);

/* sample.cu: one token a row as engine/sampler.h defines it. */
struct sample_call {
    const float *logits;   /* [rows, vocabulary] */
    uint32_t *weights;     /* scratch, as large and aligned as logits; may be their memory */
    int32_t *chosen;       /* [steps, rows]: written at the state's step */
    int32_t *next;         /* [rows]: what is fed on */
    const int32_t *forced; /* [forced_steps, rows] to be fed on instead, or NULL */
    int64_t forced_steps;
    int64_t rows, vocabulary;
    float temperature; /* 0 = greedy */
    float scale;       /* sample_scale() of kernels/sample_definition.h */
    uint64_t fraction; /* of top_p: 2^32 keeps all */
    uint64_t seed;
    struct device_state *state;
    bool overlap; /* it may start before the kernel before it has ended */
    cudaStream_t stream;
};
cudaError_t kernel_sample(const struct sample_call *call);

/* limits.cu: random numbers in [-1, 1), and `passes` passes over memory, in one launch. */
cudaError_t kernel_fill(enum device_type type, void *memory, int64_t count, cudaStream_t stream);
cudaError_t kernel_read(const void *memory, int64_t bytes, int64_t passes, uint32_t *sums,
                        int blocks, cudaStream_t stream);

#ifdef __cplusplus
}
#endif

#endif
