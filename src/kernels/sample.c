/* Samples one row without a sort: the nucleus's lowest weight is found by cutting the range of
 * weights in parts and keeping the part that the sum crosses, until one weight is left. The sums
 * are integers, so the result depends neither on the cuts nor on the instruction set. */
#include "kernels/sample.h"

#include "kernels/convert.h"
#include "kernels/sample_definition.h"

/* Ids of which the sum is taken at once when the nucleus is walked. */
enum { WALK = 512 };

struct nucleus {
    uint32_t lowest; /* every id that weighs more is in */
    uint64_t ties;   /* of those that weigh as much, the first `ties` ids */
    uint64_t sum;
};

/* Cuts between low < high, rising, each in (low, high]: evenly by the logarithm, roughly, for
 * that is how weights are spread. */
static void choose_cuts(uint32_t low, uint32_t high, uint32_t *cuts)
{
    uint32_t low_bits = float_bits(low > 0 ? (float)low : 0.5f);
    uint32_t high_bits = float_bits((float)high);
    for (int i = 0; i < SAMPLE_CUTS; i++) {
        uint64_t step = (uint64_t)(high_bits - low_bits) * (uint64_t)(i + 1) / (SAMPLE_CUTS + 1);
        uint64_t cut = (uint64_t)bits_float(low_bits + (uint32_t)step);
        cut = cut <= low ? (uint64_t)low + 1 : cut;
        cuts[i] = cut > high ? high : (uint32_t)cut;
    }
}

/* The largest weight at which the sum of the weights >= it reaches `needed`, in [low, highest
 * possible], and the sum of those above it. `list` has room for `count`. */
static uint32_t find_lowest(const struct sample_steps *steps, const uint32_t *weights,
                            int64_t count, uint32_t low, uint64_t needed, uint32_t *list,
                            uint64_t *above)
{
    uint32_t high = UINT32_MAX;
    *above = 0;
    while (low < high) {
        uint32_t cuts[SAMPLE_CUTS];
        uint64_t sums[SAMPLE_CUTS];
        choose_cuts(low, high, cuts);
        steps->sum_above(weights, count, cuts, sums);
        for (int i = 0; i < SAMPLE_CUTS; i++) {
            if (*above + sums[i] < needed) {
                high = cuts[i] - 1;
                *above += sums[i];
                break;
            }
            low = cuts[i];
        }
        struct sample_list rest = steps->narrow(weights, count, low, high, list);
        weights = list;
        count = rest.count;
        low = rest.lowest;
        high = rest.highest;
    }
    return low;
}

/* The first id whose running sum over the nucleus exceeds `position`, which is below its sum. */
static int64_t walk(const struct sample_steps *steps, const uint32_t *weights, int64_t count,
                    struct nucleus nucleus, uint64_t position)
{
    int64_t first = 0;
    for (; first + WALK < count; first += WALK) {
        struct sample_kept kept = steps->keep(weights + first, WALK, nucleus.lowest);
        uint64_t ties = kept.ties < nucleus.ties ? kept.ties : nucleus.ties;
        uint64_t sum = kept.above + ties * nucleus.lowest;
        if (position < sum)
            break;
        position -= sum;
        nucleus.ties -= ties;
    }
    for (int64_t id = first; id < count; id++) {
        uint64_t weight = weights[id];
        if (weight < nucleus.lowest)
            continue;
        if (weight == nucleus.lowest) {
            if (nucleus.ties == 0)
                continue;
            nucleus.ties--;
        }
        if (position < weight)
            return id;
        position -= weight;
    }
    return -1;
}

int64_t sample_run(const struct sample_steps *steps, const struct sample_call *call)
{
    float max;
    if (call->count <= 0 || !steps->max(call->logits, call->count, &max))
        return -1;
    if (call->temperature == 0)
        return steps->find(call->logits, call->count, max);
    uint32_t *weights = call->workspace;
    uint32_t lowest;
    uint64_t total = steps->weigh(call->logits, call->count, max, sample_scale(call->temperature),
                                  weights, &lowest);
    struct nucleus nucleus = {0, 0, total}; /* all of them */
    uint64_t fraction = sample_fraction(call->top_p);
    if (fraction >> 32 == 0) {
        uint64_t above, needed = sample_needed(fraction, total);
        nucleus.lowest =
            find_lowest(steps, weights, call->count, lowest, needed, weights + call->count, &above);
        nucleus.ties = (needed - above + nucleus.lowest - 1) / nucleus.lowest;
        nucleus.sum = above + nucleus.ties * nucleus.lowest;
    }
    return walk(steps, weights, call->count, nucleus, sample_position(call->draw, nucleus.sum));
}

/* Weights, and the list that is narrowed; the filling is written past its end by vector stores. */
size_t kernel_sample_workspace_words(int64_t count)
{
    return 2 * (size_t)count + 64;
}
