/* The linear layers of every instruction set that runs here against sums in double precision. */
#include "test.h"

#include "base/philox.h"
#include "kernels/kernels.h"
#include "linear_bench.h"

enum { TYPES = KERNEL_Q4_0 + 1 }; /* those that are packed from float32 */

struct problem {
    enum kernel_type type;
    int64_t rows, inputs, outputs;
    enum kernel_activation activation;
    bool bias, residual, residual_is_y;
    float scale;
    float magnitude; /* of x */
};

struct data {
    float *x, *weight, *bias, *residual, *y;
    void *packed, *prepared;
    int64_t x_stride, y_stride;
};

static float random_float(uint64_t stream, uint64_t index)
{
    struct philox_block counter = {{(uint32_t)index, (uint32_t)(index >> 32), 0, 0}};
    return (float)philox4x32(counter, stream).word[0] * 0x1p-31F - 1.0F;
}

static float *random_floats(uint64_t stream, int64_t count, float magnitude)
{
    float *out = malloc((size_t)(count > 0 ? count : 1) * sizeof *out);
    for (int64_t i = 0; i < count; i++)
        out[i] = magnitude * random_float(stream, (uint64_t)i);
    return out;
}

static struct data data_make(const struct kernels *kernels, const struct problem *p)
{
    struct data d = {.x_stride = p->inputs + 3, .y_stride = p->outputs + 5};
    d.x = random_floats(1, p->rows * d.x_stride, p->magnitude);
    d.weight = random_floats(2, p->outputs * p->inputs, 0.5F);
    d.bias = random_floats(3, p->outputs, 1.0F);
    d.residual = random_floats(4, p->rows * d.y_stride, 1.0F);
    d.y = random_floats(4, p->rows * d.y_stride, 1.0F);
    size_t bytes = kernel_packed_bytes(p->type, p->outputs, p->inputs);
    size_t panel = kernel_panel_bytes(p->type, p->inputs);
    d.packed = aligned_alloc(64, bytes);
    for (int64_t first = 0; first < p->outputs; first += KERNEL_PANEL) {
        int64_t count = p->outputs - first < KERNEL_PANEL ? p->outputs - first : KERNEL_PANEL;
        kernels->pack_panel(p->type, d.weight + first * p->inputs, count, p->inputs,
                            (char *)d.packed + (size_t)(first / KERNEL_PANEL) * panel);
    }
    bytes = (kernel_prepared_bytes(p->type, p->rows, p->inputs) + 63) / 64 * 64;
    d.prepared = aligned_alloc(64, bytes);
    kernel_prepare(kernels, p->type, d.x, d.x_stride, p->rows, p->inputs, d.prepared);
    return d;
}

static void data_free(struct data *d)
{
    free(d->x);
    free(d->weight);
    free(d->bias);
    free(d->residual);
    free(d->y);
    free(d->packed);
    free(d->prepared);
}

static double activate(enum kernel_activation kind, double v)
{
    switch (kind) {
    case KERNEL_GELU_TANH:
        return 0.5 * v * (1 + tanh(sqrt(2 / 3.14159265358979323846) * (v + 0.044715 * v * v * v)));
    case KERNEL_GELU_ERF:
        return 0.5 * v * (1 + erf(v / sqrt(2)));
    case KERNEL_RELU:
        return v > 0 ? v : 0;
    case KERNEL_SILU:
        return v / (1 + exp(-v));
    case KERNEL_QUICK_GELU:
        return v / (1 + exp(-1.702 * v));
    case KERNEL_IDENTITY:
        break;
    }
    return v;
}

/* What rounding x and w to the type may move a product of two values below the given sizes. */
static double type_tolerance(enum kernel_type type)
{
    switch (type) {
    case KERNEL_F16:
        return 0x1p-10;
    case KERNEL_BF16:
        return 0x1p-7;
    case KERNEL_I8:
        return 1.0 / 100;
    case KERNEL_Q4_0:
        return 1.0 / 16;
    default:
        return 0x1p-22;
    }
}

