/* One writer of a file at a time, however the last one ended. */
#ifndef TOKENMARK_BASE_FILE_LOCK_H
#define TOKENMARK_BASE_FILE_LOCK_H

#include "base/error.h"

struct file_lock {
    int descriptor;
    char *path; /* of the lock file; NULL while nothing is locked */
};

/* Locks `path` against other processes and other locks of this one, by a file ".NAME.lock" beside
 * it: the file itself is replaced by every write and cannot carry a lock. ERROR_INPUT where
 * another holds it. The system frees the lock of a process that dies. */
int file_lock_take(struct file_lock *lock, const char *path, struct error *error);

/* Removes temporary files that a writer of `path` left when it was killed; to be called under the
 * lock. */
void file_remove_leftovers(const char *path);

/* Frees the lock and removes its file; an empty `lock` is passed over. */
void file_lock_release(struct file_lock *lock);

#endif
