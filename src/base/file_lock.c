/* The lock of file_lock.h: flock on a file of its own. */
#include "base/file_lock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static size_t folder_length(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? (size_t)(slash - path) + 1 : 0;
}

/* "FOLDER/.NAME" and the ending; NULL when out of memory. */
static char *hidden_path(const char *path, const char *ending)
{
    size_t folder = folder_length(path);
    size_t capacity = strlen(path) + strlen(ending) + 2;
    char *result = malloc(capacity);
    if (result != NULL)
        (void)snprintf(result, capacity, "%.*s.%s%s", (int)folder, path, path + folder, ending);
    return result;
}

/* The holder before may have removed the file between our open and our lock: a lock on a file
 * without a name keeps nobody out. */
static bool is_current(int descriptor, const char *path)
{
    struct stat ours, named;
    return fstat(descriptor, &ours) == 0 && stat(path, &named) == 0 &&
           ours.st_dev == named.st_dev && ours.st_ino == named.st_ino;
}

/* Names that file_write_atomic gave to files it could not finish: ".NAME.tmp.PID". */
void file_remove_leftovers(const char *path)
{
    char *pattern = hidden_path(path, ".tmp.");
    size_t folder = folder_length(path);
    char *place = folder > 0 ? strndup(path, folder) : strdup(".");
    DIR *stream = pattern != NULL && place != NULL ? opendir(place) : NULL;
    if (stream != NULL) {
        size_t length = strlen(pattern + folder);
        for (struct dirent *entry = readdir(stream); entry != NULL; entry = readdir(stream)) {
            const char *number = entry->d_name + length;
            if (strncmp(entry->d_name, pattern + folder, length) == 0 && *number != '\0' &&
                strspn(number, "0123456789") == strlen(number))
                (void)unlinkat(dirfd(stream), entry->d_name, 0);
        }
        (void)closedir(stream);
    }
    free(place);
    free(pattern);
}

int file_lock_take(struct file_lock *lock, const char *path, struct error *error)
{
    *lock = (struct file_lock){.descriptor = -1, .path = hidden_path(path, ".lock")};
    if (lock->path == NULL)
        return error_set(error, ERROR_MEMORY, "%s: no memory to lock it", path);
    int code = 0;
    for (;;) {
        lock->descriptor = open(lock->path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        if (lock->descriptor < 0) {
            code = error_set(error, ERROR_INPUT, "%s: cannot be locked: %s: %s", path, lock->path,
                             strerror(errno));
            break;
        }
        if (flock(lock->descriptor, LOCK_EX | LOCK_NB) != 0) {
            code = errno == EWOULDBLOCK
                       ? error_set(error, ERROR_INPUT,
                                   "%s: another tokenmark is writing it; wait for it, or stop it "
                                   "and continue with --resume",
                                   path)
                       : error_set(error, ERROR_INPUT, "%s: cannot be locked: %s", path,
                                   strerror(errno));
            break;
        }
        if (is_current(lock->descriptor, lock->path))
            return 0;
        (void)close(lock->descriptor);
    }
    if (lock->descriptor >= 0)
        (void)close(lock->descriptor);
    free(lock->path);
    lock->path = NULL;
    return code;
}

void file_lock_release(struct file_lock *lock)
{
    if (lock->path == NULL)
        return;
    /* Removed while it is held: nobody can take it in between and lose it. */
    (void)unlink(lock->path);
    (void)close(lock->descriptor);
    free(lock->path);
    *lock = (struct file_lock){.descriptor = -1};
}
