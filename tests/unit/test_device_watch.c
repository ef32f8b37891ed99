/* What a device shows beside runs: a quiet one is VALID with its facts in the records, every
 * disturbance is named, and what a device does not show is no reason for anything. */
#include "bench_fixture.h"

#include "bench/device_watch.h"

enum { RUNS = 8, TOKENS = 5 };

/* Rises by `during` inside every run from `from_run` on, and stands still between. */
struct device_script {
    struct device_reading now, during;
    int calls;
    int from_run;
};

static const struct device_reading quiet = {
    .power_w = 300,
    .energy_j = 1e6,
    .core_mhz = 1980,
    .memory_mhz = 2619,
    .temperature_c = 50,
    .memory_used_bytes = 1073741824.0,
};

static void read_device(void *context, struct device_reading *reading)
{
    struct device_script *script = context;
    if (script->calls % 2 == 1 && script->calls / 2 >= script->from_run) {
        double *to = (double *)(void *)&script->now;
        const double *by = (const double *)(const void *)&script->during;
        for (size_t i = 0; i < sizeof script->now / sizeof(double); i++)
            to[i] += by[i];
    }
    script->calls++;
    *reading = script->now;
}

static void read_nothing(void *context, struct counters *counters)
{
    (void)context;
    *counters = (struct counters){.energy_range_j = 1};
}

static struct fixture fixture;
static struct device_script device;

static void open_one_cell(struct device_reading now)
{
    fixture_init(&fixture);
    fixture.config.batch_sizes.count = 1;
    fixture.config.input_lengths.count = 1;
    fixture.config.num_runs = RUNS;
    fixture.script.read_device = read_device;
    fixture.script.device_context = &device;
    device = (struct device_script){.now = now};
}

static const struct cell_record *measure(void)
{
    fixture_open(&fixture);
    fixture.options.watch = (struct watch_options){.read_counters = read_nothing};
    assert_int_equal(fixture_run(&fixture), 0);
    return &fixture.results.cells[0];
}

static void assert_only(const struct verdict *verdict, int cause, const char *says)
{
    for (int i = 0; i < VERDICT_CAUSE_COUNT; i++) {
        if (verdict->given[i] != (i == cause))
            fail_msg("%s: %s", verdict_causes[i].name,
                     verdict->given[i] ? verdict->texts[i] : "not named");
    }
    if (cause < VERDICT_CAUSE_COUNT)
        assert_contains(verdict->texts[cause], says);
    assert_int_equal(verdict->level, cause < VERDICT_CAUSE_COUNT ? VERDICT_NOISY : VERDICT_VALID);
}

static void a_quiet_device_is_valid_and_recorded(void **state)
{
    (void)state;
    open_one_cell(quiet);
    device.during = (struct device_reading){.energy_j = 300, .power_w = 2, .temperature_c = 1};
    const struct cell_record *cell = measure();
    assert_only(&cell->verdict, VERDICT_CAUSE_COUNT, "");
    const struct device_conditions *first = &fixture.results.runs[0].conditions.device;
    assert_close(first->energy_j, 300, 1e-9);
    assert_string_equal(first->energy_source, "counter");
    assert_close(first->power_w, 301, 1e-9);
    assert_close(first->temperature_c, 51, 1e-9);
    assert_string_equal(first->throttle_reasons, "none seen");
    const struct device_conditions *all = &cell->conditions;
    assert_close(all->energy_per_token_j, 300.0 / TOKENS, 1e-9);
    assert_close(all->core_mhz, 1980, 1e-9);
    assert_close(all->power_w, 300 + RUNS, 1e-9); /* 301, 303, ... */
    assert_close(all->temperature_c, 50 + RUNS, 1e-9);
    assert_close(all->memory_used_mb, 1024, 1e-9);
    assert_string_equal(all->energy_source, "counter");
    fixture_close(&fixture);
}

