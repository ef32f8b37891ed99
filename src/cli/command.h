/* Sub-commands and their options as tables: the parser, the help pages and the shell
 * completion all loop over them, so that a flag is written down once. */
#ifndef TOKENMARK_CLI_COMMAND_H
#define TOKENMARK_CLI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "config/config.h"

enum { OPTION_LIST_MAX = 1024 };

/* Of an OPTION_SEED that was not given. */
#define OPTION_SEED_UNSET UINT64_MAX

/* What lies at `offset` in the command's flags struct. */
enum option_kind {
    OPTION_SWITCH,   /* bool, set to true */
    OPTION_TEXT,     /* const char *, owned by argv */
    OPTION_CHOICE,   /* const char *, one of `choices` */
    OPTION_INTEGER,  /* int64_t from minimum to maximum */
    OPTION_SEED,     /* uint64_t up to 2^63 - 1, what a JSON file can hold */
    OPTION_FRACTION, /* double, "2%" or "0.02" */
    OPTION_DURATION, /* double in seconds, "90s", "1h30m" */
    OPTION_PRESET,   /* const struct config_preset * */
    OPTION_LIST,     /* struct option_list: the flag may be repeated */
    OPTION_KEY,      /* struct option_keys: a configuration key, checked by config_set later */
};

struct option {
    const char *name;  /* without dashes */
    const char *value; /* how help shows its value; NULL for a switch */
    enum option_kind kind;
    size_t offset;
    const char *help;    /* NULL: the program's word to itself, shown nowhere */
    const char *choices; /* "auto random real" */
    int64_t minimum, maximum;
    bool takes_path; /* shell completion offers files */
};

struct option_list {
    size_t count;
    const char *values[OPTION_LIST_MAX];
};

/* Words given for configuration keys, by index in config_keys; NULL where none. They are
 * applied after the configuration file, because a flag beats the file. */
struct option_keys {
    const char *words[CONFIG_KEY_COUNT];
};

/* Options under one heading. A group with `keys` holds rows made from config_keys: "*" for
 * all of them, or their flags separated by blanks. */
struct option_group {
    const char *title;
    const struct option *options;
    size_t option_count;
    size_t offset; /* of the group's part in the command's flags struct */
    const char *keys;
};

struct operands {
    size_t count;
    char **values; /* part of argv, which is reordered in place */
};

struct command {
    const char *name;
    const char *summary;  /* one line for the list of commands */
    const char *usage;    /* lines after "tokenmark NAME", separated by \n */
    const char *text;     /* a paragraph of help */
    const char *examples; /* lines, "# remark" and commands in turn */
    const struct option_group *groups;
    size_t group_count;
    const char *operand;                     /* what stands without a flag; NULL when nothing may */
    void (*defaults)(struct config *config); /* of its configuration keys; NULL where it has none */
    int (*run)(const struct command *command, int argument_count, char **arguments);
};

extern const struct command command_bench;
extern const struct command command_config;
extern const struct command command_analyze;
extern const struct command command_generate;
extern const struct command command_models;
extern const struct command command_limits;
extern const struct command command_doctor;
extern const struct command *const commands[];
extern const size_t command_count;

/* NULL when there is no such command. */
const struct command *command_find(const char *name);

/* Walks over all rows of a command in help's order: false after the last one. `row` is made
 * from config_keys where the group says so. */
struct option_walk {
    size_t group, index;
};
bool option_next(const struct command *command, struct option_walk *walk, struct option *row,
                 const struct option_group **group);

/* Reads arguments[1..] into `flags`, which holds the defaults. False when the command has to
 * end now with *exit_code: help was printed, or the usage was wrong and the reason told. */
bool command_parse(const struct command *command, int argument_count, char **arguments, void *flags,
                   struct operands *operands, int *exit_code);

/* Applies the words given for configuration keys. */
int option_keys_apply(const struct option_keys *keys, struct config *config, struct error *error);

/* Tells what is wrong with the words typed, and where help is; returns CLI_USAGE. */
int command_refuse(const struct command *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Prints an error's text; returns the exit code that goes with its code. */
int command_fail(const struct command *command, const struct error *error);

/* help.c */
void command_print_help(const struct command *command, FILE *stream);
void program_print_help(FILE *stream);

/* completion.c: the script for "bash" or "zsh"; false for another shell. */
bool program_print_completion(const char *shell, FILE *stream);

#endif
