/* The arithmetic of a transformer on one thread: pointers and sizes only. A kernel never
 * allocates, prints, threads or reads time. The C reference fills the whole table; AVX2, AVX-512
 * and NEON overwrite what they have. engine/cpu splits work over threads and calls these. */
#ifndef TOKENMARK_KERNELS_KERNELS_H
#define TOKENMARK_KERNELS_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Type of packed weights and of prepared activations; up to KERNEL_TYPE_COUNT of the KV cache too.
 * The others hold weights in groups of 32 inputs, as the GGUF formats of these names do: their
 * own integers and scales, nothing rounded again (grouped.h tells the layout). All of them take
 * the same prepared activations. */
enum kernel_type {
    KERNEL_F32,
    KERNEL_F16,
    KERNEL_BF16,
    KERNEL_I8,
    KERNEL_TYPE_COUNT,
    KERNEL_Q4_0 = KERNEL_TYPE_COUNT, /* the only one of them that pack_panel makes of float32 */
    KERNEL_Q4_1,
    KERNEL_Q4_K,
    KERNEL_Q5_0,
    KERNEL_Q5_1,
    KERNEL_Q5_K,
    KERNEL_Q6_K,
    KERNEL_Q8_0,
    KERNEL_TYPE_END
};

static inline bool kernel_type_is_grouped(enum kernel_type type)
{
    return type >= KERNEL_TYPE_COUNT;
}

enum kernel_activation {
    KERNEL_IDENTITY,
    KERNEL_GELU_TANH,
    KERNEL_GELU_ERF,
    KERNEL_RELU,
    KERNEL_SILU,
    KERNEL_QUICK_GELU,
};

/* Outputs of a packed panel; the last panel of a matrix is filled up with zeros. */
enum { KERNEL_PANEL = 32 };

/* Y = act(X W^T + bias) * scale + residual, for a tile of rows and panels.
 * Weights are packed [panels][inputs / g][32][g], g = 1 (f32, f16), 2 (bf16), 4 (i8). */
struct linear_call {
    enum kernel_type type;
    const void *x;    /* [rows, inputs], prepared for `type` (f32: the activations themselves) */
    int64_t x_stride; /* floats between rows; f32 alone: rows prepared for another type lie
                       * kernel_prepared_bytes(type, 1, inputs) apart */
    int64_t inputs;
    int64_t outputs;
    const void *weight; /* packed */
    float *y;           /* [rows, outputs] */
    int64_t y_stride;   /* floats between rows */
    const float *bias;  /* [outputs] or NULL */
    enum kernel_activation activation;
    float scale;           /* of the product and bias after activation; 1 as a rule */
    const float *residual; /* [rows, outputs] added at the end, may be y itself, or NULL */
    int64_t residual_stride;
    int64_t ahead_end; /* panels up to here may be fetched ahead; 0: those of the call alone */
};

/* Attention of some query positions of one row over one KV head; the `group` query heads that
 * share it lie head_dim apart. Query i has absolute position first_position + i and sees keys
 * j <= its position, j > position - window (window 0: all). */
struct attention_call {
    enum kernel_type kv_type;
    const float
        *queries; /* [positions, ...]: position i, head g at i * query_stride + g * head_dim */
    int64_t query_stride;
    float *out; /* the same layout with out_stride */
    int64_t out_stride;
    int64_t position_count;
    int64_t first_position;
    int64_t group;
    int64_t head_dim;
    const void *keys; /* this KV head's cache, layout private to the kernels */
    const void *values;
    int64_t capacity; /* positions the cache was sized for */
    float scale;      /* multiplies q . k */
    float softcap;    /* 0 = none: cap * tanh(score / cap) */
    int64_t window;
    const float *alibi_slopes; /* [group] or NULL: adds slope * (key - query position) */
    /* Split of the keys for decode over more threads: only keys [key_first, key_first +
     * key_count) are seen and `partial` receives [positions * group, head_dim + 2]: the weighted
     * sum, then the maximum score and the sum of exponentials; `out` is not written. NULL: all
     * keys, `out` is written. */
    int64_t key_first, key_count;
    float *partial;
    float *workspace; /* attention_workspace_floats() of them, this thread's own */
};

struct sample_call {
    const float *logits; /* [count] */
    int64_t count;
    float temperature; /* 0 = greedy */
    double top_p;
    uint64_t draw;       /* sampler_draw() */
    uint32_t *workspace; /* sample_workspace_words(count) of them */
};

/* Rows of quantised weights, every array [count][...] without gaps. A weight is
 * scale * sub_scale * (value - offset) + minimum * sub_minimum; the offset is the type's (8, 16
 * or 32 in Q4_0, Q5_0 and Q6_K), sub-scales are 1 where the type has none. NULL: not there. */
struct grouped_rows {
    const uint8_t *values;      /* [inputs] as stored: below 16, 32, 64; Q8_0: int8 */
    const uint16_t *scales;     /* float16, one a group; K types: one for 256 inputs */
    const uint16_t *minimums;   /* like scales; K types: negated, so that they are added */
    const int8_t *sub_scales;   /* K types: one a group, in Q6_K one for 16 inputs */
    const int8_t *sub_minimums; /* one a group */
};

struct kernels {
    const char *isa; /* "c", "avx2", "avx512", "neon", ... */

