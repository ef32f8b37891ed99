/* What bench and generate share: the flags that choose a model, a device and an engine, and
 * opening all three in that order. */
#ifndef TOKENMARK_CLI_SETUP_H
#define TOKENMARK_CLI_SETUP_H

#include <jansson.h>

#include "cli/command.h"
#include "cli/progress.h"
#include "engine/engine.h"

struct setup_flags {
    const char *model;
    const char *weights; /* "auto", "real" or "random" */
    const char *revision;
    int64_t max_positions;
    const char *dtype;
    const char *kv_dtype;
    const char *isa;
    const char *pin; /* "on" or "off" */
    int64_t threads;
    uint64_t seed;
    bool no_graph;
    bool sync_steps;
    bool plan_only; /* no flag: the command loads no weights */
};

extern const struct setup_flags setup_flags_default;

/* Nothing given; setup_flags_complete fills in the defaults. */
extern const struct setup_flags setup_flags_unset;
void setup_flags_complete(struct setup_flags *flags);

/* Of the engine's options the first SETUP_PLAN_OPTIONS decide what memory is taken. */
enum { SETUP_MODEL_OPTIONS = 4, SETUP_ENGINE_OPTIONS = 8, SETUP_PLAN_OPTIONS = 4 };
extern const struct option setup_model_options[SETUP_MODEL_OPTIONS];
extern const struct option setup_engine_options[SETUP_ENGINE_OPTIONS];

struct setup {
    const struct engine_ops *ops;
    int device_index;
    struct error fallback; /* why "auto" took the CPU; no text otherwise */
    struct model *model;
    struct engine *engine;
    json_t *facts; /* the engine's */
};

/* What models ask of the environment. */
struct model_environment setup_environment(void);

/* The engine that serves `device`; warns where "auto" had to fall back to the CPU. Cheap: nothing
 * is loaded, so a device that is not there is told before anything else happens. Chooses once. */
int setup_choose_device(struct setup *setup, const char *device, struct error *error);

/* Opens the model, reading headers only. */
int setup_open_model(struct setup *setup, const struct setup_flags *flags,
                     struct progress *progress, struct error *error);

/* Loads the weights onto the device, or measures them alone. */
int setup_open_engine(struct setup *setup, const struct setup_flags *flags,
                      struct progress *progress, struct error *error);

void setup_close(struct setup *setup);

/* A fact of the engine as text, "" where it does not say. Owned by `setup`. */
const char *setup_fact(const struct setup *setup, const char *name);

/* The real device for records: "cpu", "cuda:0". */
const char *setup_device(const struct setup *setup);

#endif
