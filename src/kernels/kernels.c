/* Assembles the tables of kernels.h and knows which this CPU can run. The tables are the only
 * written-once state of this room: filled under pthread_once, constant ever after. */
#include "kernels/kernels_internal.h"

#include <pthread.h>
#include <string.h>

typedef void fill_function(struct kernels *table);
enum { GROUP_COUNT = 4 };

/* An instruction set: its own entries (NULL: none of that group) over the sets below it. */
struct level {
    const char *name;
    bool (*runnable)(void);
    fill_function *fill[GROUP_COUNT];
};

static bool runs_anywhere(void)
{
    return true;
}

#if defined(__x86_64__)
/* The compiler's cpuid checks include that the system saves the wide registers. */
static bool runs_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
           __builtin_cpu_supports("f16c");
}

static bool runs_avx512(void)
{
    return runs_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
}

static bool runs_avx512_vnni(void)
{
    return runs_avx512() && __builtin_cpu_supports("avx512vnni");
}

static bool runs_avx512_bf16(void)
{
    return runs_avx512_vnni() && __builtin_cpu_supports("avx512bf16");
}
#endif

/* Lowest first: table i is levels 0..i applied in order. */
static const struct level levels[] = {
    {"c", runs_anywhere, {linear_fill_c, pointwise_fill_c, attention_fill_c, sample_fill_c}},
#if defined(__x86_64__)
    {"avx2",
     runs_avx2,
     {linear_fill_avx2, pointwise_fill_avx2, attention_fill_avx2, sample_fill_avx2}},
    {"avx512",
     runs_avx512,
     {linear_fill_avx512, pointwise_fill_avx512, attention_fill_avx512, sample_fill_avx512}},
    {"avx512_vnni", runs_avx512_vnni, {linear_fill_avx512_vnni}},
    {"avx512_bf16", runs_avx512_bf16, {linear_fill_avx512_bf16}},
#endif
};
enum { LEVEL_COUNT = sizeof levels / sizeof levels[0] };

static struct kernels tables[LEVEL_COUNT];
static pthread_once_t tables_once = PTHREAD_ONCE_INIT;

static void fill_tables(void)
{
    for (size_t i = 0; i < LEVEL_COUNT; i++) {
        for (size_t below = 0; below <= i; below++)
            for (size_t group = 0; group < GROUP_COUNT; group++)
                if (levels[below].fill[group] != NULL)
                    levels[below].fill[group](&tables[i]);
        tables[i].isa = levels[i].name;
    }
}

size_t kernels_count(void)
{
    return LEVEL_COUNT;
}

const char *kernels_name(size_t index)
{
    return levels[LEVEL_COUNT - 1 - index].name;
}

bool kernels_runnable(size_t index)
{
    return levels[LEVEL_COUNT - 1 - index].runnable();
}

const struct kernels *kernels_choose(const char *isa)
{
    (void)pthread_once(&tables_once, fill_tables);
    bool any = isa == NULL || strcmp(isa, "auto") == 0;
    for (size_t i = LEVEL_COUNT; i-- > 0;)
        if ((any || strcmp(isa, levels[i].name) == 0) && levels[i].runnable())
            return &tables[i];
    return NULL;
}
