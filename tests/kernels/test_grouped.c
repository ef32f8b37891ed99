/* Products with weights in groups, every GGUF format that has a kernel, on every instruction set
 * that runs here: read back exactly, the same to the last bit as plain C and as a row alone, near
 * sums in double precision; random and extreme integers, all sizes of tiles. */
#include "test.h"

#include "base/half.h"
#include "base/philox.h"
#include "kernels/kernels.h"

/* The formats once more, as ggml publishes them: largest stored integer, offset, inputs that share
 * a float16 scale, inputs that share a sub-scale (0: none), minimums. */
static const struct format {
    enum kernel_type type;
    const char *name;
    int integers, offset, scale_inputs, sub_inputs;
    bool has_minimum;
} formats[] = {
    {KERNEL_Q4_0, "Q4_0", 16, 8, 32, 0, false},    {KERNEL_Q4_1, "Q4_1", 16, 0, 32, 0, true},
    {KERNEL_Q4_K, "Q4_K", 16, 0, 256, 32, true},   {KERNEL_Q5_0, "Q5_0", 32, 16, 32, 0, false},
    {KERNEL_Q5_1, "Q5_1", 32, 0, 32, 0, true},     {KERNEL_Q5_K, "Q5_K", 32, 0, 256, 32, true},
    {KERNEL_Q6_K, "Q6_K", 64, 32, 256, 16, false}, {KERNEL_Q8_0, "Q8_0", 256, 0, 32, 0, false},
};
#ifdef TEST_CASES_DIVISOR /* an emulator is slow */
enum { STEP = TEST_CASES_DIVISOR };
#else
enum { STEP = 1 };
#endif
enum { FORMATS = sizeof formats / sizeof formats[0] };

enum fill { FILL_RANDOM, FILL_LOWEST, FILL_HIGHEST, FILL_EDGES, FILL_COUNT };

struct matrix {
    const struct format *format;
    int64_t outputs, inputs;
    uint8_t *values;
    uint16_t *scales, *minimums;
    int8_t *sub_scales, *sub_minimums;
    float *weight; /* what they stand for */
    void *packed;
};

static uint32_t random_word(uint64_t stream, int64_t index)
{
    struct philox_block counter = {{(uint32_t)index, (uint32_t)(index >> 32), 0, 0}};
    return philox4x32(counter, stream).word[0];
}

static float random_float(uint64_t stream, int64_t index)
{
    return (float)random_word(stream, index) * 0x1p-31F - 1.0F;
}

/* float16 of about 0.001 to 0.03, either sign. */
static uint16_t random_half(uint64_t stream, int64_t index)
{
    uint32_t word = random_word(stream, index);
    return (uint16_t)((word & 0x83FFU) | (5U + (word >> 16 & 3U)) << 10);
}

static int choose_value(const struct format *format, enum fill fill, uint64_t stream, int64_t index)
{
    uint32_t word = random_word(stream, index);
    int lowest = format->type == KERNEL_Q8_0 ? 128 : 0;
    int highest = format->type == KERNEL_Q8_0 ? 127 : format->integers - 1;
    switch (fill) {
    case FILL_LOWEST:
        return lowest;
    case FILL_HIGHEST:
        return highest;
    case FILL_EDGES:
        return word & 1U ? lowest : highest;
    default:
        return (int)(word % (uint32_t)format->integers);
    }
}

static int sub_at(const struct matrix *m, const int8_t *subs, int64_t o, int64_t k)
{
    int64_t each = m->format->sub_inputs;
    return each == 0 ? 1 : subs[(o * m->inputs + k) / each];
}

static void fill_weights(struct matrix *m)
{
    bool is_signed = m->format->type == KERNEL_Q8_0;
    for (int64_t o = 0; o < m->outputs; o++)
        for (int64_t k = 0; k < m->inputs; k++) {
            int64_t i = o * m->inputs + k;
            int value = (is_signed ? (int8_t)m->values[i] : m->values[i]) - m->format->offset;
            int64_t place = i / m->format->scale_inputs;
            float scale = half_to_float(m->scales[place]) * (float)sub_at(m, m->sub_scales, o, k);
            m->weight[i] = scale * (float)value;
            if (m->format->has_minimum)
                m->weight[i] +=
                    half_to_float(m->minimums[place]) * (float)sub_at(m, m->sub_minimums, o, k);
        }
}

