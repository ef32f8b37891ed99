/* Walks the cache's folders; see hub_cache_list.h. What cannot be read is passed over: another
 * program may be writing there. */
#include "model/hub_cache_list.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/text.h"
#include "model/hub_cache.h"

enum { DEPTH_MAX = 8 };
static const char repository_prefix[] = "models--";

/* The repository whose revisions are being collected. */
struct collector {
    struct cached_models *models;
    const char *name;
    const char *folder;
    struct error *error;
};

struct walk {
    int (*visit)(struct walk *walk, const char *path, const char *relative);
    const struct collector *collector;
    int64_t bytes;
};

/* Calls visit for everything under `folder` that is no folder itself; `relative` is what stands
 * before its names, "" at the top. */
static int walk_files(struct walk *walk, const char *folder, const char *relative, int depth)
{
    DIR *directory = depth < DEPTH_MAX ? opendir(folder) : NULL;
    int status = 0;
    for (struct dirent *entry = NULL;
         directory != NULL && status == 0 && (entry = readdir(directory)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        struct text path = {0}, name = {0};
        text_printf(&path, "%s/%s", folder, entry->d_name);
        text_printf(&name, "%s%s%s", relative, relative[0] != '\0' ? "/" : "", entry->d_name);
        if (path.failed || name.failed)
            status = error_set(walk->collector->error, ERROR_MEMORY, "out of memory");
        else if (file_is_directory(text_string(&path)))
            status = walk_files(walk, text_string(&path), text_string(&name), depth + 1);
        else
            status = walk->visit(walk, text_string(&path), text_string(&name));
        text_free(&path);
        text_free(&name);
    }
    if (directory != NULL)
        (void)closedir(directory);
    return status;
}

static int add_bytes(struct walk *walk, const char *path, const char *relative)
{
    (void)relative;
    struct stat status;
    if (stat(path, &status) == 0)
        walk->bytes += (int64_t)status.st_size;
    return 0;
}

static void free_item(struct cached_model *item)
{
    free(item->name);
    free(item->revision);
    free(item->commit);
    free(item->folder);
}

/* Adds the snapshot of `commit` where there is one. */
static int add_revision(const struct collector *collector, const char *revision, const char *commit)
{
    struct cached_models *models = collector->models;
    struct text folder = {0};
    text_printf(&folder, "%s/snapshots/%s", collector->folder, commit);
    if (!folder.failed && !file_is_directory(text_string(&folder))) {
        text_free(&folder);
        return 0;
    }
    struct walk walk = {.visit = add_bytes, .collector = collector};
    int status = folder.failed ? ERROR_MEMORY : walk_files(&walk, text_string(&folder), "", 0);
    if (status == 0 && models->count == models->capacity) {
        size_t capacity = models->capacity == 0 ? 16 : 2 * models->capacity;
        struct cached_model *items = realloc(models->items, capacity * sizeof *items);
        if (items != NULL) {
            models->items = items;
            models->capacity = capacity;
        }
    }
    struct cached_model item = {.name = strdup(collector->name),
                                .revision = strdup(revision),
                                .commit = strdup(commit),
                                .folder = folder.data,
                                .bytes = walk.bytes};
    if (status != 0 || models->count == models->capacity || item.name == NULL ||
        item.revision == NULL || item.commit == NULL) {
        free_item(&item);
        return error_set(collector->error, ERROR_MEMORY, "out of memory");
    }
    models->items[models->count++] = item;
    return 0;
}

static int add_reference(struct walk *walk, const char *path, const char *relative)
{
    (void)path;
    char *commit = hub_cache_read_ref(walk->collector->folder, relative);
    int status = commit != NULL ? add_revision(walk->collector, relative, commit) : 0;
    free(commit);
    return status;
}

/* Snapshots that no reference names. */
static int add_unnamed(const struct collector *collector, size_t first)
{
    char *folder = file_join(collector->folder, "snapshots");
    DIR *directory = folder != NULL ? opendir(folder) : NULL;
    int status = 0;
    for (struct dirent *entry = NULL;
         directory != NULL && status == 0 && (entry = readdir(directory)) != NULL;) {
        bool named = entry->d_name[0] == '.';
        for (size_t i = first; i < collector->models->count; i++)
            named = named || strcmp(collector->models->items[i].commit, entry->d_name) == 0;
        if (!named)
            status = add_revision(collector, entry->d_name, entry->d_name);
    }
    if (directory != NULL)
        (void)closedir(directory);
    free(folder);
    return status;
}

/* "models--org--name" as "org/name"; NULL for anything else. */
static char *repository_name(const char *folder)
{
    size_t skip = sizeof repository_prefix - 1;
    if (strncmp(folder, repository_prefix, skip) != 0)
        return NULL;
    char *name = strdup(folder + skip);
    char *dashes = name != NULL ? strstr(name, "--") : NULL;
    if (dashes != NULL) {
        *dashes = '/';
        memmove(dashes + 1, dashes + 2, strlen(dashes + 2) + 1);
    }
    if (name != NULL && !hub_name_is_valid(name)) {
        free(name);
        name = NULL;
    }
    return name;
}

static int add_repository(struct cached_models *models, const char *cache, const char *entry,
                          struct error *error)
{
    char *name = repository_name(entry);
    char *folder = name != NULL ? file_join(cache, entry) : NULL;
    char *refs = folder != NULL ? file_join(folder, "refs") : NULL;
    int status = 0;
    if (refs != NULL) {
        struct collector collector = {models, name, folder, error};
        size_t first = models->count;
        struct walk walk = {.visit = add_reference, .collector = &collector};
        status = walk_files(&walk, refs, "", 0);
        if (status == 0)
            status = add_unnamed(&collector, first);
    }
    free(refs);
    free(folder);
    free(name);
    return status;
}

static int compare(const void *left, const void *right)
{
    const struct cached_model *a = left, *b = right;
    int order = strcmp(a->name, b->name);
    return order != 0 ? order : strcmp(a->revision, b->revision);
}

int hub_cache_list(struct cached_models *models, const struct model_environment *environment,
                   struct error *error)
{
    *models = (struct cached_models){0};
    char *cache = hub_cache_folder(environment);
    DIR *directory = cache != NULL ? opendir(cache) : NULL;
    int status = 0;
    for (struct dirent *entry = NULL;
         directory != NULL && status == 0 && (entry = readdir(directory)) != NULL;)
        status = add_repository(models, cache, entry->d_name, error);
    if (directory != NULL)
        (void)closedir(directory);
    free(cache);
    if (status != 0)
        hub_cache_list_free(models);
    else if (models->count > 0)
        qsort(models->items, models->count, sizeof *models->items, compare);
    return status;
}

void hub_cache_list_free(struct cached_models *models)
{
    for (size_t i = 0; i < models->count; i++)
        free_item(&models->items[i]);
    free(models->items);
    *models = (struct cached_models){0};
}
