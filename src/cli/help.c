/* Help pages from the tables of command.h: grouped, wrapped to the terminal, with examples. */
#include "cli/command.h"

#include <inttypes.h>
#include <string.h>

#include "cli/terminal.h"

enum { FLAG_COLUMN = 2, HELP_COLUMN = 30, DEFAULT_MAX = 64 };

static void print_heading(FILE *stream, const char *title)
{
    (void)fprintf(stream, "\n%s%s:%s\n", terminal_style(stream, STYLE_BOLD), title,
                  terminal_plain(stream));
}

static void print_row(FILE *stream, const char *left, const char *help, int width)
{
    int column = fprintf(stream, "%*s%s", FLAG_COLUMN, "", left);
    if (column + 2 > HELP_COLUMN) {
        (void)fputc('\n', stream);
        column = 0;
    }
    (void)fprintf(stream, "%*s", HELP_COLUMN - column, "");
    terminal_print_wrapped(stream, help, HELP_COLUMN, HELP_COLUMN, width);
}

/* Prefixes every line of `lines` with two blanks and `prefix`. */
static void print_lines(FILE *stream, const char *lines, const char *prefix)
{
    while (*lines != '\0') {
        size_t length = strcspn(lines, "\n");
        bool remark = lines[0] == '#';
        (void)fprintf(stream, "  %s%.*s\n", remark ? "" : prefix, (int)length, lines);
        lines += length + (lines[length] == '\n');
    }
}

/* The command's default as a flag would be given, "1,2,4"; "" for a row that is no key. */
static void describe_default(const struct command *command, const struct option *row,
                             char out[DEFAULT_MAX])
{
    out[0] = '\0';
    if (row->kind != OPTION_KEY || command->defaults == NULL)
        return;
    struct config config;
    command->defaults(&config);
    for (size_t i = 0; i < CONFIG_KEY_COUNT; i++) {
        const struct config_key *key = &config_keys[i];
        const void *value = (const char *)&config + key->offset;
        const struct config_list *list = value;
        size_t length = 0;
        if (strcmp(key->flag, row->name) != 0)
            continue;
        if (key->kind == CONFIG_INTEGER)
            (void)snprintf(out, DEFAULT_MAX, "%" PRId64, *(const int64_t *)value);
        else if (key->kind == CONFIG_REAL)
            (void)snprintf(out, DEFAULT_MAX, "%g", *(const double *)value);
        else if (key->kind == CONFIG_DEVICE)
            (void)snprintf(out, DEFAULT_MAX, "%s", (const char *)value);
        for (size_t j = 0; key->kind == CONFIG_LIST && j < list->count; j++) {
            (void)snprintf(out + length, DEFAULT_MAX - length, "%s%" PRId64, j > 0 ? "," : "",
                           list->values[j]);
            length = strlen(out);
        }
    }
}

void command_print_help(const struct command *command, FILE *stream)
{
    int width = terminal_page_width(stream);
    terminal_print_wrapped(stream, command->text, 0, 0, width);

    char prefix[64];
    (void)snprintf(prefix, sizeof prefix, "tokenmark %s ", command->name);
    print_heading(stream, "Usage");
    print_lines(stream, command->usage, prefix);

    struct option_walk walk = {0};
    struct option row;
    const struct option_group *group = NULL, *shown = NULL;
    while (option_next(command, &walk, &row, &group)) {
        if (group != shown && (shown == NULL || strcmp(group->title, shown->title) != 0))
            print_heading(stream, group->title);
        shown = group;
        if (row.help == NULL)
            continue;
        char left[96];
        (void)snprintf(left, sizeof left, "--%s%s%s", row.name, row.value != NULL ? " " : "",
                       row.value != NULL ? row.value : "");
        char help[512], standard[DEFAULT_MAX];
        describe_default(command, &row, standard);
        (void)snprintf(help, sizeof help, standard[0] != '\0' ? "%s (%s)" : "%s", row.help,
                       standard);
        print_row(stream, left, help, width);
    }
    print_row(stream, "-h, --help", "show this page", width);

    print_heading(stream, "Examples");
    print_lines(stream, command->examples, "  ");
}

void program_print_help(FILE *stream)
{
    int width = terminal_page_width(stream);
    terminal_print_wrapped(
        stream,
        "tokenmark measures how fast transformer language models run: prefill time, "
        "decode time per token, total latency and memory, over a grid of batch sizes and "
        "input lengths.",
        0, 0, width);
    print_heading(stream, "Usage");
    print_lines(stream, "COMMAND [options]\nCOMMAND --help", "tokenmark ");

    print_heading(stream, "Commands");
    for (size_t i = 0; i < command_count; i++)
        (void)fprintf(stream, "  %-12s%s\n", commands[i]->name, commands[i]->summary);

    print_heading(stream, "Options");
    (void)fprintf(stream, "  %-20s%s\n", "-h, --help", "show this page");
    (void)fprintf(stream, "  %-20s%s\n", "--version", "show the version");
    (void)fprintf(stream, "  %-20s%s\n", "--completion SHELL",
                  "print the completion script for bash or zsh");

    print_heading(stream, "Examples");
    print_lines(stream,
                "# a first look: GPT-2 with random weights, nothing is downloaded\n"
                "tokenmark bench --model gpt2 --weights random --preset quick_test \\\n"
                "    --output-file first\n"
                "# a report and plots from what was measured\n"
                "tokenmark analyze first.json",
                "  ");
}
