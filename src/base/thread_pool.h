/* A pool of threads for regions of a microsecond: workers spin on a generation number,
 * then yield, then sleep; work is taken in chunks from an atomic counter, so that a
 * thread that another process disturbs takes fewer of them. */
#ifndef TOKENMARK_BASE_THREAD_POOL_H
#define TOKENMARK_BASE_THREAD_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct thread_pool;

/* Runs chunk number `chunk` (0 <= chunk < chunk_count) on thread `thread`
 * (0 = the caller, < thread_count). */
typedef void thread_task(void *context, int64_t chunk, int thread);

/* `thread_count` counts the caller too: 1 makes no thread at all. With `pin`, thread i is
 * bound to the i-th CPU of the affinity mask, one of every core before any core's second, the
 * caller included (its own mask is restored by destroy); with more threads than CPUs none is. */
int thread_pool_create(struct thread_pool **out, int thread_count, bool pin, struct error *error);
void thread_pool_destroy(struct thread_pool *pool);

int thread_pool_thread_count(const struct thread_pool *pool);

/* Runs all chunks and returns when every one is done; what they wrote is then visible to
 * the caller. Only the thread that created the pool may call it. */
void thread_pool_run(struct thread_pool *pool, thread_task *task, void *context,
                     int64_t chunk_count);

/* Like run, but thread t begins with the t-th of as many equal runs of neighbouring chunks as
 * there are threads, in order, and helps others only then: for reading memory as one stream a
 * thread. Below 2^32 chunks. */
void thread_pool_run_near(struct thread_pool *pool, thread_task *task, void *context,
                          int64_t chunk_count);

/* What a later run_near will read: `count` items of `item_bytes` one after the other. From the next
 * region on, threads that wait fetch the first of their share of it, a few hundred KB at most, into
 * their caches: memory stays busy while others finish. `count` 0: nothing. It must stay readable
 * for as long as the pool lives, though a fetch never fails. */
void thread_pool_set_ahead(struct thread_pool *pool, const void *start, size_t item_bytes,
                           int64_t count);

/* The first chunk of thread `share` in run_near; the next share's ends its own. */
static inline int64_t thread_pool_share_first(int64_t chunk_count, int share, int thread_count)
{
    return chunk_count * share / thread_count;
}

/* Like run, but thread t always takes the same chunks (t, t + n, ...): for touching memory
 * where it will be read. */
void thread_pool_run_static(struct thread_pool *pool, thread_task *task, void *context,
                            int64_t chunk_count);

/* Physical cores within the affinity mask and the cgroup CPU quota; at least 1. */
int thread_pool_default_threads(void);

#endif
