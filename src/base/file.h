/* Files: read whole, mapped, or written so that a reader sees the old or the new content
 * and never half of one. Errors name the file and say what the system said. */
#ifndef TOKENMARK_BASE_FILE_H
#define TOKENMARK_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct file_map {
    const unsigned char *data; /* NULL for an empty file */
    size_t bytes;
};

/* Maps a regular file for reading. ERROR_INPUT where it does not exist or is no file. */
int file_map_open(struct file_map *map, const char *path, struct error *error);
void file_map_close(struct file_map *map);

/* Lets the system drop the pages of [offset, offset + bytes) from this process (they stay in
 * the page cache): resident memory then counts what is used, not what was read once. */
void file_map_release(const struct file_map *map, size_t offset, size_t bytes);

/* Reads a whole file into a terminated buffer that the caller frees. Files over `limit`
 * bytes are refused (ERROR_INPUT). */
int file_read(char **out, size_t *bytes, const char *path, size_t limit, struct error *error);

/* Writes beside `path` (same folder, ".NAME.tmp.PID"), fsyncs, renames over it. On failure
 * the old file is as it was and the temporary one is gone. */
int file_write_atomic(const char *path, const char *bytes, size_t count, struct error *error);

/* 0 when a file could be created or replaced at `path`; leaves nothing behind. */
int file_check_writable(const char *path, struct error *error);

bool file_exists(const char *path);
bool file_is_directory(const char *path);

/* mkdir -p. */
int file_make_directories(const char *path, struct error *error);

/* "folder/name" in a buffer that the caller frees; NULL when out of memory. */
char *file_join(const char *folder, const char *name);

#endif
