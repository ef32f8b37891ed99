/* tokenmark bench: from flags to a measured grid. Everything that can be refused is refused
 * before the model is loaded. */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "bench/grid.h"
#include "bench/runner.h"
#include "cli/bench_header.h"
#include "cli/cell_table.h"
#include "cli/cli.h"
#include "cli/command.h"
#include "cli/facts.h"
#include "cli/option_json.h"
#include "cli/progress.h"
#include "cli/resume.h"
#include "cli/schedule_flags.h"
#include "cli/setup.h"
#include "cli/stop.h"
#include "cli/supervisor.h"
#include "cli/terminal.h"
#include "results/results_file.h"

struct bench_flags {
    struct setup_flags setup;
    struct schedule_flags schedule;
    struct option_keys keys;
    const struct config_preset *preset;
    const char *config_file;
    const char *output_file;
    const char *resume;
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
    {.name = "resume",
     .value = "FILE",
     .kind = OPTION_TEXT,
     .offset = offsetof(struct bench_flags, resume),
     .takes_path = true,
     .help = "continue FILE.json in place, with the settings that it was begun with"},
    {.name = "force",
     .kind = OPTION_SWITCH,
     .offset = offsetof(struct bench_flags, force),
     .help = "overwrite results files that exist; with --resume, continue on another machine"},
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
    {.title = "How often and how long",
     .options = schedule_options,
     .option_count = SCHEDULE_OPTIONS,
     .offset = offsetof(struct bench_flags, schedule)},
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
    char model_path[PATH_MAX]; /* of a model that is a path, from the root */
    struct config config;
    struct schedule schedule;
    struct progress progress;
    struct setup setup;
    struct results results;
    struct results now; /* with --resume: the conditions that the file's are compared with */
    struct results_file file;
};

/* The standing configuration, then the preset or the file, then the flags. */
static int resolve_config(struct bench *bench, struct config *config, struct error *error)
{
    if (bench->flags.preset != NULL)
        *config = bench->flags.preset->config;
    int code = 0;
    if (bench->flags.config_file != NULL)
        code = config_load(config, bench->flags.config_file, error);
    return code != 0 ? code : option_keys_apply(&bench->flags.keys, config, error);
}

static bool is_key_given(const struct bench *bench, const char *name)
{
    for (size_t i = 0; i < CONFIG_KEY_COUNT; i++) {
        if (strcmp(config_keys[i].name, name) == 0)
            return bench->flags.keys.words[i] != NULL;
    }
    return false;
}

/* A path is kept from the root, so that the file can be continued from any folder. */
static void find_model(struct bench *bench)
{
    if (bench->flags.setup.model != NULL &&
        realpath(bench->flags.setup.model, bench->model_path) != NULL)
        bench->flags.setup.model = bench->model_path;
}

/* Settings of a measurement that begins. */
static int settle_new(struct bench *bench, struct error *error)
{
    config_defaults(&bench->config);
    int code = resolve_config(bench, &bench->config, error);
    setup_flags_complete(&bench->flags.setup);
    if (code == 0)
        code = schedule_flags_complete(&bench->flags.schedule, bench->config.num_runs,
                                       is_key_given(bench, "num_runs"), error);
    return code;
}

/* Settings of one that goes on: the file's; what was typed must agree with them. */
static int settle_resumed(struct bench *bench, struct error *error)
{
    struct bench_flags *flags = &bench->flags;
    const char *file = bench->file.json_path;
    int code = results_load(&bench->results, file, error);
    if (code == 0)
        code = resume_check_file(&bench->results, file, error);
    if (code == 0)
        code = resume_take_config(&bench->config, &bench->results, file, error);
    struct config typed = bench->config;
    if (code == 0)
        code = resolve_config(bench, &typed, error);
    if (code == 0)
        code = resume_check_config(&bench->config, &typed, file, error);
    const json_t *options = bench->results.options;
    if (code == 0)
        code = option_json_continue(setup_model_options, SETUP_MODEL_OPTIONS, &flags->setup,
                                    options, file, error);
    if (code == 0)
        code = option_json_continue(setup_engine_options, SETUP_ENGINE_OPTIONS, &flags->setup,
                                    options, file, error);
    if (code == 0)
        code = option_json_continue(schedule_options, SCHEDULE_RECORDED_OPTIONS, &flags->schedule,
                                    options, file, error);
    setup_flags_complete(&flags->setup);
    if (code == 0)
        code = schedule_flags_complete(&flags->schedule, bench->config.num_runs, false, error);
    if (code == 0 && flags->setup.model == NULL)
        code = error_set(error, ERROR_INPUT, "%s: does not name its model", file);
    return code;
}

