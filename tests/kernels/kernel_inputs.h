/* What the tests of kernels share: the tables that run here, pseudo-random inputs, memory filled
 * with NaN, a timer for --bench. */
#ifndef TOKENMARK_TESTS_KERNEL_INPUTS_H
#define TOKENMARK_TESTS_KERNEL_INPUTS_H

#include "base/clock.h"
#include "base/philox.h"
#include "kernels/kernels.h"
#include "test.h"

/* Cases tried are divided by this: an emulated CPU (tests/aarch64) takes tens of times as long. */
#if defined(TEST_CASES_DIVISOR)
enum { CASES_DIVISOR = TEST_CASES_DIVISOR };
#else
enum { CASES_DIVISOR = 1 };
#endif

/* Calls `visit` with each table this CPU runs, "c" included; not where it is emulated: there "c" is
 * what the others are compared with. */
static inline void for_each_isa(void (*visit)(const struct kernels *table))
{
    for (size_t i = 0; i < kernels_count(); i++) {
        bool wanted = CASES_DIVISOR == 1 || strcmp(kernels_name(i), "c") != 0;
        if (kernels_runnable(i) && wanted)
            visit(kernels_choose(kernels_name(i)));
    }
}

/* A repeatable stream; each test starts its own. */
struct inputs {
    uint64_t key;
    uint32_t next;
};

static inline uint32_t input_word(struct inputs *inputs)
{
    struct philox_block counter = {{inputs->next++, 0, 0, 0}};
    return philox4x32(counter, inputs->key).word[0];
}

static inline double input_uniform(struct inputs *inputs)
{
    return (input_word(inputs) + 0.5) / 4294967296.0;
}

static inline int64_t input_between(struct inputs *inputs, int64_t low, int64_t high)
{
    return low + input_word(inputs) % (uint64_t)(high - low + 1);
}

static inline float input_normal(struct inputs *inputs)
{
    double radius = sqrt(-2 * log(input_uniform(inputs)));
    return (float)(radius * cos(6.283185307179586 * input_uniform(inputs)));
}

static inline void fill_normal(struct inputs *inputs, float *x, int64_t count, float deviation)
{
    for (int64_t i = 0; i < count; i++)
        x[i] = deviation * input_normal(inputs);
}

/* All bits set: NaN in every float type, so that reading what was never written shows. */
static inline void *allocate_poisoned(size_t bytes)
{
    void *memory = malloc(bytes > 0 ? bytes : 1);
    assert_non_null(memory);
    memset(memory, 0xFF, bytes);
    return memory;
}

/* Seconds of one call: the best of several rounds of at least 10 ms. */
static inline double time_call(void (*call)(void *context), void *context)
{
    const struct clock *clock = clock_monotonic();
    double best_s = INFINITY;
    int64_t repeats = 1;
    for (int round = 0; round < 4;) {
        double start_s = clock_now_s(clock);
        for (int64_t i = 0; i < repeats; i++)
            call(context);
        double taken_s = clock_now_s(clock) - start_s;
        if (taken_s < 0.01) {
            repeats *= 2;
            continue;
        }
        best_s = fmin(best_s, taken_s / (double)repeats);
        round++;
    }
    return best_s;
}

/* `--bench [ISA]`: calls `visit` with that table or all of them;
 * false when the tests are asked. */
static inline bool bench_asked(int argc, char **argv, void (*visit)(const struct kernels *table))
{
    if (argc < 2 || strcmp(argv[1], "--bench") != 0)
        return false;
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    const struct kernels *only = argc > 2 ? kernels_choose(argv[2]) : NULL;
    if (only != NULL)
        visit(only);
    else
        for_each_isa(visit);
    return true;
}

#endif
