/* Files as file.h promises: read whole, mapped, or replaced so that a reader never sees half
 * of one. A temporary file is made beside its target, so that the rename stays within one
 * file system. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Opens for reading and checks that it is a regular file: reading a FIFO or a terminal would
 * wait forever. */
static int open_regular(int *out, struct stat *status, const char *path, struct error *error)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0)
        return error_set(error, ERROR_INPUT, "%s: cannot open: %s", path, strerror(errno));
    if (fstat(descriptor, status) != 0) {
        int number = errno;
        (void)close(descriptor);
        return error_set(error, ERROR_FAILED, "%s: cannot read its size: %s", path,
                         strerror(number));
    }
    if (!S_ISREG(status->st_mode)) {
        (void)close(descriptor);
        return error_set(error, ERROR_INPUT, "%s: is %s, a file is needed", path,
                         S_ISDIR(status->st_mode) ? "a folder" : "not a regular file");
    }
    *out = descriptor;
    return 0;
}

int file_map_open(struct file_map *map, const char *path, struct error *error)
{
    *map = (struct file_map){0};
    int descriptor = -1;
    struct stat status;
    int code = open_regular(&descriptor, &status, path, error);
    if (code != 0)
        return code;
    if (status.st_size > 0 && (uintmax_t)status.st_size <= SIZE_MAX) {
        size_t bytes = (size_t)status.st_size;
        void *data = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, descriptor, 0);
        if (data == MAP_FAILED)
            code = error_set(error, ERROR_FAILED, "%s: cannot map %zu bytes: %s", path, bytes,
                             strerror(errno));
        else
            *map = (struct file_map){data, bytes};
    }
    (void)close(descriptor);
    return code;
}

void file_map_close(struct file_map *map)
{
    if (map == NULL || map->data == NULL)
        return;
    (void)munmap((void *)(uintptr_t)map->data, map->bytes);
    *map = (struct file_map){0};
}

void file_map_release(const struct file_map *map, size_t offset, size_t bytes)
{
    if (map->data == NULL || offset >= map->bytes)
        return;
    if (bytes > map->bytes - offset)
        bytes = map->bytes - offset;
    /* Only whole pages inside the range: a page that is shared with a neighbour stays. */
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t first = (offset + page - 1) / page * page;
    size_t end = offset + bytes == map->bytes ? map->bytes : (offset + bytes) / page * page;
    if (first < end)
        (void)madvise((void *)(uintptr_t)(map->data + first), end - first, MADV_DONTNEED);
}

/* Reads until the end or until the buffer is full; short reads and signals are normal. */
static int read_all(int descriptor, char *buffer, size_t capacity, size_t *count)
{
    *count = 0;
    while (*count < capacity) {
        ssize_t got = read(descriptor, buffer + *count, capacity - *count);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        *count += (size_t)got;
    }
    return 0;
}

int file_read(char **out, size_t *bytes, const char *path, size_t limit, struct error *error)
{
    *out = NULL;
    int descriptor = -1;
    struct stat status;
    int code = open_regular(&descriptor, &status, path, error);
    if (code != 0)
        return code;
    char *buffer = NULL;
    if (status.st_size < 0 || (uintmax_t)status.st_size > limit) {
        code = error_set(error, ERROR_INPUT, "%s: has %jd bytes, at most %zu are read", path,
                         (intmax_t)status.st_size, limit);
        goto fail;
    }
    size_t capacity = (size_t)status.st_size;
    buffer = malloc(capacity + 1);
    if (buffer == NULL) {
        code = error_set(error, ERROR_MEMORY, "%s: no memory for its %zu bytes", path, capacity);
        goto fail;
    }
    if (read_all(descriptor, buffer, capacity, bytes) != 0) {
        code = error_set(error, ERROR_FAILED, "%s: cannot read: %s", path, strerror(errno));
        goto fail;
    }
    buffer[*bytes] = '\0';
    *out = buffer;
    (void)close(descriptor);
    return 0;
fail:
    free(buffer);
    (void)close(descriptor);
    return code;
}

