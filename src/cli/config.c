/* tokenmark config: shows the presets, writes one to a file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/command.h"

static const char default_output[] = "benchmark_config.json";
enum { CONFIG_FILE_LIMIT = 1 << 20 };

struct config_flags {
    bool show_presets;
    const struct config_preset *preset;
    const char *output;
    bool force;
};

static const struct option config_options[] = {
    {.name = "show-presets",
     .kind = OPTION_SWITCH,
     .offset = offsetof(struct config_flags, show_presets),
     .help = "list the presets and what they measure"},
    {.name = "create",
     .value = "PRESET",
     .kind = OPTION_PRESET,
     .offset = offsetof(struct config_flags, preset),
     .help = "write the preset's configuration to a file"},
    {.name = "output",
     .value = "FILE",
     .kind = OPTION_TEXT,
     .offset = offsetof(struct config_flags, output),
     .takes_path = true,
     .help = "the file to write (benchmark_config.json)"},
    {.name = "force",
     .kind = OPTION_SWITCH,
     .offset = offsetof(struct config_flags, force),
     .help = "replace a file that has other content"},
};

static const struct option_group config_groups[] = {
    {.title = "Options",
     .options = config_options,
     .option_count = sizeof config_options / sizeof config_options[0]},
};

static void print_list(const struct config_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        (void)printf("%s%lld", i > 0 ? "," : "", (long long)list->values[i]);
}

static void show_presets(void)
{
    for (size_t i = 0; i < config_preset_count; i++) {
        const struct config_preset *preset = &config_presets[i];
        const struct config *config = &preset->config;
        (void)printf("%s%-20s %s\n", i > 0 ? "\n" : "", preset->name, preset->purpose);
        (void)printf("  batch sizes        ");
        print_list(&config->batch_sizes);
        (void)printf("\n  input lengths      ");
        print_list(&config->input_lengths);
        (void)printf("\n  output length      %lld tokens, %lld run%s of each of %zu cells\n",
                     (long long)config->output_length, (long long)config->num_runs,
                     config->num_runs == 1 ? "" : "s",
                     config->batch_sizes.count * config->input_lengths.count);
        (void)printf("  sampling           temperature %g, top-p %g; at most %lld batched tokens\n",
                     config->temperature, config->top_p,
                     (long long)config->max_batch_input_product);
    }
}

/* Whether the file at `path` says the same configuration as `config`, however it is laid out. */
static bool file_says(const char *path, const struct config *config)
{
    struct error ignored = {0};
    char *bytes = NULL;
    size_t count = 0;
    struct config found;
    config_defaults(&found);
    bool same = false;
    if (file_read(&bytes, &count, path, CONFIG_FILE_LIMIT, &ignored) == 0 &&
        config_parse(&found, bytes, count, path, &ignored) == 0) {
        json_t *ours = config_json(config), *theirs = config_json(&found);
        same = ours != NULL && json_equal(ours, theirs);
        json_decref(ours);
        json_decref(theirs);
    }
    free(bytes);
    return same;
}

static int create(const struct command *command, const struct config_flags *flags)
{
    const char *path = flags->output != NULL ? flags->output : default_output;
    if (file_exists(path) && !flags->force) {
        if (file_says(path, &flags->preset->config)) {
            (void)printf("%s already holds the configuration of %s\n", path, flags->preset->name);
            return CLI_DONE;
        }
        return command_refuse(command,
                              "%s exists with other content; --force replaces it, --output FILE "
                              "writes another",
                              path);
    }
    struct error error = {0};
    if (file_check_writable(path, &error) != 0 ||
        config_save(&flags->preset->config, path, &error) != 0)
        return command_fail(command, &error);
    (void)printf("%s written: the configuration of %s\n"
                 "Measure it with: tokenmark bench --model gpt2 --config-file %s\n",
                 path, flags->preset->name, path);
    return CLI_DONE;
}

static int run_config(const struct command *command, int argument_count, char **arguments)
{
    struct config_flags flags = {0};
    struct operands operands;
    int exit_code = CLI_DONE;
    if (!command_parse(command, argument_count, arguments, &flags, &operands, &exit_code))
        return exit_code;
    if (flags.show_presets && flags.preset != NULL)
        return command_refuse(command, "--show-presets and --create exclude each other");
    if (flags.show_presets && (flags.output != NULL || flags.force))
        return command_refuse(command, "--show-presets writes no file: --output and --force go "
                                       "with --create");
    if (flags.show_presets)
        show_presets();
    else if (flags.preset != NULL)
        return create(command, &flags);
    else
        return command_refuse(command, "nothing to do: --show-presets or --create PRESET");
    return CLI_DONE;
}

const struct command command_config = {
    .name = "config",
    .summary = "show the presets, or write one to a file to edit",
    .usage = "--show-presets\n--create PRESET [--output FILE] [--force]",
    .text = "Shows the presets, or writes the configuration of one to a JSON file that "
            "'tokenmark bench --config-file' reads.",
    .examples = "# what is there\n"
                "tokenmark config --show-presets\n"
                "# take the standard test and change it\n"
                "tokenmark config --create medium_scale --output my.json",
    .groups = config_groups,
    .group_count = sizeof config_groups / sizeof config_groups[0],
    .run = run_config,
};
