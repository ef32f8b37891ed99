/* tokenmark bench: from settings (bench_settings.h) to a measured grid, in this process or, where
 * several are asked for or a device can be lost, in others (supervisor.h). */
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "bench/grid.h"
#include "bench/runner.h"
#include "cli/bench_header.h"
#include "cli/bench_settings.h"
#include "cli/cell_table.h"
#include "cli/cli.h"
#include "cli/command.h"
#include "cli/facts.h"
#include "cli/peak.h"
#include "cli/progress.h"
#include "cli/resume.h"
#include "cli/setup.h"
#include "cli/stop.h"
#include "cli/supervisor.h"
#include "cli/terminal.h"
#include "cli/verdict_table.h"
#include "results/results_file.h"

struct bench {
    const struct command *command;
    struct bench_settings settings;
    struct progress progress;
    struct setup setup;
    struct results results;
    struct results now; /* with --resume: the conditions that the file's are compared with */
    struct results_file file;
    double peak_flops_per_s;
};

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

static double read_peak(void *context)
{
    struct bench *bench = context;
    bench->peak_flops_per_s =
        fmax(bench->peak_flops_per_s, peak_find(&bench->setup, bench->results.system));
    return bench->peak_flops_per_s;
}

/* Of an element of the matrices: what the engine packed, where it tells. */
static double weight_element_bytes(const struct bench *bench)
{
    const json_t *told = json_object_get(bench->setup.facts, "weight_element_bytes");
    return json_is_number(told) ? json_number_value(told)
                                : model_cost_type_bytes(setup_fact(&bench->setup, "dtype"));
}

/* Limits need the bytes of the compute types. */
static struct watch_options watch_options(struct bench *bench)
{
    struct watch_options watch = {
        .read_counters = watch_read_counters,
        .cpu_count = (int)sysconf(_SC_NPROCESSORS_ONLN),
        .types = {weight_element_bytes(bench),
                  model_cost_type_bytes(setup_fact(&bench->setup, "kv_dtype"))},
        .peak_flops_per_s = bench->peak_flops_per_s,
        .read_peak = read_peak,
        .peak_context = bench,
        .bandwidth_s = 0.3,
    };
    if (isfinite(watch.types.weight) && isfinite(watch.types.kv))
        watch.architecture = model_architecture(bench->setup.model);
    return watch;
}

static struct runner_options runner_options(struct bench *bench)
{
    return (struct runner_options){
        .config = &bench->settings.config,
        .schedule = &bench->settings.schedule,
        .ops = bench->setup.ops,
        .engine = bench->setup.engine,
        .model_name = model_name(bench->setup.model),
        .vocabulary_size = model_architecture(bench->setup.model)->vocabulary_size,
        .device = setup_device(&bench->setup),
        .dtype = setup_fact(&bench->setup, "dtype"),
        .seed = bench->settings.flags.setup.seed,
        .breakdown = bench->settings.flags.breakdown,
        .clock = clock_monotonic(),
        .watch = watch_options(bench),
        .event = on_event,
        .stop = on_stop,
        .context = bench,
    };
}

/* Everything up to the moment when measuring could begin. */
static int prepare(struct bench *bench, struct error *error)
{
    bool resumed = bench->settings.flags.resume != NULL;
    struct results *facts = resumed ? &bench->now : &bench->results;
    int code = setup_choose_device(&bench->setup, bench->settings.config.device, error);
    if (code == 0)
        code =
            setup_open_model(&bench->setup, &bench->settings.flags.setup, &bench->progress, error);
    if (code == 0 && !resumed)
        code = grid_build(&bench->results, &bench->settings.config,
                          model_architecture(bench->setup.model)->position_limit, error);
    if (code == 0)
        code = facts_fill_system(facts, error);
    if (code == 0)
        code =
            setup_open_engine(&bench->setup, &bench->settings.flags.setup, &bench->progress, error);
    if (code == 0)
        code = facts_fill(facts, &bench->setup, &bench->settings.config,
                          bench_options_json(&bench->settings.flags), error);
    if (code == 0 && resumed)
        code = resume_check_conditions(&bench->results, &bench->now, bench->settings.flags.force,
                                       bench->file.json_path, error);
    if (code == 0 && bench->settings.flags.breakdown && bench->setup.ops->time_components == NULL)
        terminal_warn("--breakdown: the engine %s cannot tell its components; the cells go without",
                      bench->setup.ops->name);
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
    verdict_table_print_reasons(stdout, &bench->results);
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
    bench->peak_flops_per_s = peak_find(&bench->setup, bench->results.system);
    struct runner_options options = runner_options(bench);
    struct error error = {0};
    progress_begin_grid(&bench->progress, &bench->results,
                        bench->settings.schedule.precision > 0.0
                            ? 0
                            : bench->settings.schedule.num_runs *
                                  bench->settings.schedule.processes);
    stop_watch_begin();
    int code = runner_run(&bench->results, &bench->file, &options, &error);
    stop_watch_end();
    progress_clear(&bench->progress);
    const struct schedule *schedule = &bench->settings.schedule;
    /* Of a lost device the next process goes on, if there is anything left and who starts it. */
    int64_t next = 0;
    struct error ignored = {0};
    if (code == ERROR_DEVICE && bench->settings.flags.schedule.supervised != NULL &&
        runner_next_process(&next, &bench->results, schedule, &ignored) == 0 && next != 0) {
        terminal_say_error(bench->command->name, error.text);
        return CLI_DEVICE_LOST;
    }
    /* Of several processes the last shows the whole, or the one that is stopped. */
    if (code != ERROR_STOPPED && schedule->process < schedule->processes)
        (void)printf("process %lld of %lld is done\n", (long long)schedule->process,
                     (long long)schedule->processes);
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
    const struct bench_plan plan = {&bench->setup, &bench->settings.flags.setup,
                                    &bench->settings.config, &bench->settings.schedule,
                                    &bench->results};
    /* Of several processes the first speaks for all, also for one in its place. */
    const char *supervised = bench->settings.flags.schedule.supervised;
    bool follows = supervised != NULL && strcmp(supervised, "next") == 0;
    if (bench->settings.flags.schedule.process <= 1 && !follows)
        bench_print_header(&plan);
    if (!bench->settings.flags.dry_run)
        return measure(bench);
    bench_print_plan(&plan);
    return CLI_DONE;
}

