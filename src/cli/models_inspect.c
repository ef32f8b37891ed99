/* tokenmark models --inspect: architecture and memory by the engine's own prediction, from an
 * engine that loads nothing. */
#include "cli/models.h"

#include <stdio.h>
#include <string.h>

#include "bench/grid.h"
#include "bench/runner.h"
#include "cli/bench_header.h"
#include "cli/cell_table.h"
#include "cli/readable.h"

struct inspection {
    const struct models_flags *flags;
    const struct config *config;
    struct setup setup;
    struct results results;
    struct progress progress;
    json_t *model;           /* its facts */
    struct error unreadable; /* why its weights cannot be read; no text where they can */
};

/* Real weights as far as they lie here; else the architecture alone. Weights are never
 * downloaded, a configuration may be. */
static int open_model(struct inspection *inspection, struct error *error)
{
    struct model_options options = {
        .name = inspection->flags->setup.model,
        .weights = WEIGHTS_REAL,
        .revision = inspection->flags->setup.revision,
        .max_positions = inspection->flags->setup.max_positions,
        .environment = setup_environment(),
    };
    options.environment.hf_hub_offline = "1";
    struct model **model = &inspection->setup.model;
    int code = model_open(model, &options, &inspection->unreadable);
    if (code != 0) {
        options.weights = WEIGHTS_RANDOM;
        options.environment = setup_environment();
        options.notice = progress_notice;
        options.notice_context = &inspection->progress;
        code = model_open(model, &options, error);
        progress_clear(&inspection->progress);
    }
    if (code != 0)
        return code;
    inspection->model = model_facts(*model);
    return inspection->model != NULL ? 0 : error_set(error, ERROR_MEMORY, "no memory for facts");
}

static int plan_cells(struct inspection *inspection, struct error *error)
{
    struct setup *setup = &inspection->setup;
    struct setup_flags flags = inspection->flags->setup;
    flags.plan_only = true;
    const struct architecture *architecture = model_architecture(setup->model);
    int code = setup_choose_device(setup, inspection->config->device, error);
    if (code == 0)
        code = setup_open_engine(setup, &flags, &inspection->progress, error);
    if (code == 0)
        code = grid_build(&inspection->results, inspection->config, architecture->position_limit,
                          error);
    if (code != 0)
        return code;
    const struct runner_options options = {
        .config = inspection->config,
        .ops = setup->ops,
        .engine = setup->engine,
        .vocabulary_size = architecture->vocabulary_size,
        .seed = flags.seed,
    };
    return runner_check_memory(&inspection->results, &options, error);
}

static bool is_readable(const struct inspection *inspection)
{
    return inspection->unreadable.text[0] == '\0';
}

/* Why its weights are not read, in words that fit where the model was found in the end. */
static const char *unreadable_reason(const struct inspection *inspection)
{
    const char *source = json_string_value(json_object_get(inspection->model, "source"));
    if (is_readable(inspection))
        return NULL;
    if (strcmp(source, "cache") == 0)
        return "the files in the cache cannot be read; 'tokenmark models' says why";
    if (strcmp(source, "hub") == 0 || strcmp(source, "known name") == 0)
        return "not in the cache";
    return inspection->unreadable.text;
}

/* "layers  12" for every fact, names and values as in the results files. */
static void print_facts(const json_t *facts)
{
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach((json_t *)facts, key, value)
    {
        char name[64];
        (void)snprintf(name, sizeof name, "%s", key);
        for (char *c = name; *c != '\0'; c++)
            *c = *c == '_' ? ' ' : *c;
        if (json_is_string(value))
            (void)printf("  %-18s %s\n", name, json_string_value(value));
        else if (json_is_integer(value))
            (void)printf("  %-18s %lld\n", name, (long long)json_integer_value(value));
        else if (json_is_boolean(value))
            (void)printf("  %-18s %s\n", name, json_is_true(value) ? "yes" : "no");
        else if (json_is_null(value))
            (void)printf("  %-18s none\n", name);
    }
}

