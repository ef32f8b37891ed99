/* The words before a measurement; see bench_header.h. */
#include "cli/bench_header.h"

#include <stdio.h>
#include <string.h>

#include "cli/cell_table.h"
#include "cli/estimate.h"
#include "cli/readable.h"
#include "cli/surroundings.h"
#include "cli/terminal.h"
#include "cli/version.h"

static void print_model(const struct bench_plan *plan)
{
    const struct model *model = plan->setup->model;
    char parameters[READABLE_MAX];
    readable_count(parameters, architecture_parameter_count(model_architecture(model)));
    (void)printf("model     %s, %s parameters, %s weights\n", model_name(model), parameters,
                 model_weights_are_random(model) ? "random" : "real");
}

static void print_device(const struct bench_plan *plan)
{
    const json_t *system = plan->results->system;
    const char *cpu = json_string_value(json_object_get(system, "cpu_model"));
    const char *gpu = setup_fact(plan->setup, "device_name");
    const char *hardware = gpu[0] != '\0' ? gpu : cpu;
    const char *driver =
        json_string_value(json_object_get(json_object_get(system, "gpu"), "driver_version"));
    (void)printf("device    %s%s%s%s%s\n", setup_device(plan->setup), hardware != NULL ? ", " : "",
                 hardware != NULL ? hardware : "", driver != NULL ? ", driver " : "",
                 driver != NULL ? driver : "");
    if (plan->setup->fallback.text[0] != '\0')
        (void)printf("          no GPU is used: %s\n", plan->setup->fallback.text);
}

static void print_engine(const struct bench_plan *plan)
{
    (void)printf("engine    %s, %s", plan->setup->ops->name, setup_fact(plan->setup, "dtype"));
    const char *isa = setup_fact(plan->setup, "isa");
    if (isa[0] != '\0')
        (void)printf(", %s", isa);
    const json_t *threads = json_object_get(plan->setup->facts, "threads");
    if (json_is_integer(threads))
        (void)printf(", %lld thread%s", (long long)json_integer_value(threads),
                     json_integer_value(threads) == 1 ? "" : "s");
    const json_t *weights = json_object_get(plan->setup->facts, "weight_bytes");
    if (json_number_value(weights) > 0) {
        char size[READABLE_MAX];
        readable_bytes(size, json_number_value(weights));
        (void)printf(", weights %s", size);
    }
    (void)printf("\n");
}

/* "3 runs each", or what decides instead. */
static void describe_runs(const struct schedule *schedule, char *out, size_t capacity)
{
    if (schedule->precision > 0)
        (void)snprintf(out, capacity, "%lld to %lld runs each until known to %g %%",
                       (long long)schedule->min_runs, (long long)schedule->max_runs,
                       100 * schedule->precision);
    else
        (void)snprintf(out, capacity, "%lld run%s each", (long long)schedule->num_runs,
                       schedule->num_runs == 1 ? "" : "s");
}

/* Only what is not the plain way. */
static void print_schedule(const struct schedule *schedule)
{
    if (schedule->passes > 1)
        (void)printf("passes    %lld, in %s order\n", (long long)schedule->passes,
                     schedule->order == SCHEDULE_RANDOM ? "a random" : "grid");
    if (schedule->processes > 1)
        (void)printf("processes %lld, one after the other\n", (long long)schedule->processes);
    if (schedule->time_limit_s > 0) {
        char duration[READABLE_MAX];
        readable_duration(duration, schedule->time_limit_s);
        (void)printf("limit     %s; cells that do not fit are left out\n", duration);
    }
}

static void print_grid(const struct bench_plan *plan)
{
    const struct config *config = plan->config;
    char runs[96];
    describe_runs(plan->schedule, runs, sizeof runs);
    (void)printf("grid      %zu of %zu cells, %s, %lld tokens generated per sequence\n",
                 cell_table_count(plan->results, CELL_PENDING), plan->results->cell_count, runs,
                 (long long)config->output_length);
    print_schedule(plan->schedule);
    if (config->temperature > 0)
        (void)printf("sampling  temperature %g, top-p %g", config->temperature, config->top_p);
    else
        (void)printf("sampling  greedy");
    (void)printf(", seed %llu\n", (unsigned long long)plan->flags->seed);
}

