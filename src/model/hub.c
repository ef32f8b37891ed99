/* Which files of a repository are needed, and where they end up in the cache; see hub.h. */
#include "model/hub.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/sha256.h"
#include "base/text.h"
#include "model/hub_cache.h"

#ifdef TOKENMARK_HAVE_CURL

#include "model/hub_download.h"
#include "model/hub_http.h"

enum { LISTING_LIMIT = 64 << 20, FILES_MAX = 4096 };

struct fetch {
    const char *repository;
    const char *revision;
    const struct hub_options *options;
    struct hub_connection connection;
    char *cache;
    char *folder;   /* the repository's, in the cache */
    char *snapshot; /* snapshots/COMMIT */
    json_t *listing;
    const char *commit;
};

static void notice(const struct fetch *fetch, const char *text)
{
    if (fetch->options->notice != NULL)
        fetch->options->notice(fetch->options->notice_context, text, -1.0);
}

/* A revision may be a branch with a slash in its name: one path segment all the same. */
static void append_segment(struct text *url, const char *segment)
{
    for (const char *c = segment; *c != '\0'; c++) {
        bool plain = (*c >= '0' && *c <= '9') || (*c >= 'A' && *c <= 'Z') ||
                     (*c >= 'a' && *c <= 'z') || strchr("-_.~", *c) != NULL;
        if (plain)
            text_append_bytes(url, c, 1);
        else
            text_printf(url, "%%%02X", (unsigned)(unsigned char)*c);
    }
}

/* The hub's list of files, and the commit that the revision is now. */
static int read_listing(struct fetch *fetch, enum hub_outcome *outcome, struct error *error)
{
    struct text url = {0};
    struct text body = {0};
    bool unreachable = false;
    text_printf(&url, "%s/api/models/%s/revision/", fetch->connection.endpoint, fetch->repository);
    append_segment(&url, fetch->revision);
    int result = url.failed ? error_set(error, ERROR_MEMORY, "out of memory")
                            : hub_http_get(&fetch->connection, text_string(&url), LISTING_LIMIT,
                                           &body, &unreachable, error);
    if (result != 0 && unreachable)
        *outcome = HUB_NO_NETWORK;
    if (result == 0)
        result = json_text_load(&fetch->listing, text_string(&body), body.length, text_string(&url),
                                error);
    if (result == 0) {
        fetch->commit = json_string_value(json_object_get(fetch->listing, "sha"));
        if (fetch->commit == NULL || strlen(fetch->commit) != 40 ||
            strspn(fetch->commit, "0123456789abcdef") != 40)
            result =
                error_set(error, ERROR_INPUT, "%s: the hub names no commit", text_string(&url));
    }
    text_free(&body);
    text_free(&url);
    return result;
}

static bool is_listed(const struct fetch *fetch, const char *name)
{
    size_t i = 0;
    json_t *entry = NULL;
    json_array_foreach(json_object_get(fetch->listing, "siblings"), i, entry)
    {
        const char *file = json_string_value(json_object_get(entry, "rfilename"));
        if (file != NULL && strcmp(file, name) == 0)
            return true;
    }
    return false;
}

static int blob_describe(struct hub_blob *blob, struct fetch *fetch, const char *name,
                         struct error *error)
{
    struct text url = {0};
    text_printf(&url, "%s/%s/resolve/%s/%s", fetch->connection.endpoint, fetch->repository,
                fetch->commit, name);
    blob->url = url.data;
    if (url.failed)
        return error_set(error, ERROR_MEMORY, "out of memory");
    struct hub_headers headers;
    int result = hub_http_head(&fetch->connection, blob->url, &headers, error);
    if (result != 0)
        return result;
    size_t length = strlen(headers.etag);
    if (length == 0 || !hub_file_name_is_safe(headers.etag) || strchr(headers.etag, '/') != NULL)
        return error_set(error, ERROR_INPUT, "%s: the hub names no usable ETag", blob->url);
    memcpy(blob->etag, headers.etag, sizeof blob->etag);
    blob->size = headers.size;
    blob->etag_is_sha256 = headers.linked && length == SHA256_HEX_LENGTH;
    struct text path = {0};
    text_printf(&path, "%s/blobs/%s", fetch->folder, blob->etag);
    blob->path = path.data;
    return path.failed ? error_set(error, ERROR_MEMORY, "out of memory") : 0;
}

