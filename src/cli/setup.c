/* Flags, environment and opening of model and engine; see setup.h. The only place that reads
 * the environment on a model's behalf. */
#include "cli/setup.h"

#include <stdlib.h>
#include <string.h>

#include "cli/terminal.h"

const struct setup_flags setup_flags_default = {
    .weights = "auto",
    .dtype = "auto",
    .kv_dtype = "auto",
    .isa = "auto",
    .pin = "on",
    .seed = 42,
};

const struct setup_flags setup_flags_unset = {.seed = OPTION_SEED_UNSET};

static void default_word(const char **word, const char *standard)
{
    if (*word == NULL)
        *word = standard;
}

void setup_flags_complete(struct setup_flags *flags)
{
    default_word(&flags->weights, setup_flags_default.weights);
    default_word(&flags->dtype, setup_flags_default.dtype);
    default_word(&flags->kv_dtype, setup_flags_default.kv_dtype);
    default_word(&flags->isa, setup_flags_default.isa);
    default_word(&flags->pin, setup_flags_default.pin);
    if (flags->seed == OPTION_SEED_UNSET)
        flags->seed = setup_flags_default.seed;
}

const struct option setup_model_options[SETUP_MODEL_OPTIONS] = {
    {.name = "model",
     .value = "NAME|DIR|FILE",
     .kind = OPTION_TEXT,
     .offset = offsetof(struct setup_flags, model),
     .takes_path = true,
     .help = "a Hugging Face model id (gpt2, org/name), a directory with config.json and "
             "safetensors, or a file; an existing path wins over a name"},
    {.name = "weights",
     .value = "auto|real|random",
     .kind = OPTION_CHOICE,
     .choices = "auto real random",
     .offset = offsetof(struct setup_flags, weights),
     .help = "auto takes random weights for a known model only where real ones cannot be reached; "
             "random never downloads (auto)"},
    {.name = "revision",
     .value = "NAME",
     .kind = OPTION_TEXT,
     .offset = offsetof(struct setup_flags, revision),
     .help = "branch, tag or commit of the model's repository (main)"},
    {.name = "max-positions",
     .value = "N",
     .kind = OPTION_INTEGER,
     .minimum = 1,
     .maximum = 1 << 24,
     .offset = offsetof(struct setup_flags, max_positions),
     .help = "raise the model's position limit: any weights with rotary positions, random "
             "weights with learned ones"},
};
const struct option setup_engine_options[SETUP_ENGINE_OPTIONS] = {
    {.name = "dtype",
     .value = "TYPE",
     .kind = OPTION_TEXT,
     .choices = "auto float32 float16 bfloat16 int8 int4 gguf",
     .offset = offsetof(struct setup_flags, dtype),
     .help = "compute type: auto, float32, float16, bfloat16; on a CPU also int8, int4, or gguf: "
             "the quantised weights of a GGUF file as they are. auto is float16 on a GPU; "
             "for such a file gguf on a CPU with AVX2; else float32 (auto)"},
    {.name = "kv-dtype",
     .value = "TYPE",
     .kind = OPTION_TEXT,
     .choices = "auto float32 float16 bfloat16 int8",
     .offset = offsetof(struct setup_flags, kv_dtype),
     .help = "type of the KV cache: auto, float32, float16, bfloat16 or int8; auto is the compute "
             "type (bfloat16 under int8, int4 and gguf), on a GPU the only choice (auto)"},
    {.name = "threads",
     .value = "N",
     .kind = OPTION_INTEGER,
     .minimum = 1,
     .maximum = 4096,
     .offset = offsetof(struct setup_flags, threads),
     .help = "CPU threads (the physical cores this process may use)"},
    {.name = "isa",
     .value = "NAME",
     .kind = OPTION_TEXT,
     .choices = "auto c avx2 avx512 avx512_vnni avx512_bf16 neon neon_dotprod",
     .offset = offsetof(struct setup_flags, isa),
     .help = "force a lower instruction set than the CPU has: c, avx2, avx512, ... (auto)"},
    {.name = "pin",
     .value = "on|off",
     .kind = OPTION_CHOICE,
     .choices = "on off",
     .offset = offsetof(struct setup_flags, pin),
     .help = "bind each thread to a CPU (on)"},
    {.name = "seed",
     .value = "N",
     .kind = OPTION_SEED,
     .offset = offsetof(struct setup_flags, seed),
     .help = "of prompts, sampling and random weights (42)"},
    {.name = "no-graph",
     .kind = OPTION_SWITCH,
     .offset = offsetof(struct setup_flags, no_graph),
     .help = "on a GPU: launch the kernels of each decode step one by one instead of a captured "
             "graph"},
    {.name = "sync-steps",
     .kind = OPTION_SWITCH,
     .offset = offsetof(struct setup_flags, sync_steps),
     .help = "on a GPU: wait for every decode step and take the host's time of it, instead of one "
             "wait at the end and the device's own times"},
};
struct model_environment setup_environment(void)
{
    return (struct model_environment){
        .home = getenv("HOME"),
        .hf_home = getenv("HF_HOME"),
        .hf_hub_cache = getenv("HF_HUB_CACHE"),
        .hf_endpoint = getenv("HF_ENDPOINT"),
        .hf_token = getenv("HF_TOKEN"),
        .hf_hub_offline = getenv("HF_HUB_OFFLINE"),
        .xdg_cache_home = getenv("XDG_CACHE_HOME"),
    };
}