static void pack(struct matrix *m)
{
    size_t panel = kernel_panel_bytes(m->format->type, m->inputs);
    m->packed = aligned_alloc(64, kernel_packed_bytes(m->format->type, m->outputs, m->inputs));
    assert_non_null(m->packed);
    int64_t scales = m->inputs / m->format->scale_inputs;
    int64_t subs = m->format->sub_inputs > 0 ? m->inputs / m->format->sub_inputs : 0;
    for (int64_t first = 0; first < m->outputs; first += KERNEL_PANEL) {
        struct grouped_rows rows = {
            .values = m->values + first * m->inputs,
            .scales = m->scales + first * scales,
            .minimums = m->format->has_minimum ? m->minimums + first * scales : NULL,
            .sub_scales = subs > 0 ? m->sub_scales + first * subs : NULL,
            .sub_minimums =
                m->format->has_minimum && subs > 0 ? m->sub_minimums + first * subs : NULL,
        };
        int64_t left = m->outputs - first;
        kernel_pack_grouped(m->format->type, &rows, left < KERNEL_PANEL ? left : KERNEL_PANEL,
                            m->inputs, (char *)m->packed + (size_t)(first / KERNEL_PANEL) * panel);
    }
}

static struct matrix matrix_make(const struct format *format, int64_t outputs, int64_t inputs,
                                 enum fill fill)
{
    struct matrix m = {.format = format, .outputs = outputs, .inputs = inputs};
    int64_t count = outputs * inputs;
    m.values = malloc((size_t)count);
    m.scales = malloc((size_t)count * sizeof *m.scales);
    m.minimums = malloc((size_t)count * sizeof *m.minimums);
    m.sub_scales = malloc((size_t)count);
    m.sub_minimums = malloc((size_t)count);
    m.weight = malloc((size_t)count * sizeof *m.weight);
    for (int64_t i = 0; i < count; i++) {
        m.values[i] = (uint8_t)choose_value(format, fill, 1, i);
        m.scales[i] = random_half(2, i);
        m.minimums[i] = random_half(3, i);
        int widest = format->type == KERNEL_Q6_K ? 256 : 64;
        int sub = (int)(random_word(4, i) % (uint32_t)widest);
        if (fill != FILL_RANDOM)
            sub = widest == 256 ? 128 : 63;
        m.sub_scales[i] = (int8_t)sub;
        m.sub_minimums[i] = (int8_t)(random_word(5, i) % 64);
    }
    fill_weights(&m);
    pack(&m);
    return m;
}

static void matrix_free(struct matrix *m)
{
    free(m->values);
    free(m->scales);
    free(m->minimums);
    free(m->sub_scales);
    free(m->sub_minimums);
    free(m->weight);
    free(m->packed);
}

/* Two of the entries are always x's largest, so that extreme integers meet 127. */
static float *make_x(int64_t rows, int64_t inputs, float magnitude, bool is_extreme)
{
    float *x = malloc((size_t)(rows * inputs) * sizeof *x);
    for (int64_t i = 0; i < rows * inputs; i++)
        x[i] = is_extreme ? (i % inputs % 64 < 32 ? magnitude : -magnitude)
                          : magnitude * random_float(6, i);
    return x;
}

static void *prepare(const struct kernels *kernels, const float *x, int64_t rows, int64_t inputs)
{
    size_t bytes = (kernel_prepared_bytes(KERNEL_Q8_0, rows, inputs) + 63) / 64 * 64;
    void *prepared = aligned_alloc(64, bytes);
    assert_non_null(prepared);
    memset(prepared, 0, bytes);
    kernel_prepare(kernels, KERNEL_Q8_0, x, inputs, rows, inputs, prepared);
    return prepared;
}

static void multiply(const struct kernels *kernels, const struct matrix *m, const void *prepared,
                     int64_t rows, float *y)
{
    struct linear_call call = {.type = m->format->type,
                               .x = prepared,
                               .x_stride = m->inputs,
                               .inputs = m->inputs,
                               .outputs = m->outputs,
                               .weight = m->packed,
                               .y = y,
                               .y_stride = m->outputs,
                               .scale = 1};
    int64_t panels = (m->outputs + KERNEL_PANEL - 1) / KERNEL_PANEL;
    kernel_linear(kernels, &call, 0, rows, 0, panels / 2);
    kernel_linear(kernels, &call, 0, rows, panels / 2, panels - panels / 2);
}

