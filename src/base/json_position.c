/* Finds lines and columns again in a JSON text that Jansson has accepted; see json.h. */
#include "base/json.h"

#include <string.h>

void json_text_position(const char *text, size_t bytes, size_t offset, int *line, int *column)
{
    /* A byte order mark takes no column: no editor shows it. */
    size_t first = bytes >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    *line = 1;
    *column = 1;
    for (size_t at = first; at < offset && at < bytes; at++) {
        if (text[at] == '\n') {
            *line += 1;
            *column = 1;
        } else if (((unsigned char)text[at] & 0xC0U) != 0x80U) {
            *column += 1;
        }
    }
}

struct scan {
    const char *text;
    size_t bytes;
    size_t at;
};

static char look(const struct scan *scan)
{
    return scan->at < scan->bytes ? scan->text[scan->at] : '\0';
}

static void skip_blanks(struct scan *scan)
{
    while (scan->at < scan->bytes && (unsigned char)scan->text[scan->at] <= ' ')
        scan->at++;
}

static void skip_string(struct scan *scan)
{
    scan->at++;
    while (scan->at < scan->bytes && look(scan) != '"')
        scan->at += look(scan) == '\\' ? 2 : 1;
    scan->at++;
}

/* A nested value is skipped by counting brackets: the parser has matched their kinds. */
static void skip_value(struct scan *scan)
{
    size_t depth = 0;
    do {
        skip_blanks(scan);
        char c = look(scan);
        if (c == '"') {
            skip_string(scan);
        } else if (c == '{' || c == '[') {
            depth++;
            scan->at++;
        } else if (c == '}' || c == ']') {
            depth--;
            scan->at++;
        } else if (c == ',' || c == ':') {
            scan->at++;
        } else {
            while (scan->at < scan->bytes && (unsigned char)look(scan) > ' ' && look(scan) != ',' &&
                   look(scan) != ']' && look(scan) != '}')
                scan->at++;
        }
    } while (depth > 0 && scan->at < scan->bytes);
}

/* Steps over the bracket or comma before an entry and the blanks around it. */
static void next_entry(struct scan *scan)
{
    skip_blanks(scan);
    scan->at++;
    skip_blanks(scan);
}

size_t json_text_locate(const char *text, size_t bytes, size_t member, int64_t item)
{
    struct scan scan = {text, bytes, 0};
    while (scan.at < bytes && look(&scan) != '{')
        scan.at++;
    next_entry(&scan);
    for (size_t passed = 0; passed < member; passed++) {
        skip_string(&scan);
        next_entry(&scan);
        skip_value(&scan);
        next_entry(&scan);
    }
    if (item == JSON_AT_KEY)
        return scan.at;
    skip_string(&scan);
    next_entry(&scan);
    if (item == JSON_AT_VALUE)
        return scan.at;
    next_entry(&scan);
    for (int64_t passed = 0; passed < item; passed++) {
        skip_value(&scan);
        next_entry(&scan);
    }
    return scan.at;
}
