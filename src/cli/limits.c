/* tokenmark limits: what this machine can do at most, as the engine's own probes measure it. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"
#include "base/system.h"
#include "base/thread_pool.h"
#include "bench/limit_reading.h"
#include "cli/cli.h"
#include "cli/command.h"
#include "cli/gpu_facts.h"
#include "cli/peak.h"
#include "cli/readable.h"
#include "cli/setup.h"
#include "cli/terminal.h"

static const double reading_s = 0.15;
enum { THREADS_MAX = 4096 };

struct limits_flags {
    struct setup_flags setup;
    const char *device;
    bool json;
};

static const struct option limits_options[] = {
    {.name = "device",
     .value = "NAME",
     .kind = OPTION_TEXT,
     .choices = "auto cpu cuda",
     .offset = offsetof(struct limits_flags, device),
     .help = "auto, cpu, cuda or cuda:N (auto)"},
    {.name = "threads",
     .value = "N",
     .kind = OPTION_INTEGER,
     .minimum = 1,
     .maximum = THREADS_MAX,
     .offset = offsetof(struct limits_flags, setup.threads),
     .help = "most CPU threads (the physical cores this process may use)"},
    {.name = "isa",
     .value = "NAME",
     .kind = OPTION_TEXT,
     .choices = "auto c avx2 avx512 avx512_vnni avx512_bf16 neon neon_dotprod",
     .offset = offsetof(struct limits_flags, setup.isa),
     .help = "force a lower instruction set than the CPU has (auto)"},
    {.name = "pin",
     .value = "on|off",
     .kind = OPTION_CHOICE,
     .choices = "on off",
     .offset = offsetof(struct limits_flags, setup.pin),
     .help = "bind each thread to a CPU (on)"},
    {.name = "json",
     .kind = OPTION_SWITCH,
     .offset = offsetof(struct limits_flags, json),
     .help = "print one JSON object instead of tables"},
};

static const struct option_group limits_groups[] = {
    {.title = "Options",
     .options = limits_options,
     .option_count = sizeof limits_options / sizeof limits_options[0]},
};

struct limits {
    struct limits_flags flags;
    struct progress progress;
    json_t *system;
    json_t *bandwidth, *copy, *multiply; /* lists of readings */
};

static json_t *interval_json(struct stats_interval interval, double unit)
{
    return json_pack("[o, o]", json_number(interval.low / unit), json_number(interval.high / unit));
}

/* Does the host's CPU do the work? */
static bool has_threads(const json_t *facts)
{
    return json_is_integer(json_object_get(facts, "threads"));
}

/* The engine without a model, for one thread count and type. */
static int open_engine(struct setup *setup, struct limits *limits, int threads, const char *dtype,
                       struct error *error)
{
    struct setup_flags flags = limits->flags.setup;
    flags.threads = threads;
    flags.dtype = dtype;
    int code = setup_choose_device(setup, limits->flags.device, error);
    return code != 0 ? code : setup_open_engine(setup, &flags, &limits->progress, error);
}

/* A device of its own has its own memory: only trying tells whether a buffer fits there. */
static int64_t most_bytes(const struct setup *setup)
{
    return json_is_integer(json_object_get(setup->facts, "device_memory_bytes"))
               ? INT64_MAX
               : memory_available_bytes() / 4;
}

/* One list of readings; the sizes that fit, or none where the engine has no such probe. */
static int measure_sizes(json_t *list, const struct setup *setup, enum limit_kind kind, int threads,
                         struct error *error)
{
    static const int64_t sizes_mb[] = {1, 4, 16, 64, 256, 1024};
    int64_t most = most_bytes(setup);
    for (size_t i = 0; i < sizeof sizes_mb / sizeof sizes_mb[0]; i++) {
        struct limit_probe probe = {
            .kind = kind, .dtype = "float32", .working_bytes = sizes_mb[i] << 20};
        struct limit_reading reading;
        if (probe.working_bytes > most)
            break;
        int code = limit_measure(&reading, setup->ops, setup->engine, clock_monotonic(), &probe,
                                 reading_s, error);
        if ((code == ERROR_MEMORY && i > 0) ||
            (code == ERROR_INPUT && kind != LIMIT_READ_BANDWIDTH))
            break;
        if (code != 0)
            return code;
        json_t *item =
            json_pack("{s:i, s:I, s:f, s:o, s:I}", "threads", threads, "working_bytes",
                      (json_int_t)probe.working_bytes, "gb_per_s", reading.rate / 1e9, "ci95",
                      interval_json(reading.interval, 1e9), "passes", (json_int_t)reading.passes);
        if (json_array_append_new(list, item) != 0)
            return error_set(error, ERROR_MEMORY, "no memory for a reading");
    }
    limit_release(setup->ops, setup->engine);
    return 0;
}

