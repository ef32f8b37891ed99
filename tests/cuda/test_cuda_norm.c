/* The norm kernel on the emulated GPU against sums in double: both norms, every output, the sum
 * with the residual, and the norm of that sum in the same pass; widths that no vector divides and
 * wider ones than are held in shared memory, in every schedule. */
#include "kernel_fixture.h"

struct scene {
    int64_t rows, width;
    enum device_type type;
    bool rms, has_gain, has_bias, in_place, has_residual, has_next;
};

static const struct scene scenes[] = {
    {3, 64, DEVICE_F16, true, true, false, false, false, false},
    {2, 250, DEVICE_BF16, false, true, true, false, true, true},
    {1, 1, DEVICE_F32, true, false, false, true, false, false},
    {2, 1027, DEVICE_F16, false, true, true, true, true, false},
    {2, 768, DEVICE_F32, true, true, false, false, true, true},
    {1, 1300, DEVICE_F16, true, true, true, true, true, true},
    {1, 16392, DEVICE_BF16, false, true, true, false, true, true},
    {1, 16390, DEVICE_F16, true, true, false, true, false, false},
};
static const float scale = 0.5F;
static const float epsilon = 1e-5F;

struct vectors {
    void *x, *gain, *bias, *residual, *next_gain, *next_bias; /* float32, on the host */
};

static void normalise(const struct scene *scene, const double *x, const float *gain,
                      const float *bias, double *out)
{
    double mean = 0, squares = 0, width = (double)scene->width;
    for (int64_t i = 0; !scene->rms && i < scene->width; i++)
        mean += x[i] / width;
    for (int64_t i = 0; i < scene->width; i++)
        squares += (x[i] - mean) * (x[i] - mean);
    for (int64_t i = 0; i < scene->width; i++) {
        out[i] = (x[i] - mean) / sqrt(squares / width + (double)epsilon);
        if (gain != NULL)
            out[i] *= (double)gain[i];
        if (bias != NULL)
            out[i] += (double)bias[i];
    }
}

static void compare(const struct scene *scene, const void *found, enum device_type type,
                    int64_t row, const double *expected, const char *what)
{
    for (int64_t i = 0; i < scene->width; i++) {
        double actual = (double)element_at(found, type, row * scene->width + i);
        double bound = 2e-5 + fabs(expected[i]) * (1e-5 + type_rounding(type));
        if (!(fabs(actual - expected[i]) <= bound))
            fail_msg("%s, width %lld, row %lld: %g at %lld, expected %g", what,
                     (long long)scene->width, (long long)row, actual, (long long)i, expected[i]);
    }
}

static void check_rows(const struct scene *scene, const struct vectors *host, const void *y,
                       const float *y32, const float *residual, const void *next_y,
                       const float *next_y32)
{
    double *x = calloc((size_t)(2 * scene->width), sizeof *x), *out = x + scene->width;
    assert_non_null(x);
    for (int64_t row = 0; row < scene->rows; row++) {
        for (int64_t i = 0; i < scene->width; i++)
            x[i] = (double)((float *)host->x)[row * scene->width + i];
        normalise(scene, x, host->gain, host->bias, out);
        compare(scene, y, scene->type, row, out, "y");
        compare(scene, y32, DEVICE_F32, row, out, "y32");
        if (!scene->has_residual)
            continue;
        for (int64_t i = 0; i < scene->width; i++)
            x[i] =
                (double)((float *)host->residual)[row * scene->width + i] + (double)scale * out[i];
        compare(scene, residual, DEVICE_F32, row, x, "residual");
        if (!scene->has_next)
            continue;
        normalise(scene, x, host->next_gain, host->next_bias, out);
        compare(scene, next_y, scene->type, row, out, "next_y");
        compare(scene, next_y32, DEVICE_F32, row, out, "next_y32");
    }
    free(x);
}

static void *vector(bool is_there, int64_t count, uint32_t seed, void **host)
{
    return is_there ? device_values(DEVICE_F32, count, seed, host) : NULL;
}

static void run_scene(const struct scene *scene)
{
    int64_t count = scene->rows * scene->width;
    size_t bytes = (size_t)count * element_bytes(scene->type), floats = (size_t)count * 4;
    struct vectors host = {0};
    float *x = vector(true, count, 1, &host.x);
    struct norm_call call = {
        .type = scene->type,
        .x = x,
        .gain = vector(scene->has_gain, scene->width, 5000000, &host.gain),
        .bias = vector(scene->has_bias, scene->width, 6000000, &host.bias),
        .y = device_take(bytes),
        .y32 = scene->in_place ? x : device_take(floats),
        .residual = vector(scene->has_residual, count, 7000000, &host.residual),
        .next_gain = vector(scene->has_next, scene->width, 8000000, &host.next_gain),
        .next_bias =
            vector(scene->has_next && scene->has_bias, scene->width, 9000000, &host.next_bias),
        .next_y = scene->has_next ? device_take(bytes) : NULL,
        .next_y32 = scene->has_next ? device_take(floats) : NULL,
        .rows = scene->rows,
        .width = scene->width,
        .epsilon = epsilon,
        .scale = scale,
        .rms = scene->rms,
    };
    assert_int_equal(kernel_norm(&call), cudaSuccess);
    const void *const device[] = {call.y, call.y32, call.residual, call.next_y, call.next_y32};
    void *found[5] = {0};
    for (int i = 0; i < 5; i++) {
        if (device[i] == NULL)
            continue;
        size_t size = i % 3 == 0 ? bytes : floats;
        found[i] = calloc(1, size);
        assert_non_null(found[i]);
        device_read(found[i], device[i], size);
    }
    check_rows(scene, &host, found[0], found[1], found[2], found[3], found[4]);
    if (!scene->in_place)
        assert_int_equal(cudaFree(x), cudaSuccess);
    const void *const rest[] = {call.gain, call.bias, call.next_gain, call.next_bias};
    for (int i = 0; i < 4; i++)
        assert_int_equal(cudaFree((void *)rest[i]), cudaSuccess);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(cudaFree((void *)device[i]), cudaSuccess);
        free(found[i]);
    }
    void *const on_host[] = {host.x,        host.gain,      host.bias,
                             host.residual, host.next_gain, host.next_bias};
    for (int i = 0; i < 6; i++)
        free(on_host[i]);
}

static void run_all(int number)
{
    (void)number;
    for (size_t i = 0; i < sizeof scenes / sizeof scenes[0]; i++)
        run_scene(&scenes[i]);
}

static void test_every_schedule(void **state)
{
    (void)state;
    in_all_schedules(run_all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_schedule)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