static void print_page(const struct inspection *inspection)
{
    const struct setup *setup = &inspection->setup;
    const struct architecture *architecture = model_architecture(setup->model);
    char parameters[READABLE_MAX], weights[READABLE_MAX];
    readable_count(parameters, architecture_parameter_count(architecture));
    readable_bytes(weights, json_number_value(json_object_get(setup->facts, "weight_bytes")));
    (void)printf("%s, %s parameters\n", model_name(setup->model), parameters);
    print_facts(json_object_get(inspection->model, "architecture"));
    if (architecture->position_limit > 0)
        (void)printf("  %-18s %lld\n", "positions", (long long)architecture->position_limit);
    else
        (void)printf("  %-18s no limit\n", "positions");
    (void)printf("  %-18s %s\n", "source",
                 json_string_value(json_object_get(inspection->model, "source")));
    if (is_readable(inspection))
        (void)printf("  %-18s %s\n", "weights",
                     json_string_value(json_object_get(inspection->model, "weights_dtype")));
    else
        (void)printf("  %-18s %s\n", "weights", unreadable_reason(inspection));
    (void)printf("\nOn %s by %s: weights %s in %s; KV cache in %s, %lld tokens generated\n\n",
                 setup_device(setup), setup->ops->name, weights, setup_fact(setup, "dtype"),
                 setup_fact(setup, "kv_dtype"), (long long)inspection->config->output_length);
    const struct bench_plan plan = {setup, &inspection->flags->setup, inspection->config, NULL,
                                    &inspection->results};
    bench_print_plan(&plan);
    cell_table_print_reasons(stdout, &inspection->results, CELL_SKIPPED, "\nwould be skipped");
}

/* One cell's memory, also of one that would be skipped; null where the engine cannot tell. */
static json_t *cell_json(const struct inspection *inspection, const struct cell_record *cell,
                         json_int_t weight_bytes)
{
    const struct session_shape shape = {
        .batch_size = cell->batch_size,
        .input_length = cell->input_length,
        .output_length = inspection->config->output_length,
        .temperature = inspection->config->temperature,
        .top_p = inspection->config->top_p,
    };
    struct session_memory memory = {0};
    struct error ignored = {0};
    const struct setup *setup = &inspection->setup;
    bool told = setup->ops->predict(setup->engine, &shape, &memory, &ignored) == 0;
    json_int_t cache = memory.kv_bytes, workspace = memory.workspace_bytes;
    return json_pack("{s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:b, s:o}", "batch_size",
                     (json_int_t)cell->batch_size, "input_length", (json_int_t)cell->input_length,
                     "output_length", (json_int_t)shape.output_length, "kv_bytes",
                     told ? json_integer(cache) : json_null(), "workspace_bytes",
                     told ? json_integer(workspace) : json_null(), "total_bytes",
                     told ? json_integer(weight_bytes + cache + workspace) : json_null(),
                     "available_bytes", told ? json_integer(memory.available_bytes) : json_null(),
                     "fits", cell->status == CELL_PENDING, "reason",
                     cell->reason[0] != '\0' ? json_string(cell->reason) : json_null());
}

static json_t *page_json(const struct inspection *inspection)
{
    const json_t *weights = json_object_get(inspection->setup.facts, "weight_bytes");
    json_t *cells = json_array();
    int failed = 0;
    for (size_t i = 0; i < inspection->results.cell_count; i++)
        failed |= json_array_append_new(cells, cell_json(inspection, &inspection->results.cells[i],
                                                         json_integer_value(weights)));
    json_t *document =
        json_pack("{s:O, s:b, s:s?, s:O, s:o}", "model", inspection->model, "readable",
                  is_readable(inspection), "reason", unreadable_reason(inspection), "engine",
                  inspection->setup.facts, "cells", cells);
    if (failed != 0) {
        json_decref(document);
        return NULL;
    }
    return document;
}

int models_inspect(const struct models_flags *flags, struct config *config, struct error *error)
{
    struct inspection inspection = {.flags = flags, .config = config};
    progress_init(&inspection.progress);
    results_init(&inspection.results);
    int code = open_model(&inspection, error);
    if (code == 0)
        code = plan_cells(&inspection, error);
    if (code == 0 && flags->json)
        code = models_print_json(page_json(&inspection), error);
    else if (code == 0)
        print_page(&inspection);
    json_decref(inspection.model);
    results_free(&inspection.results);
    setup_close(&inspection.setup);
    return code;
}