static int measure_bandwidth(struct limits *limits, int threads, struct error *error)
{
    struct setup setup = {0};
    int code = open_engine(&setup, limits, threads, "auto", error);
    int shown = has_threads(setup.facts) ? threads : 0;
    if (code == 0)
        code = measure_sizes(limits->bandwidth, &setup, LIMIT_READ_BANDWIDTH, shown, error);
    if (code == 0)
        code = measure_sizes(limits->copy, &setup, LIMIT_COPY_BANDWIDTH, shown, error);
    setup_close(&setup);
    return code;
}

/* A type that the engine does not have is recorded with the reason. */
static int measure_peak(struct limits *limits, int threads, const char *dtype, struct error *error)
{
    struct setup setup = {0};
    struct limit_reading reading;
    json_t *item = NULL;
    struct error refused = {0};
    int code = open_engine(&setup, limits, threads > 0 ? threads : 1, dtype, &refused);
    if (code == ERROR_INPUT) {
        item = json_pack("{s:s, s:i, s:s}", "dtype", dtype, "threads", threads, "unavailable",
                         refused.text);
        code = 0;
    } else if (code != 0) {
        *error = refused;
    } else {
        code = peak_measure(&reading, &setup, limits->system, error);
        if (code == 0)
            item = json_pack("{s:s, s:i, s:f, s:o, s:f, s:I}", "dtype", dtype, "threads", threads,
                             "gflop_per_s", reading.rate / 1e9, "ci95",
                             interval_json(reading.interval, 1e9), "best", reading.best / 1e9,
                             "passes", (json_int_t)reading.passes);
    }
    setup_close(&setup);
    if (code == 0 && json_array_append_new(limits->multiply, item) != 0)
        code = error_set(error, ERROR_MEMORY, "no memory for a reading");
    return code;
}

static int measure_all(struct limits *limits, json_t **facts, struct error *error)
{
    static const char *const dtypes[] = {"float32", "float16", "bfloat16", "int8", "int4"};
    struct setup setup = {0};
    int code = open_engine(&setup, limits, (int)limits->flags.setup.threads, "auto", error);
    int most = 1;
    bool on_host = has_threads(setup.facts);
    if (code == 0) {
        most = on_host ? (int)json_integer_value(json_object_get(setup.facts, "threads")) : 1;
        *facts = json_deep_copy(setup.facts);
        (void)json_object_set_new(*facts, "name", json_string(setup.ops->name));
        if (!gpu_facts_add(limits->system, *facts, &setup))
            code = error_set(error, ERROR_MEMORY, "no memory for the facts of the GPU");
    }
    setup_close(&setup);
    for (int threads = 1; code == 0; threads = threads * 2 < most ? threads * 2 : most) {
        code = measure_bandwidth(limits, threads, error);
        if (threads == most)
            break;
    }
    for (size_t i = 0; code == 0 && i < sizeof dtypes / sizeof dtypes[0]; i++)
        code = measure_peak(limits, on_host ? most : 0, dtypes[i], error);
    return code;
}

