/* The Hugging Face cache on disk, laid out as the Python tools lay it out, so that both share it:
 *   CACHE/models--ORG--NAME/{blobs/ETAG, refs/REVISION, snapshots/COMMIT/FILE -> ../../blobs/ETAG}
 *   CACHE/.locks/models--ORG--NAME/ETAG.lock
 * Nothing here uses the network. */
#ifndef TOKENMARK_MODEL_HUB_CACHE_H
#define TOKENMARK_MODEL_HUB_CACHE_H

#include <stdbool.h>

#include "base/error.h"
#include "model/model.h"

/* "name" or "org/name" of letters, digits, '-', '_', '.', as the hub allows. */
bool hub_name_is_valid(const char *repository);

/* A path inside a repository that is safe to create: no absolute path, no "..", no odd bytes. */
bool hub_file_name_is_safe(const char *name);

/* The cache folder by HF_HUB_CACHE, HF_HOME, XDG_CACHE_HOME, HOME in this order; the caller
 * frees it; NULL when none of them is set or memory is short. */
char *hub_cache_folder(const struct model_environment *environment);

/* The token by HF_TOKEN or the token file; the caller frees it; NULL when there is none. */
char *hub_token(const struct model_environment *environment);

/* CACHE/models--ORG--NAME; the caller frees it. */
char *hub_cache_repository(const char *cache, const char *repository);

/* The snapshot folder of a cached repository at `revision` (NULL: main), whether or not it is
 * complete; the caller frees it; NULL when there is none. A commit hash is a revision too. */
char *hub_cache_find(const struct model_environment *environment, const char *repository,
                     const char *revision);

/* The commit in refs/REVISION of a repository's folder; the caller frees it; NULL when there is
 * none. */
char *hub_cache_read_ref(const char *folder, const char *revision);

/* Takes the lock of one blob, waiting for its holder; the descriptor goes to hub_cache_unlock. */
int hub_cache_lock(int *descriptor, const char *cache, const char *repository, const char *etag,
                   struct error *error);
void hub_cache_unlock(int descriptor);

/* snapshots/COMMIT/FILE -> blobs/ETAG; an existing link is replaced. */
int hub_cache_link(const char *folder, const char *commit, const char *file, const char *etag,
                   struct error *error);

/* refs/REVISION holds the commit. */
int hub_cache_write_ref(const char *folder, const char *revision, const char *commit,
                        struct error *error);

#endif
