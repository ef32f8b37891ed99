/* Flag tables and settings of bench_settings.h. */
#include "cli/bench_settings.h"

#include <stdlib.h>
#include <string.h>

#include "cli/facts.h"
#include "cli/option_json.h"
#include "cli/resume.h"

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

/* Recorded with the results beside the model's, the engine's and the schedule's. */
enum { EXTRA_OPTIONS = 1 };
static const struct option extra_options[EXTRA_OPTIONS] = {
    {.name = "breakdown",
     .kind = OPTION_SWITCH,
     .offset = offsetof(struct bench_flags, breakdown),
     .help = "also tell where the time goes (embedding, attention, MLP, ...), in a pass of its own "
             "after a cell's last run"},
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

const struct option_group bench_groups[BENCH_GROUPS] = {
    {.title = "Model",
     .options = setup_model_options,
     .option_count = SETUP_MODEL_OPTIONS,
     .offset = offsetof(struct bench_flags, setup)},
    {.title = "What to measure",
     .options = source_options,
     .option_count = sizeof source_options / sizeof source_options[0]},
    {.title = "What to measure", .keys = "*", .offset = offsetof(struct bench_flags, keys)},
    {.title = "What to measure", .options = extra_options, .option_count = EXTRA_OPTIONS},
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

/* The standing configuration, then the preset or the file, then the flags. */
static int resolve_config(struct bench_settings *settings, struct config *config,
                          struct error *error)
{
    if (settings->flags.preset != NULL)
        *config = settings->flags.preset->config;
    int code = 0;
    if (settings->flags.config_file != NULL)
        code = config_load(config, settings->flags.config_file, error);
    return code != 0 ? code : option_keys_apply(&settings->flags.keys, config, error);
}

static bool is_key_given(const struct bench_settings *settings, const char *name)
{
    for (size_t i = 0; i < CONFIG_KEY_COUNT; i++) {
        if (strcmp(config_keys[i].name, name) == 0)
            return settings->flags.keys.words[i] != NULL;
    }
    return false;
}

/* A path is kept from the root, so that the file can be continued from any folder. */
static void find_model(struct bench_settings *settings)
{
    if (settings->flags.setup.model != NULL &&
        realpath(settings->flags.setup.model, settings->model_path) != NULL)
        settings->flags.setup.model = settings->model_path;
}

/* Settings of a measurement that begins. */
static int settle_new(struct bench_settings *settings, struct error *error)
{
    config_defaults(&settings->config);
    int code = resolve_config(settings, &settings->config, error);
    setup_flags_complete(&settings->flags.setup);
    if (code == 0)
        code = schedule_flags_complete(&settings->flags.schedule, settings->config.num_runs,
                                       is_key_given(settings, "num_runs"), error);
    return code;
}

/* Settings of one that goes on: the file's; what was typed must agree with them. */
static int settle_resumed(struct bench_settings *settings, struct results *results,
                          const char *file, struct error *error)
{
    struct bench_flags *flags = &settings->flags;
    int code = results_load(results, file, error);
    if (code == 0)
        code = resume_check_file(results, file, error);
    if (code == 0)
        code = resume_take_config(&settings->config, results, file, error);
    struct config typed = settings->config;
    if (code == 0)
        code = resolve_config(settings, &typed, error);
    if (code == 0)
        code = resume_check_config(&settings->config, &typed, file, error);
    const json_t *options = results->options;
    if (code == 0)
        code = option_json_continue(setup_model_options, SETUP_MODEL_OPTIONS, &flags->setup,
                                    options, file, error);
    if (code == 0)
        code = option_json_continue(setup_engine_options, SETUP_ENGINE_OPTIONS, &flags->setup,
                                    options, file, error);
    if (code == 0)
        code = option_json_continue(schedule_options, SCHEDULE_RECORDED_OPTIONS, &flags->schedule,
                                    options, file, error);
    if (code == 0)
        code = option_json_continue(extra_options, EXTRA_OPTIONS, flags, options, file, error);
    setup_flags_complete(&flags->setup);
    if (code == 0)
        code = schedule_flags_complete(&flags->schedule, settings->config.num_runs, false, error);
    if (code == 0 && flags->setup.model == NULL)
        code = error_set(error, ERROR_INPUT, "%s: does not name its model", file);
    return code;
}

/* Configuration, flags and schedule, and the results file under its lock. */
int bench_settle(struct bench_settings *settings, struct results *results,
                 struct results_file *file, struct error *error)
{
    struct bench_flags *flags = &settings->flags;
    int code = 0;
    find_model(settings);
    if (flags->resume != NULL) {
        code = results_file_continue(file, flags->resume, clock_monotonic(), error);
        if (code == 0)
            code = settle_resumed(settings, results, file->json_path, error);
    } else {
        code = settle_new(settings, error);
        if (code == 0 && !flags->dry_run)
            code =
                results_file_open(file, flags->output_file, flags->force, clock_monotonic(), error);
    }
    if (code != 0)
        return code;
    settings->schedule =
        schedule_flags_resolve(&flags->schedule, settings->config.num_runs, flags->setup.seed);
    return 0;
}

static json_t *nullable_string(const char *string)
{
    return string != NULL ? json_string(string) : json_null();
}

json_t *bench_options_json(const struct bench_flags *flags)
{
    json_t *options = facts_options(&flags->setup);
    const char *preset = flags->preset != NULL ? flags->preset->name : NULL;
    if (options != NULL &&
        option_json_write(schedule_options, SCHEDULE_RECORDED_OPTIONS, &flags->schedule, options) &&
        option_json_write(extra_options, EXTRA_OPTIONS, flags, options) &&
        json_object_set_new(options, "preset", nullable_string(preset)) == 0 &&
        json_object_set_new(options, "config_file", nullable_string(flags->config_file)) == 0)
        return options;
    json_decref(options);
    return NULL;
}
