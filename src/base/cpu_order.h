/* Which logical CPUs threads should take, in which order. */
#ifndef TOKENMARK_BASE_CPU_ORDER_H
#define TOKENMARK_BASE_CPU_ORDER_H

#include <stddef.h>

enum { CPU_ORDER_MAX = 1024 };

struct cpu_order {
    size_t cpu_count;        /* in the affinity mask of the calling thread */
    size_t core_count;       /* physical cores they belong to */
    int cpus[CPU_ORDER_MAX]; /* one of every core first, then the cores' further ones */
};

void cpu_order_read(struct cpu_order *order);

#endif
