/* Counters beside a measurement: from files made here, from none, from odd ones, and from the
 * machine the test runs on. */
#include "test.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/counters.h"

static char root[] = "/tmp/tokenmark_counters_XXXXXX";

static void write_file(const char *path, const char *content)
{
    char whole[512];
    (void)snprintf(whole, sizeof whole, "%s%s", root, path);
    for (char *slash = strchr(whole + strlen(root) + 1, '/'); slash != NULL;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(whole, 0700);
        *slash = '/';
    }
    FILE *stream = fopen(whole, "w");
    assert_non_null(stream);
    assert_int_equal(fputs(content, stream) >= 0, 1);
    assert_int_equal(fclose(stream), 0);
}

static int make_root(void **state)
{
    (void)state;
    return mkdtemp(root) == NULL;
}

static int remove_root(void **state)
{
    (void)state;
    char command[600];
    (void)snprintf(command, sizeof command, "rm -r '%s'", root);
    return system(command);
}

static void what_the_machine_does_not_show_is_nan(void **state)
{
    (void)state;
    struct counters counters;
    counters_read_under(&counters, "/nonexistent");
    assert_true(counters.involuntary_switches >= 0.0);
    assert_true(counters.own_cpu_s > 0.0);
    assert_true(isnan(counters.busy_cpu_s) && isnan(counters.steal_s));
    assert_true(isnan(counters.swapped_pages) && isnan(counters.throttle_events));
    assert_true(isnan(counters.cpu_mhz) && isnan(counters.energy_j));
}

static void every_counter_is_read(void **state)
{
    (void)state;
    double tick_s = 1.0 / (double)sysconf(_SC_CLK_TCK);
    write_file("/proc/stat", "cpu  100 20 30 4000 50 6 7 80 90 0\ncpu0 1 1 1 1 1 1 1 1 1 1\n");
    write_file("/proc/vmstat", "nr_free_pages 12\npswpin 300\npswpout 44\npswpfoo 5\n");
    write_file("/sys/devices/system/cpu/online", "0-1,4\n");
    static const struct {
        const char *path, *content;
    } cpus[] = {
        {"/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", "2000000\n"},
        {"/sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq", "3000000\n"},
        {"/sys/devices/system/cpu/cpu4/cpufreq/scaling_cur_freq", "4000000\n"},
        {"/sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count", "3\n"},
        {"/sys/devices/system/cpu/cpu4/thermal_throttle/core_throttle_count", "2\n"},
        {"/sys/class/powercap/intel-rapl:0/energy_uj", "1500000\n"},
        {"/sys/class/powercap/intel-rapl:0/max_energy_range_uj", "9000000\n"},
        {"/sys/class/powercap/intel-rapl:0:0/energy_uj", "700000\n"},
        {"/sys/class/powercap/intel-rapl:1/energy_uj", "2500000\n"},
        {"/sys/class/powercap/intel-rapl:1/max_energy_range_uj", "9000000\n"},
    };
    for (size_t i = 0; i < sizeof cpus / sizeof cpus[0]; i++)
        write_file(cpus[i].path, cpus[i].content);
    struct counters counters;
    counters_read_under(&counters, root);
    assert_close(counters.busy_cpu_s, 163.0 * tick_s, 1e-9);
    assert_close(counters.steal_s, 80.0 * tick_s, 1e-9);
    assert_true(counters.swapped_pages == 344.0);
    assert_close(counters.cpu_mhz, 3000.0, 1e-9);
    assert_true(counters.throttle_events == 5.0);
    assert_close(counters.energy_j, 4.0, 1e-9);
    assert_close(counters.energy_range_j, 18.0, 1e-9);
}

static void odd_files_are_as_good_as_none(void **state)
{
    (void)state;
    write_file("/proc/stat", "cpu  100 20 thirty\n");
    write_file("/sys/devices/system/cpu/online", "many\n");
    write_file("/sys/class/powercap/intel-rapl:0/energy_uj", "much\n");
    struct counters counters;
    counters_read_under(&counters, root);
    assert_true(isnan(counters.busy_cpu_s) && isnan(counters.cpu_mhz));
    assert_true(isnan(counters.energy_j));
}

static void a_difference_mends_a_wrapped_energy(void **state)
{
    (void)state;
    struct counters a = {
        .steal_s = 1.0, .cpu_mhz = 2000.0, .energy_j = 17.0, .energy_range_j = 18.0};
    struct counters b = {
        .steal_s = 1.5, .cpu_mhz = 3000.0, .energy_j = 2.0, .energy_range_j = 18.0};
    struct counters between = counters_difference(&a, &b);
    assert_close(between.steal_s, 0.5, 1e-12);
    assert_close(between.cpu_mhz, 2500.0, 1e-12);
    assert_close(between.energy_j, 3.0, 1e-12);
    b.energy_j = 17.5;
    assert_close(counters_difference(&a, &b).energy_j, 0.5, 1e-12);
}

static void this_process_is_counted(void **state)
{
    (void)state;
    struct counters before, after;
    counters_read(&before);
    volatile double sink = 0.0;
    do {
        for (int i = 0; i < 100000; i++)
            sink = sink + 1.0;
        counters_read(&after);
    } while (after.own_cpu_s - before.own_cpu_s < 0.02);
    struct counters between = counters_difference(&before, &after);
    assert_true(between.own_cpu_s >= 0.02);
    assert_true(between.involuntary_switches >= 0.0 && between.major_faults >= 0.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_machine_does_not_show_is_nan),
        cmocka_unit_test(every_counter_is_read),
        cmocka_unit_test(odd_files_are_as_good_as_none),
        cmocka_unit_test(a_difference_mends_a_wrapped_energy),
        cmocka_unit_test(this_process_is_counted),
    };
    return cmocka_run_group_tests(tests, make_root, remove_root);
}
