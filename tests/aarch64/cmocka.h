/* Stands in for cmocka where the kernels' tests are built for another architecture, whose cmocka
 * is not installed: the part of it that they use. The first failure ends the program with 1. */
#ifndef TOKENMARK_TESTS_AARCH64_CMOCKA_H
#define TOKENMARK_TESTS_AARCH64_CMOCKA_H

struct CMUnitTest {
    const char *name;
    void (*test)(void **state);
};

#define cmocka_unit_test(function)                                                                 \
    {                                                                                              \
#function, function                                                                        \
    }

#define fail_msg(...)                                                                              \
    do {                                                                                           \
        printf(__VA_ARGS__);                                                                       \
        printf("\n%s:%d: failed\n", __FILE__, __LINE__);                                           \
        exit(1);                                                                                   \
    } while (0)

#define assert_true(condition)                                                                     \
    do {                                                                                           \
        if (!(condition))                                                                          \
            fail_msg("not true: %s", #condition);                                                  \
    } while (0)
#define assert_false(condition) assert_true(!(condition))
#define assert_null(pointer) assert_true((pointer) == NULL)
#define assert_non_null(pointer) assert_true((pointer) != NULL)
#define assert_ptr_equal(a, b) assert_true((a) == (b))
#define assert_string_equal(a, b) assert_true(strcmp((a), (b)) == 0)
#define assert_memory_equal(a, b, bytes) assert_true(memcmp((a), (b), (bytes)) == 0)
#define assert_int_equal(a, b) assert_true((uint64_t)(a) == (uint64_t)(b))
#define assert_in_range(value, low, high) assert_true(in_range((uint64_t)(value), (low), (high)))

static inline int in_range(uint64_t value, uint64_t low, uint64_t high)
{
    return value >= low && value <= high;
}

/* Group fixtures are not supported: both must be NULL. */
#define cmocka_run_group_tests(tests, setup, teardown)                                             \
    run_tests(tests, sizeof(tests) / sizeof(tests)[0], setup, teardown)

static inline int run_tests(const struct CMUnitTest *tests, size_t count, const void *setup,
                            const void *teardown)
{
    if (setup != NULL || teardown != NULL)
        fail_msg("fixtures are not supported here");
    for (size_t i = 0; i < count; i++) {
        void *state = NULL;
        tests[i].test(&state);
        printf("%s: passed\n", tests[i].name);
    }
    return 0;
}

#endif
