/* Errors as values: a code for the caller's decision, a text for the person.
 * Every function that can fail returns 0 or one of these negative codes and
 * writes the text into the caller's struct error. Nothing here prints. */
#ifndef TOKENMARK_BASE_ERROR_H
#define TOKENMARK_BASE_ERROR_H

#include <stdarg.h>
#include <stddef.h>

enum error_code {
    ERROR_FAILED = -1,  /* the work could not be done (exit 1) */
    ERROR_INPUT = -2,   /* what a person gave is wrong: flag, file, name (exit 2) */
    ERROR_MEMORY = -3,  /* no memory on the host or the device; a cell can fail of it */
    ERROR_STOPPED = -4, /* a person or a limit asked to stop */
    ERROR_DEVICE = -5,  /* the device serves this process no longer; a fresh one may go on */
};

struct error {
    int code;
    char text[1024]; /* always terminated; "" while there is no error */
};

/* Sets code and text and returns `code`, so that `return error_set(...)` reads well.
 * `error` may be NULL. A text that is too long is cut at a character boundary. */
int error_set(struct error *error, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "context: " before the text that is there and returns the code that is there. */
int error_prefix(struct error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
