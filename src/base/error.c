/* Formats error texts; see error.h. */
#include "base/error.h"

#include <stdio.h>
#include <string.h>

/* A cut inside a UTF-8 sequence would make the whole line invalid for a terminal or for JSON. */
static void cut_at_character(char *text, size_t capacity)
{
    size_t length = strnlen(text, capacity);
    if (length + 1 < capacity)
        return;
    size_t start = length;
    while (start > 0 && ((unsigned char)text[start - 1] & 0xC0U) == 0x80U)
        start--;
    if (start > 0 && (unsigned char)text[start - 1] >= 0xC0U)
        text[start - 1] = '\0';
}

int error_set(struct error *error, int code, const char *format, ...)
{
    if (error == NULL)
        return code;
    va_list arguments;
    va_start(arguments, format);
    char text[sizeof error->text];
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    cut_at_character(text, sizeof text);
    memcpy(error->text, text, sizeof text);
    error->code = code;
    return code;
}

int error_prefix(struct error *error, const char *format, ...)
{
    if (error == NULL)
        return ERROR_FAILED;
    char old[sizeof error->text];
    memcpy(old, error->text, sizeof old);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    size_t length = strlen(error->text);
    for (const char *part = ": "; *part != '\0' && length + 1 < sizeof error->text; part++)
        error->text[length++] = *part;
    for (const char *part = old; *part != '\0' && length + 1 < sizeof error->text; part++)
        error->text[length++] = *part;
    error->text[length] = '\0';
    cut_at_character(error->text, sizeof error->text);
    return error->code;
}
