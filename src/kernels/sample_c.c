/* The passes of sampling in plain C; sample.c decides with them. */
#include "kernels/kernels_internal.h"
#include "kernels/sample.h"
#include "kernels/sample_definition.h"

static bool find_max(const float *logits, int64_t count, float *max)
{
    float largest = logits[0];
    bool finite = true;
    for (int64_t i = 0; i < count; i++) {
        largest = logits[i] > largest ? logits[i] : largest;
        finite &= fabsf(logits[i]) <= FLT_MAX;
    }
    *max = largest;
    return finite;
}

static int64_t find(const float *logits, int64_t count, float value)
{
    for (int64_t i = 0; i < count; i++) {
        if (logits[i] == value)
            return i;
    }
    return -1;
}

static uint64_t weigh(const float *logits, int64_t count, float max, float scale, uint32_t *weights,
                      uint32_t *lowest)
{
    uint64_t total = 0;
    *lowest = UINT32_MAX;
    for (int64_t i = 0; i < count; i++) {
        weights[i] = sample_weight(logits[i], max, scale);
        total += weights[i];
        *lowest = weights[i] < *lowest ? weights[i] : *lowest;
    }
    return total;
}

static void sum_above(const uint32_t *weights, int64_t count, const uint32_t *cuts, uint64_t *sums)
{
    for (int cut = 0; cut < SAMPLE_CUTS; cut++) {
        uint64_t sum = 0;
        for (int64_t i = 0; i < count; i++)
            sum += weights[i] >= cuts[cut] ? weights[i] : 0;
        sums[cut] = sum;
    }
}

static struct sample_list narrow(const uint32_t *from, int64_t count, uint32_t low, uint32_t high,
                                 uint32_t *to)
{
    struct sample_list list = {0, UINT32_MAX, 0};
    for (int64_t i = 0; i < count; i++) {
        uint32_t weight = from[i];
        /* Written in any case, counted if it is in range: no branch to guess. */
        to[list.count] = weight;
        bool inside = weight >= low && weight <= high;
        list.count += inside;
        list.lowest = inside && weight < list.lowest ? weight : list.lowest;
        list.highest = inside && weight > list.highest ? weight : list.highest;
    }
    return list;
}

static struct sample_kept keep(const uint32_t *weights, int64_t count, uint32_t lowest)
{
    struct sample_kept kept = {0, 0};
    for (int64_t i = 0; i < count; i++) {
        kept.above += weights[i] > lowest ? weights[i] : 0;
        kept.ties += weights[i] == lowest;
    }
    return kept;
}

static int64_t sample(const struct sample_call *call)
{
    static const struct sample_steps steps = {find_max, find, weigh, sum_above, narrow, keep};
    return sample_run(&steps, call);
}

void sample_fill_c(struct kernels *table)
{
    table->sample = sample;
}
