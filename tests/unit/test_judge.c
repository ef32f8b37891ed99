/* Verdicts on scripted measurements: a quiet grid is VALID, every disturbance is named, and the
 * limits of a cell are what its bytes and operations say. */
#include "bench_fixture.h"

#include "bench/judge.h"
#include "model/cost.h"

enum { WARM_UPS = 2, RUNS = 8 };

/* Counters that rise by `during` inside every run from `from_run` on, and stand still between. */
struct counter_script {
    struct counters total, during;
    int calls;
    int from_run;
};

static void read_scripted(void *context, struct counters *counters)
{
    struct counter_script *script = context;
    if (script->calls % 2 == 1 && script->calls / 2 >= script->from_run) {
        script->total.involuntary_switches += script->during.involuntary_switches;
        script->total.major_faults += script->during.major_faults;
        script->total.busy_cpu_s += script->during.busy_cpu_s;
        script->total.steal_s += script->during.steal_s;
        script->total.swapped_pages += script->during.swapped_pages;
        script->total.throttle_events += script->during.throttle_events;
        script->total.energy_j += script->during.energy_j;
        script->total.cpu_mhz += script->during.cpu_mhz;
    }
    script->calls++;
    *counters = script->total;
}

static struct fixture fixture;
static struct counter_script counters;
static int64_t resolution_ns; /* of the device's clock; 0: not told */

static void open_one_cell(int64_t runs)
{
    fixture_init(&fixture);
    fixture.config.batch_sizes.count = 1;
    fixture.config.input_lengths.count = 1;
    fixture.config.num_runs = runs;
    counters = (struct counter_script){.total = {.cpu_mhz = 3000.0, .energy_range_j = 1e6}};
}

static const struct verdict *measure(void)
{
    fixture_open(&fixture);
    fixture.options.watch = (struct watch_options){
        .read_counters = read_scripted, .counters_context = &counters, .cpu_count = 4};
    if (resolution_ns > 0)
        fixture.results.system = json_pack("{s:{s:I}}", "engine", "device_clock_resolution_ns",
                                           (json_int_t)resolution_ns);
    assert_int_equal(fixture_run(&fixture), 0);
    return &fixture.results.cells[0].verdict;
}

/* The only reason of the verdict is this one. */
static void assert_named(const struct verdict *verdict, enum verdict_cause cause)
{
    for (int i = 0; i < VERDICT_CAUSE_COUNT; i++) {
        if (verdict->given[i] != (i == (int)cause))
            fail_msg("%s: %s", verdict_causes[i].name,
                     verdict->given[i] ? verdict->texts[i] : "not named");
    }
    assert_int_equal(verdict->level, verdict_causes[cause].level);
}

static void a_quiet_grid_is_valid(void **state)
{
    (void)state;
    open_one_cell(RUNS);
    const struct verdict *verdict = measure();
    assert_int_equal(verdict->level, VERDICT_VALID);
    for (int i = 0; i < VERDICT_CAUSE_COUNT; i++)
        assert_false(verdict->given[i]);
    assert_true(fixture.results.runs[0].conditions.involuntary_switches == 0.0);
    assert_true(fixture.results.runs[0].conditions.cpu_mhz == 3000.0);
    fixture_close(&fixture);
}

static void few_runs_are_said_to_be_few(void **state)
{
    (void)state;
    static const char *const says[] = {"single run: spread unknown", "two runs: spread unknown"};
    for (int64_t runs = 1; runs <= 2; runs++) {
        open_one_cell(runs);
        const struct verdict *verdict = measure();
        assert_named(verdict, VERDICT_TOO_FEW_RUNS);
        assert_string_equal(verdict->texts[VERDICT_TOO_FEW_RUNS], says[runs - 1]);
        fixture_close(&fixture);
    }
    open_one_cell(3);
    assert_int_equal(measure()->level, VERDICT_VALID);
    fixture_close(&fixture);
}

