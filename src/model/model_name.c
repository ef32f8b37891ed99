/* Opens a model by its hub name: from the Hugging Face cache, else by download, else, for a
 * known name and where the specification allows it, with random weights. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/json.h"
#include "base/suggest.h"
#include "base/text.h"
#include "model/hub.h"
#include "model/hub_cache.h"
#include "model/locate.h"
#include "model/model_internal.h"
#include "model/safetensors.h"

enum { SUGGESTIONS_MAX = 256, HUB_ATTEMPTS = 5 };

/* A name that is not on the hub is often a slip. */
static void append_suggestion(const char *name, struct error *error)
{
    const char *names[SUGGESTIONS_MAX];
    size_t count = 0;
    for (; count < known_model_count && count < SUGGESTIONS_MAX; count++)
        names[count] = known_models[count].name;
    const char *near = suggest_nearest(name, names, count);
    if (near == NULL || known_model_find(name) != NULL || error == NULL)
        return;
    struct error before = *error;
    (void)error_set(error, before.code, "%s (did you mean \"%s\"?)", before.text, near);
}

int known_model_architecture(struct architecture *architecture, const struct known_model *known,
                             struct error *error)
{
    json_t *config = NULL;
    int status =
        json_text_load(&config, known->config_json, strlen(known->config_json), known->name, error);
    if (status == 0)
        status = architecture_from_config(architecture, config, known->name, error);
    json_decref(config);
    return status;
}

static int open_known(struct model *model, const struct model_options *options,
                      const struct known_model *known, struct error *error)
{
    model->source = MODEL_FROM_KNOWN_NAME;
    int status = known_model_architecture(&model->architecture, known, error);
    return status == 0 ? model_open_random(model, options, error) : status;
}

/* Random weights although none were asked for: that must be said, and why. */
static void warn_random(const struct model_options *options, const char *reason)
{
    struct text text = {0};
    text_printf(&text, "%s: measuring the same architecture with RANDOM WEIGHTS, because: %s",
                options->name, reason);
    if (options->notice != NULL)
        options->notice(options->notice_context, text_string(&text), -1);
    text_free(&text);
}

static bool is_offline(const struct model_environment *environment)
{
    static const char *const yes[] = {"1", "on", "yes", "true"};
    const char *value = environment->hf_hub_offline;
    for (size_t i = 0; value != NULL && i < sizeof yes / sizeof yes[0]; i++)
        if (strcasecmp(value, yes[i]) == 0)
            return true;
    return false;
}

/* Whether a cached snapshot needs nothing from the hub; a download may have been interrupted. */
static bool is_complete(const char *directory, bool random)
{
    enum weights_form form = WEIGHTS_ABSENT;
    char *path = NULL;
    char *config = file_join(directory, "config.json");
    bool complete = config != NULL && file_exists(config);
    if (complete && !random)
        complete = locate_weights(&form, &path, directory, NULL) == 0 &&
                   (form == WEIGHTS_SINGLE ||
                    (form == WEIGHTS_SHARDED && safetensors_index_is_complete(path)));
    free(config);
    free(path);
    return complete;
}

/* Downloads into model->path, or says in `error` why not. */
static int fetch(struct model *model, const struct model_options *options,
                 enum hub_outcome *outcome, struct error *error)
{
    struct hub_options hub = {
        .environment = &options->environment,
        .revision = options->revision,
        .config_only = options->weights == WEIGHTS_RANDOM,
        .retry_delay_s = 1,
        .attempts = HUB_ATTEMPTS,
        .notice = options->notice,
        .notice_context = options->notice_context,
    };
    if (is_offline(&options->environment)) {
        *outcome = HUB_NO_NETWORK;
        return error_set(error, ERROR_INPUT,
                         "model \"%s\": %s in the Hugging Face cache, and HF_HUB_OFFLINE forbids "
                         "to download what is missing",
                         model->name,
                         model->path != NULL ? "only part of what is needed is" : "it is not");
    }
    char *folder = NULL;
    int status = hub_fetch(&folder, outcome, model->name, &hub, error);
    if (status == 0) {
        free(model->path);
        model->path = folder;
        model->source = MODEL_FROM_HUB;
    }
    return status;
}

int model_open_name(struct model *model, const struct model_options *options, struct error *error)
{
    const struct known_model *known = known_model_find(model->name);
    if (!hub_name_is_valid(model->name))
        return error_set(error, ERROR_INPUT,
                         "model \"%s\": no such file or directory, and not a model's name "
                         "(\"name\" or \"owner/name\")",
                         model->name);
    if (known != NULL && options->weights == WEIGHTS_RANDOM)
        return open_known(model, options, known, error);

    model->source = MODEL_FROM_CACHE;
    model->path = hub_cache_find(&options->environment, model->name, options->revision);
    if (model->path != NULL && is_complete(model->path, options->weights == WEIGHTS_RANDOM))
        return model_open_directory(model, options, error);
    enum hub_outcome outcome = HUB_FETCHED;
    struct error reason = {0};
    int status = fetch(model, options, &outcome, &reason);
    if (status == 0)
        return model_open_directory(model, options, error);
    if (known != NULL && options->weights == WEIGHTS_AUTO && outcome != HUB_FETCHED) {
        warn_random(options, reason.text);
        return open_known(model, options, known, error);
    }
    if (error != NULL)
        *error = reason;
    append_suggestion(model->name, error);
    return status;
}