static void every_disturbance_is_named(void **state)
{
    (void)state;
    static const struct {
        enum verdict_cause cause;
        struct device_reading during;
        int from_run;
        const char *says;
    } cases[] = {
        {VERDICT_GPU_SHARED, {.other_processes = 2}, RUNS - 1, "2 other processes"},
        {VERDICT_GPU_SHARED, {.other_processes = 1}, RUNS - 1, "1 other process computed"},
        {VERDICT_GPU_THROTTLED, {.throttle = DEVICE_THROTTLE_HEAT}, RUNS - 1, "1 of 8 runs"},
        {VERDICT_GPU_THROTTLED,
         {.throttle = DEVICE_THROTTLE_HARDWARE_HEAT | DEVICE_THROTTLE_POWER_BRAKE},
         RUNS - 1,
         "heat by hardware, power brake"},
        {VERDICT_GPU_THROTTLED,
         {.throttle = DEVICE_THROTTLE_HEAT | DEVICE_THROTTLE_HARDWARE_HEAT |
                      DEVICE_THROTTLE_HARDWARE | DEVICE_THROTTLE_POWER_BRAKE |
                      DEVICE_THROTTLE_SYNC_BOOST},
         RUNS - 1,
         "heat by driver, heat by hardware, hardware slowdown, power brake, sync boost"},
        {VERDICT_GPU_THROTTLED, {.throttle = DEVICE_THROTTLE_HARDWARE}, RUNS - 1, "hardware slow"},
        {VERDICT_GPU_THROTTLED, {.throttle = DEVICE_THROTTLE_SYNC_BOOST}, RUNS - 1, "sync boost"},
        {VERDICT_GPU_THROTTLED, {.heat_throttled_s = 0.25}, 0, "for 2 of 12"},
        {VERDICT_GPU_POWER_LIMIT, {.throttle = DEVICE_THROTTLE_POWER_LIMIT}, RUNS - 1, "power lim"},
        {VERDICT_GPU_POWER_LIMIT, {.power_throttled_s = 0.25}, 0, "for 2 of 12"},
        {VERDICT_GPU_CLOCKS, {.core_mhz = -200}, RUNS - 1, "SM clock was 1780 to 1980 MHz"},
        {VERDICT_GPU_CLOCKS, {.memory_mhz = -200}, RUNS - 1, "memory clock was 2419 to 2619 MHz"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        open_one_cell(quiet);
        device.during = cases[i].during;
        device.from_run = cases[i].from_run;
        assert_only(&measure()->verdict, (int)cases[i].cause, cases[i].says);
        fixture_close(&fixture);
    }
}

static void a_little_of_everything_is_no_reason(void **state)
{
    (void)state;
    open_one_cell(quiet);
    device.now.throttle = DEVICE_THROTTLE_SETTING;
    device.during = (struct device_reading){
        .heat_throttled_s = 0.02, .power_throttled_s = 0.02, .core_mhz = -10, .memory_mhz = -10};
    const struct cell_record *cell = measure();
    assert_only(&cell->verdict, VERDICT_CAUSE_COUNT, "");
    assert_string_equal(cell->conditions.throttle_reasons, "clocks set");
    assert_close(cell->conditions.heat_throttled_s, 0.02 * RUNS, 1e-9);
    fixture_close(&fixture);
}

/* No counter, or one that stands still: power times time, and it says so. */
static void energy_follows_from_power_without_a_counter(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        open_one_cell(quiet);
        device.now.energy_j = i == 0 ? NAN : 1e6;
        const struct cell_record *cell = measure();
        const struct run_record *run = &fixture.results.runs[3];
        assert_close(run->conditions.device.energy_j, 300 * run->total_latency, 1e-9);
        assert_string_equal(run->conditions.device.energy_source, "power");
        assert_string_equal(cell->conditions.energy_source, "power");
        assert_close(cell->conditions.energy_per_token_j, 300 * run->total_latency / TOKENS, 1e-6);
        fixture_close(&fixture);
    }
    open_one_cell(quiet); /* the counter begins to move */
    device.during.energy_j = 10;
    device.from_run = RUNS / 2;
    assert_string_equal(measure()->conditions.energy_source, "counter, power");
    fixture_close(&fixture);
}

static void what_is_not_shown_is_not_known(void **state)
{
    (void)state;
    struct device_reading nothing;
    device_reading_init(&nothing);
    open_one_cell(nothing);
    const struct cell_record *cell = measure();
    assert_only(&cell->verdict, VERDICT_CAUSE_COUNT, "");
    const struct device_conditions *run = &fixture.results.runs[0].conditions.device;
    assert_true(isnan(run->power_w) && isnan(run->energy_j) && isnan(run->other_processes));
    assert_string_equal(run->energy_source, "");
    assert_string_equal(run->throttle_reasons, "");
    assert_true(cell->conditions.energy_per_token_j == 0.0);
    struct text json = {0};
    struct error error = {0};
    assert_int_equal(results_write_json(&fixture.results, &json, &error), 0);
    assert_null(strstr(text_string(&json), "gpu_power_w"));
    text_free(&json);
    fixture_close(&fixture);
}

static void records_go_out_and_come_back(void **state)
{
    (void)state;
    open_one_cell(quiet);
    device.during = (struct device_reading){.energy_j = 300, .power_throttled_s = 0.25};
    device.now.throttle = DEVICE_THROTTLE_POWER_LIMIT | DEVICE_THROTTLE_SETTING;
    const struct cell_record *cell = measure();
    struct text json = {0}, csv = {0};
    struct error error = {0};
    struct results read;
    results_init(&read);
    assert_int_equal(results_write_json(&fixture.results, &json, &error), 0);
    assert_int_equal(results_parse_json(&read, text_string(&json), json.length, "results", &error),
                     0);
    assert_memory_equal(&read.cells[0].conditions, &cell->conditions, sizeof cell->conditions);
    const struct device_conditions *there = &read.runs[2].conditions.device;
    assert_string_equal(there->throttle_reasons, "power limit, clocks set");
    assert_close(there->power_throttled_s, 0.25, 1e-12);
    results_free(&read);
    assert_int_equal(results_write_csv(&fixture.results, &csv, &error), 0);
    assert_int_equal(results_parse_csv(&read, text_string(&csv), csv.length, "results", &error), 0);
    assert_string_equal(read.runs[2].conditions.device.throttle_reasons, "power limit, clocks set");
    results_free(&read);
    text_free(&json);
    text_free(&csv);
    fixture_close(&fixture);
}

/* The device is read around everything else: what reading it costs is in no counter. */
static void the_device_is_read_outside_the_counters(void **state)
{
    (void)state;
    open_one_cell(quiet);
    (void)measure();
    assert_int_equal(device.calls, 2 * RUNS);
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_quiet_device_is_valid_and_recorded),
        cmocka_unit_test(every_disturbance_is_named),
        cmocka_unit_test(a_little_of_everything_is_no_reason),
        cmocka_unit_test(energy_follows_from_power_without_a_counter),
        cmocka_unit_test(what_is_not_shown_is_not_known),
        cmocka_unit_test(records_go_out_and_come_back),
        cmocka_unit_test(the_device_is_read_outside_the_counters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
