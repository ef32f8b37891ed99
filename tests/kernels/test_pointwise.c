/* Norms, activations, rotary positions, residual sums and logit scaling of every instruction set
 * against double, for widths around the vectors' and extreme inputs. --bench: ns an element. */
#include "kernel_inputs.h"

/* Room for the widest row and for the guard behind every row. */
enum { WIDTH = 1030, GUARD = 16, STRIDE = WIDTH + GUARD };
static const float guard_value = -77.25f;

static const int64_t widths[] = {1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 100, 768, WIDTH};
enum { WIDTH_COUNT = sizeof widths / sizeof widths[0] };

static void fill_guarded(struct inputs *inputs, float *x, int64_t count, float deviation)
{
    fill_normal(inputs, x, count, deviation);
    for (int64_t i = 0; i < GUARD; i++)
        x[count + i] = guard_value;
}

static void check_guard(const float *x, int64_t count)
{
    for (int64_t i = 0; i < GUARD; i++)
        assert_true(x[count + i] == guard_value);
}

static void check_norms(const struct kernels *table)
{
    struct inputs inputs = {1, 0};
    float gain[WIDTH], bias[WIDTH], x[3 * STRIDE], y[3 * STRIDE];
    fill_normal(&inputs, gain, WIDTH, 1);
    fill_normal(&inputs, bias, WIDTH, 1);
    for (int i = 0; i < WIDTH_COUNT * 8; i++) {
        int64_t width = widths[i / 8];
        bool layer = i & 1, gained = i & 2, in_place = i & 4;
        for (int row = 0; row < 3; row++) {
            fill_guarded(&inputs, x + row * STRIDE, width, row == 1 ? 1e-3f : 3);
            for (int64_t k = 0; k < width; k++)
                x[row * STRIDE + k] += row == 2 ? 20 : 0;
            fill_guarded(&inputs, y + row * STRIDE, width, 1);
        }
        float source[3 * STRIDE];
        memcpy(source, x, sizeof x);
        float *out = in_place ? x : y;
        if (layer)
            table->norm_layer(x, STRIDE, out, STRIDE, 3, width, gained ? gain : NULL,
                              gained ? bias : NULL, 1e-5f);
        else
            table->norm_rms(x, STRIDE, out, STRIDE, 3, width, gained ? gain : NULL, 1e-5f);
        for (int row = 0; row < 3; row++) {
            const float *from = source + row * STRIDE;
            double mean = 0, variance = 0;
            for (int64_t k = 0; k < width; k++)
                mean += layer ? from[k] / (double)width : 0;
            for (int64_t k = 0; k < width; k++)
                variance += (from[k] - mean) * (from[k] - mean) / (double)width;
            for (int64_t k = 0; k < width; k++) {
                double value = (from[k] - mean) / sqrt(variance + 1e-5);
                if (gained)
                    value = value * gain[k] + (layer ? bias[k] : 0);
                assert_close(out[row * STRIDE + k], value, 2e-5 * (1 + fabs(value)));
            }
            check_guard(out + row * STRIDE, width);
        }
    }
}

static void test_norms(void **state)
{
    (void)state;
    for_each_isa(check_norms);
}