    /* Packs `count` <= 32 rows [count, inputs] of float32 weights as one panel. */
    void (*pack_panel)(enum kernel_type type, const float *rows, int64_t count, int64_t inputs,
                       void *panel);
    /* Reads row `row` of a packed matrix back as float32 (token embedding of a tied head). */
    void (*unpack_row)(enum kernel_type type, const void *weight, int64_t inputs, int64_t row,
                       float *out);
    /* Activations [rows, inputs] (stride in floats) made ready as `type`, rows contiguous. */
    void (*prepare)(enum kernel_type type, const float *x, int64_t x_stride, int64_t rows,
                    int64_t inputs, void *out);
    void (*linear)(const struct linear_call *call, int64_t row_first, int64_t row_count,
                   int64_t panel_first, int64_t panel_count);

    /* The same two for the grouped types; kernel_prepare() and kernel_linear() choose. */
    void (*grouped_prepare)(const float *x, int64_t x_stride, int64_t rows, int64_t inputs,
                            void *out);
    void (*grouped_linear)(const struct linear_call *call, int64_t row_first, int64_t row_count,
                           int64_t panel_first, int64_t panel_count);

    /* y may be x. gain and bias [width] may be NULL. */
    void (*norm_layer)(const float *x, int64_t x_stride, float *y, int64_t y_stride, int64_t rows,
                       int64_t width, const float *gain, const float *bias, float epsilon);
    void (*norm_rms)(const float *x, int64_t x_stride, float *y, int64_t y_stride, int64_t rows,
                     int64_t width, const float *gain, float epsilon);
    /* x = act(x); x = act(x) * up. */
    void (*activate)(enum kernel_activation kind, float *x, int64_t count);
    void (*gate)(enum kernel_activation kind, float *x, const float *up, int64_t count);
    /* x += y * scale */
    void (*add_scaled)(float *x, const float *y, float scale, int64_t count);

    /* Turns `heads` vectors that lie head_dim apart by one position's cos and sin
     * [rotary_dim / 2]: pairs (2i, 2i+1) if interleaved, else (i, i + rotary_dim / 2). */
    void (*rope)(float *x, int64_t heads, int64_t head_dim, int64_t rotary_dim, const float *cosine,
                 const float *sine, bool interleaved);

    /* Keys and values of `count` positions from `first` on into one KV head's cache; position i
     * of the source at i * stride. */
    void (*store_keys)(enum kernel_type type, void *cache, int64_t capacity, int64_t head_dim,
                       int64_t first, int64_t count, const float *keys, int64_t stride);
    void (*store_values)(enum kernel_type type, void *cache, int64_t capacity, int64_t head_dim,
                         int64_t first, int64_t count, const float *values, int64_t stride);
    void (*attention)(const struct attention_call *call);
    /* Joins `splits` partials [splits][rows][head_dim + 2] of the same rows into out: position i,
     * head g at i * out_stride + g * head_dim. */
    void (*attention_combine)(const float *partials, int64_t splits, int64_t position_count,
                              int64_t group, int64_t head_dim, float *out, int64_t out_stride);

    /* The chosen id; -1 when a logit is not finite. Defined in engine/sampler.h. */
    int64_t (*sample)(const struct sample_call *call);

    /* Logits: x = cap * tanh(x * scale / cap), cap 0: x *= scale. */
    void (*scale_softcap)(float *x, int64_t count, float scale, float cap);

    /* Reads `lines` lines of 64 bytes (aligned to them) as fast as this instruction set can; the
     * xor of all 64-bit words comes back, so that no read can be left out. */
    uint64_t (*read_lines)(const void *memory, int64_t lines);
};

static inline void kernel_prepare(const struct kernels *kernels, enum kernel_type type,
                                  const float *x, int64_t x_stride, int64_t rows, int64_t inputs,
                                  void *out)
{
    if (kernel_type_is_grouped(type))
        kernels->grouped_prepare(x, x_stride, rows, inputs, out);
    else
        kernels->prepare(type, x, x_stride, rows, inputs, out);
}

static inline void kernel_linear(const struct kernels *kernels, const struct linear_call *call,
                                 int64_t row_first, int64_t row_count, int64_t panel_first,
                                 int64_t panel_count)
{
    if (kernel_type_is_grouped(call->type))
        kernels->grouped_linear(call, row_first, row_count, panel_first, panel_count);
    else
        kernels->linear(call, row_first, row_count, panel_first, panel_count);
}

/* Packs `count` <= 32 rows of quantised weights as one panel of a grouped type. */
void kernel_pack_grouped(enum kernel_type type, const struct grouped_rows *rows, int64_t count,
                         int64_t inputs, void *panel);

/* Sizes, the same for every ISA. */
size_t kernel_panel_bytes(enum kernel_type type, int64_t inputs);
size_t kernel_packed_bytes(enum kernel_type type, int64_t outputs, int64_t inputs);
size_t kernel_prepared_bytes(enum kernel_type type, int64_t rows, int64_t inputs);
size_t kernel_key_bytes(enum kernel_type type, int64_t capacity, int64_t head_dim);
size_t kernel_value_bytes(enum kernel_type type, int64_t capacity, int64_t head_dim);
size_t kernel_attention_workspace_floats(int64_t position_count, int64_t group, int64_t head_dim);
size_t kernel_sample_workspace_words(int64_t count);

/* The tables from the highest this CPU runs down to "c". `isa` NULL or "auto": the highest that
 * is fast here; NULL is returned when that one is unknown or cannot run here. */
const struct kernels *kernels_choose(const char *isa);

/* Names of the tables that are built, highest first, and whether this CPU runs them. */
size_t kernels_count(void);
const char *kernels_name(size_t index);
bool kernels_runnable(size_t index);

#endif
