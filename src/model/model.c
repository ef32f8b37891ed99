/* Opens a model: decides where its architecture and its weights come from, and builds the
 * table that weights.c reads through. Only headers are read here. */
#include "model/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/suggest.h"
#include "base/text.h"
#include "model/family.h"
#include "model/locate.h"
#include "model/model_internal.h"
#include "model/safetensors.h"

enum { CONFIG_BYTES_MAX = 16 * 1024 * 1024, SUGGESTIONS_MAX = 128 };

static void tell(const struct model_options *options, const char *text)
{
    if (options->notice != NULL)
        options->notice(options->notice_context, text, -1);
}

static int read_directory_config(struct model *model, struct error *error)
{
    char *path = file_join(model->path, "config.json");
    if (path == NULL)
        return error_set(error, ERROR_MEMORY, "out of memory");
    json_t *config = NULL;
    int status = 0;
    if (!file_exists(path))
        status = error_set(error, ERROR_INPUT,
                           "%s: it has no config.json, so it is no directory of a Hugging Face "
                           "model",
                           model->path);
    if (status == 0)
        status = json_file_load(&config, path, CONFIG_BYTES_MAX, error);
    if (status == 0)
        status = architecture_from_config(&model->architecture, config, path, error);
    json_decref(config);
    free(path);
    return status;
}

static int read_known_config(struct model *model, const struct known_model *known,
                             struct error *error)
{
    json_t *config = NULL;
    int status =
        json_text_load(&config, known->config_json, strlen(known->config_json), known->name, error);
    if (status == 0)
        status = architecture_from_config(&model->architecture, config, known->name, error);
    json_decref(config);
    return status;
}

/* --max-positions: a learned table can only grow where its numbers are made here. */
static int raise_positions(struct model *model, const struct model_options *options,
                           struct error *error)
{
    struct architecture *architecture = &model->architecture;
    if (options->max_positions <= architecture->position_limit || architecture->position_limit == 0)
        return 0;
    if (architecture->position == POSITION_LEARNED && !model->random)
        return error_set(error, ERROR_INPUT,
                         "--max-positions %lld: %s has a learned position table of %lld rows; it "
                         "can be longer only with --weights random",
                         (long long)options->max_positions, model->name,
                         (long long)architecture->position_limit);
    if (options->max_positions >= 1 << 24)
        return error_set(error, ERROR_INPUT, "--max-positions %lld: at most 16777215 can be asked",
                         (long long)options->max_positions);
    architecture->position_limit = options->max_positions;
    return 0;
}

static int open_random(struct model *model, const struct model_options *options,
                       struct error *error)
{
    model->random = true;
    int status = raise_positions(model, options, error);
    if (status != 0)
        return status;
    return weight_table_randomise(&model->weights, &model->architecture, error);
}

static int refuse_pickled(const struct model *model, const char *path, struct error *error)
{
    return error_set(error, ERROR_INPUT,
                     "%s: weights in PyTorch's pickle format are not read. Convert them once: "
                     "python3 -c \"import transformers as t; "
                     "t.AutoModelForCausalLM.from_pretrained('%s')"
                     ".save_pretrained('%s-safetensors')\" and give --model %s-safetensors; or "
                     "measure the same architecture with --weights random",
                     path, model->path, model->path, model->path);
}

static int open_real(struct model *model, const struct model_options *options, struct error *error)
{
    enum weights_form form;
    char *path = NULL;
    int status = locate_weights(&form, &path, model->path, error);
    if (status != 0)
        return status;
    switch (form) {
    case WEIGHTS_SINGLE:
        status = safetensors_open(&model->tensors, path, error);
        break;
    case WEIGHTS_SHARDED:
        status = safetensors_open_index(&model->tensors, path, error);
        break;
    case WEIGHTS_PICKLED:
        status = refuse_pickled(model, path, error);
        break;
    case WEIGHTS_ABSENT:
        status = error_set(error, ERROR_INPUT,
                           "%s: it has a config.json but no weights (model.safetensors or "
                           "model.safetensors.index.json); --weights random measures the "
                           "architecture without them",
                           model->path);
        break;
    }
    free(path);
    if (status == 0)
        status = tensor_set_finish(&model->tensors, error);
    if (status == 0)
        status = raise_positions(model, options, error);
    if (status != 0)
        return status;
    const struct family *family = family_find(model->architecture.family);
    return weight_table_bind(&model->weights, &model->architecture, family->naming, &model->tensors,
                             model->path, error);
}

static int open_directory(struct model *model, const struct model_options *options,
                          struct error *error)
{
    int status = read_directory_config(model, error);
    if (status != 0)
        return status;
    return options->weights == WEIGHTS_RANDOM ? open_random(model, options, error)
                                              : open_real(model, options, error);
}

static int refuse_unknown(const struct model *model, struct error *error)
{
    const char *names[SUGGESTIONS_MAX];
    size_t count = 0;
    for (; count < known_model_count && count < SUGGESTIONS_MAX; count++)
        names[count] = known_models[count].name;
    const char *near = suggest_nearest(model->name, names, count);
    return error_set(error, ERROR_INPUT,
                     "model \"%s\": no such directory, not in the Hugging Face cache, and not a "
                     "known name%s%s%s. Give a directory with config.json and model.safetensors, "
                     "or fetch it first: huggingface-cli download %s",
                     model->name, near != NULL ? " (did you mean \"" : "", near != NULL ? near : "",
                     near != NULL ? "\"?)" : "", model->name);
}