/* Configuration, flags and schedule, and the results file under its lock. */
static int settle(struct bench *bench, struct error *error)
{
    struct bench_flags *flags = &bench->flags;
    int code = 0;
    find_model(bench);
    if (flags->resume != NULL) {
        code = results_file_continue(&bench->file, flags->resume, clock_monotonic(), error);
        if (code == 0)
            code = settle_resumed(bench, error);
    } else {
        code = settle_new(bench, error);
        if (code == 0 && !flags->dry_run)
            code = results_file_open(&bench->file, flags->output_file, flags->force,
                                     clock_monotonic(), error);
    }
    if (code != 0)
        return code;
    bench->schedule =
        schedule_flags_resolve(&flags->schedule, bench->config.num_runs, flags->setup.seed);
    return 0;
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
        .schedule = &bench->schedule,
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

static json_t *nullable_string(const char *string)
{
    return string != NULL ? json_string(string) : json_null();
}

static int fill_facts(struct bench *bench, struct results *results, struct error *error)
{
    const struct bench_flags *flags = &bench->flags;
    json_t *options = facts_options(&flags->setup);
    if (options != NULL &&
        (!option_json_write(schedule_options, SCHEDULE_RECORDED_OPTIONS, &flags->schedule,
                            options) ||
         json_object_set_new(options, "preset",
                             nullable_string(flags->preset != NULL ? flags->preset->name : NULL)) !=
             0 ||
         json_object_set_new(options, "config_file", nullable_string(flags->config_file)) != 0)) {
        json_decref(options);
        options = NULL;
    }
    return facts_fill(results, &bench->setup, &bench->config, options, error);
}

/* Everything up to the moment when measuring could begin. */
static int prepare(struct bench *bench, struct error *error)
{
    bool resumed = bench->flags.resume != NULL;
    struct results *facts = resumed ? &bench->now : &bench->results;
    int code = setup_choose_device(&bench->setup, bench->config.device, error);
    if (code == 0)
        code = setup_open_model(&bench->setup, &bench->flags.setup, &bench->progress, error);
    if (code == 0 && !resumed)
        code = grid_build(&bench->results, &bench->config,
                          model_architecture(bench->setup.model)->position_limit, error);
    if (code == 0)
        code = facts_fill_system(facts, error);
    if (code == 0)
        code = setup_open_engine(&bench->setup, &bench->flags.setup, &bench->progress, error);
    if (code == 0)
        code = fill_facts(bench, facts, error);
    if (code == 0 && resumed)
        code = resume_check_conditions(&bench->results, &bench->now, bench->flags.force,
                                       bench->file.json_path, error);
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
    cell_table_print_stops(stdout, &bench->results);
    cell_table_print_reasons(stdout, &bench->results, CELL_PARTIAL, "\npartial");
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
    progress_begin_grid(
        &bench->progress, &bench->results,
        bench->schedule.precision > 0.0 ? 0 : bench->schedule.num_runs * bench->schedule.processes);
    stop_watch_begin();
    int code = runner_run(&bench->results, &bench->file, &options, &error);
    stop_watch_end();
    progress_clear(&bench->progress);
    if (code == 0 && bench->schedule.process < bench->schedule.processes)
        (void)printf("process %lld of %lld is done\n", (long long)bench->schedule.process,
                     (long long)bench->schedule.processes);
    else
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
                                    &bench->schedule, &bench->results};
    if (bench->schedule.process == 1 || bench->flags.resume == NULL)
        bench_print_header(&plan);
    if (!bench->flags.dry_run)
        return measure(bench);
    bench_print_plan(&plan);
    return CLI_DONE;
}

