/* Assembles the tables of kernels.h and knows which this CPU can run. The tables are the only
 * written-once state of this room: filled under pthread_once, constant ever after. */
#include "kernels/kernels_internal.h"

#include <pthread.h>
#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

typedef void fill_function(struct kernels *table);
enum { GROUP_COUNT = 6 };

/* An instruction set: its own entries (NULL: none of that group) over the sets below it. */
struct level {
    const char *name;
    bool (*runnable)(void);
    bool (*preferred)(void); /* is it worth choosing unasked? NULL: always */
    fill_function *fill[GROUP_COUNT];
};

static bool runs_anywhere(void)
{
    return true;
}

#if defined(__x86_64__)
/* The compiler's checks include that the system saves the wide registers; clang's know no F16C. */
static bool runs_avx2(void)
{
    unsigned eax = 0;
    unsigned ebx = 0;
    unsigned ecx = 0;
    unsigned edx = 0;
    bool f16c = __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & bit_F16C) != 0;
    return f16c && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
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

/* Intel's cores run vdpbf16ps at a quarter of the rate that AMD's do: slower than widening. */
static bool has_fast_bf16(void)
{
    return !__builtin_cpu_is("intel");
}
#elif defined(__aarch64__)
/* The kernel tells what it lets programs use; NEON itself is part of every aarch64. */
static bool runs_neon_dotprod(void)
{
    return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
}
#endif

/* Lowest first: table i is levels 0..i applied in order. */
static const struct level levels[] = {
    {"c",
     runs_anywhere,
     NULL,
     {linear_fill_c, pointwise_fill_c, attention_fill_c, sample_fill_c, read_fill_c,
      grouped_fill_c}},
#if defined(__x86_64__)
    {"avx2",
     runs_avx2,
     NULL,
     {linear_fill_avx2, pointwise_fill_avx2, attention_fill_avx2, sample_fill_avx2, read_fill_avx2,
      grouped_fill_avx2}},
    {"avx512",
     runs_avx512,
     NULL,
     {linear_fill_avx512, pointwise_fill_avx512, attention_fill_avx512, sample_fill_avx512,
      read_fill_avx512}},
    {"avx512_vnni", runs_avx512_vnni, NULL, {linear_fill_avx512_vnni, grouped_fill_avx512_vnni}},
    {"avx512_bf16", runs_avx512_bf16, has_fast_bf16, {linear_fill_avx512_bf16}},
#elif defined(__aarch64__)
    {"neon",
     runs_anywhere,
     NULL,
     {linear_fill_neon, pointwise_fill_neon, attention_fill_neon, sample_fill_neon,
      read_fill_neon}},
    {"neon_dotprod", runs_neon_dotprod, NULL, {linear_fill_neon_dotprod}},
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
    for (size_t i = LEVEL_COUNT; i-- > 0;) {
        bool named = !any && strcmp(isa, levels[i].name) == 0;
        bool good = any && (levels[i].preferred == NULL || levels[i].preferred());
        if ((named || good) && levels[i].runnable())
            return &tables[i];
    }
    return NULL;
}
