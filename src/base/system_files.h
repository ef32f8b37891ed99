/* Small files of /proc, /sys and /etc under a root that tests can choose. For system.c. */
#ifndef TOKENMARK_BASE_SYSTEM_FILES_H
#define TOKENMARK_BASE_SYSTEM_FILES_H

#include <stdbool.h>
#include <stdio.h>

enum { SYSTEM_LINE_BYTES = 512, SYSTEM_CPUS_MAX = 8192 };

/* NULL where it cannot be opened. */
FILE *system_file_open(const char *root, const char *path);

/* The first line without its newline; false where it cannot be read or is empty. */
bool system_file_line(const char *root, const char *path, char line[SYSTEM_LINE_BYTES]);

/* The value of the first line "key SEPARATOR value", without blanks and quotes around it. */
bool system_file_key(const char *root, const char *path, const char *key, char separator,
                     char value[SYSTEM_LINE_BYTES]);

/* A whole number that is all of the first line; -1 otherwise. */
long system_file_number(const char *root, const char *path);

/* Marks the members of a list like "0-3,8" and returns how many they are; -1 for what is no such
 * list. */
long system_parse_list(const char *list, bool member[SYSTEM_CPUS_MAX]);

#endif