/* The names of what disturbs, where anything does. */
static void print_surroundings(const struct bench_plan *plan)
{
    size_t found = 0;
    for (size_t i = 0; i < SURROUNDINGS_CHECKS; i++) {
        char text[SURROUNDINGS_TEXT_MAX];
        const struct surroundings_check *check = &surroundings_checks[i];
        if (check->warns && check->applies(plan->results->system, text, sizeof text))
            (void)printf("%s%s", found++ > 0 ? ", " : "disturbed by ", check->name);
    }
    if (found > 0)
        (void)printf("; 'tokenmark doctor' tells more\n");
}

void bench_print_header(const struct bench_plan *plan)
{
    (void)printf("tokenmark %s\n", version_number());
    print_model(plan);
    print_device(plan);
    print_engine(plan);
    print_grid(plan);
    print_surroundings(plan);
    double seconds = estimate_grid_s(plan->setup, plan->config, plan->results);
    if (seconds > 0) {
        char duration[READABLE_MAX];
        readable_duration(duration, seconds);
        (void)printf("time      about %s by a short probe of this machine\n", duration);
    }
    cell_table_print_reasons(stdout, plan->results, CELL_SKIPPED, "skipped");
    (void)printf("\n");
    (void)fflush(stdout);
}

/* Which part of a prediction a column shows. */
enum plan_part { PLAN_KV, PLAN_WORKSPACE, PLAN_TOTAL };
struct plan_view {
    const struct bench_plan *plan;
    enum plan_part part;
};

static int predict(const struct bench_plan *plan, const struct cell_record *cell,
                   struct session_memory *memory)
{
    const struct session_shape shape = {
        .batch_size = cell->batch_size,
        .input_length = cell->input_length,
        .output_length = plan->config->output_length,
        .temperature = plan->config->temperature,
        .top_p = plan->config->top_p,
        .seed = plan->flags->seed,
    };
    struct error ignored = {0};
    return plan->setup->ops->predict(plan->setup->engine, &shape, memory, &ignored);
}

static void plan_text(const struct results *results, const struct cell_record *cell,
                      const void *context, char out[CELL_TEXT_MAX])
{
    (void)results;
    const struct plan_view *view = context;
    struct session_memory memory = {0};
    char text[READABLE_MAX] = "unknown";
    if (predict(view->plan, cell, &memory) == 0) {
        double bytes = view->part != PLAN_WORKSPACE ? (double)memory.kv_bytes : 0;
        bytes += view->part != PLAN_KV ? (double)memory.workspace_bytes : 0;
        readable_bytes(text, bytes);
    }
    (void)snprintf(out, CELL_TEXT_MAX, "%s", text);
}

/* What a cell may take: the engine says it with any prediction. */
static void print_available(const struct bench_plan *plan)
{
    struct session_memory memory = {0};
    if (plan->results->cell_count == 0 || predict(plan, &plan->results->cells[0], &memory) != 0)
        return;
    char available[READABLE_MAX];
    readable_bytes(available, (double)memory.available_bytes);
    (void)printf("\nmemory there now, beside the weights: %s on the %s\n", available,
                 memory.on_device ? "device" : "host");
}

void bench_print_plan(const struct bench_plan *plan)
{
    const struct plan_view cache = {plan, PLAN_KV}, workspace = {plan, PLAN_WORKSPACE},
                           total = {plan, PLAN_TOTAL};
    const struct cell_column columns[] = {
        {"KV cache", plan_text, &cache},
        {"workspace", plan_text, &workspace},
        {"together", plan_text, &total},
    };
    cell_table_print(stdout, plan->results, CELL_PENDING, columns,
                     sizeof columns / sizeof columns[0]);
    print_available(plan);
}

void bench_print_engines(void)
{
    for (size_t i = 0; i < engine_count; i++) {
        const struct engine_entry *entry = &engines[i];
        if (entry->hidden)
            continue;
        struct error reason = {0};
        const struct engine_ops *ops = NULL;
        bool runs = engine_entry_probe(entry, 0, &ops, &reason) == 0;
        (void)printf("%-14s --device %-6s %s%s\n", entry->name, entry->device,
                     runs ? "can run here" : "cannot run here: ", runs ? "" : reason.text);
    }
}
