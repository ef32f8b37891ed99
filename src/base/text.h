/* A string that grows. Appending never fails at the call: an allocation failure is
 * remembered in `failed` and asked once at the end, which keeps writers readable. */
#ifndef TOKENMARK_BASE_TEXT_H
#define TOKENMARK_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

struct text {
    char *data; /* terminated; NULL only before the first append */
    size_t length;
    size_t capacity;
    bool failed;
};

void text_append(struct text *text, const char *string);
void text_append_bytes(struct text *text, const char *bytes, size_t count);
void text_printf(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The shortest decimal that reads back as exactly this double ("0.9", "1.0", "6.1e-05"), the
 * same form in every locale; always with a point or an exponent. NaN and infinities: nothing. */
void text_append_real(struct text *text, double value);

/* The string so far; "" when nothing was appended. Owned by `text`. */
const char *text_string(const struct text *text);

/* Frees the memory and makes `text` empty again. */
void text_free(struct text *text);

#endif
