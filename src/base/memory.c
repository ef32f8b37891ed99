/* Big mappings and the process's memory figures, from Linux's /proc. */
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cgroup.h"

static const size_t huge_page_bytes = (size_t)2 << 20;

static bool round_to_huge_page(size_t bytes, size_t *out)
{
    size_t padded = 0;
    if (!size_add(bytes > 0 ? bytes : 1, huge_page_bytes - 1, &padded))
        return false;
    *out = padded / huge_page_bytes * huge_page_bytes;
    return true;
}

int memory_map(void **out, size_t bytes, struct error *error)
{
    *out = NULL;
    size_t length = 0;
    size_t reserved = 0;
    if (!round_to_huge_page(bytes, &length) || !size_add(length, huge_page_bytes, &reserved))
        return error_set(error, ERROR_MEMORY, "%zu bytes are more than memory can hold", bytes);
    char *start = mmap(NULL, reserved, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED)
        return error_set(error, ERROR_MEMORY, "no memory for %.1f MB: %s",
                         (double)bytes / 1048576.0, strerror(errno));
    size_t before = (huge_page_bytes - (uintptr_t)start % huge_page_bytes) % huge_page_bytes;
    if (before > 0)
        (void)munmap(start, before);
    if (huge_page_bytes - before > 0)
        (void)munmap(start + before + length, huge_page_bytes - before);
    /* Small pages are only slower: a kernel that refuses is no error. */
    (void)madvise(start + before, length, MADV_HUGEPAGE);
    *out = start + before;
    return 0;
}

void memory_unmap(void *address, size_t bytes)
{
    size_t length = 0;
    if (address != NULL && round_to_huge_page(bytes, &length))
        (void)munmap(address, length);
}

/* The figure after `key` in a file of "Key:   123 kB" lines, in bytes; -1 where it is absent. */
static int64_t read_kilobytes(const char *path, const char *key)
{
    FILE *stream = fopen(path, "re");
    if (stream == NULL)
        return -1;
    int64_t bytes = -1;
    size_t length = strlen(key);
    char line[256];
    while (bytes < 0 && fgets(line, sizeof line, stream) != NULL)
        if (strncmp(line, key, length) == 0 && line[length] == ':')
            bytes = strtoll(line + length + 1, NULL, 10) * 1024;
    (void)fclose(stream);
    return bytes;
}

int64_t memory_resident_bytes(void)
{
    return read_kilobytes("/proc/self/status", "VmRSS");
}

int64_t memory_peak_bytes(void)
{
    return read_kilobytes("/proc/self/status", "VmHWM");
}

bool memory_peak_reset(void)
{
    int file = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    if (file < 0)
        return false;
    bool ok = write(file, "5", 1) == 1;
    return close(file) == 0 && ok;
}

int64_t memory_available_bytes(void)
{
    int64_t machine = read_kilobytes("/proc/meminfo", "MemAvailable");
    int64_t groups = cgroup_memory_available_bytes();
    return machine < groups ? machine : groups;
}

int64_t memory_total_bytes(void)
{
    int64_t machine = read_kilobytes("/proc/meminfo", "MemTotal");
    int64_t groups = cgroup_memory_limit_bytes();
    return machine < groups ? machine : groups;
}
