/* Passes, shares and orders: pure functions with properties that must hold for all settings. */
#include "test.h"

#include "bench/schedule.h"

enum { BATCHES = 5, LENGTHS = 4, CELLS = BATCHES * LENGTHS };

static void make_grid(struct cell_record cells[CELLS])
{
    for (int i = 0; i < CELLS; i++)
        cells[i] = (struct cell_record){
            .batch_size = 1 << i / LENGTHS,
            .input_length = 8 << i % LENGTHS,
        };
}

static void test_default_passes(void **state)
{
    (void)state;
    assert_int_equal(schedule_default_passes(1), 1);
    assert_int_equal(schedule_default_passes(3), 1);
    assert_int_equal(schedule_default_passes(4), 2);
    assert_int_equal(schedule_default_passes(100), 2);
}

static void test_shares_add_up(void **state)
{
    (void)state;
    for (int64_t runs = 1; runs <= 12; runs++) {
        for (int64_t passes = 1; passes <= runs; passes++) {
            for (int limited = 0; limited <= 1; limited++) {
                struct schedule schedule;
                schedule_init(&schedule, runs);
                schedule.passes = passes;
                schedule.time_limit_s = limited ? 60 : 0;
                int64_t last = schedule_pass_count(&schedule), before = 0;
                assert_int_equal(last, passes + limited);
                for (int64_t pass = 1; pass <= last; pass++) {
                    struct schedule_share share = schedule_share(&schedule, pass);
                    assert_int_equal(share.least, share.most);
                    /* Every pass adds a run, but for the one after the first look. */
                    assert_true(share.least > before || (limited && share.least == before));
                    before = share.least;
                }
                assert_int_equal(before, runs);
                if (limited)
                    assert_int_equal(schedule_share(&schedule, 1).least, 1);
            }
        }
    }
}

static void test_shares_of_a_precision(void **state)
{
    (void)state;
    struct schedule schedule = {
        .passes = 2,
        .processes = 1,
        .process = 1,
        .precision = 0.02,
        .min_runs = 5,
        .max_runs = 100,
        .max_cell_time_s = 60,
    };
    struct schedule_share share = schedule_share(&schedule, 1);
    assert_int_equal(share.least, 3);
    assert_int_equal(share.most, 50);
    assert_true(share.time_s == 30);
    share = schedule_share(&schedule, 2);
    assert_int_equal(share.least, 5);
    assert_int_equal(share.most, 100);
    assert_true(share.time_s == 60);
}

static void order_of(const struct schedule *schedule, int64_t pass, size_t order[CELLS])
{
    struct cell_record cells[CELLS];
    make_grid(cells);
    schedule_order_cells(schedule, pass, cells, CELLS, order);
    bool seen[CELLS] = {false};
    for (size_t i = 0; i < CELLS; i++) {
        assert_true(order[i] < CELLS && !seen[order[i]]);
        seen[order[i]] = true;
    }
}

static void test_orders(void **state)
{
    (void)state;
    struct schedule schedule;
    size_t first[CELLS], second[CELLS];
    schedule_init(&schedule, 4);
    order_of(&schedule, 1, first);
    for (size_t i = 0; i < CELLS; i++)
        assert_int_equal(first[i], i);

    schedule.order = SCHEDULE_RANDOM;
    schedule.seed = 42;
    order_of(&schedule, 1, first);
    order_of(&schedule, 1, second);
    assert_memory_equal(first, second, sizeof first);
    order_of(&schedule, 2, second);
    assert_memory_not_equal(first, second, sizeof first);
    schedule.process = 2;
    order_of(&schedule, 1, second);
    assert_memory_not_equal(first, second, sizeof first);
    schedule.process = 1;
    schedule.seed = 43;
    order_of(&schedule, 1, second);
    assert_memory_not_equal(first, second, sizeof first);
}

/* Over many seeds every cell comes first about equally often. */
static void test_order_is_even(void **state)
{
    (void)state;
    enum { SEEDS = 4000 };
    int first[CELLS] = {0};
    struct schedule schedule;
    schedule_init(&schedule, 1);
    schedule.order = SCHEDULE_RANDOM;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        size_t order[CELLS];
        schedule.seed = seed;
        order_of(&schedule, 1, order);
        first[order[0]]++;
    }
    for (int i = 0; i < CELLS; i++)
        assert_true(first[i] > SEEDS / CELLS * 3 / 4 && first[i] < SEEDS / CELLS * 5 / 4);
}

static bool is_corner(size_t index)
{
    return index == 0 || index == LENGTHS - 1 || index == CELLS - LENGTHS || index == CELLS - 1;
}

static void test_corners_come_first(void **state)
{
    (void)state;
    struct schedule schedule;
    size_t order[CELLS], free_order[CELLS];
    schedule_init(&schedule, 3);
    schedule.order = SCHEDULE_RANDOM;
    for (schedule.seed = 0; schedule.seed < 20; schedule.seed++) {
        schedule.time_limit_s = 60;
        order_of(&schedule, 1, order);
        for (size_t i = 0; i < CELLS; i++)
            assert_int_equal(is_corner(order[i]), i < 4);
        /* Later passes are like those without a limit. */
        order_of(&schedule, 2, order);
        schedule.time_limit_s = 0;
        order_of(&schedule, 2, free_order);
        assert_memory_equal(order, free_order, sizeof order);
    }
}

/* Where large cells are skipped, the corners are those of what is left. */
static void test_corners_of_a_cut_grid(void **state)
{
    (void)state;
    struct cell_record cells[CELLS];
    size_t order[CELLS];
    struct schedule schedule;
    schedule_init(&schedule, 3);
    schedule.order = SCHEDULE_RANDOM;
    schedule.time_limit_s = 60;
    make_grid(cells);
    cells[CELLS - 1].status = CELL_SKIPPED;
    schedule_order_cells(&schedule, 1, cells, CELLS, order);
    bool found = false;
    for (size_t i = 0; i < 4; i++)
        found |= order[i] == CELLS - 1 - LENGTHS;
    assert_true(found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_default_passes),        cmocka_unit_test(test_shares_add_up),
        cmocka_unit_test(test_shares_of_a_precision), cmocka_unit_test(test_orders),
        cmocka_unit_test(test_order_is_even),         cmocka_unit_test(test_corners_come_first),
        cmocka_unit_test(test_corners_of_a_cut_grid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
