/* The driver of gnuplot.h. gnuplot never sees a file name: script, picture and complaints go
 * through descriptors that are open before it starts. It exits with 0 on a full disk, so the
 * picture is only trusted when its last chunk is there. */
#include "report/gnuplot.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PNG_TAIL_BYTES = 12, PNG_HEAD_BYTES = 8, COMPLAINT_MAX = 600 };

static bool write_all(int descriptor, const char *bytes, size_t count)
{
    while (count > 0) {
        ssize_t written = write(descriptor, bytes, count);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        bytes += written;
        count -= (size_t)written;
    }
    return lseek(descriptor, 0, SEEK_SET) == 0;
}

/* The first lines of what gnuplot wrote to standard error, on one line. */
static void read_complaint(int descriptor, char out[COMPLAINT_MAX])
{
    ssize_t length = pread(descriptor, out, COMPLAINT_MAX - 1, 0);
    out[length > 0 ? length : 0] = '\0';
    size_t kept = 0;
    for (const char *c = out; *c != '\0'; c++) {
        bool blank = (unsigned char)*c <= ' ';
        if (blank && (kept == 0 || out[kept - 1] == ' '))
            continue;
        out[kept++] = blank ? ' ' : *c;
    }
    if (kept > 0 && out[kept - 1] == ' ')
        kept--;
    out[kept] = '\0';
}

/* The own environment, but in a UTF-8 locale that every system has: in a plain "C" locale gnuplot
 * warns about each character that is not ASCII. The list is the caller's, its strings are not. */
static char **child_environment(void)
{
    static char locale[] = "LC_ALL=C.UTF-8";
    size_t count = 0;
    while (environ[count] != NULL)
        count++;
    char **list = calloc(count + 2, sizeof *list);
    size_t kept = 0;
    for (size_t i = 0; i < count && list != NULL; i++)
        if (strncmp(environ[i], "LC_ALL=", 7) != 0)
            list[kept++] = environ[i];
    if (list != NULL)
        list[kept] = locale;
    return list;
}

