/* Requests, retries and the meaning of their failures; see hub_http.h. */
#include "model/hub_http.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "model/hub_cache.h"

enum { CONNECT_LIMIT_S = 5, STALL_LIMIT_S = 30, PAUSE_LIMIT_S = 60, REDIRECT_LIMIT = 5 };

int hub_connection_open(struct hub_connection *connection, const struct hub_options *options,
                        struct error *error)
{
    *connection = (struct hub_connection){.options = options};
    const char *endpoint = options->environment->hf_endpoint;
    if (endpoint == NULL || endpoint[0] == '\0')
        endpoint = "https://huggingface.co";
    if (strncmp(endpoint, "http://", 7) != 0 && strncmp(endpoint, "https://", 8) != 0)
        return error_set(error, ERROR_INPUT,
                         "HF_ENDPOINT is '%s'; it must start with http:// or https://", endpoint);
    connection->endpoint = strdup(endpoint);
    if (connection->endpoint == NULL)
        return error_set(error, ERROR_MEMORY, "out of memory");
    size_t length = strlen(connection->endpoint);
    while (length > 0 && connection->endpoint[length - 1] == '/')
        connection->endpoint[--length] = '\0';
    connection->token = hub_token(options->environment);
    if (connection->token != NULL) {
        struct text line = {0};
        text_printf(&line, "Authorization: Bearer %s", connection->token);
        if (!line.failed)
            connection->request_headers = curl_slist_append(NULL, text_string(&line));
        text_free(&line);
        if (connection->request_headers == NULL) {
            hub_connection_close(connection);
            return error_set(error, ERROR_MEMORY, "out of memory");
        }
    }
    return 0;
}

void hub_connection_close(struct hub_connection *connection)
{
    if (connection == NULL)
        return;
    curl_slist_free_all(connection->request_headers);
    free(connection->token);
    free(connection->endpoint);
    *connection = (struct hub_connection){0};
}

void hub_http_prepare(struct hub_connection *connection, CURL *curl, const char *url)
{
    (void)curl_easy_setopt(curl, CURLOPT_URL, url);
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_LIMIT_S);
#if LIBCURL_VERSION_NUM >= 0x075700
    /* A name server that does not answer must not hold the end of the connection limit up. */
    (void)curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L);
#endif
    (void)curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)STALL_LIMIT_S);
    (void)curl_easy_setopt(curl, CURLOPT_USERAGENT, "tokenmark");
