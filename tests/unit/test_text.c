/* The growing string, and doubles that read back exactly. */
#include "test.h"

#include <float.h>
#include <locale.h>

#include "base/philox.h"
#include "base/text.h"

static void test_appends_in_order(void **state)
{
    (void)state;
    struct text text = {0};
    assert_string_equal(text_string(&text), "");
    for (int i = 0; i < 1000; i++) {
        text_append(&text, "a");
        text_append_bytes(&text, "bcd", 2);
        text_printf(&text, "%d;", i % 10);
    }
    assert_int_equal(text.length, 5000);
    assert_int_equal(strlen(text.data), 5000);
    for (size_t i = 0; i < 5000; i += 5) {
        char expected[8];
        (void)snprintf(expected, sizeof expected, "abc%d;", (int)(i / 5 % 10));
        assert_memory_equal(text.data + i, expected, 5);
    }
    text_free(&text);
    assert_null(text.data);
    assert_string_equal(text_string(&text), "");
}

static void test_remembers_that_memory_ran_out(void **state)
{
    (void)state;
    struct text text = {0};
    text_append(&text, "kept");
    text_append_bytes(&text, "", SIZE_MAX / 2);
    assert_true(text.failed);
    text_append(&text, "more");
    assert_string_equal(text_string(&text), "kept");
    text_free(&text);
    assert_false(text.failed);
}

static void assert_reads_back(double value)
{
    struct text text = {0};
    text_append_real(&text, value);
    double back = strtod(text_string(&text), NULL);
    if (memcmp(&back, &value, sizeof value) != 0)
        fail_msg("%.17g was written as %s", value, text_string(&text));
    assert_non_null(strpbrk(text_string(&text), ".e"));
    text_free(&text);
}

static void test_every_real_reads_back(void **state)
{
    (void)state;
    const double edges[] = {0.0,
                            -0.0,
                            1.0,
                            0.1,
                            1.0 / 3.0,
                            5e-324,
                            DBL_MIN,
                            DBL_MAX,
                            DBL_EPSILON,
                            -1e22,
                            123456789012345678.0,
                            0.6239541579989236};
    for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++)
        assert_reads_back(edges[i]);
    for (uint32_t i = 0; i < 20000; i++) {
        struct philox_block block = philox4x32((struct philox_block){{i, 0, 0, 0}}, 1);
        double value;
        memcpy(&value, &block, sizeof value);
        if (isfinite(value))
            assert_reads_back(value);
    }
}

static void test_reals_are_short(void **state)
{
    (void)state;
    const struct {
        double value;
        const char *text;
    } cases[] = {{0.9, "0.9"},      {1.0, "1.0"}, {-2.5, "-2.5"}, {1e-7, "1e-07"},
                 {1e300, "1e+300"}, {NAN, ""},    {INFINITY, ""}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct text text = {0};
        text_append_real(&text, cases[i].value);
        assert_string_equal(text_string(&text), cases[i].text);
        text_free(&text);
    }
}

int main(void)
{
    (void)setlocale(LC_CTYPE, "");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_appends_in_order),
        cmocka_unit_test(test_remembers_that_memory_ran_out),
        cmocka_unit_test(test_every_real_reads_back),
        cmocka_unit_test(test_reals_are_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
