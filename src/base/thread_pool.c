/* The pool of thread_pool.h. One word, the gate, holds a phase and how many workers are inside:
 * an odd phase is an open region. Workers enter by adding one and see in the answer whether the
 * region was still open, so the caller never waits for a worker that has not come in: when
 * another process holds a core, the others finish the region without it. */
#include "base/thread_pool.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/cgroup.h"
#include "base/cpu_order.h"

enum {
    PHASE_SHIFT = 16, /* the gate's lower bits count the workers inside */
    INSIDE_MASK = (1 << PHASE_SHIFT) - 1,
    SPINS = 2000,       /* pauses before a waiting thread yields: some 30 to 100 us */
    YIELDS_A_LOOK = 64, /* yields between looks at the clock */
    SLEEP_AFTER_NS = 2000000,
    STACK_BYTES = 1 << 20, /* a task may keep some hundred KB there */
    AHEAD_BYTES = 1 << 18, /* what a waiting thread fetches at most: a part of its second cache */
    AHEAD_LINES = 4,       /* between looks at what it waits for */
    LINE_BYTES = 64,
};

enum sharing {
    SHARING_ANY,   /* from one counter */
    SHARING_NEAR,  /* first from the thread's own run of chunks */
    SHARING_FIXED, /* by thread number; every worker must come */
};

/* What is taken of a thread's run of chunks: the region's number above, a count below. A count of
 * an earlier region is none of this one, so nothing need be reset. */
struct share {
    alignas(64) atomic_ullong cursor;
};

enum { SHARE_COUNT_BITS = 32 };

/* What a thread has still to fetch of thread_pool_set_ahead's call number `number`. */
struct ahead {
    uint32_t number;
    const char *next;
    const char *end;
};

struct worker {
    struct thread_pool *pool;
    pthread_t thread;
    int index;
};

struct thread_pool {
    int thread_count;
    bool pinned;
    cpu_set_t caller_mask;
    struct worker *workers; /* thread_count - 1 */
    int started;
    /* Set between regions, when no worker is inside. */
    thread_task *task;
    void *context;
    int64_t chunk_count;
    enum sharing sharing;
    uint32_t region; /* number of the near region */
    const char *ahead_start;
    size_t ahead_item_bytes;
    int64_t ahead_count;
    uint32_t ahead_number;
    bool stop;
    struct share *shares; /* thread_count */
    struct ahead caller_ahead;
    /* Each in a cache line of its own: they are written at different moments. */
    alignas(64) atomic_ullong gate;
    alignas(64) atomic_llong next;
    alignas(64) atomic_int finished; /* workers done with a fixed region */
    alignas(64) atomic_uint bell;    /* sleepers wait for it to change */
    atomic_int sleepers;
};

