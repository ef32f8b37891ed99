/* Reads the limits of cgroup.h from /proc/self/cgroup and /sys/fs/cgroup, from the process's own
 * group up to the root: a limit of any of them binds. */
#include "base/cgroup.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_BYTES = 4096 + 256 };

/* One kind of hierarchy: which line of /proc/self/cgroup, and where it is mounted. */
struct hierarchy {
    const char *controller; /* "" is the unified one */
    const char *mount;
};

static const struct hierarchy unified = {"", "/sys/fs/cgroup"};
static const struct hierarchy memory_v1 = {"memory", "/sys/fs/cgroup/memory"};
static const struct hierarchy cpu_v1 = {"cpu", "/sys/fs/cgroup/cpu"};

static bool read_line(const char *folder, const char *file, char *line, size_t capacity)
{
    char path[PATH_BYTES];
    int length = snprintf(path, sizeof path, "%s/%s", folder, file);
    if (length < 0 || (size_t)length >= sizeof path)
        return false;
    FILE *stream = fopen(path, "re");
    if (stream == NULL)
        return false;
    bool ok = fgets(line, (int)capacity, stream) != NULL;
    (void)fclose(stream);
    return ok;
}

/* A number of bytes or microseconds; false for "max", -1 and what cannot be read. */
static bool parse_amount(const char *text, int64_t *out)
{
    char *end = NULL;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (end == text || errno != 0 || value < 0)
        return false;
    *out = value;
    return true;
}

static bool read_amount(const char *folder, const char *file, int64_t *out)
{
    char line[256];
    return read_line(folder, file, line, sizeof line) && parse_amount(line, out);
}

/* "0::/path" or "4:cpu,cpuacct:/path": the path if the line is this hierarchy's. */
static const char *line_path(char *line, const char *controller)
{
    char *names = strchr(line, ':');
    char *path = names == NULL ? NULL : strchr(names + 1, ':');
    if (path == NULL)
        return NULL;
    *path++ = '\0';
    path[strcspn(path, "\n")] = '\0';
    names++;
    if (*controller == '\0')
        return *names == '\0' ? path : NULL;
    size_t length = strlen(controller);
    for (const char *name = names; name != NULL; name = strchr(name, ',')) {
        name += *name == ',';
        if (strncmp(name, controller, length) == 0 && (name[length] == ',' || name[length] == '\0'))
            return path;
    }
    return NULL;
}

/* Calls visit(folder) for the process's group and all above it. */
static void walk(const struct hierarchy *hierarchy, void (*visit)(void *context, const char *),
                 void *context)
{
    char folder[PATH_BYTES] = "";
    FILE *stream = fopen("/proc/self/cgroup", "re");
    if (stream == NULL)
        return;
    char line[PATH_BYTES];
    while (fgets(line, sizeof line, stream) != NULL) {
        const char *path = line_path(line, hierarchy->controller);
        int length = path == NULL ? -1
                                  : snprintf(folder, sizeof folder, "%s%s", hierarchy->mount,
                                             strcmp(path, "/") == 0 ? "" : path);
        if (length >= 0 && (size_t)length < sizeof folder)
            break;
        folder[0] = '\0';
    }
    (void)fclose(stream);
    size_t root = strlen(hierarchy->mount);
    while (strlen(folder) >= root) {
        visit(context, folder);
        char *slash = strrchr(folder, '/');
        if (slash == NULL)
            break;
        *slash = '\0';
    }
}

static void lower_quota(double *quota, int64_t allowed, int64_t period)
{
    double cpus = period > 0 ? (double)allowed / (double)period : 0;
    if (cpus > 0 && (*quota <= 0 || cpus < *quota))
        *quota = cpus;
}

static void visit_cpu_v2(void *context, const char *folder)
{
    char line[256];
    int64_t allowed = 0;
    int64_t period = 0;
    if (!read_line(folder, "cpu.max", line, sizeof line) || !parse_amount(line, &allowed))
        return;
    const char *blank = strchr(line, ' ');
    if (blank != NULL && parse_amount(blank + 1, &period))
        lower_quota(context, allowed, period);
}

static void visit_cpu_v1(void *context, const char *folder)
{
    int64_t allowed = 0;
    int64_t period = 0;
    if (read_amount(folder, "cpu.cfs_quota_us", &allowed) &&
        read_amount(folder, "cpu.cfs_period_us", &period))
        lower_quota(context, allowed, period);
}

double cgroup_cpu_quota(void)
{
    double quota = 0;
    walk(&unified, visit_cpu_v2, &quota);
    walk(&cpu_v1, visit_cpu_v1, &quota);
    return quota;
}

struct memory_limits {
    int64_t limit;
    int64_t available;
};

/* Page cache of files is counted as used but is given back under pressure. */
static int64_t reclaimable_bytes(const char *folder, const char *key)
{
    char path[PATH_BYTES];
    int length = snprintf(path, sizeof path, "%s/memory.stat", folder);
    if (length < 0 || (size_t)length >= sizeof path)
        return 0;
    FILE *stream = fopen(path, "re");
    if (stream == NULL)
        return 0;
    char line[256];
    int64_t bytes = 0;
    size_t key_length = strlen(key);
    while (fgets(line, sizeof line, stream) != NULL)
        if (strncmp(line, key, key_length) == 0 && line[key_length] == ' ' &&
            parse_amount(line + key_length, &bytes))
            break;
    (void)fclose(stream);
    return bytes;
}

static void lower_memory(struct memory_limits *limits, int64_t limit, int64_t used,
                         int64_t reclaimable)
{
    int64_t held = used > reclaimable ? used - reclaimable : 0;
    int64_t available = limit > held ? limit - held : 0;
    if (limit < limits->limit)
        limits->limit = limit;
    if (available < limits->available)
        limits->available = available;
}

static void visit_memory_v2(void *context, const char *folder)
{
    int64_t limit = 0;
    int64_t used = 0;
    if (read_amount(folder, "memory.max", &limit) && read_amount(folder, "memory.current", &used))
        lower_memory(context, limit, used, reclaimable_bytes(folder, "inactive_file"));
}

static void visit_memory_v1(void *context, const char *folder)
{
    int64_t limit = 0;
    int64_t used = 0;
    if (read_amount(folder, "memory.limit_in_bytes", &limit) && limit < INT64_MAX / 2 &&
        read_amount(folder, "memory.usage_in_bytes", &used))
        lower_memory(context, limit, used, reclaimable_bytes(folder, "total_inactive_file"));
}

static struct memory_limits memory_limits(void)
{
    struct memory_limits limits = {INT64_MAX, INT64_MAX};
    walk(&unified, visit_memory_v2, &limits);
    walk(&memory_v1, visit_memory_v1, &limits);
    return limits;
}

int64_t cgroup_memory_limit_bytes(void)
{
    return memory_limits().limit;
}

int64_t cgroup_memory_available_bytes(void)
{
    return memory_limits().available;
}