/* Near the product in double precision: each activation is at most half a step of its group's
 * largest / 127 off. */
static void check_near(const struct kernels *kernels, const struct matrix *m, const float *x,
                       int64_t rows, const float *y)
{
    for (int64_t r = 0; r < rows; r++)
        for (int64_t o = 0; o < m->outputs; o++) {
            double sum = 0, size = 0;
            for (int64_t first = 0; first < m->inputs; first += 32) {
                double largest = 0, weights = 0;
                for (int64_t k = first; k < first + 32; k++) {
                    double w = (double)m->weight[o * m->inputs + k];
                    double value = (double)x[r * m->inputs + k];
                    sum += w * value;
                    weights += fabs(w);
                    largest = fmax(largest, fabs(value));
                }
                size += weights * largest;
            }
            double error = size * (0.5 / 127 + 1e-6);
            double got = (double)y[r * m->outputs + o];
            if (!(fabs(got - sum) <= error + 1e-5 * size))
                fail_msg("%s %s, %lld rows, %lld x %lld: [%lld, %lld] is %g, not %g within %g",
                         kernels->isa, m->format->name, (long long)rows, (long long)m->outputs,
                         (long long)m->inputs, (long long)r, (long long)o, got, sum, error);
        }
}

static void check_product(const struct matrix *m, int64_t rows, float magnitude, bool is_extreme)
{
    const struct kernels *reference = kernels_choose("c");
    float *x = make_x(rows, m->inputs, magnitude, is_extreme);
    size_t bytes = (size_t)(rows * m->outputs) * sizeof(float);
    float *expected = malloc(bytes), *y = malloc(bytes);
    void *prepared = prepare(reference, x, rows, m->inputs);
    multiply(reference, m, prepared, rows, expected);
    check_near(reference, m, x, rows, expected);
    for (size_t i = 0; i < kernels_count(); i++) {
        if (!kernels_runnable(i))
            continue;
        const struct kernels *kernels = kernels_choose(kernels_name(i));
        void *own = prepare(kernels, x, rows, m->inputs);
        assert_memory_equal(own, prepared, kernel_prepared_bytes(KERNEL_Q8_0, rows, m->inputs));
        multiply(kernels, m, own, rows, y);
        for (int64_t k = 0; k < rows * m->outputs; k++)
            if (memcmp(&y[k], &expected[k], sizeof *y) != 0)
                fail_msg("%s %s, %lld rows, %lld x %lld: %.9g at %lld, %.9g in plain C",
                         kernels->isa, m->format->name, (long long)rows, (long long)m->outputs,
                         (long long)m->inputs, (double)y[k], (long long)k, (double)expected[k]);
        for (int64_t r = 0; r < rows; r++) {
            size_t row_bytes = kernel_prepared_bytes(KERNEL_Q8_0, 1, m->inputs);
            multiply(kernels, m, (const char *)own + (size_t)r * row_bytes, 1, y);
            assert_memory_equal(y, expected + r * m->outputs, (size_t)m->outputs * sizeof(float));
        }
        free(own);
    }
    free(prepared);
    free(expected);
    free(y);
    free(x);
}

static void test_sizes(void **state)
{
    (void)state;
    static const int64_t outputs[] = {1, 31, 32, 45, 97};
    for (int f = 0; f < FORMATS; f++)
        for (int64_t rows = 1; rows <= 14; rows += STEP) {
            bool is_super = formats[f].sub_inputs > 0;
            int64_t inputs = is_super ? 256 * (1 + rows % 2) : 32 * (1 + rows % 5);
            struct matrix m = matrix_make(&formats[f], outputs[rows % 5], inputs, FILL_RANDOM);
            check_product(&m, rows, 2, false);
            matrix_free(&m);
        }
}

/* Panels that do not fit the second cache together, and rows of several tiles. */
static void test_many_panels(void **state)
{
    (void)state;
    for (int f = 0; f < FORMATS; f += STEP) {
        struct matrix m = matrix_make(&formats[f], 290, 1024, FILL_RANDOM);
        check_product(&m, 9, 1, false);
        matrix_free(&m);
    }
}

