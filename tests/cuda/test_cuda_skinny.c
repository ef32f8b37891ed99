/* The products of decode steps on the emulated GPU against sums in double: rows 1 to 16, outputs
 * and inputs that fill no tile, inputs cut into parts, every epilogue, in every schedule. */
#include "kernel_fixture.h"

static const int64_t output_counts[] = {1, 2, 15, 16, 17, 33, 48, 100};
static const int64_t input_counts[] = {8, 56, 64, 72, 264, 520, 1096, 2056};
enum {
    OUTPUT_COUNTS = sizeof output_counts / sizeof output_counts[0],
    INPUT_COUNTS = sizeof input_counts / sizeof input_counts[0],
    SCENES = OUTPUT_COUNTS * INPUT_COUNTS * SKINNY_ROWS_MAX,
    ACTIVATIONS = DEVICE_QUICK_GELU + 1,
    PARTIAL_BYTES = 1 << 16
};

struct scene {
    struct skinny_call call;
    void *weight, *bias, *x, *y; /* on the host; y as it was before */
};

static double activated(enum device_activation activation, double x)
{
    switch (activation) {
    case DEVICE_GELU_TANH:
        return 0.5 * x * (1 + tanh(0.79788456080286536 * (x + 0.044715 * x * x * x)));
    case DEVICE_GELU_ERF:
        return 0.5 * x * (1 + erf(x * 0.70710678118654752));
    case DEVICE_RELU:
        return x > 0 ? x : 0;
    case DEVICE_SILU:
        return x / (1 + exp(-x));
    case DEVICE_QUICK_GELU:
        return x / (1 + exp(-1.702 * x));
    case DEVICE_IDENTITY:
        break;
    }
    return x;
}

/* Of the many combinations each scene has one, by its number. */
static struct scene make_scene(int number, enum device_type type)
{
    struct scene scene = {0};
    struct skinny_call *call = &scene.call;
    call->type = type;
    call->rows = number % SKINNY_ROWS_MAX + 1;
    call->outputs = output_counts[number / SKINNY_ROWS_MAX % OUTPUT_COUNTS];
    call->inputs = input_counts[number / SKINNY_ROWS_MAX / OUTPUT_COUNTS % INPUT_COUNTS];
    int draw = (int)((uint32_t)number * 2654435761U >> 16);
    if (type == DEVICE_F32) {
        call->rows = (call->rows + 1) / 2;
        call->inputs -= draw % 3; /* rows that no 16 bytes divide */
    }
    call->y_type = draw % 2 ? type : DEVICE_F32;
    call->x_stride = call->inputs + (draw / 2 % 2 ? 8 : 0);
    call->y_stride = call->outputs + (draw / 4 % 2 ? 3 : 0);
    call->accumulate = draw / 8 % 3 == 0;
    call->gated = !call->accumulate && call->outputs % 2 == 0 && draw / 32 % 2;
    call->activation = (enum device_activation)(draw / 64 % ACTIVATIONS);
    call->alpha = draw / 7 % 2 ? 1.0F : 0.375F;
    call->multiprocessors = draw / 5 % 2 ? 2 : 100;
    call->weight = device_values(type, call->outputs * call->inputs, 1, &scene.weight);
    call->x = device_values(type, call->rows * call->x_stride, 900000, &scene.x);
    call->y = device_values(call->y_type, call->rows * call->y_stride, 70000000, &scene.y);
    void *bias = device_values(call->y_type, call->outputs, 4000000, &scene.bias);
    call->bias = bias;
    if (draw / 3 % 2) {
        assert_int_equal(cudaFree(bias), cudaSuccess);
        call->bias = NULL;
    }
    call->partial_bytes = PARTIAL_BYTES;
    call->partials = device_take(PARTIAL_BYTES);
    call->counters = device_take(SKINNY_COUNTERS * sizeof(uint32_t));
    return scene;
}

static void free_scene(struct scene *scene)
{
    const struct skinny_call *call = &scene->call;
    void *const device[] = {(void *)call->weight, (void *)call->bias, (void *)call->x, call->y,
                            call->partials,       call->counters};
    for (size_t i = 0; i < sizeof device / sizeof device[0]; i++)
        assert_int_equal(cudaFree(device[i]), cudaSuccess);
    free(scene->weight);
    free(scene->bias);
    free(scene->x);
    free(scene->y);
}

static double product_value(const struct scene *scene, int64_t row, int64_t output)
{
    const struct skinny_call *call = &scene->call;
    double sum = 0;
    for (int64_t i = 0; i < call->inputs; i++)
        sum += (double)element_at(scene->weight, call->type, output * call->inputs + i) *
               (double)element_at(scene->x, call->type, row * call->x_stride + i);
    sum *= (double)call->alpha;
    if (call->accumulate)
        sum += (double)element_at(scene->y, call->y_type, row * call->y_stride + output);
    if (call->bias != NULL)
        sum += (double)element_at(scene->bias, call->y_type, output);
    return sum;
}

