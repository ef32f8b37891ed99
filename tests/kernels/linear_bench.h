/* `test_linear --bench`: speed of the linear layers over all cores, by instruction set, type,
 * shape and rows, beside what the machine reads and multiplies at most in the same minute. */
#ifndef TOKENMARK_TESTS_LINEAR_BENCH_H
#define TOKENMARK_TESTS_LINEAR_BENCH_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/thread_pool.h"
#include "engine/cpu/cpu_linear.h"

enum {
    BENCH_COPIES_BYTES = 768 << 20,
    BENCH_REPEATS = 15,
    BENCH_FMA_CHAINS = 12,
    BENCH_FMA_ROUNDS = 200000
};

struct bench_read {
    const char *data;
    int64_t chunk_bytes;
    _Atomic uint64_t sum;
};

static void bench_read_chunk(void *context, int64_t chunk, int thread)
{
    (void)thread;
    struct bench_read *read = context;
    const uint64_t *words = (const uint64_t *)(read->data + chunk * read->chunk_bytes);
    uint64_t sums[8] = {0};
    for (int64_t i = 0; i < read->chunk_bytes / 8; i += 8) {
        __builtin_prefetch(words + i + 512);
        for (int64_t k = 0; k < 8; k++)
            sums[k] += words[i + k];
    }
    for (int k = 1; k < 8; k++)
        sums[0] += sums[k];
    read->sum += sums[0];
}

/* GB/s of the best of some passes over memory that no cache holds. */
static double bench_read_gbs(struct thread_pool *pool, const char *data, int64_t bytes)
{
    const struct clock *clock = clock_monotonic();
    struct bench_read read = {data, 1 << 20, 0};
    double best_s = INFINITY;
    for (int i = 0; i < 3; i++) {
        double start_s = clock_now_s(clock);
        thread_pool_run(pool, bench_read_chunk, &read, bytes / read.chunk_bytes);
        best_s = fmin(best_s, clock_now_s(clock) - start_s);
    }
    return (double)bytes / best_s * 1e-9;
}

#if defined(__x86_64__)
#include <immintrin.h>
__attribute__((target("avx512f"))) static void bench_fma_chunk(void *context, int64_t chunk,
                                                               int thread)
{
    (void)thread;
    float *out = context;
    __m512 sums[BENCH_FMA_CHAINS];
    __m512 factor = _mm512_set1_ps(0.999F);
#pragma GCC unroll 24
    for (int c = 0; c < BENCH_FMA_CHAINS; c++)
        sums[c] = _mm512_set1_ps((float)(c + chunk));
    for (int i = 0; i < BENCH_FMA_ROUNDS; i++) {
#pragma GCC unroll 24
        for (int c = 0; c < BENCH_FMA_CHAINS; c++)
            sums[c] = _mm512_fmadd_ps(sums[c], factor, factor);
    }
#pragma GCC unroll 24
    for (int c = 1; c < BENCH_FMA_CHAINS; c++)
        sums[0] = _mm512_add_ps(sums[0], sums[c]);
    _mm512_storeu_ps(out + 16 * chunk, sums[0]);
}

__attribute__((target("avx2,fma"))) static void bench_fma_chunk_avx2(void *context, int64_t chunk,
                                                                     int thread)
{
    (void)thread;
    float *out = context;
    __m256 sums[BENCH_FMA_CHAINS];
    __m256 factor = _mm256_set1_ps(0.999F);
#pragma GCC unroll 24
    for (int c = 0; c < BENCH_FMA_CHAINS; c++)
        sums[c] = _mm256_set1_ps((float)(c + chunk));
    for (int i = 0; i < BENCH_FMA_ROUNDS; i++) {
#pragma GCC unroll 24
        for (int c = 0; c < BENCH_FMA_CHAINS; c++)
            sums[c] = _mm256_fmadd_ps(sums[c], factor, factor);
    }
#pragma GCC unroll 24
    for (int c = 1; c < BENCH_FMA_CHAINS; c++)
        sums[0] = _mm256_add_ps(sums[0], sums[c]);
    _mm256_storeu_ps(out + 16 * chunk, sums[0]);
}

