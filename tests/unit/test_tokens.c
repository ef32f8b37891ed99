/* Prompts: exact length, inside the vocabulary, rows different by construction, the same on
 * every machine (values checked against an independent Philox in Python). */
#include "test.h"

#include "bench/tokens.h"

static int compare_rows_length;

static int compare_rows(const void *a, const void *b)
{
    return memcmp(a, b, (size_t)compare_rows_length * sizeof(int32_t));
}

/* True when all rows of ids [batch, length] differ; sorts them. */
static bool rows_differ(int32_t *ids, int64_t batch, int64_t length)
{
    compare_rows_length = (int)length;
    qsort(ids, (size_t)batch, (size_t)length * sizeof *ids, compare_rows);
    for (int64_t row = 1; row < batch; row++)
        if (compare_rows(ids + (row - 1) * length, ids + row * length) == 0)
            return false;
    return true;
}

static void test_known_values(void **state)
{
    (void)state;
    static const int32_t gpt2[3 * 7] = {
        38533, 44303, 23320, 7051,  33785, 20417, 34040, 6199,  32456, 49674, 3016,
        42005, 13635, 3288,  24122, 10711, 45278, 49608, 43296, 7664,  15900,
    };
    int32_t ids[3 * 7];
    assert_int_equal(tokens_fill(ids, 3, 7, 50257, 42, NULL), 0);
    assert_memory_equal(ids, gpt2, sizeof gpt2);

    /* More rows than ids: two leading digits. */
    static const int32_t tiny[5 * 4] = {2, 1, 0, 0, 0, 1, 1, 1, 1, 0, 1, 0, 2, 2, 2, 0, 0, 2, 0, 2};
    assert_int_equal(tokens_fill(ids, 5, 4, 3, 7, NULL), 0);
    assert_memory_equal(ids, tiny, sizeof tiny);
}

static void test_every_row_differs_inside_the_vocabulary(void **state)
{
    (void)state;
    static const struct {
        int64_t batch, length, vocabulary;
    } cases[] = {
        {1, 1, 1},     {2, 1, 2},       {256, 1, 256},     {256, 3, 7},   {243, 5, 3},
        {1024, 10, 2}, {1000, 10, 2},   {64, 32, 50257},   {4096, 2, 65}, {3, 65536, 151936},
        {7, 5, 1000},  {5000, 1, 5000}, {2, 3, INT32_MAX}, {27, 3, 3},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (uint64_t seed = 0; seed < 5; seed++) {
            int64_t count = cases[i].batch * cases[i].length;
            int32_t *ids = malloc((size_t)count * sizeof *ids);
            assert_non_null(ids);
            memset(ids, 0xff, (size_t)count * sizeof *ids);
            struct error error = {0};
            assert_int_equal(tokens_fill(ids, cases[i].batch, cases[i].length, cases[i].vocabulary,
                                         seed * 0x9E3779B97F4A7C15U, &error),
                             0);
            for (int64_t j = 0; j < count; j++)
                assert_in_range(ids[j], 0, cases[i].vocabulary - 1);
            assert_true(rows_differ(ids, cases[i].batch, cases[i].length));
            free(ids);
        }
    }
}

static void test_seed_batch_and_length(void **state)
{
    (void)state;
    int32_t small[4 * 16], large[9 * 40], again[4 * 16], other[4 * 16];
    assert_int_equal(tokens_fill(small, 4, 16, 50257, 1, NULL), 0);
    assert_int_equal(tokens_fill(large, 9, 40, 50257, 1, NULL), 0);
    assert_int_equal(tokens_fill(again, 4, 16, 50257, 1, NULL), 0);
    assert_int_equal(tokens_fill(other, 4, 16, 50257, 2, NULL), 0);
    assert_memory_equal(small, again, sizeof small);
    assert_memory_not_equal(small, other, sizeof small);
    for (int row = 0; row < 4; row++)
        assert_memory_equal(small + 16 * row, large + 40 * row, 16 * sizeof small[0]);
}

static void test_draws_are_spread_over_the_vocabulary(void **state)
{
    (void)state;
    enum { VOCABULARY = 50, ROWS = 20, LENGTH = 5000 };
    int32_t *ids = malloc(ROWS * LENGTH * sizeof *ids);
    assert_non_null(ids);
    assert_int_equal(tokens_fill(ids, ROWS, LENGTH, VOCABULARY, 42, NULL), 0);
    double expected = (double)ROWS * LENGTH / VOCABULARY, chi_square = 0;
    int64_t counts[VOCABULARY] = {0};
    for (int i = 0; i < ROWS * LENGTH; i++)
        counts[ids[i]]++;
    for (int i = 0; i < VOCABULARY; i++)
        chi_square += ((double)counts[i] - expected) * ((double)counts[i] - expected) / expected;
    free(ids);
    /* 49 degrees of freedom: 0.1 % quantiles 23.98 and 85.35. */
    assert_true(chi_square > 23.98 && chi_square < 85.35);
}

static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        int64_t batch, length, vocabulary;
        const char *text;
    } cases[] = {
        {3, 1, 2, "a vocabulary of 2 ids gives only 2 different rows of length 1"},
        {9, 3, 2, "gives only 8 different rows of length 3, a batch of 9 needs more"},
        {2, 4, 1, "gives only 1 different row"},
        {0, 4, 10, "cannot make 0 rows"},
        {1, 0, 10, "of 0 ids"},
        {1, 1, 0, "a vocabulary of 0"},
        {1, 1, (int64_t)INT32_MAX + 1, "a vocabulary of 2147483648"},
        {INT64_MAX, 3, INT32_MAX, "too large"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int32_t ids[1] = {-7};
        struct error error = {0};
        assert_int_equal(
            tokens_fill(ids, cases[i].batch, cases[i].length, cases[i].vocabulary, 42, &error),
            ERROR_INPUT);
        assert_contains(error.text, cases[i].text);
        assert_int_equal(ids[0], -7);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_values),
        cmocka_unit_test(test_every_row_differs_inside_the_vocabulary),
        cmocka_unit_test(test_seed_batch_and_length),
        cmocka_unit_test(test_draws_are_spread_over_the_vocabulary),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
