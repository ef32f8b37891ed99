/* The row splitter of csv_reader.h. */
#include "results/csv_reader.h"

#include <string.h>

void csv_open(struct csv_reader *reader, const char *text, size_t bytes, const char *name)
{
    memset(reader, 0, sizeof *reader);
    reader->text = text;
    reader->bytes = bytes;
    reader->name = name;
    reader->next_line = 1;
    if (bytes >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
        reader->at = 3;
}

void csv_close(struct csv_reader *reader)
{
    text_free(&reader->row);
}

static bool at_end(const struct csv_reader *reader)
{
    return reader->at >= reader->bytes;
}

static int look(const struct csv_reader *reader)
{
    return at_end(reader) ? -1 : (unsigned char)reader->text[reader->at];
}

static bool take_line_end(struct csv_reader *reader)
{
    int c = look(reader);
    if (c != '\r' && c != '\n')
        return false;
    reader->at++;
    if (c == '\r' && look(reader) == '\n')
        reader->at++;
    reader->next_line++;
    return true;
}

static int refuse(const struct csv_reader *reader, const char *what, struct error *error)
{
    return error_set(error, ERROR_INPUT, "%s:%d: %s", reader->name, reader->line, what);
}

static int take_quoted(struct csv_reader *reader, struct error *error)
{
    reader->at++;
    while (!at_end(reader)) {
        char c = reader->text[reader->at++];
        if (c == '"') {
            if (look(reader) != '"')
                return 0;
            reader->at++;
        }
        if (c == '\0')
            return refuse(reader, "a zero byte: this is no text file", error);
        if (c == '\n')
            reader->next_line++;
        text_append_bytes(&reader->row, &c, 1);
    }
    return refuse(reader, "a quoted field does not end: the file is cut off", error);
}

static int take_field(struct csv_reader *reader, struct error *error)
{
    if (reader->field_count == CSV_COLUMNS_MAX)
        return refuse(reader, "too many columns", error);
    reader->starts[reader->field_count++] = reader->row.length;
    if (look(reader) == '"') {
        int code = take_quoted(reader, error);
        if (code != 0)
            return code;
    } else {
        size_t start = reader->at;
        while (!at_end(reader) && strchr(",\r\n", look(reader)) == NULL)
            reader->at++;
        text_append_bytes(&reader->row, reader->text + start, reader->at - start);
    }
    text_append_bytes(&reader->row, "", 1);
    int c = look(reader);
    if (c != -1 && c != ',' && c != '\r' && c != '\n')
        return refuse(reader, "text after a closing quote or a zero byte", error);
    return 0;
}

int csv_next(struct csv_reader *reader, bool *found, struct error *error)
{
    while (take_line_end(reader))
        ;
    *found = !at_end(reader);
    if (!*found)
        return 0;
    reader->line = reader->next_line;
    reader->field_count = 0;
    reader->row.length = 0;
    for (;;) {
        int code = take_field(reader, error);
        if (code != 0)
            return code;
        if (look(reader) != ',')
            break;
        reader->at++;
    }
    (void)take_line_end(reader);
    if (reader->row.failed)
        return error_set(error, ERROR_MEMORY, "%s: no memory to read it", reader->name);
    return 0;
}

const char *csv_field(const struct csv_reader *reader, size_t column)
{
    return reader->row.data + reader->starts[column];
}
