/* The thread pool: every chunk once, results visible, sleepers woken, pinned masks restored. */
#include "test.h"

#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cpu_order.h"
#include "base/thread_pool.h"

enum { CHUNKS = 1000, THREADS = 4 };

struct record {
    int taken[CHUNKS]; /* plain: the pool must make them visible */
    int thread[CHUNKS];
    int thread_count;
};

static void record_chunk(void *context, int64_t chunk, int thread)
{
    struct record *record = context;
    record->taken[chunk]++;
    record->thread[chunk] = thread;
}

static struct thread_pool *make(int threads, bool pin)
{
    struct error error = {0};
    struct thread_pool *pool = NULL;
    assert_int_equal(thread_pool_create(&pool, threads, pin, &error), 0);
    assert_int_equal(thread_pool_thread_count(pool), threads);
    return pool;
}

typedef void pool_run(struct thread_pool *pool, thread_task *task, void *context,
                      int64_t chunk_count);

static void check_every_chunk_once(pool_run *run)
{
    static const int64_t counts[] = {0, 1, 2, 3, 4, 5, 63, CHUNKS};
    for (int threads = 1; threads <= THREADS; threads++) {
        struct thread_pool *pool = make(threads, false);
        for (int round = 0; round < 50; round++)
            for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
                struct record record = {.thread_count = threads};
                run(pool, record_chunk, &record, counts[i]);
                for (int64_t chunk = 0; chunk < CHUNKS; chunk++) {
                    assert_int_equal(record.taken[chunk], chunk < counts[i]);
                    assert_in_range(record.thread[chunk], 0, threads - 1);
                }
            }
        thread_pool_destroy(pool);
    }
}

static void test_every_chunk_once(void **state)
{
    (void)state;
    check_every_chunk_once(thread_pool_run);
    check_every_chunk_once(thread_pool_run_near);
}

struct meeting {
    struct record record;
    atomic_int arrived;
    int wanted; /* the first chunk of a share ends when so many chunks have begun */
};

static void meet(void *context, int64_t chunk, int thread)
{
    struct meeting *meeting = context;
    record_chunk(&meeting->record, chunk, thread);
    atomic_fetch_add(&meeting->arrived, 1);
    while (chunk == 0 && atomic_load(&meeting->arrived) < meeting->wanted)
        (void)sched_yield();
    while (meeting->wanted == THREADS && atomic_load(&meeting->arrived) < THREADS)
        (void)sched_yield();
}

/* As many chunks as threads, none of which ends before all have begun: each thread has its own.
 * Then one that lasts until all others are done: its share is finished by others, whoever took the
 * first of it, which may be a thread that had done its own share before. */
static void test_near_chunks_are_a_threads_own_then_anyones(void **state)
{
    (void)state;
    struct thread_pool *pool = make(THREADS, false);
    for (int round = 0; round < 50; round++) {
        struct meeting own = {.wanted = THREADS};
        thread_pool_run_near(pool, meet, &own, THREADS);
        for (int i = 0; i < THREADS; i++)
            assert_int_equal(own.record.thread[i], i);
        struct meeting helped = {.wanted = 40};
        thread_pool_run_near(pool, meet, &helped, 40);
        for (int i = 0; i < 40; i++)
            assert_int_equal(helped.record.taken[i], 1);
        for (int i = 1; i < 40 / THREADS; i++)
            assert_int_not_equal(helped.record.thread[i], helped.record.thread[0]);
    }
    thread_pool_destroy(pool);
}

static void test_static_chunks_keep_their_thread(void **state)
{
    (void)state;
    struct thread_pool *pool = make(THREADS, true);
    for (int round = 0; round < 50; round++) {
        struct record record = {.thread_count = THREADS};
        thread_pool_run_static(pool, record_chunk, &record, CHUNKS - round);
        for (int64_t chunk = 0; chunk < CHUNKS; chunk++) {
            assert_int_equal(record.taken[chunk], chunk < CHUNKS - round);
            if (chunk < CHUNKS - round)
                assert_int_equal(record.thread[chunk], chunk % THREADS);
        }
    }
    thread_pool_destroy(pool);
}

static void add_chunk(void *context, int64_t chunk, int thread)
{
    (void)thread;
    atomic_fetch_add((atomic_llong *)context, chunk + 1);
}

/* Regions in a row, with pauses long enough for workers to yield and to sleep. */
static void test_wakes_from_every_state(void **state)
{
    (void)state;
    static const long pauses_us[] = {0, 1, 50, 200, 1000, 5000, 20000};
    struct thread_pool *pool = make(THREADS, false);
    atomic_llong sum = 0;
    long long expected = 0;
    for (int round = 0; round < 8; round++)
        for (size_t i = 0; i < sizeof pauses_us / sizeof pauses_us[0]; i++) {
            if (pauses_us[i] > 0)
                usleep((useconds_t)pauses_us[i]);
            thread_pool_run_static(pool, add_chunk, &sum, 10);
            thread_pool_run(pool, add_chunk, &sum, 10);
            expected += 110;
            assert_int_equal(atomic_load(&sum), expected);
        }
    thread_pool_destroy(pool);
}

static double cpu_seconds(void)
{
    struct timespec now;
    assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now), 0);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void test_idle_pool_sleeps(void **state)
{
    (void)state;
    struct thread_pool *pool = make(THREADS, false);
    atomic_llong sum = 0;
    thread_pool_run(pool, add_chunk, &sum, 10);
    usleep(300000); /* time to fall asleep even on a busy machine */
    double start_s = cpu_seconds();
    usleep(300000);
    assert_true(cpu_seconds() - start_s < 0.05);
    thread_pool_destroy(pool);
}