static double expected_value(const struct scene *scene, int64_t row, int64_t output)
{
    const struct skinny_call *call = &scene->call;
    double value = activated(call->activation, product_value(scene, row, output));
    return call->gated ? value * product_value(scene, row, output + call->outputs / 2) : value;
}

static void compare(const struct scene *scene, const void *found, int number)
{
    const struct skinny_call *call = &scene->call;
    int64_t width = call->gated ? call->outputs / 2 : call->outputs;
    for (int64_t row = 0; row < call->rows; row++)
        for (int64_t i = 0; i < call->y_stride; i++) {
            int64_t at = row * call->y_stride + i;
            double actual = (double)element_at(found, call->y_type, at);
            bool is_ours = i < width;
            double expected = is_ours ? expected_value(scene, row, i)
                                      : (double)element_at(scene->y, call->y_type, at);
            double bound =
                is_ours ? 1e-5 + fabs(expected) * (1e-5 + type_rounding(call->y_type)) : 0;
            if (!(fabs(actual - expected) <= bound))
                fail_msg("scene %d, type %d, %lld rows, %lld x %lld, gated %d, activation %d: %g "
                         "at row %lld, %lld, expected %g",
                         number, (int)call->type, (long long)call->rows, (long long)call->outputs,
                         (long long)call->inputs, call->gated, (int)call->activation, actual,
                         (long long)row, (long long)i, expected);
        }
}

static void run_scene(int number, enum device_type type)
{
    struct scene scene = make_scene(number, type);
    const struct skinny_call *call = &scene.call;
    size_t bytes = (size_t)(call->rows * call->y_stride) * element_bytes(call->y_type);
    void *found[2];
    for (int i = 0; i < 2; i++) { /* the second time its counters must be zero again */
        found[i] = calloc(1, bytes);
        assert_non_null(found[i]);
        assert_int_equal(cudaMemcpy(call->y, scene.y, bytes, cudaMemcpyHostToDevice), cudaSuccess);
        assert_int_equal(kernel_skinny(call), cudaSuccess);
        device_read(found[i], call->y, bytes);
    }
    compare(&scene, found[0], number);
    assert_memory_equal(found[0], found[1], bytes); /* the same bits every time */
    free(found[0]);
    free(found[1]);
    free_scene(&scene);
}

static bool is_soak(void)
{
    const char *soak = getenv("TOKENMARK_SOAK");
    return soak != NULL && strcmp(soak, "1") == 0;
}

/* Under ThreadSanitizer, which makes every thread of every block anew, few scenes are enough. */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define RARELY 40
#endif
#endif
#ifndef RARELY
#define RARELY 1
#endif

static void run_some(int first, int step)
{
    step *= is_soak() ? 1 : RARELY;
    for (int number = SCENES - 1 - first; number >= 0; number -= step) /* the largest first */
        run_scene(number, (enum device_type)(number % 3));
}

static void test_all_sizes(void **state)
{
    (void)state;
    run_some(0, is_soak() ? 1 : 5);
}

static void run_in_schedule(int number)
{
    run_some(number, is_soak() ? 11 : 131);
}

static void test_every_schedule(void **state)
{
    (void)state;
    in_all_schedules(run_in_schedule);
}

static void test_what_is_not_served(void **state)
{
    (void)state;
    static const struct {
        enum device_type type;
        int64_t rows, outputs, inputs, x_stride, offset;
        bool gated, is_served;
    } cases[] = {
        {DEVICE_F16, 16, 10, 64, 64, 0, false, true},
        {DEVICE_F16, 17, 10, 64, 64, 0, false, false},
        {DEVICE_F16, 1, 10, 60, 64, 0, false, false},
        {DEVICE_BF16, 1, 10, 64, 68, 0, false, false},
        {DEVICE_BF16, 1, 10, 64, 64, 8, false, false},
        {DEVICE_BF16, 1, 9, 64, 64, 0, true, false},
        {DEVICE_F32, 8, 9, 3, 3, 4, false, true},
        {DEVICE_F32, 9, 9, 3, 3, 0, false, false},
        {DEVICE_F16, 0, 10, 64, 64, 0, false, false},
    };
    static _Alignas(16) unsigned char memory[64];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct skinny_call call = {.type = cases[i].type,
                                   .weight = memory + cases[i].offset,
                                   .x = memory,
                                   .rows = cases[i].rows,
                                   .outputs = cases[i].outputs,
                                   .inputs = cases[i].inputs,
                                   .x_stride = cases[i].x_stride,
                                   .gated = cases[i].gated};
        assert_int_equal(skinny_serves(&call), cases[i].is_served);
        if (!cases[i].is_served)
            assert_int_equal(kernel_skinny(&call), cudaErrorInvalidValue);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_sizes),
        cmocka_unit_test(test_every_schedule),
        cmocka_unit_test(test_what_is_not_served),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
