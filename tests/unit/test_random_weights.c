/* Random weights: fixed values, independence of how they are asked for, and their statistics. */
#include "test.h"

#include "base/thread_pool.h"
#include "model/random_weights.h"

enum { COUNT = 1 << 20, CHUNKS = 64 };

/* The first elements of a stream never change: results of different versions stay comparable. */
static void test_values_are_fixed(void **state)
{
    (void)state;
    static const float wanted[6] = {-188, -78, -47, 79, -146, 22};
    float out[6];
    random_weights_normal(42, random_weights_stream("token_embedding"), 147.80054127099806, 0, 6,
                          out);
    for (int i = 0; i < 6; i++)
        assert_close(out[i], wanted[i], 1e-4);
}

static void test_any_split_gives_the_same(void **state)
{
    (void)state;
    enum { LENGTH = 97 };
    float whole[LENGTH], part[LENGTH];
    uint64_t stream = random_weights_stream("layers.3.query");
    random_weights_normal(7, stream, 0.02, 1000001, LENGTH, whole);
    for (int64_t first = 0; first < LENGTH; first++) {
        for (int64_t count = 0; first + count <= LENGTH; count += 5) {
            random_weights_normal(7, stream, 0.02, 1000001 + first, count, part);
            assert_memory_equal(part, whole + first, (size_t)count * sizeof part[0]);
        }
    }
}

static void fill_chunk(void *context, int64_t chunk, int thread)
{
    (void)thread;
    float *out = context;
    int64_t length = COUNT / CHUNKS;
    random_weights_normal(1, 2, 0.02, chunk * length, length, out + chunk * length);
}

static void test_threads_do_not_matter(void **state)
{
    (void)state;
    float *alone = malloc(COUNT * sizeof *alone);
    float *shared = malloc(COUNT * sizeof *shared);
    struct thread_pool *pool = NULL;
    struct error error = {0};
    random_weights_normal(1, 2, 0.02, 0, COUNT, alone);
    for (int threads = 1; threads <= 4; threads++) {
        assert_int_equal(thread_pool_create(&pool, threads, false, &error), 0);
        memset(shared, 0, COUNT * sizeof *shared);
        thread_pool_run(pool, fill_chunk, shared, CHUNKS);
        thread_pool_destroy(pool);
        assert_memory_equal(alone, shared, COUNT * sizeof *alone);
    }
    free(alone);
    free(shared);
}

/* Mean, deviation, skew and tails of a million elements; neighbours do not correlate. */
static void test_statistics(void **state)
{
    (void)state;
    float *values = malloc(COUNT * sizeof *values);
    random_weights_normal(42, random_weights_stream("layers.0.up"), 2.0, 0, COUNT, values);
    double sums[5] = {0};
    double neighbours = 0;
    double largest = 0;
    for (int i = 0; i < COUNT; i++) {
        double z = values[i] / 2.0;
        for (int k = 1; k <= 4; k++)
            sums[k] += pow(z, k);
        neighbours += i > 0 ? z * values[i - 1] / 2.0 : 0;
        largest = fmax(largest, fabs(z));
    }
    assert_close(sums[1] / COUNT, 0, 0.004);
    assert_close(sums[2] / COUNT, 1, 0.006);
    assert_close(sums[3] / COUNT, 0, 0.015);
    assert_close(sums[4] / COUNT, 2.7, 0.03); /* a sum of four uniforms: 3 - 6/20 */
    assert_close(neighbours / COUNT, 0, 0.004);
    assert_true(largest > 3.2 && largest < 3.46);
    free(values);
}

static void test_streams_differ(void **state)
{
    (void)state;
    static const char *const names[] = {"head", "layers.0.query", "layers.1.query", "layers.0.key"};
    float values[5][64];
    for (int i = 0; i < 4; i++)
        random_weights_normal(42, random_weights_stream(names[i]), 1, 0, 64, values[i]);
    random_weights_normal(43, random_weights_stream(names[0]), 1, 0, 64, values[4]);
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < i; j++)
            assert_memory_not_equal(values[i], values[j], sizeof values[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_are_fixed),
        cmocka_unit_test(test_any_split_gives_the_same),
        cmocka_unit_test(test_threads_do_not_matter),
        cmocka_unit_test(test_statistics),
        cmocka_unit_test(test_streams_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
