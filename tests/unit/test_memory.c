/* Big mappings, the figures of the process, and checked counts. */
#include "test.h"

#include "base/cgroup.h"
#include "base/memory.h"

enum { MEGABYTE = 1 << 20 };

static void test_counts_are_checked(void **state)
{
    (void)state;
    size_t out = 7;
    assert_true(size_multiply(SIZE_MAX / 2, 2, &out));
    assert_int_equal(out, SIZE_MAX - 1);
    assert_false(size_multiply(SIZE_MAX / 2 + 1, 2, &(size_t){0}));
    assert_true(size_add(SIZE_MAX - 1, 1, &out));
    assert_int_equal(out, SIZE_MAX);
    assert_false(size_add(SIZE_MAX, 1, &(size_t){0}));
}

static void test_maps_zeroed_aligned_memory(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 4096, 2 * MEGABYTE, 2 * MEGABYTE + 1, 9 * MEGABYTE};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct error error = {0};
        void *memory = NULL;
        assert_int_equal(memory_map(&memory, sizes[i], &error), 0);
        assert_int_equal((uintptr_t)memory % (2 * MEGABYTE), 0);
        unsigned char *bytes = memory;
        for (size_t k = 0; k < sizes[i]; k += 1024)
            assert_int_equal(bytes[k], 0);
        if (sizes[i] > 0)
            bytes[sizes[i] - 1] = 1;
        memory_unmap(memory, sizes[i]);
    }
    memory_unmap(NULL, 5);
}

static void test_refuses_what_cannot_be(void **state)
{
    (void)state;
    static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 2 * MEGABYTE, (size_t)1 << 62};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct error error = {0};
        void *memory = &error;
        assert_int_equal(memory_map(&memory, sizes[i], &error), ERROR_MEMORY);
        assert_null(memory);
        assert_true(strlen(error.text) > 0);
    }
}

static void test_peak_follows_use(void **state)
{
    (void)state;
    const size_t bytes = 64 * (size_t)MEGABYTE;
    if (!memory_peak_reset())
        skip();
    int64_t resident = memory_resident_bytes();
    int64_t peak = memory_peak_bytes();
    assert_true(resident > 0);
    assert_true(peak >= resident / 2);
    struct error error = {0};
    void *memory = NULL;
    assert_int_equal(memory_map(&memory, bytes, &error), 0);
    memset(memory, 1, bytes);
    assert_true(memory_resident_bytes() >= resident + (int64_t)bytes / 2);
    memory_unmap(memory, bytes);
    int64_t higher = memory_peak_bytes();
    assert_true(higher >= peak + (int64_t)bytes / 2);
    assert_true(memory_peak_reset());
    assert_true(memory_peak_bytes() < higher - (int64_t)bytes / 2);
}

static void test_machine_figures_make_sense(void **state)
{
    (void)state;
    assert_true(memory_available_bytes() > 0);
    assert_true(memory_total_bytes() >= memory_available_bytes());
    assert_true(cgroup_memory_limit_bytes() >= cgroup_memory_available_bytes());
    assert_true(cgroup_memory_limit_bytes() >= memory_total_bytes());
    assert_true(cgroup_cpu_quota() >= 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts_are_checked),
        cmocka_unit_test(test_maps_zeroed_aligned_memory),
        cmocka_unit_test(test_refuses_what_cannot_be),
        cmocka_unit_test(test_peak_follows_use),
        cmocka_unit_test(test_machine_figures_make_sense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