static double number_of(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

static void print_reading(const json_t *item, const char *key, const char *unit)
{
    const json_t *interval = json_object_get(item, "ci95");
    char value[READABLE_MAX], low[READABLE_MAX], high[READABLE_MAX];
    readable_number(value, number_of(item, key));
    readable_number(low, json_number_value(json_array_get(interval, 0)));
    readable_number(high, json_number_value(json_array_get(interval, 1)));
    (void)printf("%10s %s   %s to %s\n", value, unit, low, high);
}

/* A device that is not the host's CPU has no threads to tell. */
static void print_threads(const json_t *item)
{
    double threads = number_of(item, "threads");
    if (threads > 0)
        (void)printf("%7.0f", threads);
    else
        (void)printf("      -");
}

static void print_bandwidth(const json_t *list, const char *title)
{
    size_t index;
    json_t *item;
    (void)printf("\n%s: median of the passes, and its 95 %% interval\n", title);
    (void)printf("threads  working set\n");
    json_array_foreach(list, index, item)
    {
        char size[READABLE_MAX];
        readable_bytes(size, number_of(item, "working_bytes"));
        print_threads(item);
        (void)printf("  %11s", size);
        print_reading(item, "gb_per_s", "GB/s");
    }
}

static void print_tables(const struct limits *limits, const json_t *facts)
{
    const char *cpu = json_string_value(json_object_get(limits->system, "cpu_model"));
    const char *gpu = json_string_value(json_object_get(facts, "device_name"));
    const char *isa = json_string_value(json_object_get(facts, "isa"));
    const char *hardware = gpu != NULL ? gpu : cpu;
    (void)printf("%s, %s%s%s\n", hardware != NULL ? hardware : "unknown CPU",
                 json_string_value(json_object_get(facts, "name")), isa != NULL ? ", " : "",
                 isa != NULL ? isa : "");
    print_bandwidth(limits->bandwidth, "Read bandwidth");
    if (json_array_size(limits->copy) > 0)
        print_bandwidth(limits->copy, "Copy bandwidth, bytes read and bytes written");
    (void)printf("\nMultiply-add rate: median of the passes, and its 95 %% interval\n");
    (void)printf("threads  type\n");
    size_t index;
    json_t *item;
    json_array_foreach(limits->multiply, index, item)
    {
        const char *missing = json_string_value(json_object_get(item, "unavailable"));
        print_threads(item);
        (void)printf("  %-11s", json_string_value(json_object_get(item, "dtype")));
        if (missing != NULL)
            (void)printf("   %s\n", missing);
        else
            print_reading(item, "gflop_per_s", "GFLOP/s");
    }
}

static int print_json(const struct limits *limits, json_t *facts, struct error *error)
{
    struct text text = {0};
    json_t *document = json_pack("{s:O, s:O, s:O, s:O, s:O}", "system", limits->system, "engine",
                                 facts, "read_bandwidth", limits->bandwidth, "copy_bandwidth",
                                 limits->copy, "multiply_add", limits->multiply);
    int code = document != NULL ? json_text_dump(&text, document, 2, error)
                                : error_set(error, ERROR_MEMORY, "no memory for the readings");
    if (code == 0)
        (void)printf("%s\n", text_string(&text));
    text_free(&text);
    json_decref(document);
    return code;
}

static int run_limits(const struct command *command, int argument_count, char **arguments)
{
    struct limits limits = {.flags.setup = setup_flags_default, .flags.device = "auto"};
    struct operands operands;
    int exit_code = CLI_DONE;
    if (!command_parse(command, argument_count, arguments, &limits.flags, &operands, &exit_code))
        return exit_code;
    progress_init(&limits.progress);
    struct error error = {0};
    json_t *facts = NULL;
    limits.system = system_facts();
    limits.bandwidth = json_array();
    limits.copy = json_array();
    limits.multiply = json_array();
    int code = limits.system != NULL && limits.bandwidth != NULL && limits.copy != NULL &&
                       limits.multiply != NULL
                   ? measure_all(&limits, &facts, &error)
                   : error_set(&error, ERROR_MEMORY, "no memory for the facts of the machine");
    if (code == 0 && limits.flags.json)
        code = print_json(&limits, facts, &error);
    else if (code == 0)
        print_tables(&limits, facts);
    json_decref(facts);
    json_decref(limits.system);
    json_decref(limits.bandwidth);
    json_decref(limits.copy);
    json_decref(limits.multiply);
    return code == 0 ? CLI_DONE : command_fail(command, &error);
}

const struct command command_limits = {
    .name = "limits",
    .summary = "measure what this machine allows: memory bandwidth and multiply-add rates",
    .usage = "[options]",
    .text = "Measures how fast this machine reads memory, by the size of what is read and by "
            "threads, on a GPU also how fast it copies there, and how fast it multiplies in each "
            "compute type. 'bench' compares every cell with these ceilings: it reads the "
            "bandwidth itself beside each cell, and takes the multiply-add rate measured here, "
            "which is kept.",
    .examples = "# ceilings of the first device\n"
                "tokenmark limits\n"
                "# for a program, with at most four threads\n"
                "tokenmark limits --threads 4 --json",
    .groups = limits_groups,
    .group_count = sizeof limits_groups / sizeof limits_groups[0],
    .run = run_limits,
};
