/* Parallel transfers on one thread over libcurl's multi interface; see hub_download.h. */
#include "model/hub_download.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/sha256.h"
#include "base/text.h"

enum { PARALLEL_MAX = 4, WAIT_MS = 200 };

enum transfer_state { TRANSFER_WAITING, TRANSFER_RUNNING, TRANSFER_DONE };

struct transfer {
    const struct hub_blob *blob;
    struct hub_connection *connection;
    enum transfer_state state;
    CURL *curl;
    char *partial_path;
    int descriptor;
    int64_t have_bytes;    /* in the partial file */
    int64_t started_bytes; /* of them before this attempt */
    struct sha256 sha;     /* of these */
    struct hub_headers headers;
    struct curl_slist *request_headers;
    double not_before_s; /* on the monotonic clock */
    int attempt;
    int write_errno; /* what stopped take_data; 0 = nothing */
    bool too_long;   /* so did this */
    bool checked;    /* the response to this attempt has been judged */
    char text[CURL_ERROR_SIZE];
};

static int file_failure(struct error *error, const char *path, int number)
{
    return error_set(error, ERROR_INPUT, "%s: %s", path, strerror(number));
}

/* Starts the partial file over. */
static bool restart(struct transfer *transfer)
{
    transfer->have_bytes = 0;
    sha256_start(&transfer->sha);
    if (ftruncate(transfer->descriptor, 0) == 0 && lseek(transfer->descriptor, 0, SEEK_SET) == 0)
        return true;
    transfer->write_errno = errno;
    return false;
}

static size_t take_header(char *data, size_t size, size_t count, void *context)
{
    struct transfer *transfer = context;
    if (size * count > 5 && strncmp(data, "HTTP/", 5) == 0)
        transfer->headers = (struct hub_headers){.size = -1, .retry_after_s = -1};
    hub_http_read_header(&transfer->headers, data, size * count);
    return size * count;
}

/* Body bytes of a 200 replace what is there, those of a 206 go on from it; any other status's
 * body is an error page and is thrown away. */
static size_t take_data(char *data, size_t size, size_t count, void *context)
{
    struct transfer *transfer = context;
    size_t bytes = size * count;
    long status = 0;
    (void)curl_easy_getinfo(transfer->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status != 200 && status != 206)
        return bytes;
    if (!transfer->checked) {
        transfer->checked = true;
        if (status == 200 && transfer->have_bytes > 0 && !restart(transfer))
            return 0;
    }
    /* More than was promised is a broken download: never write without a bound. */
    if (transfer->blob->size >= 0 && (int64_t)bytes > transfer->blob->size - transfer->have_bytes) {
        transfer->too_long = true;
        return 0;
    }
    for (size_t done = 0; done < bytes;) {
        ssize_t written = write(transfer->descriptor, data + done, bytes - done);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0) {
            transfer->write_errno = written < 0 ? errno : ENOSPC;
            return 0;
        }
        done += (size_t)written;
    }
    sha256_add(&transfer->sha, data, bytes);
    transfer->have_bytes += (int64_t)bytes;
    return bytes;
}