/* Every sum of 16 bits at its widest: all integers and all activations at their ends. */
static void test_extreme_integers(void **state)
{
    (void)state;
    for (int f = 0; f < FORMATS; f++)
        for (int fill = FILL_LOWEST; fill < FILL_COUNT; fill++)
            for (int is_extreme = 0; is_extreme <= 1; is_extreme++) {
                struct matrix m = matrix_make(&formats[f], 40, 256, (enum fill)fill);
                check_product(&m, 5, 1e4F, is_extreme != 0);
                matrix_free(&m);
            }
}

static void test_read_back(void **state)
{
    (void)state;
    const struct kernels *kernels = kernels_choose(NULL);
    for (int f = 0; f < FORMATS; f++) {
        struct matrix m = matrix_make(&formats[f], 70, 512, FILL_RANDOM);
        float row[512];
        for (int64_t o = 0; o < m.outputs; o++) {
            kernels->unpack_row(m.format->type, m.packed, m.inputs, o, row);
            assert_memory_equal(row, m.weight + o * m.inputs, sizeof row);
        }
        matrix_free(&m);
    }
}

/* A fault in the data must reach the logits of its row, and of no other. */
static void test_faults(void **state)
{
    (void)state;
    static const float values[] = {NAN, INFINITY, -INFINITY, 1e-42F, 0.0F};
    for (size_t i = 0; i < kernels_count(); i++) {
        if (!kernels_runnable(i))
            continue;
        const struct kernels *kernels = kernels_choose(kernels_name(i));
        for (int f = 0; f < FORMATS; f++) {
            struct matrix m = matrix_make(&formats[f], 33, 256, FILL_RANDOM);
            for (size_t v = 0; v < sizeof values / sizeof values[0]; v++)
                for (int64_t place = 0; place < m.inputs; place += 37) {
                    float x[3 * 256] = {0}, y[3 * 33];
                    x[256 + place] = values[v];
                    void *prepared = prepare(kernels, x, 3, m.inputs);
                    multiply(kernels, &m, prepared, 3, y);
                    for (int64_t k = 0; k < 3 * m.outputs; k++) {
                        bool is_hit = k / m.outputs == 1 && !isfinite(values[v]);
                        assert_true(is_hit ? !isfinite(y[k]) : fabsf(y[k]) <= 1e-30F);
                    }
                    free(prepared);
                }
            matrix_free(&m);
        }
    }
}

/* Four bits made of float32: within half a step, a step being an eighth of the group's largest;
 * what the format holds exactly comes back exactly; a fault stays one. */
static void test_quantising(void **state)
{
    (void)state;
    enum { INPUTS = 77 };
    const struct kernels *kernels = kernels_choose("c");
    size_t bytes = kernel_packed_bytes(KERNEL_Q4_0, 3, INPUTS);
    void *packed = aligned_alloc(64, bytes);
    float rows[3 * INPUTS], out[INPUTS];
    for (int64_t k = 0; k < INPUTS; k++) {
        rows[k] = random_float(9, k);
        rows[INPUTS + k] = 0.25F * (float)(k % 16 - 8);
        rows[2 * INPUTS + k] = k == 40 ? NAN : 1.0F;
    }
    kernels->pack_panel(KERNEL_Q4_0, rows, 3, INPUTS, packed);
    kernels->unpack_row(KERNEL_Q4_0, packed, INPUTS, 0, out);
    double error = 0, size = 0;
    for (int64_t k = 0; k < INPUTS; k++) {
        assert_true(fabsf(out[k] - rows[k]) <= 0.14F);
        error += pow((double)(out[k] - rows[k]), 2);
        size += pow((double)rows[k], 2);
    }
    assert_true(error <= 0.006 * size);
    kernels->unpack_row(KERNEL_Q4_0, packed, INPUTS, 1, out);
    assert_memory_equal(out, rows + INPUTS, sizeof out);
    kernels->unpack_row(KERNEL_Q4_0, packed, INPUTS, 2, out);
    for (int64_t k = 0; k < INPUTS; k++)
        assert_true(k / 32 == 1 ? isnan(out[k]) : fabsf(out[k] - 1.0F) < 1e-3F);
    free(packed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),     cmocka_unit_test(test_many_panels),
        cmocka_unit_test(test_read_back), cmocka_unit_test(test_extreme_integers),
        cmocka_unit_test(test_faults),    cmocka_unit_test(test_quantising),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