static void what_times_show_is_named(void **state)
{
    (void)state;
    static const struct {
        enum verdict_cause cause;
        bool spreads; /* so far that the spread is named too */
        double factors[RUNS];
    } cases[] = {
        {VERDICT_SPREAD, true, {1.0, 1.1, 0.95, 1.15, 0.9, 1.05, 1.0, 1.12}},
        {VERDICT_OUTLIERS, false, {1.0, 1.01, 1.0, 1.0, 1.12, 1.0, 1.01, 1.0}},
        {VERDICT_TREND, false, {1.0, 1.005, 1.01, 1.015, 1.02, 1.025, 1.03, 1.035}},
        {VERDICT_TWO_MODES, false, {1.0, 1.08, 1.0, 1.08, 1.08, 1.0, 1.08, 1.0}},
        {VERDICT_SLOW_FIRST_RUN, false, {1.07, 1.0, 1.01, 1.0, 1.01, 1.0, 1.01, 1.0}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double factors[WARM_UPS + RUNS] = {1.0, 1.0};
        memcpy(factors + WARM_UPS, cases[i].factors, sizeof cases[i].factors);
        open_one_cell(RUNS);
        fixture.script.factors = factors;
        fixture.script.factor_count = WARM_UPS + RUNS;
        const struct verdict *verdict = measure();
        if (!verdict->given[cases[i].cause])
            fail_msg("%s is not named", verdict_causes[cases[i].cause].name);
        assert_int_equal(verdict->given[VERDICT_SPREAD], cases[i].spreads);
        assert_int_equal(verdict->level, VERDICT_NOISY);
        assert_int_equal(fixture.results.run_count, RUNS);
        fixture_close(&fixture);
    }
}

/* A run of the fixture takes about 1.5 s. */
static void what_counters_show_is_named(void **state)
{
    (void)state;
    static const struct {
        enum verdict_cause cause;
        struct counters during;
        const char *says;
    } cases[] = {
        {VERDICT_PREEMPTED,
         {.involuntary_switches = 100, .busy_cpu_s = 0.1},
         "800 involuntary context switches"},
        {VERDICT_STEAL, {.steal_s = 0.25}, "2.00 s"},
        {VERDICT_OTHER_LOAD, {.busy_cpu_s = 2.0}, "of 4 CPUs"},
        {VERDICT_THROTTLED, {.throttle_events = 1}, "8 throttling"},
        {VERDICT_MAJOR_FAULTS, {.major_faults = 2}, "16 major"},
        {VERDICT_SWAP, {.swapped_pages = 100}, "800 pages"},
        {VERDICT_FREQUENCY, {.cpu_mhz = 100}, "MHz"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        open_one_cell(RUNS);
        counters.during = cases[i].during;
        const struct verdict *verdict = measure();
        assert_named(verdict, cases[i].cause);
        assert_contains(verdict->texts[cases[i].cause], cases[i].says);
        fixture_close(&fixture);
    }
}

/* A cell's decode takes 4 steps of about half a second: one per cent and 0.1 ms are allowed. */
static void clocks_that_differ_are_named(void **state)
{
    (void)state;
    static const struct {
        double clock;
        bool named;
    } cases[] = {{0.0, false},   {1.0, false},   {1.0099, false}, {0.9901, false},
                 {1.0102, true}, {0.9898, true}, {3.0, true}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        open_one_cell(RUNS);
        fixture.script.device_clock = cases[i].clock;
        const struct verdict *verdict = measure();
        const struct run_record *run = &fixture.results.runs[0];
        assert_true(cases[i].clock > 0.0 ? run->device_decode_time > 0.0
                                         : isnan(run->device_decode_time));
        if (cases[i].named)
            assert_named(verdict, VERDICT_CLOCKS_DIFFER);
        else
            assert_int_equal(verdict->level, VERDICT_VALID);
        fixture_close(&fixture);
    }
}

/* A clock that moves on every 5 ms may be off by two of its steps more. */
static void a_coarse_device_clock_is_allowed_for(void **state)
{
    (void)state;
    static const struct {
        double clock;
        bool named;
    } cases[] = {{1.0102, false}, {0.9898, false}, {1.014, false}, {1.03, true}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        open_one_cell(RUNS);
        fixture.script.device_clock = cases[i].clock;
        resolution_ns = 5000000;
        const struct verdict *verdict = measure();
        resolution_ns = 0;
        assert_int_equal(verdict->given[VERDICT_CLOCKS_DIFFER], cases[i].named);
        fixture_close(&fixture);
    }
}

static void a_little_of_everything_is_no_reason(void **state)
{
    (void)state;
    open_one_cell(RUNS);
    counters.during = (struct counters){.involuntary_switches = 500,
                                        .busy_cpu_s = 0.02,
                                        .steal_s = 0.005,
                                        .swapped_pages = 10,
                                        .cpu_mhz = 5};
    assert_int_equal(measure()->level, VERDICT_VALID);
    fixture_close(&fixture);
}

static void energy_is_per_generated_token(void **state)
{
    (void)state;
    open_one_cell(RUNS);
    counters.during.energy_j = 15.0;
    assert_int_equal(measure()->level, VERDICT_VALID);
    /* Five tokens a run, batch 1. */
    assert_close(fixture.results.cells[0].limits.energy_per_token_j, 3.0, 1e-12);
    fixture_close(&fixture);
}

static void parse_model(struct architecture *architecture)
{
    static const char json[] = "{\"model_type\": \"gpt2\", \"vocab_size\": 512, \"n_positions\": "
                               "1024, \"n_embd\": 64, \"n_layer\": 2, \"n_head\": 4}";
    struct error error = {0};
    json_t *config = json_loads(json, 0, NULL);
    assert_int_equal(architecture_from_config(architecture, config, "config.json", &error), 0);
    json_decref(config);
}

static struct architecture architecture;

/* Bytes of the cell's mean step over its time: what the decode reads a second. */
static double decode_rate(void)
{
    const struct cell_record *cell = &fixture.results.cells[0];
    struct model_cost step = model_cost_decode_step(
        &architecture, cell->batch_size, cell->input_length, 4, (struct model_cost_types){4, 4});
    return (step.weight_bytes + step.kv_bytes) / fixture.results.runs[0].decode_time_per_token;
}

static const struct cell_record *measure_limits(double bandwidth, double peak)
{
    parse_model(&architecture);
    open_one_cell(RUNS);
    fixture.script.bandwidth = bandwidth;
    fixture_open(&fixture);
    fixture.options.watch = (struct watch_options){
        .architecture = &architecture,
        .types = {4, 4},
        .peak_flops_per_s = peak,
        .bandwidth_s = 0.3,
    };
    return &fixture.results.cells[0];
}

/* Lost in what is read before a cell: the cell is left for a fresh process. */
static void a_device_lost_in_the_probe_costs_no_cell(void **state)
{
    (void)state;
    const struct cell_record *cell = measure_limits(1e9, 1e9);
    fixture.script.probes_left = 2;
    assert_int_equal(fixture_run(&fixture), ERROR_DEVICE);
    assert_int_equal(cell->status, CELL_PENDING);
    assert_string_equal(cell->reason, "");
    assert_null(strstr(text_string(&fixture.log), "open"));
    fixture_close(&fixture);
}

static void limits_follow_from_bytes_and_ceilings(void **state)
{
    (void)state;
    const struct cell_record *cell = measure_limits(1e9, 1e9);
    assert_int_equal(fixture_run(&fixture), 0);
    const struct cell_limits *limits = &cell->limits;
    assert_int_equal(cell->verdict.level, VERDICT_VALID);
    assert_close(limits->bandwidth_before, 1.0, 1e-9);
    assert_close(limits->bandwidth_after, 1.0, 1e-9);
    assert_close(limits->mbu, decode_rate() / 1e9, 1e-9);
    assert_close(limits->mfu, limits->prefill_flops / fixture.results.runs[0].prefill_time / 1e9,
                 1e-9);
    assert_close(limits->decode_step_floor_s, limits->decode_step_bytes / 1e9, 1e-12);
    assert_close(limits->prefill_floor_s, fmax(limits->prefill_bytes, limits->prefill_flops) / 1e9,
                 1e-12);
    assert_string_equal(limits->bound, "memory");
    fixture_close(&fixture);
    (void)measure_limits(1e12, 1e6);
    assert_int_equal(fixture_run(&fixture), 0);
    assert_string_equal(fixture.results.cells[0].limits.bound, "compute");
    assert_string_equal(fixture.results.cells[0].limits.prefill_bound, "compute");
    fixture_close(&fixture);
}

static void a_ceiling_that_is_exceeded_is_wrong(void **state)
{
    (void)state;
    (void)measure_limits(1e6, 0.0);
    assert_int_equal(fixture_run(&fixture), 0);
    assert_true(fixture.results.cells[0].limits.mbu > 0.0);
    double needed = decode_rate() / 1.2;
    fixture_close(&fixture);
    (void)measure_limits(needed, 0.0);
    assert_int_equal(fixture_run(&fixture), 0);
    assert_close(fixture.results.cells[0].limits.mbu, 1.2, 1e-6);
    assert_named(&fixture.results.cells[0].verdict, VERDICT_BANDWIDTH_EXCEEDED);
    assert_true(fixture.results.cells[0].limits.mfu == 0.0);
    fixture_close(&fixture);
}

static double find_higher_peak(void *context)
{
    (void)context;
    return 1e12;
}

static void a_peak_that_is_exceeded_is_measured_again(void **state)
{
    (void)state;
    (void)measure_limits(1e9, 1e3);
    assert_int_equal(fixture_run(&fixture), 0);
    assert_named(&fixture.results.cells[0].verdict, VERDICT_PEAK_EXCEEDED);
    fixture_close(&fixture);
    (void)measure_limits(1e9, 1e3);
    fixture.options.watch.read_peak = find_higher_peak;
    assert_int_equal(fixture_run(&fixture), 0);
    assert_int_equal(fixture.results.cells[0].verdict.level, VERDICT_VALID);
    assert_true(fixture.results.cells[0].limits.peak_flops_per_s == 1e12);
    fixture_close(&fixture);
}

static void slow_down_in_the_second_pass(struct fixture *at, const struct runner_event *event)
{
    if (event->kind == RUNNER_CELL_END)
        at->script.step_s = 0.3;
}

/* A little noise inside the passes, so that they have a spread to differ by more than. */
static void passes_that_differ_are_named(void **state)
{
    (void)state;
    static const double factors[] = {1.0, 1.0, 1.0, 1.002, 0.999, 1.001};
    open_one_cell(RUNS);
    schedule_init(&fixture.schedule, RUNS);
    fixture.schedule.passes = 2;
    fixture.script.factors = factors;
    fixture.script.factor_count = 6;
    fixture.watch = slow_down_in_the_second_pass;
    const struct verdict *verdict = measure();
    assert_true(verdict->given[VERDICT_PASSES_DIFFER]);
    assert_int_equal(verdict->level, VERDICT_NOISY);
    fixture_close(&fixture);
}

static void slow_down_memory(struct fixture *at, const struct runner_event *event)
{
    if (event->kind == RUNNER_RUN_END)
        at->script.bandwidth = 0.8e9;
}

static void bandwidth_that_changes_is_named(void **state)
{
    (void)state;
    (void)measure_limits(1e9, 0.0);
    fixture.watch = slow_down_memory;
    assert_int_equal(fixture_run(&fixture), 0);
    const struct cell_record *cell = &fixture.results.cells[0];
    assert_close(cell->limits.bandwidth_before, 1.0, 1e-9);
    assert_close(cell->limits.bandwidth_after, 0.8, 1e-9);
    assert_named(&cell->verdict, VERDICT_BANDWIDTH_CHANGED);
    fixture_close(&fixture);
}

static void wrong_tokens_are_invalid(void **state)
{
    (void)state;
    struct error error = {0};
    struct results results;
    results_init(&results);
    struct cell_record cell = {.batch_size = 1, .input_length = 4};
    assert_int_equal(judge_cell(&cell, &results, 0, &error), 0);
    assert_int_equal(cell.verdict.level, VERDICT_NONE);
    (void)snprintf(cell.output_check, sizeof cell.output_check, "passed");
    assert_int_equal(judge_cell(&cell, &results, 0, &error), 0);
    assert_int_equal(cell.verdict.level, VERDICT_NONE);
    (void)snprintf(cell.output_check, sizeof cell.output_check, "all rows are equal");
    assert_int_equal(judge_cell(&cell, &results, 0, &error), 0);
    assert_named(&cell.verdict, VERDICT_OUTPUT_CHECK);
    results_free(&results);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_quiet_grid_is_valid),
        cmocka_unit_test(few_runs_are_said_to_be_few),
        cmocka_unit_test(what_times_show_is_named),
        cmocka_unit_test(what_counters_show_is_named),
        cmocka_unit_test(clocks_that_differ_are_named),
        cmocka_unit_test(a_coarse_device_clock_is_allowed_for),
        cmocka_unit_test(a_little_of_everything_is_no_reason),
        cmocka_unit_test(energy_is_per_generated_token),
        cmocka_unit_test(a_device_lost_in_the_probe_costs_no_cell),
        cmocka_unit_test(limits_follow_from_bytes_and_ceilings),
        cmocka_unit_test(a_ceiling_that_is_exceeded_is_wrong),
        cmocka_unit_test(a_peak_that_is_exceeded_is_measured_again),
        cmocka_unit_test(passes_that_differ_are_named),
        cmocka_unit_test(bandwidth_that_changes_is_named),
        cmocka_unit_test(wrong_tokens_are_invalid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