static void pause_briefly(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static uint64_t phase_of(uint64_t gate)
{
    return gate >> PHASE_SHIFT;
}

/* The next chunk of a share, -1 when none is left. */
static int64_t take_of_share(struct thread_pool *pool, int index)
{
    int64_t first = thread_pool_share_first(pool->chunk_count, index, pool->thread_count);
    int64_t end = thread_pool_share_first(pool->chunk_count, index + 1, pool->thread_count);
    atomic_ullong *cursor = &pool->shares[index].cursor;
    unsigned long long word = atomic_load_explicit(cursor, memory_order_relaxed);
    unsigned long long region = (unsigned long long)pool->region << SHARE_COUNT_BITS;
    int64_t chunk;
    do {
        bool current = word >> SHARE_COUNT_BITS == pool->region;
        chunk = first + (current ? (int64_t)(word & UINT32_MAX) : 0);
        if (chunk >= end)
            return -1;
    } while (!atomic_compare_exchange_weak_explicit(
        cursor, &word, region | (unsigned long long)(chunk - first + 1), memory_order_relaxed,
        memory_order_relaxed));
    return chunk;
}

static void take_near_chunks(struct thread_pool *pool, int thread)
{
    for (int i = 0; i < pool->thread_count; i++) {
        int share = (thread + i) % pool->thread_count;
        for (int64_t chunk = take_of_share(pool, share); chunk >= 0;
             chunk = take_of_share(pool, share))
            pool->task(pool->context, chunk, thread);
    }
}

static void take_chunks(struct thread_pool *pool, int thread)
{
    if (pool->sharing == SHARING_FIXED) {
        for (int64_t chunk = thread; chunk < pool->chunk_count; chunk += pool->thread_count)
            pool->task(pool->context, chunk, thread);
        return;
    }
    if (pool->sharing == SHARING_NEAR) {
        take_near_chunks(pool, thread);
        return;
    }
    for (;;) {
        int64_t chunk = atomic_fetch_add_explicit(&pool->next, 1, memory_order_relaxed);
        if (chunk >= pool->chunk_count)
            return;
        pool->task(pool->context, chunk, thread);
    }
}

/* Called inside a region, while the caller changes nothing. */
static void see_ahead(const struct thread_pool *pool, int thread, struct ahead *ahead)
{
    if (ahead->number == pool->ahead_number)
        return;
    int64_t first = thread_pool_share_first(pool->ahead_count, thread, pool->thread_count);
    int64_t end = thread_pool_share_first(pool->ahead_count, thread + 1, pool->thread_count);
    size_t bytes = (size_t)(end - first) * pool->ahead_item_bytes;
    ahead->number = pool->ahead_number;
    ahead->next = pool->ahead_start + (size_t)first * pool->ahead_item_bytes;
    ahead->end = ahead->next + (bytes < AHEAD_BYTES ? bytes : AHEAD_BYTES);
}

/* Spends a moment of waiting. */
static void pause_or_fetch(struct ahead *ahead)
{
    if (ahead->next >= ahead->end) {
        pause_briefly();
        return;
    }
    for (int i = 0; i < AHEAD_LINES; i++, ahead->next += LINE_BYTES)
        __builtin_prefetch(ahead->next, 0, 2);
}

static int64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static bool region_is_new(struct thread_pool *pool, uint64_t seen, memory_order order)
{
    uint64_t phase = phase_of(atomic_load_explicit(&pool->gate, order));
    return phase != seen && phase % 2 == 1;
}

static void sleep_for_region(struct thread_pool *pool, uint64_t seen)
{
    unsigned bell = atomic_load(&pool->bell);
    atomic_fetch_add(&pool->sleepers, 1);
    if (!region_is_new(pool, seen, memory_order_seq_cst))
        (void)syscall(SYS_futex, &pool->bell, FUTEX_WAIT_PRIVATE, bell, NULL, NULL, 0);
    atomic_fetch_sub(&pool->sleepers, 1);
}

/* Returns when a region that is not `seen` was open a moment ago. */
static void wait_for_region(struct thread_pool *pool, uint64_t seen, struct ahead *ahead)
{
    for (int spin = 0; spin < SPINS; spin++) {
        if (region_is_new(pool, seen, memory_order_relaxed))
            return;
        pause_or_fetch(ahead);
    }
    int64_t start_ns = now_ns();
    for (int yields = 1; !region_is_new(pool, seen, memory_order_relaxed); yields++) {
        (void)sched_yield();
        if (yields % YIELDS_A_LOOK == 0 && now_ns() - start_ns > SLEEP_AFTER_NS)
            sleep_for_region(pool, seen);
    }
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    struct thread_pool *pool = worker->pool;
    struct ahead ahead = {0};
    uint64_t seen = 0;
    bool stop = false;
    while (!stop) {
        wait_for_region(pool, seen, &ahead);
        uint64_t phase = phase_of(atomic_fetch_add_explicit(&pool->gate, 1, memory_order_acquire));
        if (phase % 2 == 1) {
            seen = phase;
            stop = pool->stop;
            take_chunks(pool, worker->index);
            see_ahead(pool, worker->index, &ahead);
            if (pool->sharing == SHARING_FIXED)
                atomic_fetch_add_explicit(&pool->finished, 1, memory_order_release);
        }
        atomic_fetch_sub_explicit(&pool->gate, 1, memory_order_release);
    }
    return NULL;
}

/* Yields after a while: the thread waited for may need this very core. */
static void wait_a_little(struct thread_pool *pool, int *spins)
{
    if (++*spins > SPINS)
        (void)sched_yield();
    else
        pause_or_fetch(&pool->caller_ahead);
}

static void run_region(struct thread_pool *pool)
{
    atomic_store_explicit(&pool->next, 0, memory_order_relaxed);
    atomic_store_explicit(&pool->finished, 0, memory_order_relaxed);
    atomic_fetch_add(&pool->gate, 1ULL << PHASE_SHIFT);
    if (atomic_load(&pool->sleepers) > 0) {
        atomic_fetch_add(&pool->bell, 1);
        (void)syscall(SYS_futex, &pool->bell, FUTEX_WAKE_PRIVATE, pool->started, NULL, NULL, 0);
    }
    take_chunks(pool, 0);
    see_ahead(pool, 0, &pool->caller_ahead);
    int spins = 0;
    while (pool->sharing == SHARING_FIXED &&
           atomic_load_explicit(&pool->finished, memory_order_acquire) < pool->started)
        wait_a_little(pool, &spins);
    uint64_t gate =
        atomic_fetch_add_explicit(&pool->gate, 1ULL << PHASE_SHIFT, memory_order_acq_rel);
    spins = 0;
    while ((gate & INSIDE_MASK) != 0) {
        wait_a_little(pool, &spins);
        gate = atomic_load_explicit(&pool->gate, memory_order_acquire);
    }
}

static void run(struct thread_pool *pool, thread_task *task, void *context, int64_t chunk_count,
                enum sharing sharing)
{
    if (chunk_count <= 0)
        return;
    if (pool->started == 0 || (chunk_count == 1 && sharing != SHARING_FIXED)) {
        for (int64_t chunk = 0; chunk < chunk_count; chunk++)
            task(context, chunk, 0);
        return;
    }
    pool->task = task;
    pool->context = context;
    pool->chunk_count = chunk_count;
    pool->sharing = sharing;
    pool->region += sharing == SHARING_NEAR;
    run_region(pool);
}

void thread_pool_run(struct thread_pool *pool, thread_task *task, void *context,
                     int64_t chunk_count)
{
    run(pool, task, context, chunk_count, SHARING_ANY);
}

void thread_pool_run_near(struct thread_pool *pool, thread_task *task, void *context,
                          int64_t chunk_count)
{
    run(pool, task, context, chunk_count, SHARING_NEAR);
}

void thread_pool_run_static(struct thread_pool *pool, thread_task *task, void *context,
                            int64_t chunk_count)
{
    run(pool, task, context, chunk_count, SHARING_FIXED);
}

void thread_pool_set_ahead(struct thread_pool *pool, const void *start, size_t item_bytes,
                           int64_t count)
{
    pool->ahead_start = start;
    pool->ahead_item_bytes = item_bytes;
    pool->ahead_count = count;
    pool->ahead_number++;
}

int thread_pool_thread_count(const struct thread_pool *pool)
{
    return pool->thread_count;
}

/* A thread that cannot be bound still works, only less steadily. */
static void pin_threads(struct thread_pool *pool)
{
    struct cpu_order order;
    cpu_order_read(&order);
    if (order.cpu_count < (size_t)pool->thread_count ||
        pthread_getaffinity_np(pthread_self(), sizeof pool->caller_mask, &pool->caller_mask) != 0)
        return;
    for (int i = 0; i < pool->thread_count; i++) {
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET((size_t)order.cpus[i], &one);
        (void)pthread_setaffinity_np(i == 0 ? pthread_self() : pool->workers[i - 1].thread,
                                     sizeof one, &one);
    }
    pool->pinned = true;
}

/* The system's stacks may be small (ulimit -s). */
static int start_worker(struct worker *worker)
{
    pthread_attr_t attributes;
    size_t bytes = 0;
    int code = pthread_attr_init(&attributes);
    if (code != 0)
        return code;
    (void)pthread_attr_getstacksize(&attributes, &bytes);
    if (bytes < STACK_BYTES)
        (void)pthread_attr_setstacksize(&attributes, STACK_BYTES);
    code = pthread_create(&worker->thread, &attributes, work, worker);
    (void)pthread_attr_destroy(&attributes);
    return code;
}

int thread_pool_create(struct thread_pool **out, int thread_count, bool pin, struct error *error)
{
    *out = NULL;
    if (thread_count < 1 || thread_count > CPU_ORDER_MAX)
        return error_set(error, ERROR_INPUT, "%d threads: allowed are 1 to %d", thread_count,
                         CPU_ORDER_MAX);
    struct thread_pool *pool = aligned_alloc(alignof(struct thread_pool), sizeof *pool);
    if (pool == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for a pool of %d threads", thread_count);
    memset(pool, 0, sizeof *pool);
    pool->thread_count = thread_count;
    pool->workers = calloc((size_t)thread_count, sizeof *pool->workers);
    size_t share_bytes = (size_t)thread_count * sizeof *pool->shares;
    pool->shares = aligned_alloc(alignof(struct share), share_bytes);
    if (pool->shares != NULL)
        memset(pool->shares, 0, share_bytes);
    if (pool->workers == NULL || pool->shares == NULL) {
        error_set(error, ERROR_MEMORY, "no memory for a pool of %d threads", thread_count);
        goto fail;
    }
    for (; pool->started < thread_count - 1; pool->started++) {
        struct worker *worker = &pool->workers[pool->started];
        worker->pool = pool;
        worker->index = pool->started + 1;
        int code = start_worker(worker);
        if (code != 0) {
            error_set(error, ERROR_FAILED, "cannot start thread %d of %d: %s", worker->index + 1,
                      thread_count, strerror(code));
            goto fail;
        }
    }
    if (pin)
        pin_threads(pool);
    *out = pool;
    return 0;
fail:
    thread_pool_destroy(pool);
    return error == NULL ? ERROR_FAILED : error->code;
}

void thread_pool_destroy(struct thread_pool *pool)
{
    if (pool == NULL)
        return;
    pool->stop = true;
    pool->chunk_count = 0;
    pool->sharing = SHARING_FIXED; /* so that the region waits until every worker saw `stop` */
    if (pool->started > 0)
        run_region(pool);
    for (int i = 0; i < pool->started; i++)
        (void)pthread_join(pool->workers[i].thread, NULL);
    if (pool->pinned)
        (void)pthread_setaffinity_np(pthread_self(), sizeof pool->caller_mask, &pool->caller_mask);
    free(pool->workers);
    free(pool->shares);
    free(pool);
}

int thread_pool_default_threads(void)
{
    struct cpu_order order;
    cpu_order_read(&order);
    double quota = cgroup_cpu_quota();
    int threads = order.core_count > 0 ? (int)order.core_count : 1;
    if (quota > 0 && quota < (double)threads)
        threads = (int)quota;
    return threads > 0 ? threads : 1;
}