static void run_call(const struct kernels *kernels, const struct problem *p, struct data *d)
{
    struct linear_call call = {
        .type = p->type,
        .x = p->type == KERNEL_F32 ? (const void *)d->x : d->prepared,
        .x_stride = d->x_stride,
        .inputs = p->inputs,
        .outputs = p->outputs,
        .weight = d->packed,
        .y = d->y,
        .y_stride = d->y_stride,
        .bias = p->bias ? d->bias : NULL,
        .activation = p->activation,
        .scale = p->scale,
        .residual = !p->residual       ? NULL
                    : p->residual_is_y ? d->y
                                       : d->residual,
        .residual_stride = d->y_stride,
    };
    int64_t panels = (p->outputs + KERNEL_PANEL - 1) / KERNEL_PANEL;
    /* In parts, as threads do. */
    int64_t half = panels / 2;
    int64_t rows = p->rows / 3;
    kernel_linear(kernels, &call, 0, rows, 0, panels);
    kernel_linear(kernels, &call, rows, p->rows - rows, 0, half);
    kernel_linear(kernels, &call, rows, p->rows - rows, half, panels - half);
}

/* x W^T [rows, outputs] in double. Problems of one shape have the same data, so the products of
 * the last one are kept. */
static const double *expect_products(const struct problem *p, const struct data *d)
{
    static struct problem last;
    static double *products;
    if (products != NULL && last.inputs == p->inputs && last.outputs == p->outputs &&
        last.magnitude == p->magnitude && last.rows >= p->rows)
        return products;
    free(products);
    products = malloc((size_t)(p->rows * p->outputs) * sizeof *products);
    last = *p;
    for (int64_t r = 0; r < p->rows; r++) {
        for (int64_t o = 0; o < p->outputs; o++) {
            double sum = 0;
            for (int64_t k = 0; k < p->inputs; k++)
                sum += (double)d->x[r * d->x_stride + k] * (double)d->weight[o * p->inputs + k];
            products[r * p->outputs + o] = sum;
        }
    }
    return products;
}

static void check(const struct kernels *kernels, const struct problem *p)
{
    struct data d = data_make(kernels, p);
    const double *products = expect_products(p, &d);
    float *before = malloc((size_t)(p->rows * d.y_stride) * sizeof *before);
    memcpy(before, d.y, (size_t)(p->rows * d.y_stride) * sizeof *before);
    run_call(kernels, p, &d);
    for (int64_t r = 0; r < p->rows; r++) {
        for (int64_t o = 0; o < p->outputs; o++) {
            double v = products[r * p->outputs + o] + (p->bias ? (double)d.bias[o] : 0);
            v = activate(p->activation, v) * (double)p->scale;
            if (p->residual)
                v += (double)d.residual[r * d.y_stride + o];
            double size = 0.5 * (double)p->magnitude * sqrt((double)p->inputs) + 1;
            double tolerance = 4 * type_tolerance(p->type) * size * fmax(1, fabs((double)p->scale));
            double got = (double)d.y[r * d.y_stride + o];
            if (!(fabs(got - v) <= tolerance))
                fail_msg("%s type %d, %lld x %lld x %lld, act %d, residual %d%d: [%lld,%lld] %g, "
                         "expected %g within %g",
                         kernels->isa, (int)p->type, (long long)p->rows, (long long)p->inputs,
                         (long long)p->outputs, (int)p->activation, p->residual, p->residual_is_y,
                         (long long)r, (long long)o, got, v, tolerance);
        }
        for (int64_t o = p->outputs; o < d.y_stride; o++)
            assert_true(d.y[r * d.y_stride + o] == before[r * d.y_stride + o]);
    }
    free(before);
    data_free(&d);
}

/* The instruction set named on the command line; NULL: all that run here. */
static const char *only_set;

static void for_every_set(void (*body)(const struct kernels *kernels))
{
    for (size_t i = 0; i < kernels_count(); i++)
        if (kernels_runnable(i) && (only_set == NULL || strcmp(only_set, kernels_name(i)) == 0))
            body(kernels_choose(kernels_name(i)));
}