/* Opens the partial file and takes what is in it into the running digest. */
static int open_partial(struct transfer *transfer, struct error *error)
{
    transfer->descriptor = open(transfer->partial_path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (transfer->descriptor < 0)
        return file_failure(error, transfer->partial_path, errno);
    sha256_start(&transfer->sha);
    char *buffer = malloc(1U << 20);
    if (buffer == NULL)
        return error_set(error, ERROR_MEMORY, "out of memory");
    ssize_t got = 0;
    while ((got = read(transfer->descriptor, buffer, 1U << 20)) > 0) {
        sha256_add(&transfer->sha, buffer, (size_t)got);
        transfer->have_bytes += got;
    }
    free(buffer);
    if (got < 0)
        return file_failure(error, transfer->partial_path, errno);
    if (transfer->blob->size >= 0 && transfer->have_bytes > transfer->blob->size &&
        !restart(transfer))
        return file_failure(error, transfer->partial_path, transfer->write_errno);
    return 0;
}

static int transfer_open(struct transfer *transfer, struct hub_connection *connection,
                         const struct hub_blob *blob, struct error *error)
{
    *transfer = (struct transfer){.blob = blob, .connection = connection, .descriptor = -1};
    struct text path = {0};
    text_printf(&path, "%s.incomplete", blob->path);
    transfer->partial_path = path.data;
    transfer->curl = curl_easy_init();
    if (path.failed || transfer->curl == NULL)
        return error_set(error, ERROR_MEMORY, "out of memory");
    hub_http_prepare(connection, transfer->curl, blob->url);
    (void)curl_easy_setopt(transfer->curl, CURLOPT_FOLLOWLOCATION, 1L);
    (void)curl_easy_setopt(transfer->curl, CURLOPT_ERRORBUFFER, transfer->text);
    (void)curl_easy_setopt(transfer->curl, CURLOPT_PRIVATE, transfer);
    (void)curl_easy_setopt(transfer->curl, CURLOPT_WRITEFUNCTION, take_data);
    (void)curl_easy_setopt(transfer->curl, CURLOPT_WRITEDATA, transfer);
    (void)curl_easy_setopt(transfer->curl, CURLOPT_HEADERFUNCTION, take_header);
    (void)curl_easy_setopt(transfer->curl, CURLOPT_HEADERDATA, transfer);
    return open_partial(transfer, error);
}

static void transfer_close(struct transfer *transfer)
{
    if (transfer->descriptor >= 0)
        (void)close(transfer->descriptor);
    if (transfer->curl != NULL)
        curl_easy_cleanup(transfer->curl);
    curl_slist_free_all(transfer->request_headers);
    free(transfer->partial_path);
}

/* Sets the range of the next attempt; the bytes must be those of the same etag. */
static int transfer_aim(struct transfer *transfer, struct error *error)
{
    curl_slist_free_all(transfer->request_headers);
    transfer->request_headers = NULL;
    transfer->checked = false;
    transfer->started_bytes = transfer->have_bytes;
    transfer->text[0] = '\0';
    struct text line = {0};
    text_printf(&line, "If-Range: \"%s\"", transfer->blob->etag);
    struct curl_slist *list = NULL;
    bool failed = line.failed;
    for (struct curl_slist *header = transfer->connection->request_headers;
         header != NULL && !failed; header = header->next) {
        struct curl_slist *longer = curl_slist_append(list, header->data);
        failed = longer == NULL;
        list = failed ? list : longer;
    }
    if (transfer->have_bytes > 0 && !failed) {
        struct curl_slist *longer = curl_slist_append(list, text_string(&line));
        failed = longer == NULL;
        list = failed ? list : longer;
    }
    text_free(&line);
    transfer->request_headers = list;
    if (failed)
        return error_set(error, ERROR_MEMORY, "out of memory");
    (void)curl_easy_setopt(transfer->curl, CURLOPT_HTTPHEADER, list);
    struct text range = {0};
    text_printf(&range, "%lld-", (long long)transfer->have_bytes);
    (void)curl_easy_setopt(transfer->curl, CURLOPT_RANGE,
                           transfer->have_bytes > 0 ? text_string(&range) : NULL);
    failed = range.failed;
    text_free(&range);
    return failed ? error_set(error, ERROR_MEMORY, "out of memory") : 0;
}

/* The file is there as far as the server says: check it and put it in place. */
static int transfer_finish(struct transfer *transfer, struct error *error)
{
    const struct hub_blob *blob = transfer->blob;
    char hex[SHA256_HEX_LENGTH + 1];
    sha256_finish(&transfer->sha, hex);
    if (blob->etag_is_sha256 && strcmp(hex, blob->etag) != 0) {
        (void)unlink(transfer->partial_path);
        return error_set(error, ERROR_INPUT,
                         "%s: the download is broken: its sha256 is %s, the hub says %s", blob->url,
                         hex, blob->etag);
    }
    if (fsync(transfer->descriptor) != 0 || rename(transfer->partial_path, blob->path) != 0)
        return file_failure(error, blob->path, errno);
    transfer->state = TRANSFER_DONE;
    return 0;
}

/* Judges a finished attempt: done, again later, or an error. */
static int transfer_judge(struct transfer *transfer, CURLcode code, struct error *error)
{
    const struct hub_blob *blob = transfer->blob;
    const struct hub_options *options = transfer->connection->options;
    long status = 0;
    (void)curl_easy_getinfo(transfer->curl, CURLINFO_RESPONSE_CODE, &status);
    if (transfer->too_long)
        return error_set(error, ERROR_INPUT,
                         "%s: the download is longer than the %lld bytes that "
                         "the hub says",
                         blob->url, (long long)blob->size);
    if (transfer->write_errno != 0)
        return file_failure(error, transfer->partial_path, transfer->write_errno);
    bool whole = blob->size < 0 || transfer->have_bytes == blob->size;
    if (code == CURLE_OK && (status == 200 || status == 206) && whole)
        return transfer_finish(transfer, error);
    bool cut = code == CURLE_OK && (status == 200 || status == 206);
    /* 416: what is there is not a beginning of the file. */
    bool stale = code == CURLE_OK && status == 416 && restart(transfer);
    /* A connection that breaks but brings something each time is worth going on with. */
    if (transfer->have_bytes > transfer->started_bytes)
        transfer->attempt = 0;
    if (transfer->attempt + 1 < options->attempts &&
        (cut || stale || hub_http_may_retry(code, status))) {
        double pause_s =
            hub_http_pause_s(options, transfer->attempt, transfer->headers.retry_after_s);
        transfer->attempt++;
        transfer->not_before_s = clock_now_s(clock_monotonic()) + pause_s;
        transfer->state = TRANSFER_WAITING;
        return 0;
    }
    if (cut)
        return error_set(error, ERROR_INPUT, "%s: the download broke off at %lld of %lld bytes",
                         blob->url, (long long)transfer->have_bytes, (long long)blob->size);
    return hub_http_failure(error, blob->url, code, status, transfer->text,
                            transfer->connection->token != NULL);
}

struct download {
    struct transfer *transfers;
    size_t count;
    CURLM *multi;
    const struct hub_options *options;
    int64_t total_bytes;
    double begin_s;
    double shown_s;
    int64_t begin_bytes;
};

static int64_t bytes_so_far(const struct download *download)
{
    int64_t bytes = 0;
    for (size_t i = 0; i < download->count; i++)
        bytes += download->transfers[i].have_bytes;
    return bytes;
}

static void show_progress(struct download *download)
{
    double now_s = clock_now_s(clock_monotonic());
    if (download->options->notice == NULL || now_s - download->shown_s < 0.2)
        return;
    download->shown_s = now_s;
    int64_t bytes = bytes_so_far(download);
    double elapsed_s = now_s - download->begin_s;
    struct text line = {0};
    text_printf(&line, "downloading %.1f of %.1f MB", (double)bytes / 1048576.0,
                (double)download->total_bytes / 1048576.0);
    if (elapsed_s > 0.5)
        text_printf(&line, ", %.1f MB/s",
                    (double)(bytes - download->begin_bytes) / 1048576.0 / elapsed_s);
    double fraction =
        download->total_bytes > 0 ? (double)bytes / (double)download->total_bytes : 0.0;
    download->options->notice(download->options->notice_context, text_string(&line), fraction);
    text_free(&line);
}

/* Starts waiting transfers whose pause is over, as long as there is room. */
static int start_transfers(struct download *download, struct error *error)
{
    size_t running = 0;
    for (size_t i = 0; i < download->count; i++)
        running += download->transfers[i].state == TRANSFER_RUNNING;
    double now_s = clock_now_s(clock_monotonic());
    for (size_t i = 0; i < download->count && running < PARALLEL_MAX; i++) {
        struct transfer *transfer = &download->transfers[i];
        if (transfer->state != TRANSFER_WAITING || transfer->not_before_s > now_s)
            continue;
        int result = 0;
        if (transfer->blob->size >= 0 && transfer->have_bytes == transfer->blob->size) {
            result = transfer_finish(transfer, error);
        } else {
            result = transfer_aim(transfer, error);
            if (result == 0 && curl_multi_add_handle(download->multi, transfer->curl) != CURLM_OK)
                result = error_set(error, ERROR_MEMORY, "out of memory");
            if (result == 0) {
                transfer->state = TRANSFER_RUNNING;
                running++;
            }
        }
        if (result != 0)
            return result;
    }
    return 0;
}

static bool all_done(const struct download *download)
{
    for (size_t i = 0; i < download->count; i++)
        if (download->transfers[i].state != TRANSFER_DONE)
            return false;
    return true;
}

static int run_transfers(struct download *download, struct error *error)
{
    int result = 0;
    while (result == 0 && !all_done(download)) {
        result = start_transfers(download, error);
        int running = 0;
        if (result != 0 || curl_multi_perform(download->multi, &running) != CURLM_OK)
            return result != 0 ? result : error_set(error, ERROR_FAILED, "libcurl failed");
        int left = 0;
        for (CURLMsg *message = curl_multi_info_read(download->multi, &left);
             message != NULL && result == 0;
             message = curl_multi_info_read(download->multi, &left)) {
            struct transfer *transfer = NULL;
            CURLcode code = message->data.result;
            CURL *curl = message->easy_handle;
            (void)curl_easy_getinfo(curl, CURLINFO_PRIVATE, (char **)&transfer);
            (void)curl_multi_remove_handle(download->multi, curl);
            result = transfer_judge(transfer, code, error);
        }
        show_progress(download);
        if (result == 0)
            (void)curl_multi_poll(download->multi, NULL, 0, WAIT_MS, NULL);
    }
    return result;
}

int hub_download(struct hub_connection *connection, const struct hub_blob *blobs, size_t count,
                 struct error *error)
{
    if (count == 0)
        return 0;
    struct download download = {.options = connection->options,
                                .begin_s = clock_now_s(clock_monotonic())};
    int result = 0;
    download.transfers = calloc(count, sizeof *download.transfers);
    download.multi = curl_multi_init();
    if (download.transfers == NULL || download.multi == NULL) {
        result = error_set(error, ERROR_MEMORY, "out of memory");
        goto done;
    }
    for (; download.count < count && result == 0; download.count++) {
        result = transfer_open(&download.transfers[download.count], connection,
                               &blobs[download.count], error);
        if (blobs[download.count].size > 0)
            download.total_bytes += blobs[download.count].size;
    }
    download.begin_bytes = bytes_so_far(&download);
    if (result == 0)
        result = run_transfers(&download, error);
done:
    for (size_t i = 0; i < download.count; i++) {
        if (download.transfers[i].state == TRANSFER_RUNNING)
            (void)curl_multi_remove_handle(download.multi, download.transfers[i].curl);
        transfer_close(&download.transfers[i]);
    }
    if (download.multi != NULL)
        (void)curl_multi_cleanup(download.multi);
    free(download.transfers);
    return result;
}
