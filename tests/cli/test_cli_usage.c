/* Help, version, completion, and what is refused: the exit code, and the words that help. */
#include "program.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void help_is_there(void **state)
{
    (void)state;
    static const struct program_case cases[] = {
        {"$T", 0, "Commands:", NULL},
        {"$T --help", 0, "Examples:", NULL},
        {"$T -h", 0, "tokenmark analyze", NULL},
        {"$T help", 0, "Commands:", NULL},
        {"$T help bench", 0, "--batch-sizes", NULL},
        {"$T bench --help", 0, "Examples:", NULL},
        {"$T bench --model gpt2 -h", 0, "Usage:", NULL},
        {"$T config --help", 0, "Examples:", NULL},
        {"$T analyze --help", 0, "Examples:", NULL},
        {"$T generate --help", 0, "Examples:", NULL},
        {"$T models --help", 0, "(1,16)", NULL},
        {"$T --version", 0, "tokenmark ", NULL},
    };
    program_check(cases, COUNT(cases));
}

/* Every flag that is promised, and no line of help wider than a terminal but its usage lines. */
static void help_names_every_flag(void **state)
{
    (void)state;
    static struct outcome outcome;
    static const struct {
        const char *line;
        const char *flags[48];
    } pages[] = {
        {"$T bench --help",
         {"--model NAME|DIR|FILE",
          "--weights auto|real|random",
          "--revision",
          "--max-positions N",
          "--preset NAME",
          "--config-file FILE",
          "--batch-sizes",
          "--input-lengths",
          "--output-length",
          "--num-runs",
          "--temperature",
          "--top-p",
          "--max-batch-input-product",
          "--device auto|cpu|cuda|cuda:N",
          "--dtype",
          "--kv-dtype",
          "--threads",
          "--isa",
          "--pin",
          "--seed",
          "--precision PERCENT",
          "--min-runs",
          "--max-runs",
          "--max-cell-time TIME",
          "--time-limit TIME",
          "--passes",
          "--order random|grid",
          "--processes",
          "--process K",
          "--output-file PREFIX",
          "--resume FILE",
          "--force",
          "--dry-run",
          "--list-engines",
          "--help",
          "(1,2,4,8,16)",
          "(32,64,128,256,512,1024)",
          "(131072)"}},
        {"$T generate --help",
         {"--model", "--prompt-ids", "--prompt-file", "--random-prompt", "--output-length N",
          "--top-logits K", "--temperature", "--top-p", "--seed", "--device", "--dtype", "(50)"}},
        {"$T config --help", {"--show-presets", "--create PRESET", "--output FILE", "--force"}},
        {"$T analyze --help", {"--output-dir DIR", "--report-only", "--no-plots"}},
    };
    for (size_t i = 0; i < COUNT(pages); i++) {
        program_expect(&outcome, pages[i].line, 0);
        for (size_t f = 0; f < 32 && pages[i].flags[f] != NULL; f++)
            assert_contains(outcome.out, pages[i].flags[f]);
        for (char *line = strtok(outcome.out, "\n"); line != NULL; line = strtok(NULL, "\n")) {
            if (strlen(line) > 80 && strncmp(line, "  tokenmark ", 12) != 0)
                fail_msg("%s: too wide: %s", pages[i].line, line);
        }
    }
}

