/* Numbers, escaping, characters, trends: the small parts of report/. */
#include "report/characters.h"
#include "report/format.h"
#include "report/markdown.h"
#include "report/plot_axis.h"
#include "report/plot_color.h"
#include "report/plot_text.h"
#include "report/trend.h"
#include "test.h"

static void test_numbers(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *expected;
    } cases[] = {
        {0, "0"},          {1, "1.00"},          {0.012345, "0.0123"}, {12.345, "12.3"},
        {999.6, "1000"},   {1234, "1230"},       {99949, "99900"},     {99950, "100k"},
        {123456, "123k"},  {12345678, "12300k"}, {1.5e8, "150M"},      {NAN, "n/a"},
        {INFINITY, "n/a"}, {-2.5, "-2.50"},      {1e-9, "1.00e-09"},   {9.996, "10.0"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[FORMAT_MAX];
        format_number(text, cases[i].value);
        assert_string_equal(text, cases[i].expected);
    }
}

static void test_mean_std(void **state)
{
    (void)state;
    static const struct {
        double mean, std;
        const char *expected;
    } cases[] = {
        {12.345, 0.41, "12.3 ± 0.4"}, {12.345, 0.041, "12.35 ± 0.04"}, {12.345, NAN, "12.3"},
        {685.68, 1e-13, "686 ± 0"},   {1234.5, 12, "1234 ± 12"},       {NAN, 1, "n/a"},
        {0.5, 0, "0.500 ± 0.000"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[FORMAT_MAX];
        format_mean_std(text, cases[i].mean, cases[i].std);
        assert_string_equal(text, cases[i].expected);
    }
}

static void test_durations_and_units(void **state)
{
    (void)state;
    static const struct {
        double seconds;
        const char *expected;
    } cases[] = {{0, "0 s"},     {2e-6, "2.00 µs"}, {0.0123, "12.3 ms"}, {0.9996, "1.00 s"},
                 {75, "75.0 s"}, {150, "2.50 min"}, {9000, "2.50 h"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[FORMAT_MAX];
        format_duration(text, cases[i].seconds);
        assert_string_equal(text, cases[i].expected);
    }
    const double milliseconds[] = {0.01, 0.2, NAN};
    const double seconds[] = {1, 20};
    const double mixed[] = {0.005, 60, 60};
    assert_string_equal(format_time_unit(milliseconds, 3).name, "ms");
    assert_string_equal(format_time_unit(seconds, 2).name, "s");
    assert_string_equal(format_time_unit(mixed, 3).name, "ms");
    const double small[] = {2e-6};
    assert_string_equal(format_time_unit(small, 1).name, "µs");
    const double memory[] = {9000};
    assert_string_equal(format_memory_unit(memory, 1).name, "GB");
}

static void test_utf8(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        uint32_t first;
        size_t length;
    } cases[] = {
        {"a", 'a', 1},
        {"µ", 0xB5, 2},
        {"模", 0x6A21, 3},
        {"\xF0\x9F\x98\x80", 0x1F600, 4},
        {"\xFF", CHARACTER_INVALID, 1},
        {"\xC0\xAF", CHARACTER_INVALID, 1},         /* overlong */
        {"\xED\xA0\x80", CHARACTER_INVALID, 1},     /* surrogate */
        {"\xF4\x90\x80\x80", CHARACTER_INVALID, 1}, /* beyond U+10FFFF */
        {"\xE6\xA8", CHARACTER_INVALID, 1},         /* cut off */
        {"", 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *next = cases[i].bytes;
        char encoded[5];
        assert_int_equal(character_next(&next), cases[i].first);
        assert_int_equal(next - cases[i].bytes, cases[i].length);
        if (cases[i].first == CHARACTER_INVALID)
            continue;
        character_encode(encoded, cases[i].first);
        assert_string_equal(encoded, cases[i].bytes);
    }
}

static void test_quoting(void **state)
{
    (void)state;
    static const struct {
        const char *name, *expected;
    } cases[] = {
        {"gpt2", "'gpt2'"},
        {"it's", "'it''s'"},
        {"`touch /tmp/x` \"$y\" {/Bold @_}", "'`touch /tmp/x` \"$y\" {/Bold @_}'"},
        {"a\nset output\r\t\x1b[0m\x7f", "'a set output   [0m '"},
        {"bad\xff\xc3", "'bad\?\?'"},
        {"right\xE2\x80\xAEleft", "'right left'"},
        {"\xF3\xB0\x80\x80", "'?'"}, /* a private plane that no font covers */
        {"", "''"},
    };
    struct plot_fonts *fonts = plot_fonts_open();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct text text = {0};
        plot_text_quote(&text, fonts, cases[i].name);
        assert_string_equal(text_string(&text), cases[i].expected);
        text_free(&text);
    }
    plot_fonts_close(fonts);
}

static void test_quoting_without_fontconfig(void **state)
{
    (void)state;
    struct text text = {0};
    plot_text_quote(&text, NULL, "é 模型");
    assert_string_equal(text_string(&text), "'é \?\?'");
    text_free(&text);
}

static void test_shortening(void **state)
{
    (void)state;
    static const char *const names[] = {"gpt2", "a/very/long/path/of/a/model/that/never/ends",
                                        "模型模型模型模型模型模型模型"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        for (double width = 60; width < 400; width += 37) {
            struct text text = {0};
            plot_text_shorten(&text, names[i], 15, width);
            const char *shortened = text_string(&text);
            assert_true(plot_text_width(shortened, 15) <= width);
            if (strcmp(shortened, names[i]) != 0)
                assert_contains(shortened, "...");
            /* Never cut inside a character. */
            for (const char *c = shortened; *c != '\0';)
                assert_int_not_equal(character_next(&c), CHARACTER_INVALID);
            text_free(&text);
        }
    }
}

static void test_markdown(void **state)
{
    (void)state;
    struct text text = {0};
    markdown_escape(&text, "my_model|<b>*x*\n`rm` [a](b) _y\xff");
    assert_string_equal(text_string(&text), "my_model\\|\\<b\\>\\*x\\* "
                                            "\\`rm\\` \\[a\\](b) \\_y\xEF\xBF\xBD");
    text_free(&text);

    struct markdown_table table;
    markdown_table_begin(&table, "lr");
    markdown_table_cell(&table, "Name");
    markdown_table_cell(&table, "Value");
    markdown_table_escaped(&table, "模|型");
    markdown_table_printf(&table, "%d", 7);
    markdown_table_end(&table, &text);
    assert_string_equal(text_string(&text), "| Name   | Value |\n"
                                            "| ------ | ----: |\n"
                                            "| 模\\|型 |     7 |\n\n");
    text_free(&text);
}

static void test_axis(void **state)
{
    (void)state;
    struct plot_axis axis;
    const double narrow[] = {3, 7, NAN};
    plot_axis_fit(&axis, narrow, 3, PLOT_FIT_NICE);
    assert_false(axis.logarithmic);
    assert_true(axis.minimum == 0 && axis.maximum >= 7);
    const double wide[] = {0.5, 40, 0, -1};
    plot_axis_fit(&axis, wide, 4, PLOT_FIT_NICE);
    assert_true(axis.logarithmic);
    assert_true(axis.minimum > 0 && axis.minimum <= 0.5 && axis.maximum >= 40);
    assert_true(isnan(plot_axis_place(&axis, 0)));
    assert_close(plot_axis_place(&axis, axis.maximum), 1, 1e-12);
    /* Nothing, one value, zeros, huge: a range that is not empty and ticks that lie in it. */
    static const double lonely[][2] = {{NAN, NAN},     {5, 5},           {0, 0},         {-3, -3},
                                       {1e300, 1e300}, {1e-300, 1e-300}, {1e-300, 1e280}};
    for (size_t i = 0; i < sizeof lonely / sizeof lonely[0]; i++) {
        for (int fit = PLOT_FIT_NICE; fit <= PLOT_FIT_EXACT; fit++) {
            plot_axis_fit(&axis, lonely[i], 2, (enum plot_fit)fit);
            assert_true(axis.maximum > axis.minimum);
            assert_true(axis.tick_count <= PLOT_TICKS_MAX);
        }
    }
    const int64_t powers[] = {1, 2, 4, 8, 16};
    const int64_t even[] = {10, 20, 30};
    plot_axis_sizes(&axis, powers, 5);
    assert_true(axis.logarithmic && axis.tick_count == 5);
    assert_string_equal(axis.ticks[4].label, "16");
    plot_axis_sizes(&axis, even, 3);
    assert_false(axis.logarithmic);
    plot_axis_sizes(&axis, even, 1);
    assert_close(plot_axis_place(&axis, 10), 0.5, 1e-12);
}

static void test_colors(void **state)
{
    (void)state;
    assert_int_equal(plot_color_map(0), 0x440154);
    assert_int_equal(plot_color_map(1), 0xFDE725);
    assert_int_equal(plot_color_text_on(0x440154), PLOT_WHITE);
    assert_int_equal(plot_color_text_on(0xFDE725), 0x000000);
    for (size_t count = 1; count < 15; count++) {
        for (size_t i = 0; i < count; i++) {
            for (size_t k = 0; k < i; k++)
                assert_int_not_equal(plot_color_series(i, count), plot_color_series(k, count));
        }
    }
}

static void test_trend(void **state)
{
    (void)state;
    double x[8];
    double power[8];
    double line[8];
    for (int i = 0; i < 8; i++) {
        x[i] = (double)(16 << i);
        power[i] = 3 * pow(x[i], 0.8);
        line[i] = 100 + 0.5 * x[i];
    }
    struct trend trend;
    assert_true(trend_fit(&trend, x, power, 8));
    assert_true(trend.power);
    assert_close(trend.exponent, 0.8, 1e-9);
    assert_close(trend.factor, 3, 1e-9);
    assert_close(trend.r_squared, 1, 1e-9);
    assert_true(trend_fit(&trend, x, line, 8));
    assert_false(trend.power);
    assert_close(trend.factor, 100, 1e-6);
    assert_close(trend_value(&trend, 1000), 600, 1e-6);
    assert_false(trend_fit(&trend, x, power, 2));
    const double alike[] = {5, 5, 5};
    assert_false(trend_fit(&trend, alike, power, 3));
    const double unknown[] = {NAN, 0, -1, NAN};
    assert_false(trend_fit(&trend, x, unknown, 4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_mean_std),
        cmocka_unit_test(test_durations_and_units),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_quoting),
        cmocka_unit_test(test_quoting_without_fontconfig),
        cmocka_unit_test(test_shortening),
        cmocka_unit_test(test_markdown),
        cmocka_unit_test(test_axis),
        cmocka_unit_test(test_colors),
        cmocka_unit_test(test_trend),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