/* Every number of rows up to three tiles, odd inputs and outputs. */
static void check_rows(const struct kernels *kernels)
{
    static const int64_t inputs[] = {1, 7, 33, 130};
    static const int64_t outputs[] = {1, 31, 32, 45, 70};
    for (int64_t rows = 1; rows <= 40; rows++)
        for (int type = 0; type < TYPES; type++) {
            struct problem p = {.type = type, .rows = rows, .scale = 1, .magnitude = 1};
            p.inputs = inputs[rows % 4];
            p.outputs = outputs[rows % 5];
            p.bias = rows % 2 == 0;
            check(kernels, &p);
        }
}

static void check_epilogues(const struct kernels *kernels)
{
    for (int type = 0; type < TYPES; type++)
        for (int kind = KERNEL_IDENTITY; kind <= KERNEL_QUICK_GELU; kind++)
            for (int variant = 0; variant < 8; variant++) {
                struct problem p = {.type = type, .activation = kind, .inputs = 29, .outputs = 50};
                p.rows = 1 + 3 * variant;
                p.scale = variant % 3 == 0 ? 1.0F : -1.75F;
                p.bias = (variant & 1) != 0;
                p.residual = (variant & 2) != 0;
                p.residual_is_y = (variant & 4) != 0;
                p.magnitude = 2;
                check(kernels, &p);
            }
}

/* Inputs beyond one block, many rows and panels: the blocked paths, with and without aliasing. */
static void check_blocks(const struct kernels *kernels)
{
    for (int type = 0; type < TYPES; type++)
        for (int variant = 0; variant < 6; variant++) {
            struct problem p = {.type = type, .inputs = 1025, .outputs = 81, .magnitude = 1};
            p.rows = variant < 3 ? 17 : 61;
            p.scale = 0.5F;
            p.bias = true;
            p.activation = variant % 3 == 1 ? KERNEL_GELU_TANH : KERNEL_IDENTITY;
            p.residual = variant != 2;
            p.residual_is_y = variant % 2 == 0;
            check(kernels, &p);
            p.activation = KERNEL_SILU;
            p.residual_is_y = variant % 2 == 1;
            check(kernels, &p);
        }
}

/* Rows so long that the copies of one tile fit, of half a tile, of none (int8 on AVX2). */
static void check_long_rows(const struct kernels *kernels)
{
    static const int64_t inputs[] = {11008, 24000, 30101};
    for (int type = 0; type < TYPES; type++)
        for (size_t i = 0; i < sizeof inputs / sizeof inputs[0]; i++) {
            struct problem p = {.type = type, .rows = 46, .outputs = 33, .scale = 1};
            p.inputs = inputs[i];
            p.magnitude = 1;
            p.residual = true;
            p.residual_is_y = i % 2 == 0;
            p.activation = i % 2 == 0 ? KERNEL_SILU : KERNEL_IDENTITY;
            if (type == KERNEL_I8 || (i == 0 && type == KERNEL_BF16))
                check(kernels, &p);
        }
}

static void test_rows(void **state)
{
    (void)state;
    for_every_set(check_rows);
}

static void test_epilogues(void **state)
{
    (void)state;
    for_every_set(check_epilogues);
}

static void test_blocks(void **state)
{
    (void)state;
    for_every_set(check_blocks);
}

static void test_long_rows(void **state)
{
    (void)state;
    for_every_set(check_long_rows);
}

/* Rounding is a matter of the type, not of the instruction set: prepared rows agree byte by byte,
 * and so do int8 products whatever multiplied them. */
static void test_sets_agree(void **state)
{
    (void)state;
    const struct kernels *reference = kernels_choose("c");
    assert_non_null(reference);
    for (size_t i = 0; i < kernels_count(); i++) {
        const struct kernels *kernels = kernels_choose(kernels_name(i));
        if (kernels == NULL)
            continue;
        for (int type = KERNEL_F16; type < TYPES; type++) {
            struct problem p = {.type = type, .rows = 19, .inputs = 77, .outputs = 40};
            p.scale = 1;
            p.magnitude = 300;
            struct data a = data_make(reference, &p);
            struct data b = data_make(kernels, &p);
            size_t row_bytes = kernel_prepared_bytes(type, 1, p.inputs);
            size_t used = type == KERNEL_I8     ? 64 + (size_t)p.inputs
                          : type == KERNEL_Q4_0 ? ((size_t)p.inputs + 31) / 32 * 64
                                                : (size_t)p.inputs * 4;
            for (int64_t r = 0; r < p.rows; r++) {
                const char *left = (const char *)a.prepared + (size_t)r * row_bytes;
                const char *right = (const char *)b.prepared + (size_t)r * row_bytes;
                assert_memory_equal(left, right, sizeof(float));
                size_t first = type == KERNEL_I8 ? 64 : 0;
                assert_memory_equal(left + first, right + first, used - first);
            }
            run_call(reference, &p, &a);
            run_call(kernels, &p, &b);
            if (type == KERNEL_I8)
                assert_memory_equal(a.y, b.y, (size_t)(p.rows * a.y_stride) * sizeof(float));
            data_free(&a);
            data_free(&b);
        }
    }
}

