/* What bench was asked: its flags, and the settings that follow from them, from a configuration or
 * from a file that is continued. Everything that can be refused is refused here, before a model is
 * opened. */
#ifndef TOKENMARK_CLI_BENCH_SETTINGS_H
#define TOKENMARK_CLI_BENCH_SETTINGS_H

#include <limits.h>

#include "cli/command.h"
#include "cli/schedule_flags.h"
#include "cli/setup.h"
#include "config/config.h"
#include "results/results_file.h"

struct bench_flags {
    struct setup_flags setup;
    struct schedule_flags schedule;
    struct option_keys keys;
    const struct config_preset *preset;
    const char *config_file;
    const char *output_file;
    const char *resume;
    bool breakdown;
    bool force;
    bool dry_run;
    bool list_engines;
};

enum { BENCH_GROUPS = 7 };
extern const struct option_group bench_groups[BENCH_GROUPS];

struct bench_settings {
    struct bench_flags flags;
    char model_path[PATH_MAX]; /* of a model that is a path, from the root */
    struct config config;
    struct schedule schedule;
};

/* Completes `settings`, whose flags were parsed, and opens `file` under its lock (not for a dry
 * run). With --resume `results` are loaded, and the settings are the file's. */
int bench_settle(struct bench_settings *settings, struct results *results,
                 struct results_file *file, struct error *error);

/* The options block of a results document; NULL when out of memory. */
json_t *bench_options_json(const struct bench_flags *flags);

#endif
