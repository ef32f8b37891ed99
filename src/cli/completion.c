/* Shell completion, printed from the same tables as help and parser. Both scripts are one
 * function over generated case lines; values are offered where they are a closed list. */
#include "cli/command.h"

#include <string.h>

/* What may follow a flag: its choices, preset names, or files. */
static void print_values(const struct option *row, FILE *stream)
{
    if (row->kind == OPTION_PRESET) {
        for (size_t i = 0; i < config_preset_count; i++)
            (void)fprintf(stream, "%s%s", i > 0 ? " " : "", config_presets[i].name);
    } else if (row->choices != NULL) {
        (void)fputs(row->choices, stream);
    }
}

/* "bench:--preset) values='quick_test ...' ;;" for every flag that takes a value. */
static void print_value_cases(FILE *stream)
{
    for (size_t i = 0; i < command_count; i++) {
        struct option_walk walk = {0};
        struct option row;
        while (option_next(commands[i], &walk, &row, NULL)) {
            if (row.value == NULL || row.help == NULL)
                continue;
            (void)fprintf(stream, "        %s:--%s) takes_value=1 files=%d values='",
                          commands[i]->name, row.name, row.takes_path);
            print_values(&row, stream);
            (void)fputs("' ;;\n", stream);
        }
    }
}

static void print_flag_cases(FILE *stream)
{
    for (size_t i = 0; i < command_count; i++) {
        struct option_walk walk = {0};
        struct option row;
        (void)fprintf(stream, "        %s) files=%d values='", commands[i]->name,
                      commands[i]->operand != NULL);
        while (option_next(commands[i], &walk, &row, NULL))
            if (row.help != NULL)
                (void)fprintf(stream, "--%s ", row.name);
        (void)fputs("--help' ;;\n", stream);
    }
}

static void print_command_names(FILE *stream)
{
    for (size_t i = 0; i < command_count; i++)
        (void)fprintf(stream, "%s ", commands[i]->name);
    (void)fputs("help --help --version --completion", stream);
}

/* Sets `values` and `files` from `command`, `previous`; common to both shells. */
static void print_choice(FILE *stream)
{
    (void)fputs("    takes_value=0 files=0 values=''\n"
                "    case \"$command:$previous\" in\n",
                stream);
    print_value_cases(stream);
    (void)fputs("    esac\n"
                "    if [ \"$takes_value\" = 0 ]; then\n"
                "        case \"$command\" in\n",
                stream);
    print_flag_cases(stream);
    (void)fputs("        help) values='", stream);
    for (size_t i = 0; i < command_count; i++)
        (void)fprintf(stream, "%s%s", i > 0 ? " " : "", commands[i]->name);
    (void)fputs("' ;;\n"
                "        --completion) values='bash zsh' ;;\n"
                "        '') values='",
                stream);
    print_command_names(stream);
    (void)fputs("' ;;\n"
                "        esac\n"
                "    fi\n",
                stream);
}

static void print_bash(FILE *stream)
{
    (void)fputs("# bash completion for tokenmark; made by: tokenmark --completion bash\n"
                "_tokenmark() {\n"
                "    local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}\n"
                "    local command='' takes_value files values\n"
                "    [ \"$COMP_CWORD\" -gt 1 ] && command=${COMP_WORDS[1]}\n"
                "    if [ \"$word\" = '=' ]; then\n"
                "        word=''\n"
                "    elif [ \"$previous\" = '=' ]; then\n"
                "        previous=${COMP_WORDS[COMP_CWORD-2]}\n"
                "    fi\n",
                stream);
    print_choice(stream);
    (void)fputs("    COMPREPLY=($(compgen -W \"$values\" -- \"$word\"))\n"
                "    if [ \"$files\" = 1 ]; then\n"
                "        compopt -o filenames 2>/dev/null\n"
                "        COMPREPLY+=($(compgen -f -- \"$word\"))\n"
                "    fi\n"
                "}\n"
                "complete -F _tokenmark tokenmark\n",
                stream);
}

static void print_zsh(FILE *stream)
{
    (void)fputs("#compdef tokenmark\n"
                "# zsh completion for tokenmark; made by: tokenmark --completion zsh\n"
                "_tokenmark() {\n"
                "    local previous=${words[CURRENT-1]} command='' takes_value files values\n"
                "    [ \"$CURRENT\" -gt 2 ] && command=${words[2]}\n",
                stream);
    print_choice(stream);
    (void)fputs("    [ -n \"$values\" ] && compadd -- ${=values}\n"
                "    [ \"$files\" = 1 ] && _files\n"
                "    return 0\n"
                "}\n"
                "if [ \"$funcstack[1]\" = _tokenmark ]; then\n"
                "    _tokenmark \"$@\"\n"
                "else\n"
                "    compdef _tokenmark tokenmark\n"
                "fi\n",
                stream);
}

bool program_print_completion(const char *shell, FILE *stream)
{
    if (strcmp(shell, "bash") == 0)
        print_bash(stream);
    else if (strcmp(shell, "zsh") == 0)
        print_zsh(stream);
    else
        return false;
    return true;
}
