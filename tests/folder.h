/* A folder of a test's own, removed with all that is in it. */
#ifndef TOKENMARK_TESTS_FOLDER_H
#define TOKENMARK_TESTS_FOLDER_H

#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct folder {
    char path[256];
};

static inline struct folder folder_make(void)
{
    struct folder folder;
    const char *base = getenv("TMPDIR");
    (void)snprintf(folder.path, sizeof folder.path, "%s/tokenmark-test-XXXXXX",
                   base != NULL ? base : "/tmp");
    if (mkdtemp(folder.path) == NULL)
        abort();
    return folder;
}

/* One path at a time: the next call overwrites it. */
static inline const char *folder_file(struct folder *folder, const char *name)
{
    static char path[600];
    (void)snprintf(path, sizeof path, "%s/%s", folder->path, name);
    return path;
}

/* Names in the folder, without "." and "..". */
static inline int folder_count(const char *path)
{
    int count = 0;
    DIR *stream = opendir(path);
    while (stream != NULL) {
        const struct dirent *entry = readdir(stream);
        if (entry == NULL)
            break;
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    }
    if (stream != NULL)
        (void)closedir(stream);
    return count;
}

static inline int folder_remove_entry(const char *path, const struct stat *status, int kind,
                                      struct FTW *walk)
{
    (void)status;
    (void)kind;
    (void)walk;
    return remove(path);
}

static inline void folder_remove(const char *path)
{
    (void)nftw(path, folder_remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static inline void folder_write(const char *path, const char *text)
{
    FILE *file = fopen(path, "wb");
    if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0)
        abort();
}

#endif
