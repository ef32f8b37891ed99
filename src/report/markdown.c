/* Escaping and padded tables; see markdown.h. */
#include "report/markdown.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/characters.h"

static bool is_word(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

void markdown_escape(struct text *out, const char *string)
{
    const char *start = string;
    while (*string != '\0') {
        const char *here = string;
        uint32_t character = character_next(&string);
        char bytes[5];
        if (character_is_control(character))
            character = ' ';
        character_encode(bytes, character);
        /* gpt_2 stays as it is: an underscore inside a word is no markup. */
        bool inside_word = here > start && is_word(here[-1]) && is_word(*string);
        if (character == '_' ? !inside_word
                             : character < 0x80 && strchr("\\`*[]<>|&~$", (int)character) != NULL)
            text_append(out, "\\");
        text_append(out, bytes);
    }
}

void markdown_table_begin(struct markdown_table *table, const char *alignment)
{
    *table = (struct markdown_table){.columns = strlen(alignment), .alignment = alignment};
}

void markdown_table_cell(struct markdown_table *table, const char *markdown)
{
    text_append_bytes(&table->cells, markdown, strlen(markdown) + 1);
    table->count++;
}

void markdown_table_printf(struct markdown_table *table, const char *format, ...)
{
    char buffer[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(buffer, sizeof buffer, format, arguments);
    va_end(arguments);
    markdown_table_cell(table, buffer);
}

void markdown_table_escaped(struct markdown_table *table, const char *string)
{
    struct text escaped = {0};
    markdown_escape(&escaped, string);
    table->cells.failed |= escaped.failed;
    markdown_table_cell(table, text_string(&escaped));
    text_free(&escaped);
}

static size_t display_width(const char *string)
{
    size_t width = 0;
    while (*string != '\0')
        width += (size_t)character_columns(character_next(&string));
    return width;
}

static void pad(struct text *out, const char *with, size_t count)
{
    for (size_t i = 0; i < count; i++)
        text_append(out, with);
}

static void write_rule(const struct markdown_table *table, const size_t *widths, struct text *out)
{
    text_append(out, "|");
    for (size_t c = 0; c < table->columns; c++) {
        bool right = table->alignment[c] == 'r';
        text_append(out, " ");
        pad(out, "-", widths[c] - (right ? 1 : 0));
        text_append(out, right ? ": |" : " |");
    }
    text_append(out, "\n");
}

static void write_rows(const struct markdown_table *table, const size_t *widths, struct text *out)
{
    const char *cell = text_string(&table->cells);
    for (size_t i = 0; i < table->count; i++, cell += strlen(cell) + 1) {
        size_t column = i % table->columns;
        size_t padding = widths[column] - display_width(cell);
        bool right = table->alignment[column] == 'r';
        text_append(out, column == 0 ? "| " : " ");
        pad(out, " ", right ? padding : 0);
        text_append(out, cell);
        pad(out, " ", right ? 0 : padding);
        text_append(out, " |");
        if (column + 1 == table->columns)
            text_append(out, "\n");
        if (i + 1 == table->columns)
            write_rule(table, widths, out);
    }
}

void markdown_table_end(struct markdown_table *table, struct text *out)
{
    size_t *widths = calloc(table->columns, sizeof *widths);
    if (widths == NULL || table->cells.failed) {
        out->failed = true;
    } else {
        const char *cell = text_string(&table->cells);
        for (size_t i = 0; i < table->count; i++, cell += strlen(cell) + 1) {
            size_t width = display_width(cell);
            size_t *widest = &widths[i % table->columns];
            *widest = width > *widest ? width : *widest;
        }
        for (size_t c = 0; c < table->columns; c++)
            widths[c] = widths[c] < 3 ? 3 : widths[c];
        write_rows(table, widths, out);
        text_append(out, "\n");
    }
    free(widths);
    text_free(&table->cells);
}