/* Which process of the schedule this one is; *done where nothing is left for it. */
static int choose_process(struct bench *bench, bool *done, struct error *error)
{
    *done = false;
    if (bench->flags.schedule.process != 0 || bench->flags.resume == NULL) {
        bench->schedule.process = bench->flags.schedule.process > 0 ? bench->schedule.process : 1;
        return 0;
    }
    int code =
        runner_next_process(&bench->schedule.process, &bench->results, &bench->schedule, error);
    *done = code == 0 && bench->schedule.process == 0;
    return code;
}

/* Several processes, and this one is none of them. */
static int supervise(struct bench *bench, int argument_count, char **arguments)
{
    char made[RESULTS_PREFIX_MAX], file[PATH_MAX];
    struct supervised supervised = {
        .command = bench->command->name,
        .exists = bench->flags.resume != NULL,
        .force = bench->flags.force,
        .schedule = bench->schedule,
        .argument_count = argument_count - 1,
        .arguments = arguments + 1,
    };
    if (!supervised.exists && bench->flags.output_file == NULL) {
        results_default_prefix(made);
        supervised.prefix = made;
    }
    (void)snprintf(file, sizeof file, "%s", bench->file.json_path);
    supervised.file = file;
    /* The processes take the lock, one after the other. */
    results_file_close(&bench->file);
    return supervisor_run(&supervised);
}

static int settle_and_run(struct bench *bench, int argument_count, char **arguments)
{
    struct error error = {0};
    bool done = false;
    if (settle(bench, &error) != 0)
        return command_fail(bench->command, &error);
    if (bench->schedule.processes > 1 && bench->schedule.process == 0 && !bench->flags.dry_run)
        return supervise(bench, argument_count, arguments);
    if (choose_process(bench, &done, &error) != 0)
        return command_fail(bench->command, &error);
    if (done) {
        (void)printf("%s: nothing is left to measure\n", bench->file.json_path);
        return CLI_DONE;
    }
    return prepare(bench, &error) == 0 ? run_prepared(bench) : command_fail(bench->command, &error);
}

static int run_bench(const struct command *command, int argument_count, char **arguments)
{
    struct bench bench = {.command = command, .flags.setup = setup_flags_unset};
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
    if (bench.flags.resume != NULL && bench.flags.output_file != NULL)
        return command_refuse(command, "--resume continues its file in place: leave --output-file "
                                       "out");
    if (bench.flags.setup.model == NULL && bench.flags.resume == NULL)
        return command_refuse(command, "no model: --model NAME|DIR|FILE, for example --model gpt2");
    progress_init(&bench.progress);
    results_init(&bench.results);
    results_init(&bench.now);
    exit_code = settle_and_run(&bench, argument_count, arguments);
    setup_close(&bench.setup);
    results_file_close(&bench.file);
    results_free(&bench.results);
    results_free(&bench.now);
    return exit_code;
}

const struct command command_bench = {
    .name = "bench",
    .summary = "measure a model over a grid of batch sizes and input lengths",
    .usage = "--model NAME|DIR|FILE [--preset NAME | --config-file FILE] [options]\n"
             "--resume FILE\n"
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
                "# until every mean is known to 2 %, at most half an hour\n"
                "tokenmark bench --model gpt2 --precision 2% --time-limit 30m --output-file night\n"
                "# it was interrupted: go on\n"
                "tokenmark bench --resume night.json\n"
                "# what would the large grid skip here, and why?\n"
                "tokenmark bench --model gpt2 --preset large_scale --dry-run",
    .groups = bench_groups,
    .group_count = sizeof bench_groups / sizeof bench_groups[0],
    .defaults = config_defaults,
    .run = run_bench,
};
