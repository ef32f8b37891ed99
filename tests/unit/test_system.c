/* Facts of the machine: from a root made here, from an empty one, from odd files, and from the
 * machine the test runs on. */
#include "test.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/system.h"
#include "base/system_files.h"

static char root[] = "/tmp/tokenmark_system_XXXXXX";

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

/* Two sockets of two cores with two threads each, CPU n and n + 4 on a core; CPU 8 is offline. */
static int make_root(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(root));
    write_file("/proc/cpuinfo",
               "processor\t: 0\nmodel\t\t: 207\nmodel name\t: Test CPU (R) @ 2GHz\n"
               "microcode\t: 0x2b\nflags\t\t: fpu vme hypervisor lahf_lm\n\n");
    write_file("/proc/meminfo", "MemTotal:       24684544 kB\nMemFree:        1 kB\n"
                                "MemAvailable:   1536 kB\nSwapTotal:             0 kB\n");
    write_file("/proc/loadavg", "0.56 0.44 12.31 3/103 29503\n");
    write_file("/proc/self/status", "Name:\tx\nCpus_allowed:\tff\nCpus_allowed_list:\t0-2,5\n");
    write_file("/proc/sys/kernel/osrelease", "6.1.0-18-amd64\n");
    write_file("/etc/os-release", "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\n");
    write_file("/sys/devices/system/cpu/online", "0-7\n");
    write_file("/sys/devices/system/node/online", "0-1\n");
    write_file("/sys/devices/system/cpu/smt/active", "1\n");
    write_file("/sys/devices/system/cpu/intel_pstate/no_turbo", "1\n");
    write_file("/sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n");
    for (int cpu = 0; cpu < 8; cpu++) {
        char path[256], text[64];
        (void)snprintf(path, sizeof path,
                       "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu);
        (void)snprintf(text, sizeof text, "%d,%d\n", cpu % 4, cpu % 4 + 4);
        write_file(path, text);
        (void)snprintf(path, sizeof path,
                       "/sys/devices/system/cpu/cpu%d/topology/core_siblings_list", cpu);
        int first = cpu % 4 / 2 * 2;
        (void)snprintf(text, sizeof text, "%d-%d,%d-%d\n", first, first + 1, first + 4, first + 5);
        write_file(path, text);
        (void)snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/cpufreq/scaling_governor",
                       cpu);
        write_file(path, "performance\n");
    }
    write_file("/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq", "3700000\n");
    return 0;
}

static int remove_root(void **state)
{
    (void)state;
    char command[256];
    (void)snprintf(command, sizeof command, "rm -r '%s'", root);
    return system(command) == 0 ? 0 : -1;
}

static const char *fact_text(const json_t *facts, const char *key)
{
    const char *text = json_string_value(json_object_get(facts, key));
    return text != NULL ? text : "(no text)";
}

static json_int_t fact_count(const json_t *facts, const char *key)
{
    const json_t *value = json_object_get(facts, key);
    return json_is_integer(value) ? json_integer_value(value) : -1000;
}

static void test_a_machine_that_shows_all(void **state)
{
    (void)state;
    json_t *facts = system_facts_under(root);
    assert_non_null(facts);
    assert_string_equal(fact_text(facts, "cpu_model"), "Test CPU (R) @ 2GHz");
    assert_string_equal(fact_text(facts, "microcode"), "0x2b");
    assert_true(json_is_true(json_object_get(facts, "virtual_machine")));
    assert_int_equal(fact_count(facts, "logical_cpus"), 8);
    assert_int_equal(fact_count(facts, "physical_cores"), 4);
    assert_int_equal(fact_count(facts, "sockets"), 2);
    assert_int_equal(fact_count(facts, "numa_nodes"), 2);
    assert_true(json_is_true(json_object_get(facts, "smt")));
    assert_true(json_is_false(json_object_get(facts, "turbo")));
    assert_string_equal(fact_text(facts, "governor"), "performance");
    assert_string_equal(fact_text(facts, "affinity_cpus"), "0-2,5");
    assert_int_equal(fact_count(facts, "cpu_max_mhz"), 3700);
    assert_true(json_real_value(json_object_get(facts, "memory_total_mb")) == 24684544 / 1024.0);
    assert_true(json_real_value(json_object_get(facts, "memory_available_mb")) == 1.5);
    assert_true(json_is_real(json_object_get(facts, "swap_total_mb")));
    assert_string_equal(fact_text(facts, "transparent_huge_pages"), "madvise");
    assert_string_equal(fact_text(facts, "os"), "Debian GNU/Linux 12 (bookworm)");
    assert_string_equal(fact_text(facts, "kernel"), "6.1.0-18-amd64");
    const json_t *load = json_object_get(facts, "load_average");
    assert_int_equal(json_array_size(load), 3);
    assert_true(json_real_value(json_array_get(load, 2)) == 12.31);
    json_decref(facts);
}

