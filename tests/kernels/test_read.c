/* The reading loop of the bandwidth probe reads every word, on every instruction set. */
#include "test.h"

#include "kernels/kernels.h"

static void test_every_word_counts(void **state)
{
    (void)state;
    enum { LINES = 7, WORDS = LINES * 8 };
    _Alignas(64) uint64_t words[WORDS + 8];
    for (size_t table = 0; table < kernels_count(); table++) {
        if (!kernels_runnable(table))
            continue;
        const struct kernels *kernels = kernels_choose(kernels_name(table));
        for (int64_t lines = 0; lines <= LINES; lines++)
            for (int64_t changed = 0; changed < lines * 8; changed++) {
                memset(words, 0, sizeof words);
                words[WORDS] = 99; /* past the end: must not count */
                words[changed] = (uint64_t)changed << 33 | 1;
                assert_int_equal(kernels->read_lines(words, lines), words[changed]);
            }
        assert_int_equal(kernels->read_lines(words, 0), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_word_counts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
