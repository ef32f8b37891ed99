/* Gathers the facts of facts.h from the engine, the model, the machine and the environment. */
#include "cli/facts.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/system.h"
#include "cli/gpu_facts.h"
#include "cli/option_json.h"
#include "cli/surroundings.h"
#include "cli/version.h"

/* Variables that change what is measured; names that begin so. */
static const char *const environment_prefixes[] = {
    "OMP_",        "GOMP_", "KMP_",   "MALLOC_",        "GLIBC_TUNABLES=",
    "LD_PRELOAD=", "CUDA_", "CUBLAS", "NVIDIA_VISIBLE", "HF_",
};

/* A results file is given away: secrets, and addresses that may carry one, stay out of it. */
static bool is_secret(const char *variable, size_t name_length)
{
    static const char *const words[] = {"TOKEN", "SECRET", "PASSWORD", "KEY"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        const char *found = strcasestr(variable, words[i]);
        if (found != NULL && (size_t)(found - variable) < name_length)
            return true;
    }
    return strchr(variable + name_length, '@') != NULL;
}

static json_t *environment_facts(void)
{
    json_t *facts = json_object();
    for (char **variable = environ; variable != NULL && *variable != NULL; variable++) {
        size_t name_length = strcspn(*variable, "=");
        bool matters = false;
        for (size_t i = 0; i < sizeof environment_prefixes / sizeof environment_prefixes[0]; i++)
            matters = matters || strncmp(*variable, environment_prefixes[i],
                                         strlen(environment_prefixes[i])) == 0;
        char name[128];
        if (!matters || name_length >= sizeof name || (*variable)[name_length] != '=' ||
            is_secret(*variable, name_length))
            continue;
        memcpy(name, *variable, name_length);
        name[name_length] = '\0';
        json_t *value = json_string(*variable + name_length + 1);
        if (value != NULL) /* NULL where it is no UTF-8 */
            (void)json_object_set_new(facts, name, value);
    }
    return facts;
}

int facts_fill_system(struct results *results, struct error *error)
{
    json_t *system = system_facts();
    results->system = system;
    json_t *libraries = json_pack("{s:s}", "jansson", jansson_version_str());
    if (json_object_set_new(system, "libraries", libraries) != 0 ||
        json_object_set_new(system, "environment", environment_facts()) != 0 ||
        !surroundings_complete(system))
        return error_set(error, ERROR_MEMORY, "no memory for the facts of the machine");
    return 0;
}

static bool add_engine(json_t *system, const struct setup *setup)
{
    json_t *engine = json_pack("{s:s}", "name", setup->ops->name);
    json_t *threads = json_object_get(setup->facts, "threads");
    bool done =
        engine != NULL && json_object_update(engine, setup->facts) == 0 &&
        (setup->fallback.text[0] == '\0' ||
         json_object_set_new(engine, "fallback_reason", json_string(setup->fallback.text)) == 0) &&
        gpu_facts_add(system, engine, setup) && json_object_set(system, "engine", engine) == 0 &&
        (threads == NULL || json_object_set(system, "threads", threads) == 0);
    json_decref(engine);
    return done;
}

static json_t *model_block(const struct setup *setup)
{
    json_t *model = model_facts(setup->model);
    if (model == NULL ||
        json_object_set_new(model, "dtype", json_string(setup_fact(setup, "dtype"))) == 0)
        return model;
    json_decref(model);
    return NULL;
}

json_t *facts_options(const struct setup_flags *flags)
{
    json_t *options = json_object();
    if (options != NULL &&
        option_json_write(setup_model_options, SETUP_MODEL_OPTIONS, flags, options) &&
        option_json_write(setup_engine_options, SETUP_ENGINE_OPTIONS, flags, options))
        return options;
    json_decref(options);
    return NULL;
}

int facts_fill(struct results *results, const struct setup *setup, const struct config *config,
               json_t *options, struct error *error)
{
    results->tool = version_facts();
    results->config = config_json(config);
    results->options = options;
    results->model = model_block(setup);
    if (results->tool == NULL || results->config == NULL || options == NULL ||
        results->model == NULL || !add_engine(results->system, setup))
        return error_set(error, ERROR_MEMORY, "no memory for the facts of the results");
    return 0;
}