static void test_governors_that_differ_and_a_boost_switch(void **state)
{
    (void)state;
    write_file("/sys/devices/system/cpu/cpu5/cpufreq/scaling_governor", "powersave\n");
    write_file("/sys/devices/system/cpu/intel_pstate/no_turbo", "?\n");
    write_file("/sys/devices/system/cpu/cpufreq/boost", "1\n");
    json_t *facts = system_facts_under(root);
    assert_string_equal(fact_text(facts, "governor"), "mixed");
    assert_true(json_is_true(json_object_get(facts, "turbo")));
    json_decref(facts);
}

static void test_odd_files_give_nulls(void **state)
{
    (void)state;
    write_file("/proc/cpuinfo", "model name\t: caf\xe9\n");
    write_file("/proc/meminfo", "MemTotal: many\nMemAvailable: 12 MB\n");
    write_file("/proc/loadavg", "high\n");
    write_file("/sys/devices/system/cpu/online", "0-99999999\n");
    write_file("/sys/devices/system/cpu/smt/active", "7\n");
    write_file("/sys/kernel/mm/transparent_hugepage/enabled", "always [madvise\n");
    json_t *facts = system_facts_under(root);
    assert_non_null(facts);
    static const char *const keys[] = {
        "cpu_model",
        "microcode",
        "virtual_machine",
        "logical_cpus",
        "physical_cores",
        "sockets",
        "smt",
        "governor",
        "memory_total_mb",
        "memory_available_mb",
        "swap_total_mb",
        "load_average",
        "transparent_huge_pages",
    };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (!json_is_null(json_object_get(facts, keys[i])))
            fail_msg("%s is not null", keys[i]);
    json_decref(facts);
}

/* Every fact has its key, known or not: readers of the results need not ask which exist. */
static void test_an_empty_root_has_every_key(void **state)
{
    (void)state;
    json_t *real = system_facts();
    json_t *empty = system_facts_under("/nonexistent");
    assert_non_null(real);
    assert_non_null(empty);
    assert_int_equal(json_object_size(real), json_object_size(empty));
    const char *key;
    json_t *value;
    size_t known = 0;
    json_object_foreach(empty, key, value)
    {
        assert_non_null(json_object_get(real, key));
        known += !json_is_null(value);
    }
    /* architecture, libc and cgroup limits are the process's own. */
    assert_in_range(known, 1, 4);
    json_decref(real);
    json_decref(empty);
}

static void test_this_machine(void **state)
{
    (void)state;
    json_t *facts = system_facts();
    assert_non_null(facts);
    assert_true(json_real_value(json_object_get(facts, "memory_total_mb")) > 16.0);
    assert_true(json_is_string(json_object_get(facts, "kernel")));
    json_int_t logical = fact_count(facts, "logical_cpus");
    assert_int_equal(logical, sysconf(_SC_NPROCESSORS_ONLN));
    json_int_t cores = fact_count(facts, "physical_cores");
    assert_true(cores == -1000 || (cores >= 1 && cores <= logical));
    char name[256] = "";
    assert_int_equal(gethostname(name, sizeof name - 1), 0);
    const char *key;
    json_t *value;
    json_object_foreach(facts, key, value)
    {
        assert_string_not_equal(key, "hostname");
        if (json_is_string(value))
            assert_string_not_equal(json_string_value(value), name);
    }
    json_decref(facts);
}

static void test_lists(void **state)
{
    (void)state;
    static const struct {
        const char *list;
        long count;
    } cases[] = {
        {"0", 1},     {"0-3,8", 5}, {"1,1-2", 2},   {"8191", 1}, {"", -1},
        {"8192", -1}, {"3-1", -1},  {"-1", -1},     {"1,", -1},  {"a", -1},
        {"1-", -1},   {"1;2", -1},  {"0-9999", -1},
    };
    static bool member[SYSTEM_CPUS_MAX];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(system_parse_list(cases[i].list, member), cases[i].count);
    assert_int_equal(system_parse_list("2-3,7", member), 3);
    assert_true(member[2] && member[3] && member[7] && !member[0] && !member[4]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_machine_that_shows_all),
        cmocka_unit_test(test_governors_that_differ_and_a_boost_switch),
        cmocka_unit_test(test_odd_files_give_nulls),
        cmocka_unit_test(test_an_empty_root_has_every_key),
        cmocka_unit_test(test_this_machine),
        cmocka_unit_test(test_lists),
    };
    return cmocka_run_group_tests(tests, make_root, remove_root);
}
