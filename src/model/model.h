/* A model: an architecture and where its weights are (directory, file, cache, hub, or random
 * numbers). Opening reads headers only; weights.h reads rows when an engine packs them. */
#ifndef TOKENMARK_MODEL_MODEL_H
#define TOKENMARK_MODEL_MODEL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "model/architecture.h"
#include "model/weights.h"

enum weights_choice { WEIGHTS_AUTO, WEIGHTS_RANDOM, WEIGHTS_REAL };

/* What the environment says, read by cli (nothing below reads the environment). NULL = unset. */
struct model_environment {
    const char *home;         /* HOME */
    const char *hf_home;      /* HF_HOME */
    const char *hf_hub_cache; /* HF_HUB_CACHE */
    const char *hf_endpoint;  /* HF_ENDPOINT */
    const char *hf_token;     /* HF_TOKEN */
    const char *hf_hub_offline;
    const char *xdg_cache_home;
};

struct model_options {
    const char *name; /* as typed: a directory, a file, a hub id */
    enum weights_choice weights;
    const char *revision;  /* NULL = main */
    int64_t max_positions; /* 0 = the model's own limit */
    uint64_t seed;         /* of random weights */
    struct model_environment environment;
    /* Warnings and progress for a person; may be NULL. `fraction` < 0: a plain message. */
    void (*notice)(void *context, const char *text, double fraction);
    void *notice_context;
};

enum model_source {
    MODEL_FROM_DIRECTORY,
    MODEL_FROM_FILE,
    MODEL_FROM_CACHE,
    MODEL_FROM_HUB,
    MODEL_FROM_KNOWN_NAME
};

struct model;

/* ERROR_INPUT for everything a person can mend; the text says how. */
int model_open(struct model **out, const struct model_options *options, struct error *error);
void model_close(struct model *model);

const struct architecture *model_architecture(const struct model *model);
const char *model_name(const struct model *model);
bool model_weights_are_random(const struct model *model);

/* The block `model` of a results file: name, source, architecture, parameters, positions,
 * weights "real" or "random". New reference; NULL when out of memory. */
json_t *model_facts(const struct model *model);

/* Models that need no file to be known: configuration facts as data, with their source. */
struct known_model {
    const char *name;        /* "gpt2", "microsoft/DialoGPT-small" */
    const char *config_json; /* the facts of its public config.json */
    const char *source;      /* where the facts come from */
};
extern const struct known_model known_models[];
extern const size_t known_model_count;
const struct known_model *known_model_find(const char *name);
int known_model_architecture(struct architecture *architecture, const struct known_model *known,
                             struct error *error);

#endif
