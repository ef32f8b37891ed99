/* Names come from files and may hold anything: one code point at a time, whatever the bytes. */
#ifndef TOKENMARK_REPORT_CHARACTERS_H
#define TOKENMARK_REPORT_CHARACTERS_H

#include <stdbool.h>
#include <stdint.h>

enum { CHARACTER_INVALID = 0xFFFD };

/* The code point at *string, which moves past it. A byte that starts no valid UTF-8 sequence
 * (overlong and surrogates included) is CHARACTER_INVALID and one byte long. 0 at the end. */
uint32_t character_next(const char **string);

/* Writes the code point's UTF-8 with a terminator. */
void character_encode(char out[5], uint32_t character);

/* Control characters and those that steer the direction of text: they have no place in a
 * title or a table. */
bool character_is_control(uint32_t character);

/* Columns a code point takes in a fixed-width font: 2 for Chinese, Japanese, Korean. */
int character_columns(uint32_t character);

#endif
