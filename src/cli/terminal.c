/* Asks the terminal and the environment what may be shown; see terminal.h. */
#include "cli/terminal.h"

#include <langinfo.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

bool terminal_is_live(FILE *stream)
{
    const char *kind = getenv("TERM");
    return isatty(fileno(stream)) && kind != NULL && strcmp(kind, "dumb") != 0;
}

static bool wants_colour(FILE *stream)
{
    const char *refused = getenv("NO_COLOR");
    return (refused == NULL || refused[0] == '\0') && terminal_is_live(stream);
}

const char *terminal_style(FILE *stream, enum terminal_style style)
{
    static const char *const escapes[] = {
        [STYLE_BOLD] = "\033[1m",
        [STYLE_RED] = "\033[31m",
        [STYLE_YELLOW] = "\033[33m",
    };
    return wants_colour(stream) ? escapes[style] : "";
}

const char *terminal_plain(FILE *stream)
{
    return wants_colour(stream) ? "\033[0m" : "";
}

int terminal_width(FILE *stream, int otherwise)
{
    struct winsize size;
    if (ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return otherwise;
}

/* One character of `text`: its bytes and columns. Bytes that are no character take one. */
static size_t character_size(const char *text, int *columns)
{
    mbstate_t state = {0};
    wchar_t wide = 0;
    size_t bytes = mbrtowc(&wide, text, strlen(text), &state);
    if (bytes == (size_t)-1 || bytes == (size_t)-2 || bytes == 0) {
        *columns = 1;
        return 1;
    }
    int width = wcwidth(wide);
    *columns = width < 0 ? 1 : width;
    return bytes;
}

size_t terminal_fit(const char *text, int columns)
{
    size_t at = 0;
    while (text[at] != '\0') {
        int width = 0;
        size_t bytes = character_size(text + at, &width);
        if (width > columns)
            break;
        columns -= width;
        at += bytes;
    }
    return at;
}

int terminal_columns(const char *text)
{
    int columns = 0;
    while (*text != '\0') {
        int width = 0;
        text += character_size(text, &width);
        columns += width;
    }
    return columns;
}

int terminal_page_width(FILE *stream)
{
    enum { WIDTH_MIN = 60, WIDTH_USUAL = 80, WIDTH_MAX = 100 };
    int width = terminal_width(stream, WIDTH_USUAL);
    return width < WIDTH_MIN ? WIDTH_MIN : width > WIDTH_MAX ? WIDTH_MAX : width;
}

void terminal_print_wrapped(FILE *stream, const char *text, int column, int indent, int width)
{
    bool first_in_line = true;
    while (*text != '\0') {
        size_t length = strcspn(text, " ");
        char word[256];
        (void)snprintf(word, sizeof word, "%.*s", (int)length, text);
        int taken = terminal_columns(word);
        if (!first_in_line && column + 1 + taken > width) {
            (void)fprintf(stream, "\n%*s", indent, "");
            column = indent;
            first_in_line = true;
        }
        (void)fprintf(stream, "%s%.*s", first_in_line ? "" : " ", (int)length, text);
        column += taken + (first_in_line ? 0 : 1);
        first_in_line = false;
        text += length + strspn(text + length, " ");
    }
    (void)fputc('\n', stream);
}

static bool speaks_utf8(void)
{
    return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

const char *terminal_plus_minus(void)
{
    return speaks_utf8() ? "\302\261" : "+-";
}

const char *terminal_times(void)
{
    return speaks_utf8() ? "\303\227" : "x";
}

void terminal_warn(const char *format, ...)
{
    (void)fprintf(stderr, "tokenmark: %swarning:%s ", terminal_style(stderr, STYLE_YELLOW),
                  terminal_plain(stderr));
    va_list arguments;
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fputc('\n', stderr);
}

void terminal_say_error(const char *command, const char *text)
{
    (void)fprintf(stderr, "tokenmark%s%s: %serror:%s %s\n", command != NULL ? " " : "",
                  command != NULL ? command : "", terminal_style(stderr, STYLE_RED),
                  terminal_plain(stderr), text);
}
