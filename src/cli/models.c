/* tokenmark models: what is cached and what is known by name. One model and the memory that it
 * needs is models_inspect.c's. */
#include "cli/models.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "cli/cli.h"
#include "cli/readable.h"
#include "cli/terminal.h"
#include "model/cost.h"
#include "model/hub_cache.h"
#include "model/hub_cache_list.h"

enum { REASON_INDENT = 4, COMMIT_SHOWN = 7 };

int models_print_json(json_t *document, struct error *error)
{
    struct text text = {0};
    int code = document != NULL ? json_text_dump(&text, document, 2, error)
                                : error_set(error, ERROR_MEMORY, "no memory for the output");
    if (code == 0 && text.failed)
        code = error_set(error, ERROR_MEMORY, "no memory for the output");
    if (code == 0)
        (void)printf("%s\n", text_string(&text));
    text_free(&text);
    json_decref(document);
    return code;
}

static json_t *positions_json(const struct architecture *architecture)
{
    int64_t limit = architecture->own_position_limit;
    return limit > 0 ? json_integer(limit) : json_null();
}

/* Opens the headers of a cached revision: its facts, or why it cannot be read. */
static json_t *cached_json(const struct cached_model *cached)
{
    json_t *item =
        json_pack("{s:s, s:s, s:s, s:I}", "name", cached->name, "revision", cached->revision,
                  "commit", cached->commit, "size_bytes", (json_int_t)cached->bytes);
    const struct model_options options = {.name = cached->folder, .weights = WEIGHTS_REAL};
    struct model *model = NULL;
    struct error reason = {0};
    json_t *more = NULL;
    if (model_open(&model, &options, &reason) == 0) {
        const struct architecture *architecture = model_architecture(model);
        json_t *facts = model_facts(model);
        more = json_pack("{s:b, s:n, s:s, s:I, s:o, s:O}", "readable", 1, "reason", "family",
                         architecture->family, "parameters",
                         (json_int_t)architecture_parameter_count(architecture), "positions",
                         positions_json(architecture), "weights_dtype",
                         json_object_get(facts, "weights_dtype"));
        json_decref(facts);
    } else {
        /* Every reason begins with the folder, which the name stands for. */
        size_t length = strlen(cached->folder);
        const char *text = reason.text;
        if (strncmp(text, cached->folder, length) == 0)
            text += length + strspn(text + length, "/: ");
        more = json_pack("{s:b, s:s}", "readable", 0, "reason", text);
    }
    model_close(model);
    bool done = item != NULL && more != NULL && json_object_update(item, more) == 0;
    json_decref(more);
    if (!done) {
        json_decref(item);
        return NULL;
    }
    return item;
}

static json_t *known_json(const struct known_model *known)
{
    struct architecture *architecture = malloc(sizeof *architecture);
    struct error ignored = {0};
    json_t *item = NULL;
    if (architecture != NULL && known_model_architecture(architecture, known, &ignored) == 0) {
        int64_t parameters = architecture_parameter_count(architecture);
        item = json_pack("{s:s, s:s, s:I, s:o, s:I, s:I, s:s}", "name", known->name, "family",
                         architecture->family, "parameters", (json_int_t)parameters, "positions",
                         positions_json(architecture), "float32_bytes",
                         (json_int_t)((double)parameters * model_cost_type_bytes("float32")),
                         "bfloat16_bytes",
                         (json_int_t)((double)parameters * model_cost_type_bytes("bfloat16")),
                         "source", known->source);
    }
    free(architecture);
    return item;
}

static json_t *collect(const struct cached_models *cached, const char *cache)
{
    json_t *cached_list = json_array(), *known_list = json_array();
    int failed = 0;
    for (size_t i = 0; i < cached->count; i++)
        failed |= json_array_append_new(cached_list, cached_json(&cached->items[i]));
    for (size_t i = 0; i < known_model_count; i++)
        failed |= json_array_append_new(known_list, known_json(&known_models[i]));
    json_t *document =
        json_pack("{s:s?, s:o, s:o}", "cache", cache, "cached", cached_list, "known", known_list);
    if (failed != 0) {
        json_decref(document);
        return NULL;
    }
    return document;
}

static const char *text_of(const json_t *item, const char *key)
{
    const char *text = json_string_value(json_object_get(item, key));
    return text != NULL ? text : "-";
}

static int name_width(const json_t *list)
{
    int width = (int)strlen("name");
    for (size_t i = 0; i < json_array_size(list); i++) {
        int length = terminal_columns(text_of(json_array_get(list, i), "name"));
        width = length > width ? length : width;
    }
    return width;
}

/* A number of `item` in words, right-aligned; "-" where it has none. */
static void print_number(const json_t *item, const char *key, int width,
                         void (*put)(char out[READABLE_MAX], double value))
{
    char text[READABLE_MAX] = "-";
    const json_t *value = json_object_get(item, key);
    if (json_is_integer(value))
        put(text, json_number_value(value));
    (void)printf("  %*s", width, text);
}

static void put_count(char out[READABLE_MAX], double value)
{
    readable_count(out, (int64_t)value);
}

static void put_plain(char out[READABLE_MAX], double value)
{
    (void)snprintf(out, READABLE_MAX, "%.0f", value);
}

static void print_heading(const char *text)
{
    (void)printf("%s%s%s\n", terminal_style(stdout, STYLE_BOLD), text, terminal_plain(stdout));
}

