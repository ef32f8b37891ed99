/* Error texts: code and text kept, prefixes, cuts at character boundaries. */
#include "test.h"

#include "base/error.h"

static void test_set_returns_code_and_keeps_text(void **state)
{
    (void)state;
    struct error error = {0};
    assert_int_equal(error_set(&error, ERROR_INPUT, "%s: %d", "file", 7), ERROR_INPUT);
    assert_int_equal(error.code, ERROR_INPUT);
    assert_string_equal(error.text, "file: 7");
    assert_int_equal(error_set(NULL, ERROR_MEMORY, "nobody listens"), ERROR_MEMORY);
}

static void test_set_may_quote_its_own_text(void **state)
{
    (void)state;
    struct error error = {0};
    (void)error_set(&error, ERROR_FAILED, "inner");
    (void)error_set(&error, ERROR_INPUT, "outer (%s)", error.text);
    assert_string_equal(error.text, "outer (inner)");
}

static void test_prefix_goes_before(void **state)
{
    (void)state;
    struct error error = {0};
    (void)error_set(&error, ERROR_STOPPED, "stopped");
    assert_int_equal(error_prefix(&error, "cell %d", 3), ERROR_STOPPED);
    assert_string_equal(error.text, "cell 3: stopped");
}

/* True when `text` is whole UTF-8 of two-byte and one-byte characters. */
static bool is_whole(const char *text)
{
    for (size_t i = 0; text[i] != '\0'; i++) {
        if ((unsigned char)text[i] == 0xC3) {
            if (((unsigned char)text[++i] & 0xC0U) != 0x80U)
                return false;
        } else if ((unsigned char)text[i] >= 0x80) {
            return false;
        }
    }
    return true;
}

static void test_long_texts_are_cut_between_characters(void **state)
{
    (void)state;
    char text[3000];
    for (size_t shift = 0; shift < 2; shift++) {
        memset(text, 'x', shift);
        for (size_t i = shift; i + 2 < sizeof text; i += 2)
            memcpy(text + i, "\xC3\xA9", 3);
        struct error error = {0};
        (void)error_set(&error, ERROR_INPUT, "%s", text);
        assert_true(strlen(error.text) >= sizeof error.text - 4);
        assert_true(is_whole(error.text));
        (void)error_prefix(&error, "pre");
        assert_true(strlen(error.text) < sizeof error.text);
        assert_true(is_whole(error.text));
        assert_int_equal(strncmp(error.text, "pre: ", 5), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_returns_code_and_keeps_text),
        cmocka_unit_test(test_set_may_quote_its_own_text),
        cmocka_unit_test(test_prefix_goes_before),
        cmocka_unit_test(test_long_texts_are_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