static void check_unpack(const struct kernels *kernels)
{
    for (int type = 0; type < TYPES; type++) {
        struct problem p = {.type = type, .rows = 1, .inputs = 37, .outputs = 70};
        struct data d = data_make(kernels, &p);
        float row[37];
        for (int64_t o = 0; o < p.outputs; o++) {
            kernels->unpack_row(type, d.packed, p.inputs, o, row);
            for (int64_t k = 0; k < p.inputs; k++)
                assert_close(row[k], d.weight[o * p.inputs + k],
                             type == KERNEL_F32 ? 0 : type_tolerance(type));
        }
        data_free(&d);
    }
}

static void test_unpack(void **state)
{
    (void)state;
    for_every_set(check_unpack);
}

/* A fault in the data must reach the logits, where the engine looks for it; zeros stay zeros. */
static void check_extremes(const struct kernels *kernels)
{
    static const float values[] = {NAN, INFINITY, -INFINITY, 0.0F, 1e-30F, 1e-42F};
    for (int type = 0; type < TYPES; type++)
        for (size_t v = 0; v < sizeof values / sizeof values[0]; v++)
            for (int64_t place = 0; place < 50; place += 7) {
                struct problem p = {.type = type, .rows = 6, .inputs = 50, .outputs = 33};
                p.scale = 1;
                struct data d = data_make(kernels, &p);
                d.x[2 * d.x_stride + place] = values[v];
                kernel_prepare(kernels, type, d.x, d.x_stride, p.rows, p.inputs, d.prepared);
                run_call(kernels, &p, &d);
                for (int64_t r = 0; r < p.rows; r++) {
                    float y = d.y[r * d.y_stride + 32];
                    if (r == 2 && !isfinite(values[v]))
                        assert_false(isfinite(y));
                    else
                        assert_true(fabsf(y) <= 1e-30F);
                }
                data_free(&d);
            }
}

static void test_extremes(void **state)
{
    (void)state;
    for_every_set(check_extremes);
}

static void test_choice(void **state)
{
    (void)state;
    assert_null(kernels_choose("avx1024"));
    assert_non_null(kernels_choose(NULL));
    assert_ptr_equal(kernels_choose(NULL), kernels_choose("auto"));
    assert_string_equal(kernels_name(kernels_count() - 1), "c");
    assert_true(kernels_runnable(kernels_count() - 1));
    for (size_t i = 0; i < kernels_count(); i++) {
        const struct kernels *kernels = kernels_choose(kernels_name(i));
        assert_int_equal(kernels != NULL, kernels_runnable(i));
        if (kernels != NULL)
            assert_string_equal(kernels->isa, kernels_name(i));
    }
}

int main(int argument_count, char **arguments)
{
    if (argument_count > 1 && strcmp(arguments[1], "--bench") == 0)
        return bench_run(argument_count > 2 ? arguments[2] : NULL,
                         argument_count > 3 ? arguments[3] : NULL);
    only_set = argument_count > 1 ? arguments[1] : NULL;
    if (kernels_choose(only_set) == NULL) {
        printf("%s does not run here\n", only_set);
        return 2;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),       cmocka_unit_test(test_epilogues),
        cmocka_unit_test(test_blocks),     cmocka_unit_test(test_long_rows),
        cmocka_unit_test(test_sets_agree), cmocka_unit_test(test_unpack),
        cmocka_unit_test(test_extremes),   cmocka_unit_test(test_choice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