static void usage_is_refused(void **state)
{
    (void)state;
    static const struct program_case cases[] = {
        {"$T bnech", 2, NULL, "unknown command 'bnech'; did you mean 'bench'?"},
        {"$T zzz", 2, NULL, "unknown command 'zzz'\nTry 'tokenmark --help'."},
        {"$T --versoin", 2, NULL, "did you mean '--version'?"},
        {"$T help benhc", 2, NULL, "did you mean 'bench'?"},
        {"$T --completion fish", 2, NULL, "bash or zsh"},
        {"$T bench --modle gpt2", 2, NULL,
         "unknown option '--modle'; did you mean '--model'?\nTry 'tokenmark bench --help'."},
        {"$T bench --mod gpt2", 2, NULL, "did you mean '--model'?"},
        {"$T bench --batch_sizes=1", 2, NULL, "did you mean '--batch-sizes'?"},
        {"$T bench -m gpt2", 2, NULL, "unknown option '-m'"},
        {"$T bench", 2, NULL, "no model"},
        {"$T bench --model", 2, NULL, "--model needs a value"},
        {"$T bench --model --force", 2, NULL, "--model needs a value"},
        {"$T bench --model=", 2, NULL, "--model: its value is empty"},
        {"$T bench gpt2", 2, NULL, "unexpected argument 'gpt2'"},
        {"$T bench -- --model", 2, NULL, "unexpected argument '--model'"},
        {"$T bench --dry-run=yes", 2, NULL, "--dry-run takes no value"},
        {"$T bench --preset quick-test" FAKE, 2, NULL, "did you mean 'quick_test'?"},
        {"$T bench --preset zzz" FAKE, 2, NULL, "config --show-presets"},
        {"$T bench --preset quick_test --config-file x.json" FAKE, 2, NULL, "exclude each other"},
        {"$T bench --weights raandom" FAKE, 2, NULL, "none of: auto real random"},
        {"$T bench --threads 0" FAKE, 2, NULL, "--threads: '0' is not a whole number from 1"},
        {"$T bench --threads 1.5" FAKE, 2, NULL, "'1.5'"},
        {"$T bench --threads 99999999999999999999" FAKE, 2, NULL, "--threads"},
        {"$T bench --seed -1" FAKE, 2, NULL, "--seed: '-1'"},
        {"$T bench --seed 18446744073709551615" FAKE, 2, NULL, "--seed"},
        {"$T bench --max-positions 0" FAKE, 2, NULL, "--max-positions"},
        {"$T bench --pin maybe" FAKE, 2, NULL, "none of: on off"},
        {"$T bench --batch-sizes 0" FAKE, 2, NULL, "--batch-sizes"},
        {"$T bench --batch-sizes 1,,2" FAKE, 2, NULL, "--batch-sizes"},
        {"$T bench --batch-sizes ''" FAKE, 2, NULL, "--batch-sizes"},
        {"$T bench --input-lengths -5" FAKE, 2, NULL, "--input-lengths"},
        {"$T bench --output-length many" FAKE, 2, NULL, "--output-length"},
        {"$T bench --num-runs 0" FAKE, 2, NULL, "--num-runs"},
        {"$T bench --temperature nan" FAKE, 2, NULL, "--temperature"},
        {"$T bench --temperature 0,5" FAKE, 2, NULL, "--temperature"},
        {"$T bench --top-p 1.5" FAKE, 2, NULL, "--top-p"},
        {"$T bench --top-p 0" FAKE, 2, NULL, "--top-p"},
        {"$T bench --max-batch-input-product 0" FAKE, 2, NULL, "--max-batch-input-product"},
        {"$T bench --model gpt2 --weights random --device cdua", 2, NULL, "cdua"},
        {"$T bench --config-file missing.json" FAKE, 2, NULL, "missing.json"},
        {"$T bench --output-file missing/folder/x" FAKE, 2, NULL, "missing/folder"},
        {"$T config", 2, NULL, "--show-presets or --create"},
        {"$T config --create zzz", 2, NULL, "no preset 'zzz'"},
        {"$T config --show-presets --create quick_test", 2, NULL, "exclude"},
        {"$T config --show-presets --output x", 2, NULL, "--output"},
        {"$T analyze", 2, NULL, "no results file"},
        {"$T analyze missing.json", 2, NULL, "missing.json"},
        {"$T generate --model gpt2", 2, NULL, "no prompt"},
        {"$T generate --prompt-ids 1", 2, NULL, "no model"},
        {"$T generate --model gpt2 --prompt-ids 1 --random-prompt 1x1", 2, NULL, "one source"},
        {"$T generate --model gpt2 --prompt-ids 1 --num-runs 2", 2, NULL,
         "unknown option '--num-runs'"},
    };
    program_check(cases, COUNT(cases));
}

