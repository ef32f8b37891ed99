/* Attention in four steps: attention.c walks over tiles of query rows and blocks of keys and
 * holds the state of the online softmax; attention_{c,avx2,avx512,neon}.c compute the steps.
 *
 * Keys lie in panels of 32 positions, [panel][head_dim][32], so that q . k is the product that
 * linear layers compute; values lie as [position][head_dim filled up to 16]. int8 has one scale
 * a position, behind the panels and behind the values. */
#ifndef TOKENMARK_KERNELS_ATTENTION_H
#define TOKENMARK_KERNELS_ATTENTION_H

#include "kernels/kernels.h"

enum {
    ATTENTION_LANES = 16,               /* floats that every row is filled up to */
    ATTENTION_TILE = 12,                /* query rows that share one pass over keys */
    ATTENTION_TILES = 8,                /* tiles that share a block of keys in the cache */
    ATTENTION_BLOCK = 8 * KERNEL_PANEL, /* keys of one step of the online softmax */
};

/* Scores are cut to this size, so that differences of them stay finite. */
static const float attention_score_limit = 1e30f;
/* The maximum before any key was seen: below every score, and finite. */
static const float attention_no_score = -2e30f;

/* One tile and one run of keys. `rows` are 1, 2, 4, 8 or 12; those past the real rows hold
 * zeros. Row r of the scores lies at r * ATTENTION_BLOCK. */
struct attention_steps {
    /* scores = q . k of the keys of whole panels, cut to the limit; queries lie as
     * [head_dim / 16][rows][16], so that no offset between rows depends on the model. */
    void (*score)(const struct attention_call *call, const float *queries, int64_t rows,
                  int64_t panel_first, int64_t panel_count, float *scores);
    /* One row: soft-cap, then slope * (key - query) with the first key at `distance`. */
    void (*adjust)(float *scores, int64_t count, float softcap, float slope, float distance);
    /* Scores become exp(score - maximum), times value_scales unless NULL; raises maximum[r],
     * adds to sum[r]; factors[r] is what the sums so far are multiplied by. */
    void (*exponentiate)(float *scores, int64_t rows, int64_t count, const float *value_scales,
                         float *maximum, float *sum, float *factors);
    /* sums[r] = sums[r] * factors[r] + weights[r] . values, of the keys [first, first + count);
     * row r of sums lies at r * attention_padded_dim(). */
    void (*weigh)(const struct attention_call *call, const float *weights, int64_t rows,
                  int64_t first, int64_t count, const float *factors, float *sums);
};

void attention_run(const struct attention_steps *steps, const struct attention_call *call);

/* store_keys and store_values of attention_fill_avx2(); AVX-512 keeps them. */
void attention_store_fill_avx2(struct kernels *table);
/* The same two of attention_fill_neon(). */
void attention_store_fill_neon(struct kernels *table);

static inline int64_t attention_round_up(int64_t value, int64_t multiple)
{
    return (value + multiple - 1) / multiple * multiple;
}

static inline int64_t attention_padded_dim(int64_t head_dim)
{
    return attention_round_up(head_dim, ATTENTION_LANES);
}

/* The rows of a tile's instance that holds `rows`. */
static inline int64_t attention_tile_rows(int64_t rows)
{
    if (rows <= 2)
        return rows;
    return rows <= 4 ? 4 : rows <= 8 ? 8 : ATTENTION_TILE;
}

static inline int64_t attention_element_bytes(enum kernel_type type)
{
    return type == KERNEL_F32 ? 4 : type == KERNEL_I8 ? 1 : 2;
}

/* Where the scales of an int8 cache begin. */
static inline int64_t attention_key_scale_offset(int64_t capacity, int64_t head_dim)
{
    return attention_round_up(capacity, KERNEL_PANEL) * head_dim;
}

static inline int64_t attention_value_scale_offset(int64_t capacity, int64_t head_dim)
{
    return attention_round_up(capacity, KERNEL_PANEL) * attention_padded_dim(head_dim);
}

/* The largest element of an int8 row becomes 127: returns what its elements are multiplied by,
 * and the scale that turns them back. Below the bound the factor would not be finite. */
static inline float attention_i8_factor(float largest, float *scale)
{
    *scale = largest / 127.0f;
    return largest < 1e-35f ? 0 : 127.0f / largest;
}

/* Finite values stay finite in the narrow types. */
static const float attention_f16_limit = 65504.0f;
static const float attention_bf16_limit = 0x1.FEp127f;

#endif
