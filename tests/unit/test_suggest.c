/* "did you mean": the nearest candidate, and silence where none is meant. */
#include "test.h"

#include "base/suggest.h"

static const char *const words[] = {"bench", "config", "analyze", "generate"};
static const char *const flags[] = {"model", "max-positions", "top-p", "top-logits", "threads"};

static void finds_the_nearest(void **state)
{
    (void)state;
    static const struct {
        const char *typed;
        const char *meant; /* NULL: nothing is near enough */
    } cases[] = {
        {"bench", "bench"},  {"bnech", "bench"},       {"benc", "bench"},   {"benchh", "bench"},
        {"BENCH", "bench"},  {"b", "bench"},           {"gen", "generate"}, {"analyse", "analyze"},
        {"cnfig", "config"}, {"genarate", "generate"}, {"run", NULL},       {"x", NULL},
        {"", NULL},          {"benchmarking", NULL},   {"conform", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *found = suggest_nearest(cases[i].typed, words, 4);
        if (cases[i].meant == NULL) {
            if (found != NULL)
                fail_msg("'%s' suggested '%s'", cases[i].typed, found);
        } else {
            if (found == NULL)
                fail_msg("'%s' suggested nothing", cases[i].typed);
            assert_string_equal(found, cases[i].meant);
        }
    }
}

static void prefers_beginnings_then_the_shorter_edit(void **state)
{
    (void)state;
    assert_string_equal(suggest_nearest("modle", flags, 5), "model");
    assert_string_equal(suggest_nearest("top", flags, 5), "top-p");
    assert_string_equal(suggest_nearest("top-l", flags, 5), "top-logits");
    assert_string_equal(suggest_nearest("top-q", flags, 5), "top-p");
    assert_string_equal(suggest_nearest("max_positions", flags, 5), "max-positions");
}

static void every_single_edit_is_found(void **state)
{
    (void)state;
    const char *word = "max-positions";
    size_t length = strlen(word);
    for (size_t at = 0; at < length; at++) {
        char typed[32];
        memcpy(typed, word, length + 1);
        typed[at] = '#';
        assert_string_equal(suggest_nearest(typed, flags, 5), word);
        memmove(typed + at, word + at + 1, length - at);
        assert_string_equal(suggest_nearest(typed, flags, 5), word);
        memcpy(typed + at + 1, word + at, length - at + 1);
        assert_string_equal(suggest_nearest(typed, flags, 5), word);
        if (at + 1 < length) {
            memcpy(typed, word, length + 1);
            typed[at] = word[at + 1];
            typed[at + 1] = word[at];
            assert_string_equal(suggest_nearest(typed, flags, 5), word);
        }
    }
}

static void long_words_are_safe(void **state)
{
    (void)state;
    char typed[4096];
    memset(typed, 'a', sizeof typed - 1);
    typed[sizeof typed - 1] = '\0';
    assert_null(suggest_nearest(typed, words, 4));
    const char *const long_candidate[] = {typed};
    assert_null(suggest_nearest("bench", long_candidate, 1));
    assert_null(suggest_nearest("bench", NULL, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_nearest),
        cmocka_unit_test(prefers_beginnings_then_the_shorter_edit),
        cmocka_unit_test(every_single_edit_is_found),
        cmocka_unit_test(long_words_are_safe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
