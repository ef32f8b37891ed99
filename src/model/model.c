/* Opens a model: reads config.json and the headers of its weights, and builds the table that
 * weights.c reads through. Names that are no path are model_name.c's. */
#include "model/model.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "model/family.h"
#include "model/gguf.h"
#include "model/gguf_config.h"
#include "model/locate.h"
#include "model/model_internal.h"
#include "model/safetensors.h"

enum { CONFIG_BYTES_MAX = 16 * 1024 * 1024, POSITIONS_MAX = (1 << 24) - 1 };

static int read_config(struct model *model, struct error *error)
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

/* --max-positions: a learned table can only grow where its numbers are made here. */
static int raise_positions(struct model *model, const struct model_options *options,
                           struct error *error)
{
    struct architecture *architecture = &model->architecture;
    long long wanted = (long long)options->max_positions;
    if (wanted <= architecture->position_limit || architecture->position_limit == 0)
        return 0;
    if (wanted > POSITIONS_MAX)
        return error_set(error, ERROR_INPUT, "--max-positions %lld: at most %d can be asked for",
                         wanted, POSITIONS_MAX);
    if (architecture->position == POSITION_LEARNED && !model->random)
        return error_set(error, ERROR_INPUT,
                         "--max-positions %lld: %s has a learned position table of %lld rows; it "
                         "can be longer only with --weights random",
                         wanted, model->name, (long long)architecture->position_limit);
    architecture->position_limit = options->max_positions;
    return 0;
}

int model_open_random(struct model *model, const struct model_options *options, struct error *error)
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
                     "python3 -c \"from transformers import AutoModelForCausalLM as M; "
                     "M.from_pretrained('%s').save_pretrained('converted')\" and give --model "
                     "converted; or measure the same architecture with --weights random",
                     path, model->path);
}

static int open_tensors(struct model *model, struct error *error)
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
    return status == 0 ? tensor_set_finish(&model->tensors, error) : status;
}

int model_open_directory(struct model *model, const struct model_options *options,
                         struct error *error)
{
    int status = read_config(model, error);
    if (status != 0)
        return status;
    if (options->weights == WEIGHTS_RANDOM)
        return model_open_random(model, options, error);
    status = open_tensors(model, error);
    if (status == 0)
        status = raise_positions(model, options, error);
    if (status != 0)
        return status;
    const struct family *family = family_find(model->architecture.family);
    return weight_table_bind(&model->weights, &model->architecture, family->naming, &model->tensors,
                             model->path, error);
}

/* A GGUF file holds architecture and weights. */
static int open_file(struct model *model, const struct model_options *options, struct error *error)
{
    json_t *metadata = NULL;
    const struct tensor_naming *naming = NULL;
    int status = gguf_open(&model->tensors, &metadata, model->path, error);
    if (status == 0)
        status = tensor_set_finish(&model->tensors, error);
    if (status == 0)
        status = gguf_architecture(&model->architecture, &naming, metadata, &model->tensors,
                                   model->path, error);
    json_decref(metadata);
    if (status == 0 && options->weights == WEIGHTS_RANDOM)
        return model_open_random(model, options, error);
    if (status == 0)
        status = raise_positions(model, options, error);
    if (status != 0)
        return status;
    return weight_table_bind(&model->weights, &model->architecture, naming, &model->tensors,
                             model->path, error);
}

static int open_path_or_name(struct model *model, const struct model_options *options,
                             struct error *error)
{
    if (!file_is_directory(options->name) && !file_exists(options->name))
        return model_open_name(model, options, error);
    bool directory = file_is_directory(options->name);
    model->source = directory ? MODEL_FROM_DIRECTORY : MODEL_FROM_FILE;
    model->path = strdup(options->name);
    if (model->path == NULL)
        return error_set(error, ERROR_MEMORY, "out of memory");
    return directory ? model_open_directory(model, options, error)
                     : open_file(model, options, error);
}

int model_open(struct model **out, const struct model_options *options, struct error *error)
{
    *out = NULL;
    struct model *model = calloc(1, sizeof *model);
    char *name = strdup(options->name);
    if (model == NULL || name == NULL) {
        free(model);
        free(name);
        return error_set(error, ERROR_MEMORY, "out of memory");
    }
    model->name = name;
    model->seed = options->seed;
    int status = open_path_or_name(model, options, error);
    if (status != 0) {
        model_close(model);
        return status;
    }
    *out = model;
    return 0;
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