static enum weights_choice weights_choice(const char *word)
{
    if (strcmp(word, "real") == 0)
        return WEIGHTS_REAL;
    return strcmp(word, "random") == 0 ? WEIGHTS_RANDOM : WEIGHTS_AUTO;
}

int setup_choose_device(struct setup *setup, const char *device, struct error *error)
{
    struct error *reason = &setup->fallback;
    if (setup->ops != NULL)
        return 0;
    int code = engine_choose(&setup->ops, &setup->device_index, device, reason, error);
    if (code == 0 && reason->text[0] != '\0' && getenv("CUDA_VISIBLE_DEVICES") != NULL)
        terminal_warn("CUDA_VISIBLE_DEVICES is set, but the CPU is measured: %s", reason->text);
    return code;
}

int setup_open_model(struct setup *setup, const struct setup_flags *flags,
                     struct progress *progress, struct error *error)
{
    struct model_options options = {
        .name = flags->model,
        .weights = weights_choice(flags->weights),
        .revision = flags->revision,
        .max_positions = flags->max_positions,
        .seed = flags->seed,
        .environment = setup_environment(),
        .notice = progress_notice,
        .notice_context = progress,
    };
    int code = model_open(&setup->model, &options, error);
    progress_clear(progress);
    return code;
}

int setup_open_engine(struct setup *setup, const struct setup_flags *flags,
                      struct progress *progress, struct error *error)
{
    struct engine_options options = {
        .dtype = flags->dtype,
        .kv_dtype = flags->kv_dtype,
        .isa = flags->isa,
        .threads = (int)flags->threads,
        .pin = strcmp(flags->pin, "on") == 0,
        .device_index = setup->device_index,
        .clock = clock_monotonic(),
        .notice = progress_notice,
        .notice_context = progress,
        .plan_only = flags->plan_only,
        .no_graph = flags->no_graph,
        .sync_steps = flags->sync_steps,
    };
    int code = setup->ops->open(&setup->engine, setup->model, &options, error);
    progress_clear(progress);
    if (code != 0)
        return code;
    setup->facts = setup->ops->facts(setup->engine);
    if (setup->facts == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for the facts of the engine");
    return 0;
}

void setup_close(struct setup *setup)
{
    json_decref(setup->facts);
    if (setup->engine != NULL)
        setup->ops->close(setup->engine);
    model_close(setup->model);
    *setup = (struct setup){0};
}

const char *setup_fact(const struct setup *setup, const char *name)
{
    const char *text = json_string_value(json_object_get(setup->facts, name));
    return text != NULL ? text : "";
}

const char *setup_device(const struct setup *setup)
{
    const char *device = setup_fact(setup, "device");
    return device[0] != '\0' ? device : setup->ops->device;
}