/* A device that is not there is never replaced by another. */
static void device_is_never_replaced(void **state)
{
    (void)state;
    static struct outcome outcome;
    program_run(&outcome, "$T bench --list-engines | grep native-cuda | grep 'cannot run'");
    if (outcome.exit_code != 0)
        skip();
    program_expect(&outcome, "$T bench --model gpt2 --weights random --device cuda --output-file c",
                   2);
    assert_contains(outcome.err, "cuda");
    assert_false(program_has_file("c.json"));
}

static void config_writes_presets(void **state)
{
    (void)state;
    static const struct program_case cases[] = {
        {"$T config --show-presets", 0, "input_length_study", NULL},
        {"$T config --create quick_test", 0, "benchmark_config.json written", NULL},
        {"$T config --create quick_test", 0, "already holds", NULL},
        {"$T config --create small_scale", 2, NULL, "--force replaces it"},
        {"grep -c quick_test benchmark_config.json", 1, "0", NULL},
        {"$T config --create small_scale --force", 0, "written", NULL},
        {"$T config --create large_scale --output large.json", 0, "large.json written", NULL},
        {"touch empty.json; $T config --create quick_test --output empty.json", 2, NULL,
         "empty.json exists"},
        {"$T config --create quick_test --output missing/x.json", 2, NULL, "missing"},
        {"$T bench --config-file benchmark_config.json --dry-run" FAKE, 0, "6 of 6 cells", ""},
        {"$T bench --config-file benchmark_config.json --num-runs=7 --batch-sizes 1 --dry-run" FAKE,
         0, "3 of 3 cells, 7 runs each, 30 tokens", ""},
        {"echo '{\"batch_size\": [1]}' >typo.json; $T bench --config-file typo.json" FAKE, 2, NULL,
         "batch_sizes"},
        {"echo '{' >broken.json; $T bench --config-file broken.json" FAKE, 2, NULL, "broken.json:"},
        {"$T bench --config-file empty.json" FAKE, 2, NULL, "empty.json"},
        {"$T bench --config-file ." FAKE, 2, NULL, ".:"},
    };
    program_check(cases, COUNT(cases));
}

static void completion_completes(void **state)
{
    (void)state;
    static struct outcome outcome;
    program_expect(&outcome, "$T --completion zsh", 0);
    assert_contains(outcome.out, "#compdef tokenmark");
    program_run(&outcome, "command -v bash");
    if (outcome.exit_code != 0)
        skip();
    static const struct program_case cases[] = {
        {"bash words.sh tokenmark an", 0, "analyze\n", NULL},
        {"bash words.sh tokenmark bench --pres", 0, "--preset\n", NULL},
        {"bash words.sh tokenmark bench --preset quick", 0, "quick_test\n", NULL},
        {"bash words.sh tokenmark bench --preset = quick", 0, "quick_test\n", NULL},
        {"bash words.sh tokenmark bench --weights r", 0, "real random\n", NULL},
        {"bash words.sh tokenmark help con", 0, "config\n", NULL},
        {"bash words.sh tokenmark analyze some_resu", 0, "some_results.json\n", NULL},
        {"bash words.sh tokenmark config --create input", 0, "input_length_study\n", NULL},
    };
    program_expect(&outcome,
                   "$T --completion bash >words.sh; touch some_results.json\n"
                   "echo 'COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); _tokenmark' >>words.sh\n"
                   "echo 'echo \"${COMPREPLY[@]}\"' >>words.sh",
                   0);
    program_check(cases, COUNT(cases));
}

static void standard_output_that_is_gone(void **state)
{
    (void)state;
    static struct outcome outcome;
    program_expect(&outcome, "$T config --show-presets >/dev/full", 1);
    assert_contains(outcome.err, "standard output could not be written");
    program_expect(&outcome, "$T config --show-presets >&-", 1);
    assert_contains(outcome.err, "standard output could not be written");
    program_expect(&outcome, "$T bench --help | head -1", 0);
    assert_string_equal(outcome.err, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(help_is_there),
        cmocka_unit_test(help_names_every_flag),
        cmocka_unit_test(usage_is_refused),
        cmocka_unit_test(device_is_never_replaced),
        cmocka_unit_test(config_writes_presets),
        cmocka_unit_test(completion_completes),
        cmocka_unit_test(standard_output_that_is_gone),
    };
    return cmocka_run_group_tests(tests, program_setup, program_teardown);
}
