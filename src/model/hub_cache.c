/* Paths, links, references and locks of the shared cache; see hub_cache.h. */
#include "model/hub_cache.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"

static bool is_name_character(char c)
{
    return isalnum((unsigned char)c) || c == '-' || c == '_' || c == '.';
}

bool hub_name_is_valid(const char *repository)
{
    int slashes = 0;
    size_t length = strlen(repository);
    if (length == 0 || length > 200 || strstr(repository, "..") != NULL ||
        strstr(repository, "--") != NULL)
        return false;
    for (size_t i = 0; i < length; i++) {
        char c = repository[i];
        bool first = i == 0 || repository[i - 1] == '/';
        if (c == '/') {
            slashes++;
            if (first || i + 1 == length)
                return false;
        } else if (!is_name_character(c) || (first && (c == '-' || c == '.'))) {
            return false;
        }
    }
    return slashes <= 1;
}

bool hub_file_name_is_safe(const char *name)
{
    size_t length = strlen(name);
    if (length == 0 || length > 255 || name[0] == '/' || name[length - 1] == '/')
        return false;
    for (size_t i = 0; i < length; i++) {
        bool first = i == 0 || name[i - 1] == '/';
        if (name[i] == '/' ? first : !is_name_character(name[i]))
            return false;
        if (first && name[i] == '.')
            return false;
    }
    return true;
}

static bool is_set(const char *value)
{
    return value != NULL && value[0] != '\0';
}

/* HF_HOME or its default; NULL when nothing tells where. */
static char *home_folder(const struct model_environment *environment)
{
    if (is_set(environment->hf_home))
        return strdup(environment->hf_home);
    if (is_set(environment->xdg_cache_home))
        return file_join(environment->xdg_cache_home, "huggingface");
    if (is_set(environment->home))
        return file_join(environment->home, ".cache/huggingface");
    return NULL;
}

static char *join_and_free(char *folder, const char *name)
{
    char *path = folder != NULL ? file_join(folder, name) : NULL;
    free(folder);
    return path;
}

char *hub_cache_folder(const struct model_environment *environment)
{
    if (is_set(environment->hf_hub_cache))
        return strdup(environment->hf_hub_cache);
    return join_and_free(home_folder(environment), "hub");
}

char *hub_token(const struct model_environment *environment)
{
    char *token = NULL;
    if (is_set(environment->hf_token)) {
        token = strdup(environment->hf_token);
    } else {
        char *path = join_and_free(home_folder(environment), "token");
        size_t bytes = 0;
        if (path == NULL || file_read(&token, &bytes, path, 4096, NULL) != 0)
            token = NULL;
        free(path);
    }
    if (token == NULL)
        return NULL;
    /* A control character would end the header line it is sent in. */
    size_t length = strcspn(token, "\r\n \t");
    token[length] = '\0';
    if (length == 0) {
        free(token);
        return NULL;
    }
    return token;
}

char *hub_cache_repository(const char *cache, const char *repository)
{
    struct text name = {0};
    text_append(&name, "models--");
    for (const char *c = repository; *c != '\0'; c++)
        text_append(&name, *c == '/' ? "--" : (const char[]){*c, '\0'});
    char *folder = name.failed ? NULL : file_join(cache, text_string(&name));
    text_free(&name);
    return folder;
}

static bool is_commit(const char *text)
{
    return strlen(text) == 40 && strspn(text, "0123456789abcdef") == 40;
}

char *hub_cache_read_ref(const char *folder, const char *revision)
{
    if (!hub_file_name_is_safe(revision))
        return NULL;
    char *path = join_and_free(file_join(folder, "refs"), revision);
    char *commit = NULL;
    size_t bytes = 0;
    if (path == NULL || file_read(&commit, &bytes, path, 256, NULL) != 0)
        commit = NULL;
    free(path);
    if (commit != NULL)
        commit[strcspn(commit, "\r\n \t")] = '\0';
    if (commit != NULL && !is_commit(commit)) {
        free(commit);
        commit = NULL;
    }
    return commit;
}