static int compare_blobs(const void *left, const void *right)
{
    const struct hub_blob *a = *(const struct hub_blob *const *)left;
    const struct hub_blob *b = *(const struct hub_blob *const *)right;
    return strcmp(a->etag, b->etag);
}

/* Downloads what the cache lacks, holding each file's lock from the look to the rename. Locks
 * are taken in the order of their names, so that two processes never wait for each other. */
static int bring_blobs(struct fetch *fetch, struct hub_blob *blobs, size_t count,
                       struct error *error)
{
    int result = 0;
    size_t locked = 0;
    size_t wanted = 0;
    int *locks = calloc(count, sizeof *locks);
    const struct hub_blob **order = calloc(count, sizeof *order);
    struct hub_blob *missing = calloc(count, sizeof *missing);
    if (locks == NULL || order == NULL || missing == NULL) {
        result = error_set(error, ERROR_MEMORY, "out of memory");
        goto done;
    }
    for (size_t i = 0; i < count; i++)
        order[i] = &blobs[i];
    qsort(order, count, sizeof *order, compare_blobs);
    for (size_t i = 0; i < count && result == 0; i++) {
        if ((i > 0 && strcmp(order[i]->etag, order[i - 1]->etag) == 0) ||
            file_exists(order[i]->path))
            continue;
        result =
            hub_cache_lock(&locks[locked], fetch->cache, fetch->repository, order[i]->etag, error);
        if (result != 0)
            break;
        locked++;
        if (!file_exists(order[i]->path))
            missing[wanted++] = *order[i];
    }
    if (result == 0)
        result = hub_download(&fetch->connection, missing, wanted, error);
done:
    for (size_t i = 0; i < locked; i++)
        hub_cache_unlock(locks[i]);
    free(missing);
    free(order);
    free(locks);
    return result;
}

/* Brings the named files and links them into the snapshot. */
static int fetch_files(struct fetch *fetch, const char *const *names, size_t count,
                       struct error *error)
{
    struct hub_blob *blobs = calloc(count, sizeof *blobs);
    if (blobs == NULL)
        return error_set(error, ERROR_MEMORY, "out of memory");
    int result = 0;
    for (size_t i = 0; i < count && result == 0; i++)
        result = blob_describe(&blobs[i], fetch, names[i], error);
    if (result == 0)
        result = bring_blobs(fetch, blobs, count, error);
    for (size_t i = 0; i < count && result == 0; i++)
        result = hub_cache_link(fetch->folder, fetch->commit, names[i], blobs[i].etag, error);
    for (size_t i = 0; i < count; i++) {
        free(blobs[i].url);
        free(blobs[i].path);
    }
    free(blobs);
    return result;
}

static int add_shard(const struct fetch *fetch, const char *name, const char **names, size_t *count,
                     const char *index_path, struct error *error)
{
    for (size_t i = 0; i < *count; i++)
        if (strcmp(names[i], name) == 0)
            return 0;
    if (!hub_file_name_is_safe(name))
        return error_set(error, ERROR_INPUT, "%s: '%.80s' is not an acceptable file name",
                         index_path, name);
    if (!is_listed(fetch, name))
        return error_set(error, ERROR_INPUT, "%s: names '%s', which the repository does not have",
                         index_path, name);
    if (*count == FILES_MAX)
        return error_set(error, ERROR_INPUT, "%s: over %d files", index_path, FILES_MAX);
    names[(*count)++] = name;
    return 0;
}

/* The shards that the fetched index names. */
static int fetch_shards(struct fetch *fetch, struct error *error)
{
    json_t *index = NULL;
    size_t count = 0;
    const char **names = calloc(FILES_MAX, sizeof *names);
    char *path = file_join(fetch->snapshot, "model.safetensors.index.json");
    int result = 0;
    if (names == NULL || path == NULL) {
        result = error_set(error, ERROR_MEMORY, "out of memory");
        goto done;
    }
    result = json_file_load(&index, path, LISTING_LIMIT, error);
    if (result != 0)
        goto done;
    json_t *map = json_object_get(index, "weight_map");
    if (!json_is_object(map) || json_object_size(map) == 0) {
        result = error_set(error, ERROR_INPUT, "%s: has no weight_map", path);
        goto done;
    }
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach(map, key, value)
    {
        if (!json_is_string(value))
            result =
                error_set(error, ERROR_INPUT, "%s: weight_map.%.80s is not a file name", path, key);
        else
            result = add_shard(fetch, json_string_value(value), names, &count, path, error);
        if (result != 0)
            goto done;
    }
    result = fetch_files(fetch, names, count, error);
done:
    json_decref(index);
    free(path);
    free(names);
    return result;
}

