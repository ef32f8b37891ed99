/* Angles per position: RoPE's inverse frequencies for each kind of scaling, and ALiBi's slopes.
 * Frequencies are float32 values (exponent, power and quotient each rounded to float32), so
 * that they agree with the engines that the models were made with. */
#include <math.h>

#include "model/architecture.h"

/* theta^(-2i/dim) */
static double plain_frequency(double theta, int64_t i, int64_t dim)
{
    float exponent = (float)(2 * i) / (float)dim;
    return (double)(1.0F / (float)pow(theta, (double)exponent));
}

/* Llama 3: long waves are slowed by `factor`, short ones kept, those between blended. */
static double llama3_frequency(const struct rope_facts *rope, double frequency)
{
    double turns = (double)rope->original_positions * frequency / (2 * M_PI);
    if (turns < rope->low_frequency_factor)
        return frequency / rope->factor;
    if (turns > rope->high_frequency_factor)
        return frequency;
    double smooth = (turns - rope->low_frequency_factor) /
                    (rope->high_frequency_factor - rope->low_frequency_factor);
    return (1 - smooth) * frequency / rope->factor + smooth * frequency;
}

/* YaRN: the pair of dimensions that turns `turns` times within the original positions. */
static double yarn_pair(const struct rope_facts *rope, double turns)
{
    return (double)rope->rotary_dim * log((double)rope->original_positions / (turns * 2 * M_PI)) /
           (2 * log(rope->theta));
}

static void yarn_frequencies(const struct rope_facts *rope, double *out)
{
    double low = yarn_pair(rope, rope->beta_fast);
    double high = yarn_pair(rope, rope->beta_slow);
    if (rope->yarn_truncate) {
        low = floor(low);
        high = ceil(high);
    }
    low = fmax(low, 0);
    high = fmin(high, (double)(rope->rotary_dim - 1));
    if (low == high)
        high += 0.001;
    for (int64_t i = 0; i < rope->rotary_dim / 2; i++) {
        double frequency = plain_frequency(rope->theta, i, rope->rotary_dim);
        double slowed = fmin(fmax(((double)i - low) / (high - low), 0), 1);
        out[i] = frequency / rope->factor * slowed + frequency * (1 - slowed);
    }
}

void architecture_rope_frequencies(const struct rope_facts *rope, int64_t length,
                                   double *inverse_frequencies, double *attention_factor)
{
    int64_t dim = rope->rotary_dim;
    double theta = rope->theta;
    const double *divisors =
        length > rope->original_positions ? rope->long_factors : rope->short_factors;
    if (rope->scaling == ROPE_SCALING_DYNAMIC && length > rope->original_positions) {
        double stretch = (double)length / (double)rope->original_positions;
        theta *= pow(rope->factor * stretch - (rope->factor - 1), (double)dim / (double)(dim - 2));
    }
    if (rope->scaling == ROPE_SCALING_YARN)
        yarn_frequencies(rope, inverse_frequencies);
    for (int64_t i = 0; i < dim / 2 && rope->scaling != ROPE_SCALING_YARN; i++) {
        double frequency = plain_frequency(theta, i, dim);
        if (rope->scaling == ROPE_SCALING_LINEAR)
            frequency /= rope->factor;
        if (rope->scaling == ROPE_SCALING_LLAMA3)
            frequency = llama3_frequency(rope, frequency);
        if (rope->scaling == ROPE_SCALING_LONGROPE)
            frequency /= divisors[i];
        inverse_frequencies[i] = frequency;
    }
    for (int64_t i = 0; i < dim / 2; i++)
        inverse_frequencies[i] = (double)(float)inverse_frequencies[i];
    *attention_factor = rope->attention_factor;
}

void architecture_alibi_slopes(int64_t head_count, float *slopes)
{
    int64_t power = 1;
    while (2 * power <= head_count)
        power *= 2;
    /* 2^(-8/n), 2^(-16/n), ... for the largest power of two; the heads beyond it take every
     * other slope of twice as many. */
    for (int64_t head = 0; head < head_count; head++) {
        double exponent = head < power ? -8.0 * (double)(head + 1) / (double)power
                                       : -4.0 * (double)(2 * (head - power) + 1) / (double)power;
        slopes[head] = (float)exp2(exponent);
    }
}