/* Memory that one thread writes in a region is read by another in the next. */
static void double_neighbour(void *context, int64_t chunk, int thread)
{
    (void)thread;
    int64_t *values = context;
    int64_t *from = values + (values[2 * CHUNKS] % 2) * CHUNKS;
    int64_t *to = values + (1 - values[2 * CHUNKS] % 2) * CHUNKS;
    to[chunk] = from[(chunk + 1) % CHUNKS] + 1;
}

static void test_regions_see_earlier_regions(void **state)
{
    (void)state;
    struct thread_pool *pool = make(THREADS, false);
    int64_t *values = calloc(2 * CHUNKS + 1, sizeof *values);
    for (int round = 0; round < 100; round++) {
        values[2 * CHUNKS] = round;
        thread_pool_run(pool, double_neighbour, values, CHUNKS);
    }
    for (int64_t i = 0; i < CHUNKS; i++)
        assert_int_equal(values[i], 100);
    free(values);
    thread_pool_destroy(pool);
}

/* What waiting threads fetch is only a hint: memory that nobody may read does no harm. */
static void test_ahead_touches_nothing(void **state)
{
    (void)state;
    static const int64_t counts[] = {0, 1, 3, 16};
    const size_t item_bytes = 1 << 16;
    char *memory = mmap(NULL, 16 * item_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(memory != MAP_FAILED);
    for (int threads = 1; threads <= THREADS; threads++) {
        struct thread_pool *pool = make(threads, false);
        for (int round = 0; round < 50; round++)
            for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
                struct record record = {.thread_count = threads};
                thread_pool_set_ahead(pool, memory, item_bytes, counts[i]);
                thread_pool_run_near(pool, record_chunk, &record, 63);
                for (int64_t chunk = 0; chunk < 63; chunk++)
                    assert_int_equal(record.taken[chunk], 1);
                const struct timespec wait = {.tv_nsec = 100000};
                (void)nanosleep(&wait, NULL); /* the workers go through what they were told */
            }
        thread_pool_destroy(pool);
    }
    (void)munmap(memory, 16 * item_bytes);
}

static void test_pinning_is_undone(void **state)
{
    (void)state;
    cpu_set_t before;
    cpu_set_t during;
    cpu_set_t after;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    struct thread_pool *pool = make(1, true);
    assert_int_equal(sched_getaffinity(0, sizeof during, &during), 0);
    assert_int_equal(CPU_COUNT(&during), 1);
    thread_pool_destroy(pool);
    assert_int_equal(sched_getaffinity(0, sizeof after, &after), 0);
    assert_true(CPU_EQUAL(&before, &after));
}

static void test_refuses_impossible_counts(void **state)
{
    (void)state;
    static const int counts[] = {0, -1, CPU_ORDER_MAX + 1};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        struct error error = {0};
        struct thread_pool *pool = NULL;
        assert_int_equal(thread_pool_create(&pool, counts[i], false, &error), ERROR_INPUT);
        assert_null(pool);
        assert_contains(error.text, "allowed are 1 to");
    }
    thread_pool_destroy(NULL);
}

static void test_cpu_order_names_every_cpu_once(void **state)
{
    (void)state;
    cpu_set_t mask;
    assert_int_equal(sched_getaffinity(0, sizeof mask, &mask), 0);
    struct cpu_order order;
    cpu_order_read(&order);
    assert_int_equal(order.cpu_count, CPU_COUNT(&mask));
    assert_in_range(order.core_count, 1, order.cpu_count);
    for (size_t i = 0; i < order.cpu_count; i++) {
        assert_true(CPU_ISSET((size_t)order.cpus[i], &mask));
        CPU_CLR((size_t)order.cpus[i], &mask);
    }
    assert_in_range(thread_pool_default_threads(), 1, order.core_count);
}

static void do_nothing(void *context, int64_t chunk, int thread)
{
    (void)context;
    (void)chunk;
    (void)thread;
}

/* `--bench`: what an empty region costs. */
static int bench(void)
{
    const struct clock *clock = clock_monotonic();
    for (int threads = 1; threads <= thread_pool_default_threads(); threads++) {
        struct thread_pool *pool = make(threads, true);
        double best_s[2] = {1, 1};
        for (int round = 0; round < 50; round++)
            for (int kind = 0; kind < 2; kind++) {
                double start_s = clock_now_s(clock);
                for (int i = 0; i < 1000; i++) {
                    if (kind == 0)
                        thread_pool_run(pool, do_nothing, NULL, (int64_t)threads * 4);
                    else
                        thread_pool_run_static(pool, do_nothing, NULL, threads);
                }
                best_s[kind] = fmin(best_s[kind], (clock_now_s(clock) - start_s) / 1000);
            }
        printf("%d threads: %.2f us a region, %.2f us a static one\n", threads, best_s[0] * 1e6,
               best_s[1] * 1e6);
        thread_pool_destroy(pool);
    }
    return 0;
}

int main(int argument_count, char **arguments)
{
    if (argument_count > 1 && strcmp(arguments[1], "--bench") == 0)
        return bench();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_chunk_once),
        cmocka_unit_test(test_near_chunks_are_a_threads_own_then_anyones),
        cmocka_unit_test(test_static_chunks_keep_their_thread),
        cmocka_unit_test(test_wakes_from_every_state),
        cmocka_unit_test(test_idle_pool_sleeps),
        cmocka_unit_test(test_regions_see_earlier_regions),
        cmocka_unit_test(test_ahead_touches_nothing),
        cmocka_unit_test(test_pinning_is_undone),
        cmocka_unit_test(test_refuses_impossible_counts),
        cmocka_unit_test(test_cpu_order_names_every_cpu_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
