/* `test_cpu_loading --bench FOLDER|random [ROUNDS] [ISA [DTYPE]]`: time to a ready engine by dtype,
 * beside reading the weights' file once in the same minute; `random` opens gpt2 with random
 * weights. Memory is touched and freed before every timing: a virtual machine that reports its free
 * pages to the host gets them back slowly, which has nothing to do with loading. */
#ifndef TOKENMARK_TESTS_LOADING_BENCH_H
#define TOKENMARK_TESTS_LOADING_BENCH_H

#include "base/memory.h"
#include "engine_fixture.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BENCH_BUFFER_BYTES = 1 << 20, BENCH_ROUNDS_MAX = 99, BENCH_THREADS = 2 };
static const size_t bench_touched_bytes = (size_t)640 << 20;

struct bench_reader {
    int file;
    int64_t first, end;
};

static void *bench_read_part(void *argument)
{
    struct bench_reader *reader = argument;
    char *buffer = malloc(BENCH_BUFFER_BYTES);
    assert_non_null(buffer);
    for (int64_t at = reader->first; at < reader->end;) {
        int64_t left = reader->end - at;
        ssize_t got = pread(reader->file, buffer,
                            (size_t)(left < BENCH_BUFFER_BYTES ? left : BENCH_BUFFER_BYTES), at);
        assert_true(got > 0);
        at += got;
    }
    free(buffer);
    return NULL;
}

/* Seconds of reading a file once, each thread a part of it. */
static double bench_read_s(const char *path, int threads)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    assert_true(file >= 0 && fstat(file, &status) == 0);
    double start_s = clock_now_s(clock_monotonic());
    struct bench_reader readers[BENCH_THREADS];
    pthread_t others[BENCH_THREADS];
    for (int i = 0; i < threads; i++) {
        readers[i] = (struct bench_reader){file, status.st_size * i / threads,
                                           status.st_size * (i + 1) / threads};
        if (i > 0)
            assert_int_equal(pthread_create(&others[i], NULL, bench_read_part, &readers[i]), 0);
    }
    (void)bench_read_part(&readers[0]);
    for (int i = 1; i < threads; i++)
        assert_int_equal(pthread_join(others[i], NULL), 0);
    double taken_s = clock_now_s(clock_monotonic()) - start_s;
    assert_int_equal(close(file), 0);
    return taken_s;
}

static void bench_touch_memory(void)
{
    void *memory = NULL;
    struct error error = {0};
    assert_int_equal(memory_map(&memory, bench_touched_bytes, &error), 0);
    memset(memory, 1, bench_touched_bytes);
    memory_unmap(memory, bench_touched_bytes);
}

/* Seconds from nothing to an engine that can open a session. */
static double bench_open_s(const char *folder, const char *dtype, const char *isa)
{
    bool is_random = strcmp(folder, "random") == 0;
    struct opened opened = {.ops = cpu_ops()};
    struct error error = {0};
    struct model_options model = {.name = is_random ? "gpt2" : folder,
                                  .weights = is_random ? WEIGHTS_RANDOM : WEIGHTS_REAL,
                                  .seed = 42};
    bench_touch_memory();
    double start_s = clock_now_s(clock_monotonic());
    if (model_open(&opened.model, &model, &error) != 0)
        fail_msg("%s", error.text);
    struct engine_options options = make_options(isa, 0);
    options.dtype = dtype;
    open_engine(&opened, &options);
    double taken_s = clock_now_s(clock_monotonic()) - start_s;
    close_opened(&opened);
    return taken_s;
}

static int bench_compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static double bench_print(const char *name, double *times_s, int rounds, double unit_s)
{
    qsort(times_s, (size_t)rounds, sizeof *times_s, bench_compare);
    double median_s = times_s[rounds / 2];
    printf("%-16s %7.3f s (%.3f to %.3f)", name, median_s, times_s[0], times_s[rounds - 1]);
    if (unit_s > 0)
        printf("  %5.2f x reading", median_s / unit_s);
    printf("\n");
    return median_s;
}

static void bench_loading(const char *folder, int rounds, const char *isa, const char *dtype)
{
    static const char *const dtypes[] = {"float32", "float16", "bfloat16", "int8", "int4"};
    enum { DTYPES = sizeof dtypes / sizeof dtypes[0] };
    static double read_s[BENCH_THREADS][BENCH_ROUNDS_MAX], open_s[DTYPES][BENCH_ROUNDS_MAX];
    char path[512];
    int first = 0, end = DTYPES;
    for (int i = 0; i < DTYPES && dtype != NULL; i++)
        if (strcmp(dtypes[i], dtype) == 0)
            first = i, end = i + 1;
    bool has_file = strcmp(folder, "random") != 0;
    (void)snprintf(path, sizeof path, "%s/model.safetensors", folder);
    for (int round = -1; round < rounds; round++) { /* the first one fills the page cache */
        int place = round < 0 ? 0 : round;
        for (int i = 0; i < BENCH_THREADS && has_file; i++)
            read_s[i][place] = bench_read_s(path, i + 1);
        for (int i = first; i < end; i++)
            open_s[i][place] = bench_open_s(folder, dtypes[i], isa);
    }
    double unit_s = has_file ? bench_print("read, 1 thread", read_s[0], rounds, 0) : 0;
    if (has_file)
        bench_print("read, 2 threads", read_s[1], rounds, unit_s);
    for (int i = first; i < end; i++)
        bench_print(dtypes[i], open_s[i], rounds, unit_s);
}

#endif