static double bench_fma_gflops(struct thread_pool *pool)
{
    bool wide = __builtin_cpu_supports("avx512f");
    if (!wide && !(__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")))
        return NAN;
    const struct clock *clock = clock_monotonic();
    int64_t chunks = thread_pool_thread_count(pool);
    float *out = calloc((size_t)chunks, 64);
    double best_s = INFINITY;
    for (int i = 0; i < 5; i++) {
        double start_s = clock_now_s(clock);
        thread_pool_run_static(pool, wide ? bench_fma_chunk : bench_fma_chunk_avx2, out, chunks);
        best_s = fmin(best_s, clock_now_s(clock) - start_s);
    }
    free(out);
    double flops = (double)chunks * BENCH_FMA_ROUNDS * BENCH_FMA_CHAINS * (wide ? 32 : 16);
    return flops / best_s * 1e-9;
}
#else
static double bench_fma_gflops(struct thread_pool *pool)
{
    (void)pool;
    return NAN;
}
#endif

static void bench_rows(void *context, int64_t first, int64_t count, float *out)
{
    int64_t inputs = *(const int64_t *)context;
    for (int64_t i = 0; i < count * inputs; i++)
        out[i] = (float)((first + i * 7919) % 1000) * 1e-4F - 0.05F;
}

/* Seconds of one call, the best of some repeats; each call reads another copy of the weights. */
static double bench_call_s(struct thread_pool *pool, const struct kernels *kernels,
                           struct linear_call call, int64_t rows, size_t matrix_bytes,
                           int64_t copies)
{
    const struct clock *clock = clock_monotonic();
    const char *weights = call.weight;
    double best_s = INFINITY;
    double flops = 2.0 * (double)rows * (double)call.inputs * (double)call.outputs;
    int64_t calls = (int64_t)(1e9 / flops) + 1;
    calls = calls > copies ? copies : calls;
    int64_t copy = 0;
    for (int i = -1; i < BENCH_REPEATS; i++) {
        double start_s = clock_now_s(clock);
        for (int64_t n = 0; n < calls; n++, copy = (copy + 1) % copies) {
            call.weight = weights + (size_t)copy * matrix_bytes;
            cpu_linear_run(pool, kernels, &call, rows);
        }
        if (i >= 0)
            best_s = fmin(best_s, (clock_now_s(clock) - start_s) / (double)calls);
    }
    return best_s;
}

static void bench_shape(struct thread_pool *pool, const struct kernels *kernels,
                        enum kernel_type type, int64_t inputs, int64_t outputs, char *arena,
                        const int64_t *row_counts, double read_gbs)
{
    static const char *const names[] = {"f32",  "f16",  "bf16", "i8",   "Q4_0", "Q4_1",
                                        "Q4_K", "Q5_0", "Q5_1", "Q5_K", "Q6_K", "Q8_0"};
    struct error error = {0};
    struct cpu_matrix matrix;
    /* What the others cannot be packed from matters to no time: all bytes of theirs are 1. */
    bool is_packed = type <= KERNEL_Q4_0;
    if (cpu_matrix_pack(&matrix, pool, kernels, is_packed ? type : KERNEL_F32, outputs, inputs,
                        bench_rows, &inputs, &error) < 0) {
        printf("%s\n", error.text);
        return;
    }
    if (!is_packed) {
        matrix.bytes = kernel_packed_bytes(type, outputs, inputs);
        memset(matrix.data, 1, matrix.bytes);
    }
    int64_t copies = (int64_t)(BENCH_COPIES_BYTES / matrix.bytes);
    for (int64_t i = 0; i < copies; i++)
        memcpy(arena + (size_t)i * matrix.bytes, matrix.data, matrix.bytes);
    float *x = calloc((size_t)(512 * inputs), sizeof *x);
    void *prepared = NULL;
    float *y = calloc((size_t)(512 * outputs), sizeof *y);
    (void)memory_map(&prepared, kernel_prepared_bytes(type, 512, inputs), &error);
    bench_rows(&inputs, 3, 512, x);
    kernel_prepare(kernels, type, x, inputs, 512, inputs, prepared);
    printf("%-12s %-4s %5lld,%-6lld", kernels->isa, names[type], (long long)inputs,
           (long long)outputs);
    for (; *row_counts > 0; row_counts++) {
        struct linear_call call = {.type = type,
                                   .x = type == KERNEL_F32 ? (const void *)x : prepared,
                                   .x_stride = inputs,
                                   .inputs = inputs,
                                   .outputs = outputs,
                                   .weight = arena,
                                   .y = y,
                                   .y_stride = outputs,
                                   .scale = 1.0F};
        double call_s = bench_call_s(pool, kernels, call, *row_counts, matrix.bytes, copies);
        double rate = 2.0 * (double)(*row_counts * inputs) * (double)outputs / call_s * 1e-9;
        double gbs = (double)matrix.bytes / call_s * 1e-9;
        printf(" | %3lld: %5.0f G/s %4.1f GB/s %3.0f%%", (long long)*row_counts, rate, gbs,
               100 * gbs / read_gbs);
    }
    printf("\n");
    (void)fflush(stdout);
    free(x);
    memory_unmap(prepared, kernel_prepared_bytes(type, 512, inputs));
    if (!is_packed)
        matrix.bytes = kernel_packed_bytes(KERNEL_F32, outputs, inputs);
    free(y);
    cpu_matrix_free(&matrix);
}

/* Words after --bench: an instruction set, a type (its number in kernels.h). Without them: all. */
static int bench_run(const char *isa, const char *type_text)
{
    static const int64_t row_counts[] = {1, 4, 8, 16, 128, 512, 0};
    static const int64_t head_rows[] = {1, 4, 16, 0};
    static const int64_t long_rows[] = {1, 4, 16, 128, 0};
    struct error error = {0};
    struct thread_pool *pool = NULL;
    void *arena = NULL;
    if (thread_pool_create(&pool, thread_pool_default_threads(), true, &error) < 0 ||
        memory_map(&arena, BENCH_COPIES_BYTES, &error) < 0) {
        printf("%s\n", error.text);
        return 1;
    }
    memset(arena, 1, BENCH_COPIES_BYTES);
    double read_gbs = bench_read_gbs(pool, arena, BENCH_COPIES_BYTES);
    printf("%d threads: reads %.1f GB/s, %.0f GFLOP/s of float32 at most\n",
           thread_pool_thread_count(pool), read_gbs, bench_fma_gflops(pool));
    for (size_t i = 0; i < kernels_count(); i++) {
        const char *name = kernels_name(i);
        if (!kernels_runnable(i) || (isa != NULL && strcmp(isa, name) != 0))
            continue;
        for (int type = 0; type < KERNEL_TYPE_END; type++) {
            if (type_text != NULL && atoi(type_text) != type)
                continue;
            const struct kernels *kernels = kernels_choose(name);
            bench_shape(pool, kernels, type, 768, 2304, arena, row_counts, read_gbs);
            bench_shape(pool, kernels, type, 3072, 768, arena, row_counts, read_gbs);
            bench_shape(pool, kernels, type, 11008, 1024, arena, long_rows, read_gbs);
            bench_shape(pool, kernels, type, 768, 50257, arena, head_rows, read_gbs);
        }
    }
    memory_unmap(arena, BENCH_COPIES_BYTES);
    thread_pool_destroy(pool);
    return 0;
}

#endif
