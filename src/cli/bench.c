/* tokenmark bench: from flags to a measured grid. Everything that can be refused is refused
 * before the model is loaded. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "bench/grid.h"
#include "bench/runner.h"
#include "cli/bench_header.h"
#include "cli/cell_table.h"
#include "cli/cli.h"
#include "cli/command.h"
#include "cli/facts.h"
#include "cli/progress.h"
#include "cli/setup.h"
#include "cli/stop.h"
#include "cli/terminal.h"
#include "results/results_file.h"

struct bench_flags {
    struct setup_flags setup;
    struct option_keys keys;
    const struct config_preset *preset;
    const char *config_file;
    const char *output_file;
    bool force;
    bool dry_run;
    bool list_engines;
};

static const struct option source_options[] = {
    {.name = "preset",
     .value = "NAME",
     .kind = OPTION_PRESET,
     .offset = offsetof(struct bench_flags, preset),
     .help = "start from a preset; 'tokenmark config --show-presets' lists them"},
    {.name = "config-file",
     .value = "FILE",
     .kind = OPTION_TEXT,
     .offset = offsetof(struct bench_flags, config_file),
     .takes_path = true,
     .help = "start from a configuration file; the flags below beat it"},
};

static const struct option output_options[] = {
    {.name = "output-file",
     .value = "PREFIX",
     .kind = OPTION_TEXT,
     .offset = offsetof(struct bench_flags, output_file),
     .takes_path = true,
     .help = "write PREFIX.json and PREFIX.csv (benchmark_results_YYYYMMDD_HHMMSS)"},
    {.name = "force",
     .kind = OPTION_SWITCH,
     .offset = offsetof(struct bench_flags, force),
     .help = "overwrite results files that exist"},
    {.name = "dry-run",
     .kind = OPTION_SWITCH,
     .offset = offsetof(struct bench_flags, dry_run),
     .help = "show the grid, what is skipped and why, and the predicted memory, then stop"},
    {.name = "list-engines",
     .kind = OPTION_SWITCH,
     .offset = offsetof(struct bench_flags, list_engines),
     .help = "show the engines of this build and why one cannot run here, then stop"},
};

static const struct option_group bench_groups[] = {
    {.title = "Model",
     .options = setup_model_options,
     .option_count = SETUP_MODEL_OPTIONS,
     .offset = offsetof(struct bench_flags, setup)},
    {.title = "What to measure",
     .options = source_options,
     .option_count = sizeof source_options / sizeof source_options[0]},
    {.title = "What to measure", .keys = "*", .offset = offsetof(struct bench_flags, keys)},
    {.title = "How to compute",
     .options = setup_engine_options,
     .option_count = SETUP_ENGINE_OPTIONS,
     .offset = offsetof(struct bench_flags, setup)},
    {.title = "Output",
     .options = output_options,
     .option_count = sizeof output_options / sizeof output_options[0]},
};

struct bench {
    const struct command *command;
    struct bench_flags flags;
    struct config config;
    struct progress progress;
    struct setup setup;
    struct results results;
    struct results_file file;
};

/* Defaults, then the preset or the file, then the flags. */
static int resolve_config(struct bench *bench, struct error *error)
{
    config_defaults(&bench->config);
    if (bench->flags.preset != NULL)
        bench->config = bench->flags.preset->config;
    int code = 0;
    if (bench->flags.config_file != NULL)
        code = config_load(&bench->config, bench->flags.config_file, error);
    return code != 0 ? code : option_keys_apply(&bench->flags.keys, &bench->config, error);
}

static void on_event(void *context, const struct runner_event *event)
{
    struct bench *bench = context;
    progress_event(&bench->progress, event);
}

static bool on_stop(void *context)
{
    (void)context;
    return stop_was_asked();
}

static struct runner_options runner_options(struct bench *bench)
{
    return (struct runner_options){
        .config = &bench->config,
        .ops = bench->setup.ops,
        .engine = bench->setup.engine,
        .model_name = model_name(bench->setup.model),
        .vocabulary_size = model_architecture(bench->setup.model)->vocabulary_size,
        .device = setup_device(&bench->setup),
        .dtype = setup_fact(&bench->setup, "dtype"),
        .seed = bench->flags.setup.seed,
        .clock = clock_monotonic(),
        .event = on_event,
        .stop = on_stop,
        .context = bench,
    };
}

static int fill_facts(struct bench *bench, struct error *error)
{
    json_t *options = facts_options(&bench->flags.setup);
    const struct bench_flags *flags = &bench->flags;
    if (options != NULL &&
        (json_object_set_new(options, "preset",
                             flags->preset != NULL ? json_string(flags->preset->name)
                                                   : json_null()) != 0 ||
         json_object_set_new(options, "config_file",
                             flags->config_file != NULL ? json_string(flags->config_file)
                                                        : json_null()) != 0)) {
        json_decref(options);
        options = NULL;
    }
    return facts_fill(&bench->results, &bench->setup, &bench->config, options, error);
}

