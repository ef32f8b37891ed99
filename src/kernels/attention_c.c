/* The steps of attention, the stores into the KV cache and the join of partial results in plain
 * C. The walk is in attention.c. */
#include "kernels/attention.h"
#include "kernels/kernels_internal.h"
#include "kernels/math_c.h"

static float load(enum kernel_type type, const void *data, int64_t index)
{
    switch (type) {
    case KERNEL_F16:
        return float_from_f16(((const uint16_t *)data)[index]);
    case KERNEL_BF16:
        return float_from_bf16(((const uint16_t *)data)[index]);
    case KERNEL_I8:
        return ((const int8_t *)data)[index];
    default:
        return ((const float *)data)[index];
    }
}

static float cut(float value, float limit)
{
    value = value > limit ? limit : value;
    return value < -limit ? -limit : value;
}

/* The value is rounded to nearest even; a finite one stays finite. */
static void store(enum kernel_type type, void *data, int64_t index, float value)
{
    switch (type) {
    case KERNEL_F16:
        ((uint16_t *)data)[index] = f16_from_float(cut(value, attention_f16_limit));
        break;
    case KERNEL_BF16:
        ((uint16_t *)data)[index] = bf16_from_float(cut(value, attention_bf16_limit));
        break;
    case KERNEL_I8:
        /* The sum's last place is 1. */
        ((int8_t *)data)[index] = (int8_t)((int32_t)float_bits(value + 12582912.0f) - 0x4B400000);
        break;
    default:
        ((float *)data)[index] = value;
    }
}

static float choose_factor(const float *row, int64_t count, float *scale)
{
    float largest = 0;
    for (int64_t i = 0; i < count; i++) {
        float size = row[i] < 0 ? -row[i] : row[i];
        largest = size > largest ? size : largest;
    }
    return attention_i8_factor(largest, scale);
}

static void store_keys(enum kernel_type type, void *cache, int64_t capacity, int64_t head_dim,
                       int64_t first, int64_t count, const float *keys, int64_t stride)
{
    float *scales = (float *)((char *)cache + attention_key_scale_offset(capacity, head_dim));
    for (int64_t i = 0; i < count; i++, keys += stride) {
        int64_t position = first + i;
        int64_t index = position / KERNEL_PANEL * KERNEL_PANEL * head_dim + position % KERNEL_PANEL;
        float factor = 1;
        if (type == KERNEL_I8)
            factor = choose_factor(keys, head_dim, &scales[position]);
        for (int64_t d = 0; d < head_dim; d++)
            store(type, cache, index + d * KERNEL_PANEL, keys[d] * factor);
    }
}

static void store_values(enum kernel_type type, void *cache, int64_t capacity, int64_t head_dim,
                         int64_t first, int64_t count, const float *values, int64_t stride)
{
    int64_t padded_dim = attention_padded_dim(head_dim);
    float *scales = (float *)((char *)cache + attention_value_scale_offset(capacity, head_dim));
    for (int64_t i = 0; i < count; i++, values += stride) {
        int64_t position = first + i;
        float factor = 1;
        if (type == KERNEL_I8)
            factor = choose_factor(values, head_dim, &scales[position]);
        for (int64_t d = 0; d < padded_dim; d++)
            store(type, cache, position * padded_dim + d, d < head_dim ? values[d] * factor : 0);
    }
}

static void score(const struct attention_call *call, const float *queries, int64_t rows,
                  int64_t panel_first, int64_t panel_count, float *scores)
{
    int64_t offset = attention_key_scale_offset(call->capacity, call->head_dim);
    const float *scales = (const float *)((const char *)call->keys + offset);
    for (int64_t panel = panel_first; panel < panel_first + panel_count; panel++) {
        float sums[ATTENTION_TILE][KERNEL_PANEL] = {{0}};
        for (int64_t d = 0; d < call->head_dim; d++) {
            const float *query =
                queries + d / ATTENTION_LANES * ATTENTION_LANES * rows + d % ATTENTION_LANES;
            float keys[KERNEL_PANEL];
            for (int64_t k = 0; k < KERNEL_PANEL; k++)
                keys[k] = load(call->kv_type, call->keys,
                               (panel * call->head_dim + d) * KERNEL_PANEL + k);
            for (int64_t r = 0; r < rows; r++) {
                for (int64_t k = 0; k < KERNEL_PANEL; k++)
                    sums[r][k] += query[r * ATTENTION_LANES] * keys[k];
            }
        }
        for (int64_t r = 0; r < rows; r++) {
            float *out = scores + r * ATTENTION_BLOCK + (panel - panel_first) * KERNEL_PANEL;
            for (int64_t k = 0; k < KERNEL_PANEL; k++) {
                float value = sums[r][k];
                if (call->kv_type == KERNEL_I8)
                    value *= scales[panel * KERNEL_PANEL + k];
                out[k] = cut(value, attention_score_limit);
            }
        }
    }
}

