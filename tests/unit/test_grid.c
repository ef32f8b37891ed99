/* The grid: batch-major in the order of the lists, limits exact to the token, words that count. */
#include "test.h"

#include "bench/grid.h"

static struct config small_config(void)
{
    return (struct config){
        .batch_sizes = {3, {4, 1, 64}},
        .input_lengths = {2, {1024, 32}},
        .output_length = 50,
        .num_runs = 3,
        .temperature = 1.0,
        .top_p = 0.9,
        .max_batch_input_product = 4096,
        .device = "auto",
    };
}

static void test_order_and_product(void **state)
{
    (void)state;
    struct config config = small_config();
    struct results results;
    results_init(&results);
    assert_int_equal(grid_build(&results, &config, 0, NULL), 0);
    static const struct {
        int64_t batch_size, input_length;
        enum cell_status status;
    } expected[] = {
        {4, 1024, CELL_PENDING}, {4, 32, CELL_PENDING},    {1, 1024, CELL_PENDING},
        {1, 32, CELL_PENDING},   {64, 1024, CELL_SKIPPED}, {64, 32, CELL_PENDING},
    };
    assert_int_equal(results.cell_count, 6);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(results.cells[i].batch_size, expected[i].batch_size);
        assert_int_equal(results.cells[i].input_length, expected[i].input_length);
        assert_int_equal(results.cells[i].status, expected[i].status);
    }
    assert_string_equal(results.cells[4].reason,
                        "batch 64 x length 1024 = 65536 exceeds max_batch_input_product 4096");
    assert_string_equal(results.cells[0].reason, "");
    results_free(&results);
}

static void test_positions(void **state)
{
    (void)state;
    static const struct {
        int64_t input_length, output_length, limit;
        bool fits;
        const char *text;
    } cases[] = {
        {975, 50, 1024, true, ""},
        {976, 50, 1024, false, "needs 1025 positions (976 + 50 - 1), the model has 1024"},
        {1024, 50, 1024, false, "needs 1073 positions (1024 + 50 - 1), the model has 1024"},
        {1024, 1, 1024, true, ""},
        {1025, 1, 1024, false, "needs 1025 positions (1025 + 1 - 1), the model has 1024"},
        {1, INT64_MAX, 1024, false, "needs 9223372036854775807 positions"},
        {4096, INT64_MAX, 0, true, ""},
        {1, 2000, 1024, false, "--max-positions"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct config config = small_config();
        config.batch_sizes = (struct config_list){1, {1}};
        config.input_lengths = (struct config_list){1, {cases[i].input_length}};
        config.output_length = cases[i].output_length;
        struct results results;
        results_init(&results);
        assert_int_equal(grid_build(&results, &config, cases[i].limit, NULL), 0);
        assert_int_equal(results.cell_count, 1);
        assert_int_equal(results.cells[0].status, cases[i].fits ? CELL_PENDING : CELL_SKIPPED);
        if (cases[i].fits)
            assert_string_equal(results.cells[0].reason, "");
        else
            assert_contains(results.cells[0].reason, cases[i].text);
        results_free(&results);
    }
}

static void test_product_that_does_not_fit_an_integer(void **state)
{
    (void)state;
    struct config config = small_config();
    config.batch_sizes = (struct config_list){1, {INT64_MAX / 2}};
    config.input_lengths = (struct config_list){1, {3}};
    config.max_batch_input_product = INT64_MAX;
    struct results results;
    results_init(&results);
    assert_int_equal(grid_build(&results, &config, 0, NULL), 0);
    assert_int_equal(results.cells[0].status, CELL_SKIPPED);
    assert_contains(results.cells[0].reason, "exceeds max_batch_input_product");
    results_free(&results);
}

static void test_large_preset_is_all_there(void **state)
{
    (void)state;
    const struct config_preset *preset = config_preset_find("large_scale");
    assert_non_null(preset);
    struct results results;
    results_init(&results);
    assert_int_equal(grid_build(&results, &preset->config, 1024, NULL), 0);
    assert_int_equal(results.cell_count, 9 * 11);
    size_t skipped = 0;
    for (size_t i = 0; i < results.cell_count; i++) {
        const struct cell_record *cell = &results.cells[i];
        bool fits =
            cell->batch_size * cell->input_length <= 131072 && cell->input_length + 100 - 1 <= 1024;
        assert_int_equal(cell->status, fits ? CELL_PENDING : CELL_SKIPPED);
        assert_int_equal(cell->reason[0] != '\0', !fits);
        skipped += !fits;
    }
    /* 64 to 512 fit the positions, with every batch: 512 x 256 is the product's limit. */
    assert_int_equal(skipped, 9 * 7);
    results_free(&results);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_and_product),
        cmocka_unit_test(test_positions),
        cmocka_unit_test(test_product_that_does_not_fit_an_integer),
        cmocka_unit_test(test_large_preset_is_all_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