#if LIBCURL_VERSION_NUM >= 0x075500
    (void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
#else
    (void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
    (void)curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
    (void)curl_easy_setopt(curl, CURLOPT_MAXREDIRS, (long)REDIRECT_LIMIT);
    /* libcurl drops this header when a redirect leads to another host. */
    if (connection->request_headers != NULL)
        (void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, connection->request_headers);
}

/* Copies a header's value without quotes, W/ and blanks if `line` is header `name`. */
static bool header_value(const char *line, size_t bytes, const char *name, char *out)
{
    size_t length = strlen(name);
    if (bytes <= length || strncasecmp(line, name, length) != 0 || line[length] != ':')
        return false;
    const char *begin = line + length + 1;
    const char *end = line + bytes;
    while (begin < end && (*begin == ' ' || *begin == '\t'))
        begin++;
    while (end > begin && (end[-1] == '\r' || end[-1] == '\n' || end[-1] == ' '))
        end--;
    if (end - begin > 2 && begin[0] == 'W' && begin[1] == '/')
        begin += 2;
    if (end - begin >= 2 && begin[0] == '"' && end[-1] == '"') {
        begin++;
        end--;
    }
    size_t count = (size_t)(end - begin);
    if (count >= HUB_HEADER_MAX)
        return false;
    memcpy(out, begin, count);
    out[count] = '\0';
    return true;
}

void hub_http_read_header(struct hub_headers *headers, const char *line, size_t bytes)
{
    char value[HUB_HEADER_MAX];
    if (header_value(line, bytes, "x-linked-etag", headers->etag)) {
        headers->linked = true;
    } else if (header_value(line, bytes, "etag", value)) {
        if (!headers->linked)
            memcpy(headers->etag, value, sizeof value);
    } else if (header_value(line, bytes, "x-repo-commit", headers->commit)) {
        return;
    } else if (header_value(line, bytes, "x-linked-size", value)) {
        headers->size = strtoll(value, NULL, 10);
    } else if (header_value(line, bytes, "content-length", value)) {
        if (headers->size < 0)
            headers->size = strtoll(value, NULL, 10);
    } else if (header_value(line, bytes, "retry-after", value)) {
        headers->retry_after_s = strtod(value, NULL);
    }
}

bool hub_http_may_retry(CURLcode code, long status)
{
    switch (code) {
    case CURLE_OK:
        return status == 408 || status == 429 || status >= 500;
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_HTTP2_STREAM:
    case CURLE_HTTP2:
        return true;
    default:
        return false;
    }
}

double hub_http_pause_s(const struct hub_options *options, int attempt, double retry_after_s)
{
    double pause_s = retry_after_s >= 0 ? retry_after_s : ldexp(options->retry_delay_s, attempt);
    return pause_s < PAUSE_LIMIT_S ? pause_s : PAUSE_LIMIT_S;
}

void hub_http_sleep(double seconds)
{
    if (!(seconds > 0))
        return;
    struct timespec pause = {.tv_sec = (time_t)seconds};
    pause.tv_nsec = (long)((seconds - (double)pause.tv_sec) * 1e9);
    (void)nanosleep(&pause, NULL);
}

int hub_http_failure(struct error *error, const char *url, CURLcode code, long status,
                     const char *curl_text, bool has_token)
{
    if (code != CURLE_OK)
        return error_set(error, ERROR_INPUT, "%s: %s", url,
                         curl_text[0] != '\0' ? curl_text : curl_easy_strerror(code));
    if (status == 401 || status == 403)
        return error_set(error, ERROR_INPUT, "%s: the hub refuses access (%ld)%s", url, status,
                         has_token ? "; the token has no right to this repository"
                                   : "; a wrong name, or a gated repository: set HF_TOKEN");
    if (status == 404)
        return error_set(error, ERROR_INPUT, "%s: the hub has no such model or revision (404)",
                         url);
    return error_set(error, ERROR_INPUT, "%s: the hub answered %ld", url, status);
}

struct exchange {
    struct text *body; /* NULL: headers only */
    size_t limit;
    struct hub_headers headers;
};

static size_t take_body(char *data, size_t size, size_t count, void *context)
{
    struct exchange *exchange = context;
    size_t bytes = size * count;
    if (exchange->body == NULL)
        return bytes;
    if (bytes > exchange->limit - exchange->body->length)
        return 0;
    text_append_bytes(exchange->body, data, bytes);
    return exchange->body->failed ? 0 : bytes;
}

static size_t take_header(char *data, size_t size, size_t count, void *context)
{
    struct exchange *exchange = context;
    size_t bytes = size * count;
    /* Each response of a chain of redirects begins with its status line. */
    if (bytes > 5 && strncmp(data, "HTTP/", 5) == 0)
        exchange->headers = (struct hub_headers){.size = -1, .retry_after_s = -1};
    hub_http_read_header(&exchange->headers, data, bytes);
    return bytes;
}

static bool is_unreachable(CURLcode code)
{
    return code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_RESOLVE_PROXY ||
           code == CURLE_COULDNT_CONNECT || code == CURLE_OPERATION_TIMEDOUT;
}

/* Where not even a connection came about, a person without a network waits for every further try.
 */
static bool was_connected(CURL *curl)
{
    curl_off_t connected_us = 0;
    (void)curl_easy_getinfo(curl, CURLINFO_PRETRANSFER_TIME_T, &connected_us);
    return connected_us > 0;
}

/* A file's facts are in the first answer that names an etag. A renamed repository answers with a
 * redirect on the hub itself, which is followed; one to another host (the file's bytes) is not. */
static bool follow_on_hub(struct hub_connection *connection, CURL *curl,
                          const struct exchange *exchange)
{
    char *next = NULL;
    (void)curl_easy_getinfo(curl, CURLINFO_REDIRECT_URL, &next);
    size_t length = strlen(connection->endpoint);
    if (exchange->headers.etag[0] != '\0' || next == NULL ||
        strncmp(next, connection->endpoint, length) != 0 || next[length] != '/')
        return false;
    (void)curl_easy_setopt(curl, CURLOPT_URL, next);
    return true;
}

static CURL *exchange_open(struct hub_connection *connection, const char *url,
                           struct exchange *exchange, char *text)
{
    CURL *curl = curl_easy_init();
    if (curl == NULL)
        return NULL;
    hub_http_prepare(connection, curl, url);
    (void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, text);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, exchange);
    (void)curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
    (void)curl_easy_setopt(curl, CURLOPT_HEADERDATA, exchange);
    (void)curl_easy_setopt(curl, CURLOPT_NOBODY, exchange->body == NULL ? 1L : 0L);
    (void)curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, exchange->body == NULL ? 0L : 1L);
    return curl;
}

/* One request with its retries. With `body` NULL a HEAD that stays on the hub. */
static int exchange_run(struct hub_connection *connection, const char *url,
                        struct exchange *exchange, bool *unreachable, struct error *error)
{
    char text[CURL_ERROR_SIZE] = "";
    CURL *curl = exchange_open(connection, url, exchange, text);
    if (curl == NULL)
        return error_set(error, ERROR_MEMORY, "out of memory");
    int result = 0;
    int redirects = 0;
    for (int attempt = 0;;) {
        if (exchange->body != NULL)
            exchange->body->length = 0;
        exchange->headers = (struct hub_headers){.size = -1, .retry_after_s = -1};
        text[0] = '\0';
        CURLcode code = curl_easy_perform(curl);
        long status = 0;
        (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
        bool redirected = exchange->body == NULL && status >= 300 && status < 400;
        if (code == CURLE_OK && redirected && redirects++ < REDIRECT_LIMIT &&
            follow_on_hub(connection, curl, exchange))
            continue;
        if (code == CURLE_OK && ((status >= 200 && status < 300) || redirected))
            break;
        if (attempt + 1 < connection->options->attempts && was_connected(curl) &&
            hub_http_may_retry(code, status)) {
            hub_http_sleep(
                hub_http_pause_s(connection->options, attempt++, exchange->headers.retry_after_s));
            continue;
        }
        *unreachable = is_unreachable(code);
        result = hub_http_failure(error, url, code, status, text, connection->token != NULL);
        break;
    }
    curl_easy_cleanup(curl);
    return result;
}

int hub_http_get(struct hub_connection *connection, const char *url, size_t limit,
                 struct text *body, bool *unreachable, struct error *error)
{
    struct exchange exchange = {.body = body, .limit = limit};
    return exchange_run(connection, url, &exchange, unreachable, error);
}

int hub_http_head(struct hub_connection *connection, const char *url, struct hub_headers *headers,
                  struct error *error)
{
    struct exchange exchange = {0};
    bool unreachable = false;
    int result = exchange_run(connection, url, &exchange, &unreachable, error);
    *headers = exchange.headers;
    return result;
}