/* Which process of the schedule this one is; *done where nothing is left for it. */
static int choose_process(struct bench *bench, bool *done, struct error *error)
{
    *done = false;
    if (bench->settings.flags.schedule.process != 0 || bench->settings.flags.resume == NULL) {
        bench->settings.schedule.process =
            bench->settings.flags.schedule.process > 0 ? bench->settings.schedule.process : 1;
        return 0;
    }
    int code = runner_next_process(&bench->settings.schedule.process, &bench->results,
                                   &bench->settings.schedule, error);
    *done = code == 0 && bench->settings.schedule.process == 0;
    return code;
}

/* Processes of their own for measuring, and this one is none of them. */
static int supervise(struct bench *bench, int argument_count, char **arguments)
{
    char prefix[PATH_MAX], file[PATH_MAX];
    struct supervised supervised = {
        .command = bench->command->name,
        .exists = bench->settings.flags.resume != NULL,
        .force = bench->settings.flags.force,
        .schedule = bench->settings.schedule,
        .argument_count = argument_count - 1,
        .arguments = arguments + 1,
    };
    (void)snprintf(file, sizeof file, "%s", bench->file.json_path);
    supervised.file = file;
    if (!supervised.exists && bench->settings.flags.output_file == NULL) {
        (void)snprintf(prefix, sizeof prefix, "%.*s", (int)(strlen(file) - strlen(".json")), file);
        supervised.prefix = prefix;
    }
    /* The processes take the lock, one after the other. */
    results_file_close(&bench->file);
    return supervisor_run(&supervised);
}

static int settle_and_run(struct bench *bench, int argument_count, char **arguments)
{
    struct error error = {0};
    bool done = false;
    if (bench_settle(&bench->settings, &bench->results, &bench->file, &error) != 0)
        return command_fail(bench->command, &error);
    bool may_supervise =
        bench->settings.flags.schedule.process == 0 && !bench->settings.flags.dry_run;
    if (bench->settings.schedule.processes > 1 && may_supervise)
        return supervise(bench, argument_count, arguments);
    if (choose_process(bench, &done, &error) != 0)
        return command_fail(bench->command, &error);
    if (done) {
        (void)printf("%s: nothing is left to measure\n", bench->file.json_path);
        return CLI_DONE;
    }
    if (setup_choose_device(&bench->setup, bench->settings.config.device, &error) != 0)
        return command_fail(bench->command, &error);
    if (bench->setup.ops->own_device && may_supervise)
        return supervise(bench, argument_count, arguments);
    return prepare(bench, &error) == 0 ? run_prepared(bench) : command_fail(bench->command, &error);
}

static int run_bench(const struct command *command, int argument_count, char **arguments)
{
    struct bench bench = {.command = command, .settings.flags.setup = setup_flags_unset};
    struct operands operands;
    int exit_code = CLI_DONE;
    if (!command_parse(command, argument_count, arguments, &bench.settings.flags, &operands,
                       &exit_code))
        return exit_code;
    if (bench.settings.flags.list_engines) {
        bench_print_engines();
        return CLI_DONE;
    }
    if (bench.settings.flags.preset != NULL && bench.settings.flags.config_file != NULL)
        return command_refuse(command, "--preset and --config-file exclude each other: write the "
                                       "preset to a file with 'tokenmark config --create' and "
                                       "change it there");
    if (bench.settings.flags.resume != NULL && bench.settings.flags.output_file != NULL)
        return command_refuse(command, "--resume continues its file in place: leave --output-file "
                                       "out");
    if (bench.settings.flags.setup.model == NULL && bench.settings.flags.resume == NULL)
        return command_refuse(command, "no model: --model NAME|DIR|FILE, for example --model gpt2");
    bench.settings.flags.setup.plan_only = bench.settings.flags.dry_run;
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
    .text = "Measures prefill time, decode time per token, total latency and memory of a model "
            "over a grid of batch sizes and input lengths, and writes every run to a JSON and a "
            "CSV file. Prompts are token ids of exactly the asked length; generation never stops "
            "early. Ctrl-C saves what was measured and ends; a second one ends at once.",
    .examples = "# a quick look, nothing is downloaded\n"
                "tokenmark bench --model gpt2 --weights random --preset quick_test\n"
                "# one configuration of a local model, greedy, results in my_run.json and .csv\n"
                "tokenmark bench --model DIR --batch-sizes 4 --input-lengths 512 \\\n"
                "    --temperature 0 --output-file my_run\n"
                "# until every mean is known to 2 %, at most half an hour\n"
                "tokenmark bench --model gpt2 --precision 2% --time-limit 30m --output-file a\n"
                "# it was interrupted: go on\n"
                "tokenmark bench --resume a.json\n"
                "# what would the large grid skip here, and why?\n"
                "tokenmark bench --model gpt2 --preset large_scale --dry-run",
    .groups = bench_groups,
    .group_count = BENCH_GROUPS,
    .defaults = config_defaults,
    .run = run_bench,
};
