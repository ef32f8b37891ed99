/* The readers of system_files.h: a file that is missing or odd is an answer, never a failure. */
#include "base/system_files.h"

#include <stdlib.h>
#include <string.h>

enum { PATH_BYTES = 4096 };

FILE *system_file_open(const char *root, const char *path)
{
    char whole[PATH_BYTES];
    int length = snprintf(whole, sizeof whole, "%s%s", root, path);
    return length > 0 && (size_t)length < sizeof whole ? fopen(whole, "re") : NULL;
}

bool system_file_line(const char *root, const char *path, char line[SYSTEM_LINE_BYTES])
{
    FILE *stream = system_file_open(root, path);
    if (stream == NULL)
        return false;
    bool ok = fgets(line, SYSTEM_LINE_BYTES, stream) != NULL;
    (void)fclose(stream);
    if (!ok)
        return false;
    line[strcspn(line, "\n")] = '\0';
    return line[0] != '\0';
}

bool system_file_key(const char *root, const char *path, const char *key, char separator,
                     char value[SYSTEM_LINE_BYTES])
{
    FILE *stream = system_file_open(root, path);
    if (stream == NULL)
        return false;
    bool found = false;
    size_t length = strlen(key);
    char line[SYSTEM_LINE_BYTES];
    while (!found && fgets(line, sizeof line, stream) != NULL) {
        if (strncmp(line, key, length) != 0)
            continue;
        const char *at = line + length + strspn(line + length, " \t");
        if (*at != separator)
            continue;
        at++;
        at += strspn(at, " \t\"'");
        size_t count = strcspn(at, "\n");
        while (count > 0 && strchr(" \t\"'", at[count - 1]) != NULL)
            count--;
        memcpy(value, at, count);
        value[count] = '\0';
        found = count > 0;
    }
    (void)fclose(stream);
    return found;
}

long system_file_number(const char *root, const char *path)
{
    char line[SYSTEM_LINE_BYTES];
    if (!system_file_line(root, path, line))
        return -1;
    char *end = NULL;
    long value = strtol(line, &end, 10);
    return end != line && *end == '\0' ? value : -1;
}

/* "3" or "3-5" at `at`: returns where it ends, NULL where it is none. */
static const char *parse_range(const char *at, long *first, long *last)
{
    char *end = NULL;
    *first = strtol(at, &end, 10);
    if (end == at)
        return NULL;
    *last = *first;
    if (*end == '-') {
        at = end + 1;
        *last = strtol(at, &end, 10);
        if (end == at)
            return NULL;
    }
    bool valid = *first >= 0 && *last >= *first && *last < SYSTEM_CPUS_MAX;
    return valid ? end : NULL;
}

long system_parse_list(const char *list, bool member[SYSTEM_CPUS_MAX])
{
    long count = 0;
    memset(member, 0, SYSTEM_CPUS_MAX * sizeof *member);
    const char *at = list;
    for (;;) {
        long first = 0, last = 0;
        at = parse_range(at, &first, &last);
        if (at == NULL)
            return -1;
        for (long i = first; i <= last; i++) {
            count += !member[i];
            member[i] = true;
        }
        if (*at == '\0')
            return count;
        if (*at != ',')
            return -1;
        at++;
    }
}
