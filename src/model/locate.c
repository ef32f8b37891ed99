/* The Hugging Face cache's layout: ROOT/models--owner--name/refs/REVISION holds a commit,
 * ROOT/models--owner--name/snapshots/COMMIT/ the files. */
#include "model/locate.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"

enum { REF_BYTES_MAX = 4096, HUB_ID_BYTES_MAX = 96 };

static bool is_set(const char *value)
{
    return value != NULL && value[0] != '\0';
}

/* Takes the string out of `text`, or frees it and says that memory is out. */
static int hand_over(struct text *text, char **out, struct error *error)
{
    if (text->failed) {
        text_free(text);
        return error_set(error, ERROR_MEMORY, "out of memory");
    }
    *out = text->data;
    return 0;
}

int locate_weights(enum weights_form *form, char **path, const char *directory, struct error *error)
{
    static const struct {
        const char *name;
        enum weights_form form;
    } files[] = {
        {"model.safetensors", WEIGHTS_SINGLE},
        {"model.safetensors.index.json", WEIGHTS_SHARDED},
        {"pytorch_model.bin", WEIGHTS_PICKLED},
        {"pytorch_model.bin.index.json", WEIGHTS_PICKLED},
    };
    *form = WEIGHTS_ABSENT;
    *path = NULL;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char *candidate = file_join(directory, files[i].name);
        if (candidate == NULL)
            return error_set(error, ERROR_MEMORY, "out of memory");
        if (file_exists(candidate)) {
            *form = files[i].form;
            *path = candidate;
            return 0;
        }
        free(candidate);
    }
    return 0;
}

bool locate_is_hub_id(const char *name)
{
    int slashes = 0;
    bool part_begins = true;
    for (const char *at = name; *at != '\0'; at++) {
        bool letter = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z');
        bool digit = *at >= '0' && *at <= '9';
        if (*at == '/' && !part_begins && ++slashes == 1) {
            part_begins = true;
            continue;
        }
        bool mark = !part_begins && (*at == '.' || *at == '-');
        if (!letter && !digit && *at != '_' && !mark)
            return false;
        part_begins = false;
    }
    return !part_begins && strlen(name) <= HUB_ID_BYTES_MAX && strstr(name, "..") == NULL &&
           strstr(name, "--") == NULL;
}

/* The cache's root, "" where nothing says where it is. */
static void append_cache_root(struct text *path, const struct model_environment *environment)
{
    if (is_set(environment->hf_hub_cache))
        text_append(path, environment->hf_hub_cache);
    else if (is_set(environment->hf_home))
        text_printf(path, "%s/hub", environment->hf_home);
    else if (is_set(environment->xdg_cache_home))
        text_printf(path, "%s/huggingface/hub", environment->xdg_cache_home);
    else if (is_set(environment->home))
        text_printf(path, "%s/.cache/huggingface/hub", environment->home);
}

/* A revision or commit becomes a part of a path: no step up, nothing absolute. */
static bool is_safe_revision(const char *revision)
{
    return revision[0] != '\0' && revision[0] != '/' && strstr(revision, "..") == NULL;
}

/* The commit that refs/REVISION holds; the revision itself where there is no such file. */
static int read_commit(char **commit, const char *repository, const char *revision,
                       struct error *error)
{
    struct text path = {0};
    text_printf(&path, "%s/refs/%s", repository, revision);
    size_t bytes = 0;
    int status = 0;
    if (path.failed)
        status = error_set(error, ERROR_MEMORY, "out of memory");
    else if (!file_exists(path.data))
        *commit = strdup(revision);
    else
        status = file_read(commit, &bytes, path.data, REF_BYTES_MAX, error);
    text_free(&path);
    if (status != 0)
        return status;
    if (*commit == NULL)
        return error_set(error, ERROR_MEMORY, "out of memory");
    (*commit)[strcspn(*commit, "\r\n")] = '\0';
    return 0;
}

int locate_cached(char **directory, const char *name, const char *revision,
                  const struct model_environment *environment, struct error *error)
{
    *directory = NULL;
    if (revision == NULL)
        revision = "main";
    if (!locate_is_hub_id(name))
        return 0;
    if (!is_safe_revision(revision))
        return error_set(error, ERROR_INPUT, "\"%s\" is no revision", revision);

    struct text repository = {0};
    struct text snapshot = {0};
    char *commit = NULL;
    int status = 0;
    append_cache_root(&repository, environment);
    if (repository.length == 0)
        goto done;
    text_append(&repository, "/models--");
    for (const char *at = name; *at != '\0'; at++)
        text_append_bytes(&repository, *at == '/' ? "--" : at, *at == '/' ? 2 : 1);
    if (repository.failed) {
        status = error_set(error, ERROR_MEMORY, "out of memory");
        goto done;
    }
    if (!file_is_directory(repository.data))
        goto done;
    status = read_commit(&commit, repository.data, revision, error);
    if (status != 0 || !is_safe_revision(commit))
        goto done;
    text_printf(&snapshot, "%s/snapshots/%s", repository.data, commit);
    if (snapshot.failed || file_is_directory(snapshot.data))
        status = hand_over(&snapshot, directory, error);
    else
        text_free(&snapshot);
done:
    text_free(&repository);
    free(commit);
    return status;
}