/* posix_spawnp with the three descriptors and the signals' defaults; returns an errno. */
static int spawn(pid_t *child, int script, int picture, int complaints)
{
    char program[] = "gnuplot";
    char no_user_settings[] = "-d";
    char from_input[] = "-";
    char *arguments[] = {program, no_user_settings, from_input, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int code = posix_spawn_file_actions_init(&actions);
    if (code != 0)
        return code;
    code = posix_spawnattr_init(&attributes);
    if (code != 0) {
        posix_spawn_file_actions_destroy(&actions);
        return code;
    }
    sigset_t signals;
    sigemptyset(&signals);
    code = posix_spawnattr_setsigmask(&attributes, &signals);
    sigaddset(&signals, SIGPIPE);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    code = code != 0 ? code : posix_spawnattr_setsigdefault(&attributes, &signals);
    code = code != 0 ? code
                     : posix_spawnattr_setflags(&attributes,
                                                POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    const int descriptors[] = {script, picture, complaints};
    for (int i = 0; i < 3 && code == 0; i++)
        code = posix_spawn_file_actions_adddup2(&actions, descriptors[i], i);
    char **environment = child_environment();
    if (code == 0)
        code = environment == NULL
                   ? ENOMEM
                   : posix_spawnp(child, program, &actions, &attributes, arguments, environment);
    free(environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return code;
}

/* Waits at most `limit_s`, then kills; false after a kill. */
static bool wait_for(pid_t child, double limit_s, int *status)
{
    struct timespec start;
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (;;) {
        pid_t ended = waitpid(child, status, WNOHANG);
        if (ended == child)
            return true;
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        double waited =
            (double)(now.tv_sec - start.tv_sec) + 1e-9 * (double)(now.tv_nsec - start.tv_nsec);
        if ((ended < 0 && errno != EINTR) || waited > limit_s) {
            kill(child, SIGKILL);
            waitpid(child, status, 0);
            return false;
        }
        poll(NULL, 0, 2);
    }
}

static bool is_whole_png(int descriptor)
{
    static const unsigned char head[PNG_HEAD_BYTES] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
    static const unsigned char tail[PNG_TAIL_BYTES] = {0,   0,   0,    0,    'I',  'E',
                                                       'N', 'D', 0xAE, 0x42, 0x60, 0x82};
    unsigned char bytes[PNG_TAIL_BYTES];
    off_t size = lseek(descriptor, 0, SEEK_END);
    return size > PNG_HEAD_BYTES + PNG_TAIL_BYTES &&
           pread(descriptor, bytes, PNG_HEAD_BYTES, 0) == PNG_HEAD_BYTES &&
           memcmp(bytes, head, PNG_HEAD_BYTES) == 0 &&
           pread(descriptor, bytes, PNG_TAIL_BYTES, size - PNG_TAIL_BYTES) == PNG_TAIL_BYTES &&
           memcmp(bytes, tail, PNG_TAIL_BYTES) == 0;
}

/* Runs the child over open descriptors and judges what it left. */
static int run(const int descriptors[3], const char *path, double limit_s, struct text *said,
               struct error *error)
{
    pid_t child = 0;
    int status = 0;
    char complaint[COMPLAINT_MAX];
    int code = spawn(&child, descriptors[0], descriptors[1], descriptors[2]);
    if (code == ENOENT)
        return GNUPLOT_MISSING;
    if (code != 0)
        return error_set(error, ERROR_FAILED, "%s: gnuplot did not start: %s", path,
                         strerror(code));
    if (!wait_for(child, limit_s, &status))
        return error_set(error, ERROR_FAILED, "%s: gnuplot was stopped after %.0f s", path,
                         limit_s);
    read_complaint(descriptors[2], complaint);
    if (WIFSIGNALED(status))
        return error_set(error, ERROR_FAILED, "%s: gnuplot was ended by signal %d (%s)%s%s", path,
                         WTERMSIG(status), strsignal(WTERMSIG(status)),
                         complaint[0] != '\0' ? ": " : "", complaint);
    /* Some systems find out only in the child that there is no such program. */
    if (WEXITSTATUS(status) == 127 && complaint[0] == '\0')
        return GNUPLOT_MISSING;
    if (WEXITSTATUS(status) != 0)
        return error_set(error, ERROR_FAILED, "%s: gnuplot failed (exit %d): %s", path,
                         WEXITSTATUS(status), complaint);
    if (!is_whole_png(descriptors[1]) || fsync(descriptors[1]) != 0)
        return error_set(error, ERROR_FAILED, "%s: the picture is not whole; is the disk full?%s%s",
                         path, complaint[0] != '\0' ? " gnuplot says: " : "", complaint);
    text_append(said, complaint);
    return 0;
}

/* "FOLDER/.NAME.tmp.PID" */
static char *temporary_path(const char *path)
{
    const char *slash = strrchr(path, '/');
    int folder = slash != NULL ? (int)(slash - path) + 1 : 0;
    struct text name = {0};
    text_printf(&name, "%.*s.%s.tmp.%ld", folder, path, path + folder, (long)getpid());
    if (name.failed)
        text_free(&name);
    return name.data;
}

int gnuplot_draw(const char *script, size_t bytes, const char *path, double limit_s,
                 struct text *said, struct error *error)
{
    int descriptors[3] = {-1, -1, -1};
    int code = 0;
    char *temporary = temporary_path(path);
    if (temporary == NULL)
        return error_set(error, ERROR_MEMORY, "%s: out of memory", path);
    descriptors[0] = memfd_create("gnuplot-script", MFD_CLOEXEC);
    descriptors[2] = memfd_create("gnuplot-complaints", MFD_CLOEXEC);
    descriptors[1] = open(temporary, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (descriptors[1] < 0)
        code = error_set(error, ERROR_FAILED, "%s: cannot be written: %s", path, strerror(errno));
    else if (descriptors[0] < 0 || descriptors[2] < 0 || !write_all(descriptors[0], script, bytes))
        code = error_set(error, ERROR_FAILED, "%s: no room for gnuplot's script: %s", path,
                         strerror(errno));
    else
        code = run(descriptors, path, limit_s, said, error);
    if (code == 0 && rename(temporary, path) != 0)
        code = error_set(error, ERROR_FAILED, "%s: cannot be replaced: %s", path, strerror(errno));
    for (int i = 0; i < 3; i++) {
        if (descriptors[i] >= 0)
            close(descriptors[i]);
    }
    if (code != 0)
        unlink(temporary);
    free(temporary);
    return code;
}
