/* The parser over a command's option tables: --flag value, --flag=value, -h, --, operands.
 * No abbreviations: a flag that is nearly right is refused with the right one. */
#include "cli/command.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/suggest.h"
#include "cli/cli.h"
#include "cli/quantity.h"
#include "cli/terminal.h"

/* Whether `word` is one of the blank-separated words of `list`. */
static bool list_has_word(const char *list, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = list; *at != '\0';) {
        size_t span = strcspn(at, " ");
        if (span == length && strncmp(at, word, span) == 0)
            return true;
        at += span + strspn(at + span, " ");
    }
    return false;
}

static const char *key_value_name(const struct config_key *key)
{
    switch (key->kind) {
    case CONFIG_LIST:
        return "N,N,...";
    case CONFIG_INTEGER:
        return "N";
    case CONFIG_REAL:
        return "X";
    case CONFIG_DEVICE:
        return "auto|cpu|cuda|cuda:N";
    }
    return "VALUE";
}

bool option_next(const struct command *command, struct option_walk *walk, struct option *row,
                 const struct option_group **group)
{
    for (; walk->group < command->group_count; walk->group++, walk->index = 0) {
        const struct option_group *at = &command->groups[walk->group];
        if (group != NULL)
            *group = at;
        if (at->keys == NULL) {
            if (walk->index >= at->option_count)
                continue;
            *row = at->options[walk->index++];
            row->offset += at->offset;
            return true;
        }
        while (walk->index < CONFIG_KEY_COUNT) {
            size_t i = walk->index++;
            const struct config_key *key = &config_keys[i];
            if (strcmp(at->keys, "*") != 0 && !list_has_word(at->keys, key->flag))
                continue;
            *row = (struct option){
                .name = key->flag,
                .value = key_value_name(key),
                .kind = OPTION_KEY,
                .offset = at->offset + offsetof(struct option_keys, words) + i * sizeof(char *),
                .help = key->help,
                .choices = key->kind == CONFIG_DEVICE ? "auto cpu cuda" : NULL,
            };
            return true;
        }
    }
    return false;
}

static bool option_find(const struct command *command, const char *name, size_t length,
                        struct option *row)
{
    struct option_walk walk = {0};
    while (option_next(command, &walk, row, NULL)) {
        if (strlen(row->name) == length && strncmp(row->name, name, length) == 0)
            return true;
    }
    return false;
}

static int refuse_unknown(const struct command *command, const char *argument, struct error *error)
{
    enum { NAMES_MAX = 64 };
    const char *names[NAMES_MAX] = {"help"};
    size_t count = 1;
    struct option_walk walk = {0};
    struct option row;
    while (count < NAMES_MAX && option_next(command, &walk, &row, NULL))
        if (row.help != NULL)
            names[count++] = row.name;

    size_t dashes = strspn(argument, "-");
    size_t length = strcspn(argument, "=");
    char word[80];
    (void)snprintf(word, sizeof word, "%.*s", (int)(length - (dashes < length ? dashes : length)),
                   argument + dashes);
    const char *near = suggest_nearest(word, names, count);
    if (near != NULL)
        return error_set(error, ERROR_INPUT, "unknown option '%.*s'; did you mean '--%s'?",
                         (int)length, argument, near);
    return error_set(error, ERROR_INPUT, "unknown option '%.*s'", (int)length, argument);
}

static int set_integer(const struct option *row, const char *value, int64_t *out,
                       struct error *error)
{
    char *end = NULL;
    errno = 0;
    long long number = strtoll(value, &end, 10);
    bool digits = value[0] != '\0' && strspn(value, "+-0123456789") == strlen(value);
    if (!digits || *end != '\0' || errno != 0 || number < row->minimum || number > row->maximum)
        return error_set(error, ERROR_INPUT,
                         "--%s: '%s' is not a whole number from %" PRId64 " to %" PRId64, row->name,
                         value, row->minimum, row->maximum);
    *out = number;
    return 0;
}

static int set_seed(const struct option *row, const char *value, uint64_t *out, struct error *error)
{
    char *end = NULL;
    errno = 0;
    unsigned long long number = strtoull(value, &end, 10);
    if (value[0] == '\0' || strspn(value, "0123456789") != strlen(value) || errno != 0 ||
        number > INT64_MAX)
        return error_set(error, ERROR_INPUT, "--%s: '%s' is not a whole number from 0 to %" PRId64,
                         row->name, value, INT64_MAX);
    *out = number;
    return 0;
}

static int set_choice(const struct option *row, const char *value, const char **out,
                      struct error *error)
{
    if (value[0] == '\0' || strchr(value, ' ') != NULL || !list_has_word(row->choices, value))
        return error_set(error, ERROR_INPUT, "--%s: '%s' is none of: %s", row->name, value,
                         row->choices);
    *out = value;
    return 0;
}