/* Everything up to the moment when measuring could begin. */
static int prepare(struct bench *bench, struct error *error)
{
    int code = resolve_config(bench, error);
    if (code == 0 && !bench->flags.dry_run)
        code = results_file_open(&bench->file, bench->flags.output_file, bench->flags.force,
                                 clock_monotonic(), error);
    if (code == 0)
        code = setup_choose_device(&bench->setup, bench->config.device, error);
    if (code == 0)
        code = setup_open_model(&bench->setup, &bench->flags.setup, &bench->progress, error);
    if (code == 0)
        code = grid_build(&bench->results, &bench->config,
                          model_architecture(bench->setup.model)->position_limit, error);
    if (code == 0)
        code = facts_fill_system(&bench->results, error);
    if (code == 0)
        code = setup_open_engine(&bench->setup, &bench->flags.setup, &bench->progress, error);
    if (code == 0)
        code = fill_facts(bench, error);
    struct runner_options options = {0};
    if (code == 0) {
        options = runner_options(bench);
        code = runner_check_memory(&bench->results, &options, error);
    }
    return code;
}

/* After a stop or a failure too: what was measured is shown and where it lies. */
static void print_outcome(const struct bench *bench)
{
    (void)printf("\n");
    cell_table_print_results(stdout, &bench->results);
    cell_table_print_reasons(stdout, &bench->results, CELL_SKIPPED, "\nskipped");
    cell_table_print_reasons(stdout, &bench->results, CELL_FAILED, "\nfailed");
    if (model_weights_are_random(bench->setup.model))
        (void)printf("\nThe weights are random: times are those of the architecture, the generated "
                     "tokens mean nothing.\n");
    if (file_exists(bench->file.json_path))
        (void)printf("\nResults: %s and %s\nReport and plots: tokenmark analyze %s\n",
                     bench->file.json_path, bench->file.csv_path, bench->file.json_path);
}

static int measure(struct bench *bench)
{
    struct runner_options options = runner_options(bench);
    struct error error = {0};
    progress_begin_grid(&bench->progress, &bench->results, bench->config.num_runs);
    stop_watch_begin();
    int code = runner_run(&bench->results, &bench->file, &options, &error);
    stop_watch_end();
    progress_clear(&bench->progress);
    print_outcome(bench);
    (void)fflush(stdout);
    if (code == 0)
        return CLI_DONE;
    terminal_say_error(bench->command->name, error.text);
    return CLI_FAILED;
}

static int run_prepared(struct bench *bench)
{
    const struct bench_plan plan = {&bench->setup, &bench->flags.setup, &bench->config,
                                    &bench->results};
    bench_print_header(&plan);
    if (!bench->flags.dry_run)
        return measure(bench);
    bench_print_plan(&plan);
    return CLI_DONE;
}

static int run_bench(const struct command *command, int argument_count, char **arguments)
{
    struct bench bench = {.command = command, .flags.setup = setup_flags_default};
    struct operands operands;
    int exit_code = CLI_DONE;
    if (!command_parse(command, argument_count, arguments, &bench.flags, &operands, &exit_code))
        return exit_code;
    if (bench.flags.list_engines) {
        bench_print_engines();
        return CLI_DONE;
    }
    if (bench.flags.preset != NULL && bench.flags.config_file != NULL)
        return command_refuse(command, "--preset and --config-file exclude each other: write the "
                                       "preset to a file with 'tokenmark config --create' and "
                                       "change it there");
    if (bench.flags.setup.model == NULL)
        return command_refuse(command, "no model: --model NAME|DIR|FILE, for example --model gpt2");
    progress_init(&bench.progress);
    results_init(&bench.results);
    struct error error = {0};
    exit_code = prepare(&bench, &error) == 0 ? run_prepared(&bench) : command_fail(command, &error);
    setup_close(&bench.setup);
    results_file_close(&bench.file);
    results_free(&bench.results);
    return exit_code;
}

const struct command command_bench = {
    .name = "bench",
    .summary = "measure a model over a grid of batch sizes and input lengths",
    .usage = "--model NAME|DIR|FILE [--preset NAME | --config-file FILE] [options]\n"
             "--list-engines",
    .text = "Measures prefill time, decode time per token and total latency of a model over a "
            "grid of batch sizes and input lengths, and writes every run to a JSON and a CSV "
            "file. Prompts are token ids of exactly the asked length; generation never stops "
            "early. Ctrl-C saves what was measured and ends; a second one ends at once.",
    .examples = "# a quick look, nothing is downloaded\n"
                "tokenmark bench --model gpt2 --weights random --preset quick_test\n"
                "# one configuration of a local model, greedy, results in my_run.json and .csv\n"
                "tokenmark bench --model DIR --batch-sizes 4 --input-lengths 512 \\\n"
                "    --temperature 0 --output-file my_run\n"
                "# what would the large grid skip here, and why?\n"
                "tokenmark bench --model gpt2 --preset large_scale --dry-run",
    .groups = bench_groups,
    .group_count = sizeof bench_groups / sizeof bench_groups[0],
    .defaults = config_defaults,
    .run = run_bench,
};