char *hub_cache_find(const struct model_environment *environment, const char *repository,
                     const char *revision)
{
    if (!hub_name_is_valid(repository))
        return NULL;
    if (revision == NULL)
        revision = "main";
    char *found = NULL;
    char *cache = hub_cache_folder(environment);
    char *folder = cache != NULL ? hub_cache_repository(cache, repository) : NULL;
    char *commit = NULL;
    if (folder != NULL)
        commit = is_commit(revision) ? strdup(revision) : hub_cache_read_ref(folder, revision);
    if (commit != NULL) {
        found = join_and_free(file_join(folder, "snapshots"), commit);
        if (found != NULL && !file_is_directory(found)) {
            free(found);
            found = NULL;
        }
    }
    free(commit);
    free(folder);
    free(cache);
    return found;
}

int hub_cache_lock(int *descriptor, const char *cache, const char *repository, const char *etag,
                   struct error *error)
{
    *descriptor = -1;
    int result = ERROR_MEMORY;
    char *locks = file_join(cache, ".locks");
    char *folder = locks != NULL ? hub_cache_repository(locks, repository) : NULL;
    struct text name = {0};
    text_printf(&name, "%s.lock", etag);
    char *path = folder != NULL && !name.failed ? file_join(folder, text_string(&name)) : NULL;
    if (path == NULL) {
        result = error_set(error, ERROR_MEMORY, "out of memory");
        goto done;
    }
    result = file_make_directories(folder, error);
    if (result != 0)
        goto done;
    *descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (*descriptor < 0) {
        result = error_set(error, ERROR_INPUT, "%s: %s", path, strerror(errno));
        goto done;
    }
    while (flock(*descriptor, LOCK_EX) != 0) {
        if (errno == EINTR)
            continue;
        result = error_set(error, ERROR_INPUT, "%s: cannot be locked: %s", path, strerror(errno));
        hub_cache_unlock(*descriptor);
        *descriptor = -1;
        goto done;
    }
done:
    free(path);
    text_free(&name);
    free(folder);
    free(locks);
    return result;
}

void hub_cache_unlock(int descriptor)
{
    if (descriptor >= 0)
        (void)close(descriptor);
}

/* Makes the folder that `path` lies in. */
static int make_parent(const char *path, struct error *error)
{
    char *parent = strdup(path);
    if (parent == NULL)
        return error_set(error, ERROR_MEMORY, "out of memory");
    *strrchr(parent, '/') = '\0';
    int result = file_make_directories(parent, error);
    free(parent);
    return result;
}

/* A link made beside and renamed over: another process always finds the old or the new one. */
static int replace_link(const char *target, const char *path, struct error *error)
{
    struct text beside = {0};
    text_printf(&beside, "%s.%ld.tmp", path, (long)getpid());
    int result = 0;
    if (beside.failed)
        result = error_set(error, ERROR_MEMORY, "out of memory");
    else if (symlink(target, text_string(&beside)) != 0 ||
             rename(text_string(&beside), path) != 0) {
        result = error_set(error, ERROR_INPUT, "%s: cannot be linked: %s", path, strerror(errno));
        (void)unlink(text_string(&beside));
    }
    text_free(&beside);
    return result;
}

int hub_cache_link(const char *folder, const char *commit, const char *file, const char *etag,
                   struct error *error)
{
    struct text path = {0};
    struct text target = {0};
    text_printf(&path, "%s/snapshots/%s/%s", folder, commit, file);
    /* One ".." for each folder between the link and the repository's folder. */
    text_append(&target, "../../");
    for (const char *c = file; *c != '\0'; c++)
        if (*c == '/')
            text_append(&target, "../");
    text_printf(&target, "blobs/%s", etag);
    int result = ERROR_MEMORY;
    if (path.failed || target.failed)
        result = error_set(error, ERROR_MEMORY, "out of memory");
    else
        result = make_parent(text_string(&path), error);
    if (result == 0)
        result = replace_link(text_string(&target), text_string(&path), error);
    text_free(&target);
    text_free(&path);
    return result;
}

int hub_cache_write_ref(const char *folder, const char *revision, const char *commit,
                        struct error *error)
{
    struct text path = {0};
    text_printf(&path, "%s/refs/%s", folder, revision);
    int result = path.failed ? error_set(error, ERROR_MEMORY, "out of memory")
                             : make_parent(text_string(&path), error);
    if (result == 0)
        result = file_write_atomic(text_string(&path), commit, strlen(commit), error);
    text_free(&path);
    return result;
}