static int set_preset(const struct option *row, const char *value, const struct config_preset **out,
                      struct error *error)
{
    *out = config_preset_find(value);
    if (*out != NULL)
        return 0;
    enum { NAMES_MAX = 32 };
    const char *names[NAMES_MAX];
    size_t count = 0;
    for (; count < config_preset_count && count < NAMES_MAX; count++)
        names[count] = config_presets[count].name;
    const char *near = suggest_nearest(value, names, count);
    if (near != NULL)
        return error_set(error, ERROR_INPUT, "--%s: there is no preset '%s'; did you mean '%s'?",
                         row->name, value, near);
    return error_set(error, ERROR_INPUT,
                     "--%s: there is no preset '%s'; 'tokenmark config --show-presets' lists them",
                     row->name, value);
}

static int option_set(const struct option *row, const char *value, void *flags, struct error *error)
{
    void *target = (char *)flags + row->offset;
    struct option_list *list = target;
    switch (row->kind) {
    case OPTION_SWITCH:
        *(bool *)target = true;
        return 0;
    case OPTION_TEXT:
        if (value[0] == '\0')
            return error_set(error, ERROR_INPUT, "--%s: its value is empty", row->name);
        *(const char **)target = value;
        return 0;
    case OPTION_KEY:
        *(const char **)target = value;
        return 0;
    case OPTION_CHOICE:
        return set_choice(row, value, target, error);
    case OPTION_INTEGER:
        return set_integer(row, value, target, error);
    case OPTION_SEED:
        return set_seed(row, value, target, error);
    case OPTION_FRACTION:
        if (!quantity_fraction(value, target))
            return error_set(error, ERROR_INPUT,
                             "--%s: '%s' is no part between 0 and 1; give 2%% or 0.02", row->name,
                             value);
        return 0;
    case OPTION_DURATION:
        if (!quantity_duration(value, target))
            return error_set(error, ERROR_INPUT, "--%s: '%s' is no time; give 90s, 30m or 1h30m",
                             row->name, value);
        return 0;
    case OPTION_PRESET:
        return set_preset(row, value, target, error);
    case OPTION_LIST:
        if (list->count == OPTION_LIST_MAX)
            return error_set(error, ERROR_INPUT, "--%s: given more than %d times", row->name,
                             OPTION_LIST_MAX);
        list->values[list->count++] = value;
        return 0;
    }
    return error_set(error, ERROR_INPUT, "--%s cannot be set", row->name);
}

/* Takes the flag at arguments[*at], and the next argument where that is its value. */
static int take_flag(const struct command *command, int argument_count, char **arguments, int *at,
                     void *flags, struct error *error)
{
    const char *argument = arguments[*at];
    const char *name = argument + 2;
    size_t length = strcspn(name, "=");
    struct option row;
    if (strncmp(argument, "--", 2) != 0 || !option_find(command, name, length, &row))
        return refuse_unknown(command, argument, error);
    bool attached = name[length] == '=';
    if (row.value == NULL) {
        if (attached)
            return error_set(error, ERROR_INPUT, "--%s takes no value, but got '%s'", row.name,
                             name + length + 1);
        return option_set(&row, NULL, flags, error);
    }
    const char *value = name + length + 1;
    if (!attached) {
        value = *at + 1 < argument_count ? arguments[*at + 1] : NULL;
        if (value == NULL || strncmp(value, "--", 2) == 0)
            return error_set(error, ERROR_INPUT, "--%s needs a value: --%s %s", row.name, row.name,
                             row.value);
        (*at)++;
    }
    return option_set(&row, value, flags, error);
}

static bool is_help(const char *argument)
{
    return strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0;
}

bool command_parse(const struct command *command, int argument_count, char **arguments, void *flags,
                   struct operands *operands, int *exit_code)
{
    for (int i = 1; i < argument_count && strcmp(arguments[i], "--") != 0; i++) {
        if (is_help(arguments[i])) {
            command_print_help(command, stdout);
            *exit_code = CLI_DONE;
            return false;
        }
    }
    *operands = (struct operands){0, arguments + 1};
    bool flags_ended = false;
    for (int i = 1; i < argument_count; i++) {
        char *argument = arguments[i];
        struct error error = {0};
        if (!flags_ended && strcmp(argument, "--") == 0) {
            flags_ended = true;
        } else if (!flags_ended && argument[0] == '-' && argument[1] != '\0') {
            if (take_flag(command, argument_count, arguments, &i, flags, &error) != 0) {
                *exit_code = command_refuse(command, "%s", error.text);
                return false;
            }
        } else if (command->operand == NULL) {
            *exit_code = command_refuse(command, "unexpected argument '%s'", argument);
            return false;
        } else {
            operands->values[operands->count++] = argument;
        }
    }
    return true;
}

int option_keys_apply(const struct option_keys *keys, struct config *config, struct error *error)
{
    for (size_t i = 0; i < CONFIG_KEY_COUNT; i++) {
        if (keys->words[i] == NULL)
            continue;
        int code = config_set(config, &config_keys[i], keys->words[i], error);
        if (code != 0)
            return code;
    }
    return 0;
}
