/* tokenmark generate: one JSON object on stdout, whatever the prompts come from, and every prompt
 * that cannot be run refused by name. */
#include "program.h"

#include <jansson.h>

#include "bench/tokens.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define GENERATE "$T generate" FAKE

static struct outcome outcome;

/* What the program prints must be exactly one JSON object. */
static json_t *generate(const char *words)
{
    char line[1024];
    (void)snprintf(line, sizeof line, GENERATE "%s", words);
    program_expect(&outcome, line, 0);
    json_error_t where;
    json_t *root = json_loads(outcome.out, JSON_REJECT_DUPLICATES, &where);
    if (root == NULL)
        fail_msg("%s\n%s: %s", line, where.text, outcome.out);
    return root;
}

/* The numbers at [row] of root[name] against `expected`. */
static void check_row(const json_t *root, const char *name, size_t row, const int64_t *expected,
                      size_t count)
{
    const json_t *list = json_array_get(json_object_get(root, name), row);
    assert_int_equal(json_array_size(list), count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(json_integer_value(json_array_get(list, i)), expected[i]);
}

static void prompts_come_back(void **state)
{
    (void)state;
    static const int64_t first[] = {464, 3290, 50256}, second[] = {0, 1, 2};
    static const char *const words[] = {
        "--prompt-ids 464,3290,50256 --prompt-ids=0,1,2 --output-length 4",
        "--prompt-ids '464 3290, 50256' --prompt-ids '0 1 2' --output-length 4",
        "--prompt-file prompts.txt --output-length 4",
        "--prompt-file - --output-length=4 <prompts.txt",
    };
    program_expect(&outcome, "printf '464,3290,50256\\r\\n\\n  0 1\\t2' >prompts.txt", 0);
    for (size_t i = 0; i < COUNT(words); i++) {
        json_t *root = generate(words[i]);
        assert_int_equal(json_array_size(json_object_get(root, "prompts")), 2);
        check_row(root, "prompts", 0, first, 3);
        check_row(root, "prompts", 1, second, 3);
        const json_t *generated = json_object_get(root, "generated");
        assert_int_equal(json_array_size(generated), 2);
        for (size_t row = 0; row < 2; row++)
            assert_int_equal(json_array_size(json_array_get(generated, row)), 4);
        assert_null(json_object_get(root, "top_logits"));
        json_decref(root);
    }
}

static void fifty_tokens_by_default(void **state)
{
    (void)state;
    json_t *root = generate("--prompt-ids 7");
    assert_int_equal(json_array_size(json_array_get(json_object_get(root, "generated"), 0)), 50);
    json_decref(root);
}

/* The rows of a cell of bench can be repeated in another engine. */
static void random_prompt_is_bench_s(void **state)
{
    (void)state;
    enum { BATCH = 3, LENGTH = 9, VOCABULARY = 50257 };
    static const struct {
        const char *words;
        uint64_t seed;
    } cases[] = {{"--random-prompt 3x9 --output-length 1", 42},
                 {"--random-prompt 3X9 --output-length 1 --seed 7", 7}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        int32_t ids[BATCH * LENGTH];
        struct error error = {0};
        assert_int_equal(tokens_fill(ids, BATCH, LENGTH, VOCABULARY, cases[i].seed, &error), 0);
        json_t *root = generate(cases[i].words);
        for (size_t row = 0; row < BATCH; row++) {
            int64_t expected[LENGTH];
            for (size_t at = 0; at < LENGTH; at++)
                expected[at] = ids[row * LENGTH + at];
            check_row(root, "prompts", row, expected, LENGTH);
        }
        json_decref(root);
    }
}

/* On the real engine: every step's greedy token heads its list, the list falls, ties rise. */
static void top_logits_are_in_order(void **state)
{
    (void)state;
    enum { ROWS = 2, STEPS = 3, TOP = 101 };
    program_expect(&outcome,
                   "$T generate --model " TEST_SOURCE_DIR "/tests/golden/gpt2 --device cpu "
                   "--random-prompt 2x5 --output-length 3 --top-logits 101",
                   0);
    json_t *root = json_loads(outcome.out, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(root);
    for (size_t row = 0; row < ROWS; row++) {
        for (size_t step = 0; step < STEPS; step++) {
            const json_t *list =
                json_array_get(json_array_get(json_object_get(root, "top_logits"), row), step);
            assert_int_equal(json_array_size(list), TOP);
            json_int_t chosen = json_integer_value(
                json_array_get(json_array_get(json_object_get(root, "generated"), row), step));
            assert_int_equal(json_integer_value(json_array_get(json_array_get(list, 0), 0)),
                             chosen);
            for (size_t k = 1; k < TOP; k++) {
                const json_t *before = json_array_get(list, k - 1), *here = json_array_get(list, k);
                double higher = json_number_value(json_array_get(before, 1));
                double lower = json_number_value(json_array_get(here, 1));
                assert_true(higher >= lower);
                if (higher == lower)
                    assert_true(json_integer_value(json_array_get(before, 0)) <
                                json_integer_value(json_array_get(here, 0)));
            }
        }
    }
    json_decref(root);
}

static void bad_prompts_are_refused(void **state)
{
    (void)state;
    static const struct program_case cases[] = {
        {GENERATE "--prompt-ids 1,50257", 2, NULL, "id 50257 is outside"},
        {GENERATE "--prompt-ids 1,-1", 2, NULL, "'-1' is not a token id"},
        {GENERATE "--prompt-ids 1,2x", 2, NULL, "'2x' is not a token id"},
        {GENERATE "--prompt-ids 99999999999999999999999", 2, NULL, "outside"},
        {GENERATE "--prompt-ids ''", 2, NULL, "the prompt is empty"},
        {GENERATE "--prompt-ids 1,2 --prompt-ids 3", 2, NULL,
         "--prompt-ids number 2: the prompt has 1 ids, the first one 2"},
        {"printf '1 2\\n3 4 5\\n' >unequal.txt; " GENERATE "--prompt-file unequal.txt", 2, NULL,
         "unequal.txt:2: the prompt has 3 ids"},
        {"printf '1 2\\n3 word\\n' >word.txt; " GENERATE "--prompt-file word.txt", 2, NULL,
         "word.txt:2: 'word' is not a token id"},
        {": >empty.txt; " GENERATE "--prompt-file empty.txt", 2, NULL, "holds no prompt"},
        {GENERATE "--prompt-file missing.txt", 2, NULL, "missing.txt"},
        {GENERATE "--prompt-file .", 2, NULL, ".:"},
        {GENERATE "--prompt-file - </dev/null", 2, NULL, "standard input"},
        {GENERATE "--random-prompt 4", 2, NULL, "for example 4x256"},
        {GENERATE "--random-prompt 0x4", 2, NULL, "0x4"},
        {GENERATE "--random-prompt 4x", 2, NULL, "4x"},
        {GENERATE "--random-prompt 4x5x6", 2, NULL, "4x5x6"},
        {GENERATE "--random-prompt 1x1024 --output-length 2", 2, NULL, "1025 positions"},
        {GENERATE "--prompt-ids 1 --top-logits 50258", 2, NULL, "--top-logits: 50258"},
        {GENERATE "--prompt-ids 1 --output-length 0", 2, NULL, "--output-length"},
        {GENERATE "--prompt-ids 1 --temperature -1", 2, NULL, "--temperature"},
        {GENERATE "--prompt-ids 1 >/dev/full", 1, NULL, "standard output"},
    };
    program_check(cases, COUNT(cases));
    program_expect(&outcome, GENERATE "--random-prompt 1x1024 --output-length 1", 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prompts_come_back),        cmocka_unit_test(fifty_tokens_by_default),
        cmocka_unit_test(random_prompt_is_bench_s), cmocka_unit_test(top_logits_are_in_order),
        cmocka_unit_test(bad_prompts_are_refused),
    };
    return cmocka_run_group_tests(tests, program_setup, program_teardown);
}
