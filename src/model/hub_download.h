/* Brings the bytes of several files at once: resumed where an earlier attempt broke off, checked
 * by length and sha256 while they arrive, renamed into place only when whole. */
#ifndef TOKENMARK_MODEL_HUB_DOWNLOAD_H
#define TOKENMARK_MODEL_HUB_DOWNLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "model/hub_http.h"

struct hub_blob {
    char *url;
    char *path;                /* where the whole file goes; "PATH.incomplete" until then */
    char etag[HUB_HEADER_MAX]; /* sent as If-Range, so that a changed file starts afresh */
    int64_t size;              /* -1 = not known */
    bool etag_is_sha256;
};

/* All of `blobs`, up to four at a time. The first failure that retries cannot mend ends it. */
int hub_download(struct hub_connection *connection, const struct hub_blob *blobs, size_t count,
                 struct error *error);

#endif
