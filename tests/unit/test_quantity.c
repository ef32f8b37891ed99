/* Parts and times as a person types them, and what looks like one. */
#include "test.h"

#include "cli/quantity.h"

static void test_fractions(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double value; /* 0: refused */
    } cases[] = {
        {"2%", 0.02}, {"0.02", 0.02}, {"0.5%", 0.005}, {".1", 0.1}, {"99.9%", 0.999}, {"0", 0},
        {"0%", 0},    {"1", 0},       {"100%", 0},     {"", 0},     {"%", 0},         {"2%%", 0},
        {"-2%", 0},   {"+2%", 0},     {" 2%", 0},      {"2 %", 0},  {"nan", 0},       {"inf", 0},
        {"1e-2", 0},  {"0x1p-4", 0},  {"1.2.3%", 0},   {".", 0},    {"0,02", 0},      {"two", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double value = -1;
        bool taken = quantity_fraction(cases[i].text, &value);
        if (taken != (cases[i].value > 0))
            fail_msg("\"%s\" %s", cases[i].text, taken ? "taken" : "refused");
        if (taken)
            assert_close(value, cases[i].value, 1e-15);
    }
}

static void test_durations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double seconds; /* 0: refused */
    } cases[] = {
        {"90", 90},
        {"90s", 90},
        {"30m", 1800},
        {"1h30m", 5400},
        {"0.5h", 1800},
        {"1d", 86400},
        {"1d2h3m4s", 93784},
        {"1.5", 1.5},
        {"366d", 366 * 86400.0},
        {"0", 0},
        {"0s", 0},
        {"", 0},
        {"m", 0},
        {"5x", 0},
        {"30m1h", 0},
        {"5m5m", 0},
        {"1h30", 0},
        {"-5", 0},
        {"5 m", 0},
        {"367d", 0},
        {"1e3", 0},
        {"nan", 0},
        {"soon", 0},
        {"5ms", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double seconds = -1;
        bool taken = quantity_duration(cases[i].text, &seconds);
        if (taken != (cases[i].seconds > 0))
            fail_msg("\"%s\" %s", cases[i].text, taken ? "taken" : "refused");
        if (taken)
            assert_close(seconds, cases[i].seconds, 1e-9);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fractions),
        cmocka_unit_test(test_durations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
