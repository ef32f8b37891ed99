/* Sampling in steps: sample.c finds the nucleus and the token, sample_{c,avx2,avx512,neon}.c
 * compute the passes over the vocabulary. sample_definition.h has the arithmetic. */
#ifndef TOKENMARK_KERNELS_SAMPLE_H
#define TOKENMARK_KERNELS_SAMPLE_H

#include "kernels/kernels.h"

/* Cuts tried by one pass: it splits the range of weights in one part more. */
enum { SAMPLE_CUTS = 4 };

struct sample_kept {
    uint64_t above; /* sum of the weights above the nucleus's lowest */
    uint64_t ties;  /* how many weigh as much as the lowest */
};

struct sample_list {
    int64_t count;
    uint32_t lowest, highest; /* its weights; undefined when it is empty */
};

struct sample_steps {
    /* The largest of `count` > 0 logits; false when one is not finite. */
    bool (*max)(const float *logits, int64_t count, float *max);
    /* The first id whose logit equals `value`, which is there. */
    int64_t (*find)(const float *logits, int64_t count, float value);
    /* sample_weight() of each logit, the lowest of them, and, returned, their sum. */
    uint64_t (*weigh)(const float *logits, int64_t count, float max, float scale, uint32_t *weights,
                      uint32_t *lowest);
    /* sums[i] = sum of the weights >= cuts[i]. */
    void (*sum_above)(const uint32_t *weights, int64_t count, const uint32_t *cuts, uint64_t *sums);
    /* Writes the weights within [low, high] to `to`, in any order; `to` may be `from`. */
    struct sample_list (*narrow)(const uint32_t *from, int64_t count, uint32_t low, uint32_t high,
                                 uint32_t *to);
    struct sample_kept (*keep)(const uint32_t *weights, int64_t count, uint32_t lowest);
};

int64_t sample_run(const struct sample_steps *steps, const struct sample_call *call);

#endif
