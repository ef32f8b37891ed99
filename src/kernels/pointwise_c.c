/* Norms, activations, rotary positions, residual sums and logit scaling: the reference in plain
 * C, which fills every entry. pointwise_{avx2,avx512,neon}.c overwrite it. */
#include <math.h>

#include "kernels/kernels_internal.h"
#include "kernels/math_c.h"

enum { LANES = 16 };

/* Sums of x - shift, or of its squares, in LANES independent chains: short chains round less. */
static float sum_shifted(const float *x, int64_t count, float shift, bool squared)
{
    float lane[LANES] = {0};
    int64_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        for (int k = 0; k < LANES; k++) {
            float value = x[i + k] - shift;
            lane[k] += squared ? value * value : value;
        }
    }
    for (int k = 0; i < count; i++, k++) {
        float value = x[i] - shift;
        lane[k] += squared ? value * value : value;
    }
    float sum = 0;
    for (int k = 0; k < LANES; k++)
        sum += lane[k];
    return sum;
}

static void scale_row(const float *x, float *y, int64_t width, float mean, float factor,
                      const float *gain, const float *bias)
{
    for (int64_t i = 0; i < width; i++) {
        float value = (x[i] - mean) * factor;
        if (gain != NULL)
            value *= gain[i];
        y[i] = bias != NULL ? value + bias[i] : value;
    }
}

static void norm_layer(const float *x, int64_t x_stride, float *y, int64_t y_stride, int64_t rows,
                       int64_t width, const float *gain, const float *bias, float epsilon)
{
    for (int64_t row = 0; row < rows; row++, x += x_stride, y += y_stride) {
        float mean = sum_shifted(x, width, 0, false) / (float)width;
        float variance = sum_shifted(x, width, mean, true) / (float)width;
        scale_row(x, y, width, mean, 1.0f / sqrtf(variance + epsilon), gain, bias);
    }
}

static void norm_rms(const float *x, int64_t x_stride, float *y, int64_t y_stride, int64_t rows,
                     int64_t width, const float *gain, float epsilon)
{
    for (int64_t row = 0; row < rows; row++, x += x_stride, y += y_stride) {
        float square = sum_shifted(x, width, 0, true) / (float)width;
        scale_row(x, y, width, 0, 1.0f / sqrtf(square + epsilon), gain, NULL);
    }
}

static void activate(enum kernel_activation kind, float *x, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        x[i] = math_activate(kind, x[i]);
}

static void gate(enum kernel_activation kind, float *x, const float *up, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        x[i] = math_activate(kind, x[i]) * up[i];
}

static void add_scaled(float *x, const float *y, float scale, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        x[i] += y[i] * scale;
}

static void rope(float *x, int64_t heads, int64_t head_dim, int64_t rotary_dim, const float *cosine,
                 const float *sine, bool interleaved)
{
    int64_t half = rotary_dim / 2;
    int64_t step = interleaved ? 2 : 1, apart = interleaved ? 1 : half;
    for (int64_t head = 0; head < heads; head++, x += head_dim) {
        for (int64_t i = 0; i < half; i++) {
            float *first = x + i * step, *second = first + apart;
            float a = *first, b = *second;
            *first = a * cosine[i] - b * sine[i];
            *second = b * cosine[i] + a * sine[i];
        }
    }
}

static void scale_softcap(float *x, int64_t count, float scale, float cap)
{
    if (cap == 0) {
        for (int64_t i = 0; i < count; i++)
            x[i] *= scale;
        return;
    }
    for (int64_t i = 0; i < count; i++)
        x[i] = cap * math_tanh(x[i] * scale / cap);
}

void pointwise_fill_c(struct kernels *table)
{
    table->norm_layer = norm_layer;
    table->norm_rms = norm_rms;
    table->activate = activate;
    table->gate = gate;
    table->add_scaled = add_scaled;
    table->rope = rope;
    table->scale_softcap = scale_softcap;
}