/* "FOLDER/.NAME.tmp.PID" for "FOLDER/NAME"; NULL when out of memory. */
static char *temporary_path(const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t folder = slash != NULL ? (size_t)(slash - path) + 1 : 0;
    size_t capacity = strlen(path) + 32;
    char *result = malloc(capacity);
    if (result != NULL)
        (void)snprintf(result, capacity, "%.*s.%s.tmp.%ld", (int)folder, path, path + folder,
                       (long)getpid());
    return result;
}

static int write_all(int descriptor, const char *bytes, size_t count)
{
    while (count > 0) {
        ssize_t put = write(descriptor, bytes, count);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return -1;
        bytes += put;
        count -= (size_t)put;
    }
    return 0;
}

/* Makes the rename itself durable. A file system that cannot sync a folder is no fault. */
static void sync_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash == NULL   ? strdup(".")
                   : slash == path ? strdup("/")
                                   : strndup(path, (size_t)(slash - path));
    int descriptor = folder != NULL ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (descriptor >= 0) {
        (void)fsync(descriptor);
        (void)close(descriptor);
    }
    free(folder);
}

int file_write_atomic(const char *path, const char *bytes, size_t count, struct error *error)
{
    if (strlen(path) > INT_MAX / 2)
        return error_set(error, ERROR_INPUT, "the path of a file to write is too long");
    char *temporary = temporary_path(path);
    if (temporary == NULL)
        return error_set(error, ERROR_MEMORY, "%s: no memory to write it", path);
    int code = 0;
    const char *step = "create";
    int descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (descriptor < 0)
        goto fail;
    step = "write";
    if (write_all(descriptor, bytes, count) != 0 || fsync(descriptor) != 0)
        goto fail;
    int closed = close(descriptor);
    descriptor = -1;
    if (closed != 0)
        goto fail;
    step = "replace";
    if (rename(temporary, path) != 0)
        goto fail;
    sync_folder(path);
    free(temporary);
    return 0;
fail:
    code = error_set(error, ERROR_FAILED, "%s: cannot %s it: %s", path, step, strerror(errno));
    if (descriptor >= 0)
        (void)close(descriptor);
    (void)unlink(temporary);
    free(temporary);
    return code;
}

int file_check_writable(const char *path, struct error *error)
{
    const char *slash = strrchr(path, '/');
    if (path[0] == '\0' || (slash != NULL && slash[1] == '\0'))
        return error_set(error, ERROR_INPUT, "\"%s\" is no name for a file to write", path);
    if (file_is_directory(path))
        return error_set(error, ERROR_INPUT, "%s: is a folder, give a file name", path);
    if (file_exists(path) && access(path, W_OK) != 0)
        return error_set(error, ERROR_INPUT, "%s: cannot be replaced: %s", path, strerror(errno));
    char *temporary = temporary_path(path);
    if (temporary == NULL)
        return error_set(error, ERROR_MEMORY, "%s: no memory to check it", path);
    int code = 0;
    int descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (descriptor < 0) {
        code = error_set(error, ERROR_INPUT, "%s: cannot be written: %s", path, strerror(errno));
    } else {
        (void)close(descriptor);
        (void)unlink(temporary);
    }
    free(temporary);
    return code;
}

bool file_exists(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0;
}

bool file_is_directory(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

int file_make_directories(const char *path, struct error *error)
{
    char *part = strdup(path);
    if (part == NULL)
        return error_set(error, ERROR_MEMORY, "%s: no memory to create the folder", path);
    int code = 0;
    size_t length = strlen(part);
    for (size_t at = 1; at <= length && code == 0; at++) {
        if (part[at] != '/' && part[at] != '\0')
            continue;
        char kept = part[at];
        part[at] = '\0';
        if (mkdir(part, 0777) != 0 && !file_is_directory(part))
            code = error_set(error, ERROR_INPUT, "%s: cannot create the folder: %s", part,
                             strerror(errno == EEXIST ? ENOTDIR : errno));
        part[at] = kept;
    }
    free(part);
    return code;
}

char *file_join(const char *folder, const char *name)
{
    size_t length = strlen(folder);
    const char *separator = length == 0 || folder[length - 1] == '/' ? "" : "/";
    size_t capacity = length + strlen(name) + 2;
    char *result = malloc(capacity);
    if (result != NULL)
        (void)snprintf(result, capacity, "%s%s%s", folder, separator, name);
    return result;
}