static double expect_activation(enum kernel_activation kind, double x)
{
    switch (kind) {
    case KERNEL_GELU_TANH:
        return 0.5 * x * (1 + tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
    case KERNEL_GELU_ERF:
        return 0.5 * x * erfc(-x / 1.4142135623730951);
    case KERNEL_RELU:
        return fmax(x, 0);
    case KERNEL_SILU:
        return x / (1 + exp(-x));
    case KERNEL_QUICK_GELU:
        return x / (1 + exp(-1.702 * x));
    case KERNEL_IDENTITY:
        break;
    }
    return x;
}

/* From the finest steps around zero to the largest floats. */
static float activation_input(int64_t i)
{
    static const float extremes[] = {0, 1e-30f, 3e-5f, 88.5f, 120, 1e4f, 1e20f, 3e38f};
    if (i < 16)
        return i & 1 ? -extremes[i / 2] : extremes[i / 2];
    return (float)(i - 8016) / 640;
}

static void check_activations(const struct kernels *table)
{
    enum { COUNT = 16017 };
    float *x = allocate_poisoned(COUNT * sizeof(float)),
          *y = allocate_poisoned(COUNT * sizeof(float));
    float *up = allocate_poisoned(COUNT * sizeof(float));
    struct inputs inputs = {2, 0};
    fill_normal(&inputs, up, COUNT, 1);
    for (enum kernel_activation kind = KERNEL_IDENTITY; kind <= KERNEL_QUICK_GELU; kind++) {
        for (int64_t i = 0; i < COUNT; i++)
            x[i] = y[i] = activation_input(i);
        table->activate(kind, x, COUNT);
        table->gate(kind, y, up, COUNT);
        for (int64_t i = 0; i < COUNT; i++) {
            double input = activation_input(i), expected = expect_activation(kind, input);
            double tolerance = 3e-7 * fabs(expected) + 6e-8 * fmin(fabs(input), 8) + 1e-30;
            if (fabs(input) > 1e4)
                tolerance = 1e-6 * fabs(input);
            if (!(fabs(x[i] - expected) <= tolerance))
                fail_msg("%s: activation %d of %.9g is %.9g, expected %.9g", table->isa, (int)kind,
                         input, (double)x[i], expected);
            if (fabs(input) < 1e30)
                assert_close(y[i], (double)x[i] * up[i], 1e-7 * fabs((double)x[i] * up[i]) + 1e-37);
        }
    }
    free(x);
    free(y);
    free(up);
}

static void test_activations(void **state)
{
    (void)state;
    for_each_isa(check_activations);
}

static void check_tails(const struct kernels *table)
{
    struct inputs inputs = {3, 0};
    for (int i = 0; i < WIDTH_COUNT; i++) {
        int64_t width = widths[i];
        float x[STRIDE], y[STRIDE], before[STRIDE];
        fill_guarded(&inputs, x, width, 1);
        fill_guarded(&inputs, y, width, 1);
        memcpy(before, x, sizeof x);
        table->add_scaled(x, y, 0.3f, width);
        for (int64_t k = 0; k < width; k++)
            assert_close(x[k], before[k] + (double)0.3f * y[k], 1e-6);
        check_guard(x, width);
        memcpy(x, before, sizeof x);
        table->gate(KERNEL_SILU, x, y, width);
        for (int64_t k = 0; k < width; k++)
            assert_close(x[k], expect_activation(KERNEL_SILU, before[k]) * y[k], 2e-6);
        check_guard(x, width);
        for (int capped = 0; capped < 2; capped++) {
            memcpy(x, before, sizeof x);
            table->scale_softcap(x, width, 25, capped ? 30 : 0);
            for (int64_t k = 0; k < width; k++)
                assert_close(x[k], capped ? 30 * tanh(before[k] * 25.0 / 30) : before[k] * 25.0,
                             2e-5);
            check_guard(x, width);
        }
    }
}

static void test_tails(void **state)
{
    (void)state;
    for_each_isa(check_tails);
}

static void check_rope(const struct kernels *table)
{
    static const int64_t dims[][2] = {{64, 64}, {64, 16}, {80, 32},  {128, 128}, {6, 6},
                                      {10, 2},  {48, 46}, {256, 64}, {2, 2}};
    struct inputs inputs = {4, 0};
    for (size_t i = 0; i < 2 * sizeof dims / sizeof dims[0]; i++) {
        int64_t head_dim = dims[i / 2][0], rotary_dim = dims[i / 2][1], half = rotary_dim / 2;
        bool interleaved = i & 1;
        /* Exactly as long as they may be read. */
        float *cosine = allocate_poisoned((size_t)half * sizeof(float));
        float *sine = allocate_poisoned((size_t)half * sizeof(float));
        for (int64_t k = 0; k < half; k++) {
            double angle = 6.3 * input_uniform(&inputs);
            cosine[k] = (float)cos(angle);
            sine[k] = (float)sin(angle);
        }
        float x[3 * 256 + GUARD], before[3 * 256 + GUARD];
        fill_guarded(&inputs, x, 3 * head_dim, 1);
        memcpy(before, x, sizeof x);
        table->rope(x, 3, head_dim, rotary_dim, cosine, sine, interleaved);
        check_guard(x, 3 * head_dim);
        for (int64_t k = 0; k < 3 * head_dim; k++) {
            int64_t d = k % head_dim, base = k - d;
            double expected = before[k];
            if (d < rotary_dim) {
                int64_t pair = interleaved ? d / 2 : d % half;
                bool second = interleaved ? d % 2 : d >= half;
                const float *a = before + base + (interleaved ? 2 * pair : pair);
                double b = a[interleaved ? 1 : half];
                expected = second ? b * cosine[pair] + (double)*a * sine[pair]
                                  : *a * (double)cosine[pair] - b * sine[pair];
            }
            assert_close(x[k], expected, 1e-6);
        }
        free(cosine);
        free(sine);
    }
}

static void test_rope(void **state)
{
    (void)state;
    for_each_isa(check_rope);
}

enum { BENCH_WIDTH = 3072, BENCH_ROWS = 16 };

struct bench {
    const struct kernels *table;
    enum kernel_activation kind;
    float cosine[32], sine[32];
    float x[BENCH_ROWS * BENCH_WIDTH], y[BENCH_ROWS * BENCH_WIDTH];
};

static void bench_norm_layer(void *context)
{
    struct bench *bench = context;
    bench->table->norm_layer(bench->x, BENCH_WIDTH, bench->y, BENCH_WIDTH, BENCH_ROWS, BENCH_WIDTH,
                             bench->x, bench->x, 1e-5f);
}

static void bench_norm_rms(void *context)
{
    struct bench *bench = context;
    bench->table->norm_rms(bench->x, BENCH_WIDTH, bench->y, BENCH_WIDTH, BENCH_ROWS, BENCH_WIDTH,
                           bench->x, 1e-5f);
}

static void bench_activate(void *context)
{
    struct bench *bench = context;
    /* In place on fresh values: activations of activations end in numbers of no interest. */
    memcpy(bench->y, bench->x, sizeof bench->x);
    bench->table->activate(bench->kind, bench->y, BENCH_ROWS * BENCH_WIDTH);
}

static void bench_softcap(void *context)
{
    struct bench *bench = context;
    bench->table->scale_softcap(bench->y, BENCH_ROWS * BENCH_WIDTH, 1, 30);
}

static void bench_rope(void *context)
{
    struct bench *bench = context;
    bench->table->rope(bench->y, BENCH_ROWS * BENCH_WIDTH / 64, 64, 64, bench->cosine, bench->sine,
                       false);
}

static void bench_isa(const struct kernels *table)
{
    static const struct {
        const char *name;
        void (*call)(void *context);
        enum kernel_activation kind;
    } cases[] = {
        {"norm_layer", bench_norm_layer, KERNEL_IDENTITY},
        {"norm_rms", bench_norm_rms, KERNEL_IDENTITY},
        {"gelu_tanh", bench_activate, KERNEL_GELU_TANH},
        {"gelu_erf", bench_activate, KERNEL_GELU_ERF},
        {"silu", bench_activate, KERNEL_SILU},
        {"softcap", bench_softcap, KERNEL_IDENTITY},
        {"rope", bench_rope, KERNEL_IDENTITY},
    };
    struct bench *bench = malloc(sizeof *bench);
    assert_non_null(bench);
    struct inputs inputs = {5, 0};
    bench->table = table;
    fill_normal(&inputs, bench->x, BENCH_ROWS * BENCH_WIDTH, 1);
    for (int i = 0; i < 32; i++) {
        bench->cosine[i] = cosf((float)i);
        bench->sine[i] = sinf((float)i);
    }
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        memcpy(bench->y, bench->x, sizeof bench->x);
        bench->kind = cases[i].kind;
        printf("%-12s %-10s %6.3f ns/element\n", table->isa, cases[i].name,
               time_call(cases[i].call, bench) / (BENCH_ROWS * BENCH_WIDTH) * 1e9);
    }
    free(bench);
}

int main(int argc, char **argv)
{
    if (bench_asked(argc, argv, bench_isa))
        return 0;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_norms),
        cmocka_unit_test(test_activations),
        cmocka_unit_test(test_tails),
        cmocka_unit_test(test_rope),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
