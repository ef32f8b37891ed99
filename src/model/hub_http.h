/* Single requests to the hub: text bodies and headers, with retries. hub.c asks, this answers;
 * file bodies come by hub_download.h. */
#ifndef TOKENMARK_MODEL_HUB_HTTP_H
#define TOKENMARK_MODEL_HUB_HTTP_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"
#include "model/hub.h"

enum { HUB_HEADER_MAX = 256 };

/* What a response's headers say; "" or -1 where they do not. */
struct hub_headers {
    char etag[HUB_HEADER_MAX]; /* X-Linked-Etag before ETag; without quotes and W/ */
    char commit[HUB_HEADER_MAX];
    int64_t size; /* X-Linked-Size before Content-Length */
    double retry_after_s;
    bool linked; /* the etag is X-Linked-Etag: the file's sha256 */
};

struct hub_connection {
    const struct hub_options *options;
    char *endpoint; /* without a slash at the end */
    char *token;    /* NULL = none */
    struct curl_slist *request_headers;
};

int hub_connection_open(struct hub_connection *connection, const struct hub_options *options,
                        struct error *error);
void hub_connection_close(struct hub_connection *connection);

/* GET of a small text (at most `limit` bytes). `*unreachable` tells that no answer came at all. */
int hub_http_get(struct hub_connection *connection, const char *url, size_t limit,
                 struct text *body, bool *unreachable, struct error *error);

/* HEAD without following redirects to another host: the hub's own headers about a file. */
int hub_http_head(struct hub_connection *connection, const char *url, struct hub_headers *headers,
                  struct error *error);

/* Sets what every request has in common (timeouts, token, user agent). */
void hub_http_prepare(struct hub_connection *connection, CURL *curl, const char *url);

/* A header line's effect on `headers`; usable as the body of a CURLOPT_HEADERFUNCTION. */
void hub_http_read_header(struct hub_headers *headers, const char *line, size_t bytes);

/* Whether a failed attempt may go better next time, and the pause before it. */
bool hub_http_may_retry(CURLcode code, long status);
double hub_http_pause_s(const struct hub_options *options, int attempt, double retry_after_s);
void hub_http_sleep(double seconds);

/* The error text for a finished request that did not bring what was asked. */
int hub_http_failure(struct error *error, const char *url, CURLcode code, long status,
                     const char *curl_text, bool has_token);

#endif
