/* Linear layers over the pool: every thread count and way of cutting gives the same sums. */
#include "test.h"

#include "engine/cpu/cpu_linear.h"

struct source {
    int64_t outputs, inputs;
};

/* Small integers: float32 sums of their products are exact, in any order. */
static float weight_at(int64_t row, int64_t column)
{
    return (float)((row * 7 + column * 3) % 5 - 2);
}

static float x_at(int64_t row, int64_t column)
{
    return (float)((row * 5 + column) % 7 - 3);
}

static void read_rows(void *context, int64_t first, int64_t count, float *out)
{
    const struct source *source = context;
    assert_true(first % KERNEL_PANEL == 0 && count >= 1);
    assert_true(first + count <= source->outputs);
    assert_true(count * source->inputs <= cpu_pack_floats(source->inputs));
    for (int64_t i = 0; i < count * source->inputs; i++)
        out[i] = weight_at(first + i / source->inputs, i % source->inputs);
}

static void check(struct thread_pool *pool, int64_t rows, int64_t inputs, int64_t outputs,
                  bool bf16)
{
    const struct kernels *kernels = kernels_choose("auto");
    enum kernel_type type = bf16 ? KERNEL_BF16 : KERNEL_F32;
    struct source source = {outputs, inputs};
    struct cpu_matrix matrix;
    struct error error = {0};
    assert_int_equal(
        cpu_matrix_pack(&matrix, pool, kernels, type, outputs, inputs, read_rows, &source, &error),
        0);
    assert_int_equal(matrix.bytes, kernel_packed_bytes(type, outputs, inputs));
    float *x = malloc((size_t)(rows * inputs) * sizeof *x);
    for (int64_t i = 0; i < rows * inputs; i++)
        x[i] = x_at(i / inputs, i % inputs);
    size_t prepared_bytes = (kernel_prepared_bytes(type, rows, inputs) + 63) / 64 * 64;
    void *prepared = aligned_alloc(64, prepared_bytes);
    cpu_linear_prepare(pool, kernels, type, x, inputs, rows, inputs, prepared);
    float *y = malloc((size_t)(rows * outputs) * sizeof *y);
    struct linear_call call = {
        .type = type,
        .x = bf16 ? prepared : x,
        .x_stride = inputs,
        .inputs = inputs,
        .outputs = outputs,
        .weight = matrix.data,
        .y = y,
        .y_stride = outputs,
        .scale = 1,
    };
    cpu_linear_run(pool, kernels, &call, rows);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t o = 0; o < outputs; o++) {
            double sum = 0;
            for (int64_t k = 0; k < inputs; k++)
                sum += (double)x_at(r, k) * (double)weight_at(o, k);
            assert_close(y[r * outputs + o], sum, 0);
        }
    free(x);
    free(y);
    free(prepared);
    cpu_matrix_free(&matrix);
    assert_null(matrix.data);
}

static void test_shapes_and_threads(void **state)
{
    (void)state;
    static const int64_t shapes[][3] = {{1, 1, 1},    {1, 64, 1000}, {4, 77, 33},    {16, 600, 96},
                                        {57, 40, 65}, {200, 33, 31}, {130, 520, 260}};
    for (int threads = 1; threads <= 5; threads += 2) {
        struct error error = {0};
        struct thread_pool *pool = NULL;
        assert_int_equal(thread_pool_create(&pool, threads, false, &error), 0);
        for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
            check(pool, shapes[i][0], shapes[i][1], shapes[i][2], false);
            check(pool, shapes[i][0], shapes[i][1], shapes[i][2], true);
        }
        thread_pool_destroy(pool);
    }
}

static void test_impossible_size_is_an_error(void **state)
{
    (void)state;
    struct error error = {0};
    struct thread_pool *pool = NULL;
    assert_int_equal(thread_pool_create(&pool, 2, false, &error), 0);
    struct source source = {(int64_t)1 << 40, 1 << 10};
    struct cpu_matrix matrix;
    assert_int_equal(cpu_matrix_pack(&matrix, pool, kernels_choose("c"), KERNEL_F32, source.outputs,
                                     source.inputs, read_rows, &source, &error),
                     ERROR_MEMORY);
    assert_null(matrix.data);
    assert_contains(error.text, "1099511627776 x 1024");
    cpu_matrix_free(&matrix);
    thread_pool_destroy(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes_and_threads),
        cmocka_unit_test(test_impossible_size_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