static int fetch_needed(struct fetch *fetch, enum hub_outcome *outcome, struct error *error)
{
    static const char *const one_file[] = {"config.json", "model.safetensors"};
    static const char *const sharded[] = {"config.json", "model.safetensors.index.json"};
    if (!is_listed(fetch, "config.json")) {
        *outcome = HUB_NO_READABLE_FORMAT;
        return error_set(error, ERROR_INPUT,
                         "%s: the repository has no config.json: not a transformers model",
                         fetch->repository);
    }
    if (fetch->options->config_only)
        return fetch_files(fetch, one_file, 1, error);
    notice(fetch, "reading from the hub");
    if (is_listed(fetch, one_file[1]))
        return fetch_files(fetch, one_file, 2, error);
    if (is_listed(fetch, sharded[1])) {
        int result = fetch_files(fetch, sharded, 2, error);
        return result != 0 ? result : fetch_shards(fetch, error);
    }
    *outcome = HUB_NO_READABLE_FORMAT;
    return error_set(error, ERROR_INPUT,
                     "%s: the repository holds no safetensors file; convert it once with: python3 "
                     "-c \"from transformers import AutoModelForCausalLM as M; "
                     "M.from_pretrained('%s').save_pretrained('converted')\" and give --model "
                     "converted",
                     fetch->repository, fetch->repository);
}

static int prepare_paths(struct fetch *fetch, struct error *error)
{
    fetch->cache = hub_cache_folder(fetch->options->environment);
    if (fetch->cache == NULL)
        return error_set(error, ERROR_INPUT,
                         "no folder for the model cache: set HF_HUB_CACHE, HF_HOME or HOME");
    fetch->folder = hub_cache_repository(fetch->cache, fetch->repository);
    if (fetch->folder == NULL)
        return error_set(error, ERROR_MEMORY, "out of memory");
    char *blobs = file_join(fetch->folder, "blobs");
    int result = blobs == NULL ? error_set(error, ERROR_MEMORY, "out of memory")
                               : file_make_directories(blobs, error);
    free(blobs);
    return result;
}

int hub_fetch(char **folder, enum hub_outcome *outcome, const char *repository,
              const struct hub_options *options, struct error *error)
{
    *folder = NULL;
    *outcome = HUB_FETCHED;
    if (!hub_name_is_valid(repository))
        return error_set(error, ERROR_INPUT, "'%s' is not a model name: name or org/name",
                         repository);
    struct fetch fetch = {.repository = repository, .options = options};
    fetch.revision = options->revision != NULL ? options->revision : "main";
    int result = hub_connection_open(&fetch.connection, options, error);
    if (result == 0)
        result = read_listing(&fetch, outcome, error);
    if (result == 0)
        result = prepare_paths(&fetch, error);
    if (result == 0) {
        struct text snapshot = {0};
        text_printf(&snapshot, "%s/snapshots/%s", fetch.folder, fetch.commit);
        fetch.snapshot = snapshot.data;
        result = snapshot.failed ? error_set(error, ERROR_MEMORY, "out of memory") : 0;
    }
    if (result == 0)
        result = fetch_needed(&fetch, outcome, error);
    if (result == 0 && hub_file_name_is_safe(fetch.revision))
        result = hub_cache_write_ref(fetch.folder, fetch.revision, fetch.commit, error);
    if (result == 0) {
        *folder = fetch.snapshot;
        fetch.snapshot = NULL;
    }
    json_decref(fetch.listing);
    free(fetch.snapshot);
    free(fetch.folder);
    free(fetch.cache);
    hub_connection_close(&fetch.connection);
    return result;
}

#else

int hub_fetch(char **folder, enum hub_outcome *outcome, const char *repository,
              const struct hub_options *options, struct error *error)
{
    (void)options;
    *folder = NULL;
    *outcome = HUB_NO_NETWORK;
    return error_set(error, ERROR_INPUT,
                     "%s: this tokenmark was built without libcurl and cannot download; install "
                     "libcurl's development files and build again, or give --model DIR",
                     repository);
}

#endif