static void adjust(float *scores, int64_t count, float softcap, float slope, float distance)
{
    for (int64_t k = 0; k < count; k++) {
        if (softcap != 0)
            scores[k] = softcap * math_tanh(scores[k] / softcap);
        scores[k] += slope * (distance + (float)k);
    }
}

static void exponentiate(float *scores, int64_t rows, int64_t count, const float *value_scales,
                         float *maximum, float *sum, float *factors)
{
    for (int64_t r = 0; r < rows; r++, scores += ATTENTION_BLOCK) {
        float largest = maximum[r];
        for (int64_t k = 0; k < count; k++)
            largest = scores[k] > largest ? scores[k] : largest;
        float added = 0;
        for (int64_t k = 0; k < count; k++) {
            float weight = math_exp(scores[k] - largest);
            added += weight;
            scores[k] = value_scales != NULL ? weight * value_scales[k] : weight;
        }
        factors[r] = math_exp(maximum[r] - largest);
        maximum[r] = largest;
        sum[r] = sum[r] * factors[r] + added;
    }
}

static void weigh(const struct attention_call *call, const float *weights, int64_t rows,
                  int64_t first, int64_t count, const float *factors, float *sums)
{
    int64_t padded_dim = attention_padded_dim(call->head_dim);
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t d = 0; d < padded_dim; d++)
            sums[r * padded_dim + d] *= factors[r];
    }
    for (int64_t k = 0; k < count; k++) {
        for (int64_t d = 0; d < padded_dim; d += ATTENTION_LANES) {
            float value[ATTENTION_LANES];
            for (int64_t i = 0; i < ATTENTION_LANES; i++)
                value[i] = load(call->kv_type, call->values, (first + k) * padded_dim + d + i);
            for (int64_t r = 0; r < rows; r++) {
                float weight = weights[r * ATTENTION_BLOCK + k];
                for (int64_t i = 0; i < ATTENTION_LANES; i++)
                    sums[r * padded_dim + d + i] += weight * value[i];
            }
        }
    }
}

static void attention(const struct attention_call *call)
{
    static const struct attention_steps steps = {score, adjust, exponentiate, weigh};
    attention_run(&steps, call);
}

static void combine_row(const float *partials, int64_t splits, int64_t split_stride,
                        int64_t head_dim, float *out)
{
    float largest = attention_no_score;
    for (int64_t s = 0; s < splits; s++) {
        float maximum = partials[s * split_stride + head_dim];
        largest = maximum > largest ? maximum : largest;
    }
    for (int64_t d = 0; d < head_dim; d++)
        out[d] = 0;
    float total = 0;
    for (int64_t s = 0; s < splits; s++) {
        const float *partial = partials + s * split_stride;
        float factor = math_exp(partial[head_dim] - largest);
        total += factor * partial[head_dim + 1];
        for (int64_t d = 0; d < head_dim; d++)
            out[d] += factor * partial[d];
    }
    for (int64_t d = 0; d < head_dim; d++)
        out[d] /= total;
}

static void attention_combine(const float *partials, int64_t splits, int64_t position_count,
                              int64_t group, int64_t head_dim, float *out, int64_t out_stride)
{
    int64_t rows = position_count * group;
    for (int64_t row = 0; row < rows; row++)
        combine_row(partials + row * (head_dim + 2), splits, rows * (head_dim + 2), head_dim,
                    out + row / group * out_stride + row % group * head_dim);
}

void attention_fill_c(struct kernels *table)
{
    table->store_keys = store_keys;
    table->store_values = store_values;
    table->attention = attention;
    table->attention_combine = attention_combine;
}