static int open_known(struct model *model, const struct model_options *options,
                      const struct known_model *known, struct error *error)
{
    if (options->weights == WEIGHTS_REAL)
        return error_set(error, ERROR_INPUT,
                         "model \"%s\": --weights real was asked for, and its weights are not in "
                         "the Hugging Face cache. Fetch them first: huggingface-cli download %s",
                         model->name, model->name);
    int status = read_known_config(model, known, error);
    if (status == 0)
        status = open_random(model, options, error);
    if (status == 0 && options->weights == WEIGHTS_AUTO) {
        struct text text = {0};
        text_printf(&text,
                    "no weights of \"%s\" are at hand: measuring the same architecture with "
                    "random weights",
                    model->name);
        tell(options, text_string(&text));
        text_free(&text);
    }
    return status;
}

static int open_name(struct model *model, const struct model_options *options, struct error *error)
{
    const struct known_model *known = known_model_find(model->name);
    if (!locate_is_hub_id(model->name))
        return error_set(error, ERROR_INPUT,
                         "model \"%s\": no such file or directory, and not a model's name "
                         "(\"name\" or \"owner/name\")",
                         model->name);
    model->source = MODEL_FROM_KNOWN_NAME;
    if (known != NULL && options->weights == WEIGHTS_RANDOM)
        return open_known(model, options, known, error);
    int status =
        locate_cached(&model->path, model->name, options->revision, &options->environment, error);
    if (status != 0)
        return status;
    if (model->path != NULL) {
        model->source = MODEL_FROM_CACHE;
        return open_directory(model, options, error);
    }
    return known != NULL ? open_known(model, options, known, error) : refuse_unknown(model, error);
}

int model_open(struct model **out, const struct model_options *options, struct error *error)
{
    *out = NULL;
    struct model *model = calloc(1, sizeof *model);
    if (model == NULL)
        return error_set(error, ERROR_MEMORY, "out of memory");
    int status = 0;
    model->seed = options->seed;
    model->name = strdup(options->name);
    if (model->name == NULL) {
        status = error_set(error, ERROR_MEMORY, "out of memory");
        goto fail;
    }
    if (file_is_directory(options->name)) {
        model->source = MODEL_FROM_DIRECTORY;
        model->path = strdup(options->name);
        status = model->path != NULL ? open_directory(model, options, error)
                                     : error_set(error, ERROR_MEMORY, "out of memory");
    } else if (file_exists(options->name)) {
        status = error_set(error, ERROR_INPUT,
                           "%s: it is a file; give the directory that holds config.json and "
                           "model.safetensors",
                           options->name);
    } else {
        status = open_name(model, options, error);
    }
    if (status != 0)
        goto fail;
    *out = model;
    return 0;
fail:
    model_close(model);
    return status;
}

void model_close(struct model *model)
{
    if (model == NULL)
        return;
    weight_table_free(&model->weights);
    tensor_set_free(&model->tensors);
    free(model->path);
    free(model->name);
    free(model);
}

const struct architecture *model_architecture(const struct model *model)
{
    return &model->architecture;
}

const char *model_name(const struct model *model)
{
    return model->name;
}

bool model_weights_are_random(const struct model *model)
{
    return model->random;
}

/* The type that the matrices have in the files. */
static const char *weights_type(const struct model *model)
{
    const struct weight_source *source = weight_table_find(
        &model->weights, &model->architecture, (struct weight_id){WEIGHT_ATTENTION_OUTPUT, 0, 0});
    bool known = source != NULL && source->tensor != NULL;
    return known ? tensor_type_name(source->tensor->type) : "float32";
}

static json_t *architecture_facts(const struct architecture *architecture)
{
    return json_pack(
        "{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "family", architecture->family, "layers",
        (json_int_t)architecture->layer_count, "hidden_size", (json_int_t)architecture->hidden_size,
        "heads", (json_int_t)architecture->head_count, "kv_heads",
        (json_int_t)architecture->kv_head_count, "head_dim", (json_int_t)architecture->head_dim,
        "intermediate_size", (json_int_t)architecture->intermediate_size, "vocabulary_size",
        (json_int_t)architecture->vocabulary_size);
}

/* A limit as JSON: null where there is none. */
static json_t *limit_json(int64_t limit)
{
    return limit > 0 ? json_integer(limit) : json_null();
}

json_t *model_facts(const struct model *model)
{
    static const char *const sources[] = {
        [MODEL_FROM_DIRECTORY] = "directory",   [MODEL_FROM_FILE] = "file",
        [MODEL_FROM_CACHE] = "cache",           [MODEL_FROM_HUB] = "hub",
        [MODEL_FROM_KNOWN_NAME] = "known name",
    };
    const struct architecture *architecture = &model->architecture;
    return json_pack("{s:s, s:s, s:o, s:I, s:o, s:o, s:s, s:s}", "name", model->name, "source",
                     sources[model->source], "architecture", architecture_facts(architecture),
                     "parameters", (json_int_t)architecture_parameter_count(architecture),
                     "positions", limit_json(architecture->position_limit), "own_positions",
                     limit_json(architecture->own_position_limit), "weights_dtype",
                     weights_type(model), "weights", model->random ? "random" : "real");
}