static void print_cached(const json_t *document)
{
    const json_t *list = json_object_get(document, "cached");
    char heading[512];
    (void)snprintf(heading, sizeof heading, "In the cache %s", text_of(document, "cache"));
    print_heading(heading);
    if (json_array_size(list) == 0)
        (void)printf("nothing\n");
    else
        (void)printf("%-*s  %-10s  %-7s  %9s  %10s  %9s  %s\n", name_width(list), "name",
                     "revision", "commit", "on disk", "parameters", "positions", "weights");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        bool readable = json_is_true(json_object_get(item, "readable"));
        const char *commit = text_of(item, "commit"), *revision = text_of(item, "revision");
        (void)printf("%-*s  %-10.*s  %.*s", name_width(list), text_of(item, "name"),
                     strcmp(revision, commit) == 0 ? 10 : 40, revision, COMMIT_SHOWN, commit);
        print_number(item, "size_bytes", 9, readable_bytes);
        print_number(item, "parameters", 10, put_count);
        print_number(item, "positions", 9, put_plain);
        (void)printf("  %s\n", readable ? text_of(item, "weights_dtype") : "not readable:");
        if (!readable) {
            (void)printf("%*s", REASON_INDENT, "");
            terminal_print_wrapped(stdout, text_of(item, "reason"), REASON_INDENT, REASON_INDENT,
                                   terminal_page_width(stdout));
        }
    }
}

static void print_known(const json_t *document)
{
    const json_t *list = json_object_get(document, "known");
    print_heading("\nKnown by name: with --weights random they need no file");
    (void)printf("%-*s  %-9s  %10s  %9s  %9s  %9s\n", name_width(list), "name", "family",
                 "parameters", "positions", "float32", "bfloat16");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        (void)printf("%-*s  %-9s", name_width(list), text_of(item, "name"),
                     text_of(item, "family"));
        print_number(item, "parameters", 10, put_count);
        print_number(item, "positions", 9, put_plain);
        print_number(item, "float32_bytes", 9, readable_bytes);
        print_number(item, "bfloat16_bytes", 9, readable_bytes);
        (void)printf("\n");
    }
}

int models_list(bool as_json, struct error *error)
{
    const struct model_environment environment = setup_environment();
    struct cached_models cached;
    int code = hub_cache_list(&cached, &environment, error);
    if (code != 0)
        return code;
    char *cache = hub_cache_folder(&environment);
    json_t *document = collect(&cached, cache);
    if (document != NULL && !as_json) {
        print_cached(document);
        print_known(document);
        json_decref(document);
    } else {
        code = models_print_json(document, error);
    }
    free(cache);
    hub_cache_list_free(&cached);
    return code;
}

static const struct option own_options[] = {
    {.name = "inspect",
     .value = "NAME|DIR|FILE",
     .kind = OPTION_TEXT,
     .offset = offsetof(struct models_flags, setup.model),
     .takes_path = true,
     .help = "show one model's architecture, and the memory that batches and lengths would need"},
    {.name = "revision",
     .value = "NAME",
     .kind = OPTION_TEXT,
     .offset = offsetof(struct models_flags, setup.revision),
     .help = "branch, tag or commit of its repository (main)"},
    {.name = "max-positions",
     .value = "N",
     .kind = OPTION_INTEGER,
     .minimum = 1,
     .maximum = 1 << 24,
     .offset = offsetof(struct models_flags, setup.max_positions),
     .help = "as in bench: raise its position limit"},
    {.name = "json",
     .kind = OPTION_SWITCH,
     .offset = offsetof(struct models_flags, json),
     .help = "print JSON, sizes in bytes"},
};

static const struct option_group models_groups[] = {
    {.title = "Options",
     .options = own_options,
     .option_count = sizeof own_options / sizeof own_options[0]},
    {.title = "With --inspect",
     .keys = "batch-sizes input-lengths output-length device",
     .offset = offsetof(struct models_flags, keys)},
    {.title = "With --inspect",
     .options = setup_engine_options,
     .option_count = SETUP_PLAN_OPTIONS,
     .offset = offsetof(struct models_flags, setup)},
};

/* One sequence and a batch, a short prompt and one of GPT-2's length. */
static void models_defaults(struct config *config)
{
    config_defaults(config);
    config->batch_sizes = (struct config_list){2, {1, 16}};
    config->input_lengths = (struct config_list){2, {128, 960}};
    config->max_batch_input_product = INT64_MAX;
}

static int run_models(const struct command *command, int argument_count, char **arguments)
{
    struct models_flags flags = {.setup = setup_flags_default};
    struct operands operands;
    int exit_code = CLI_DONE;
    if (!command_parse(command, argument_count, arguments, &flags, &operands, &exit_code))
        return exit_code;
    struct config config;
    models_defaults(&config);
    struct error error = {0};
    int code = option_keys_apply(&flags.keys, &config, &error);
    if (code == 0)
        code = flags.setup.model != NULL ? models_inspect(&flags, &config, &error)
                                         : models_list(flags.json, &error);
    return code == 0 ? CLI_DONE : command_fail(command, &error);
}

const struct command command_models = {
    .name = "models",
    .summary = "list cached and known models, or show what one needs",
    .usage = "[--json]\n--inspect NAME|DIR|FILE [--batch-sizes N,N,...] [options]",
    .text = "Lists the models in the Hugging Face cache, with the reason where one cannot be read, "
            "and the models that are known by name. With --inspect: one model's architecture, and "
            "the memory of its weights, KV cache and workspace. No weights are loaded.",
    .examples = "# what is there\n"
                "tokenmark models\n"
                "# would a batch of 8 with 4096 tokens fit?\n"
                "tokenmark models --inspect meta-llama/Llama-3.1-8B --batch-sizes 8 \\\n"
                "    --input-lengths 4096 --dtype bfloat16",
    .groups = models_groups,
    .group_count = sizeof models_groups / sizeof models_groups[0],
    .defaults = models_defaults,
    .run = run_models,
};
