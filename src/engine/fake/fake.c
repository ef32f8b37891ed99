/* The engine of fake.h: answers every hook as its script says. */
#include "engine/fake/fake.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/sampler.h"

struct engine {
    struct fake_script *script;
    struct fake_script own_script; /* where none was given */
    struct clock clock;
    int64_t vocabulary_size;
    char dtype[16];
};

struct session {
    struct engine *engine;
    struct session_shape shape;
    int64_t generations;    /* prefills begun */
    int64_t position;       /* positions in the cache */
    int64_t step;           /* of the next token */
    double first_s, last_s; /* when the first and the last token were delivered */
    uint64_t prompt_hash;
    int32_t *tokens;     /* [batch_size] */
    double *component_s; /* of fake_time_components; NULL: nobody asks */
};

static void log_word(const struct engine *engine, const char *word, int64_t first, int64_t second)
{
    struct text *log = engine->script->log;
    if (log == NULL)
        return;
    text_append(log, log->length > 0 ? " " : "");
    text_append(log, word);
    if (first >= 0)
        text_printf(log, "(%lld", (long long)first);
    if (second >= 0)
        text_printf(log, "x%lld", (long long)second);
    if (first >= 0)
        text_append(log, ")");
}

/* Is this fault scripted for this cell now? */
static bool has_fault(const struct engine *engine, enum fake_fault_kind kind,
                      const struct session_shape *shape, int64_t generation)
{
    const struct fake_script *script = engine->script;
    for (size_t i = 0; i < script->fault_count; i++) {
        const struct fake_fault *fault = &script->faults[i];
        if (fault->kind == kind && fault->batch_size == shape->batch_size &&
            (fault->input_length == 0 || fault->input_length == shape->input_length) &&
            (fault->generation < 0 || fault->generation == generation))
            return true;
    }
    return false;
}

static bool session_has_fault(const struct session *session, enum fake_fault_kind kind)
{
    return has_fault(session->engine, kind, &session->shape, session->generations - 1);
}

static int fake_probe(int device_index, struct error *reason)
{
    if (device_index != 0)
        return error_set(reason, ERROR_INPUT, "there is one fake device");
    return 0;
}

int fake_engine_open(struct engine **out, struct fake_script *script, const struct model *model,
                     const struct engine_options *options, struct error *error)
{
    struct engine *engine = calloc(1, sizeof *engine);
    if (engine == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for an engine");
    engine->script = script;
    if (script == NULL) {
        fake_script_built_in(&engine->own_script);
        engine->script = &engine->own_script;
    }
    engine->clock = *options->clock;
    engine->vocabulary_size = model != NULL ? model_architecture(model)->vocabulary_size
                                            : engine->script->vocabulary_size;
    const char *dtype = strcmp(options->dtype, "auto") == 0 ? "float32" : options->dtype;
    strncpy(engine->dtype, dtype, sizeof engine->dtype - 1);
    *out = engine;
    return 0;
}

static int fake_open(struct engine **out, const struct model *model,
                     const struct engine_options *options, struct error *error)
{
    return fake_engine_open(out, NULL, model, options, error);
}

static void fake_close(struct engine *engine)
{
    free(engine);
}

static json_t *fake_facts(const struct engine *engine)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:i, s:I}", "device", "fake", "dtype", engine->dtype,
                     "kv_dtype", engine->dtype, "isa", "none", "threads", 1, "weight_bytes",
                     (json_int_t)engine->script->weight_bytes);
}

static int fake_predict(const struct engine *engine, const struct session_shape *shape,
                        struct session_memory *memory, struct error *error)
{
    const struct fake_script *script = engine->script;
    log_word(engine, "predict", shape->batch_size, shape->input_length);
    if (has_fault(engine, FAKE_PREDICT_FAILS, shape, -1))
        return error_set(error, ERROR_FAILED, "scripted: predict fails");
    if (has_fault(engine, FAKE_PREDICT_OVERFLOWS, shape, -1))
        return error_set(error, ERROR_MEMORY, "scripted: larger than any address");
    int64_t positions = shape->input_length + shape->output_length - 1;
    *memory = (struct session_memory){
        .weight_bytes = script->weight_bytes,
        .kv_bytes = shape->batch_size * positions * script->kv_bytes_per_position,
        .workspace_bytes = script->workspace_bytes,
        .on_device = script->device_allocated_bytes >= 0,
        .available_bytes = script->available_bytes,
    };
    if (has_fault(engine, FAKE_MEMORY_TOO_SMALL, shape, -1))
        memory->available_bytes = (memory->kv_bytes + memory->workspace_bytes) / 2;
    return 0;
}

static int fake_session_open(struct session **out, struct engine *engine,
                             const struct session_shape *shape, struct error *error)
{
    log_word(engine, "open", -1, -1);
    fake_script_spend(engine->script, engine->script->open_s);
    if (has_fault(engine, FAKE_OPEN_FAILS, shape, -1))
        return error_set(error, ERROR_FAILED, "scripted: session_open fails");
    if (has_fault(engine, FAKE_OUT_OF_MEMORY, shape, -1))
        return error_set(error, ERROR_MEMORY, "scripted: no memory for the cache");
    struct session *session = calloc(1, sizeof *session);
    int32_t *tokens = malloc((size_t)shape->batch_size * sizeof *tokens);
    if (session == NULL || tokens == NULL) {
        free(session);
        free(tokens);
        return error_set(error, ERROR_MEMORY, "no memory for a session");
    }
    log_word(engine, "touch", -1, -1);
    session->engine = engine;
    session->shape = *shape;
    session->tokens = tokens;
    *out = session;
    return 0;
}

static void fake_session_close(struct session *session)
{
    if (session == NULL)
        return;
    log_word(session->engine, "close", -1, -1);
    fake_script_spend(session->engine->script, session->engine->script->close_s);
    free(session->tokens);
    free(session);
}

static double generation_factor(const struct session *session)
{
    const struct fake_script *script = session->engine->script;
    size_t generation = (size_t)session->generations - 1;
    if (script->factor_count == 0)
        return 1.0;
    return script
        ->factors[generation < script->factor_count ? generation : script->factor_count - 1];
}

/* A function of seed, row, step and prompt: what a correct engine does, without the model. */
static void make_tokens(struct session *session)
{
    uint64_t vocabulary = (uint64_t)session->engine->vocabulary_size;
    for (int64_t row = 0; row < session->shape.batch_size; row++) {
        uint64_t draw = sampler_draw(session->shape.seed, row, session->step);
        session->tokens[row] = (int32_t)((draw ^ session->prompt_hash) % vocabulary);
        if (session_has_fault(session, FAKE_ROWS_EQUAL))
            session->tokens[row] = session->tokens[0];
    }
    if (session_has_fault(session, FAKE_OTHER_TOKENS))
        session->tokens[0] = (int32_t)(((uint64_t)session->tokens[0] + 1) % vocabulary);
    if (session_has_fault(session, FAKE_TOKEN_OUTSIDE) && session->step > 0)
        session->tokens[0] = (int32_t)vocabulary;
}

static void deliver(struct session *session, const struct token_sink *sink)
{
    double now_s = clock_now_s(&session->engine->clock);
    if (session_has_fault(session, FAKE_CLOCK_GOES_BACK) && session->step > 0)
        now_s -= 1e6;
    make_tokens(session);
    session->first_s = session->step == 0 ? now_s : session->first_s;
    session->last_s = now_s;
    sink->step(sink->context, session->step, session->tokens, now_s);
    session->step++;
}

/* Spends the time of a pass, one component after the other where they are asked for. */
static void compute(struct session *session, double seconds)
{
    struct fake_script *script = session->engine->script;
    seconds *= generation_factor(session);
    if (session->component_s == NULL) {
        fake_script_spend(script, seconds);
        return;
    }
    for (int i = 0; i < ENGINE_COMPONENT_COUNT; i++) {
        double part_s = seconds * script->component_parts[i];
        fake_script_spend(script, part_s);
        session->component_s[i] += part_s;
    }
}

static int fake_prefill(struct session *session, const int32_t *ids, int64_t length,
                        const struct token_sink *sink, struct error *error)
{
    struct engine *engine = session->engine;
    int64_t count = session->shape.batch_size * length;
    session->generations++;
    session->position = length;
    session->step = 0;
    session->prompt_hash = 0;
    for (int64_t i = 0; i < count; i++)
        session->prompt_hash = session->prompt_hash * 31 + (uint64_t)ids[i];
    log_word(engine, "prefill", length, -1);
    compute(session, (double)count * engine->script->prefill_token_s);
    if (session_has_fault(session, FAKE_PREFILL_FAILS))
        return error_set(error, ERROR_FAILED, "%s",
                         engine->script->fault_text != NULL ? engine->script->fault_text
                                                            : "scripted: prefill fails");
    if (session_has_fault(session, FAKE_DEVICE_LOST))
        return error_set(error, ERROR_DEVICE, "scripted: the device is lost");
    if (session_has_fault(session, FAKE_NOT_FINITE))
        return error_set(error, ERROR_FAILED, "scripted: a logit of row 0 is not finite");
    deliver(session, sink);
    return 0;
}

static int fake_decode(struct session *session, int64_t steps, const struct token_sink *sink,
                       struct error *error)
{
    struct engine *engine = session->engine;
    const struct fake_script *script = engine->script;
    log_word(engine, "decode", steps, -1);
    if (session_has_fault(session, FAKE_STEP_LOST))
        steps--;
    for (int64_t i = 0; i < steps; i++) {
        if (sink->stop != NULL && sink->stop(sink->context))
            return error_set(error, ERROR_STOPPED, "stopped");
        double cost = script->step_s + (double)session->shape.batch_size * script->step_row_s +
                      (double)session->position * script->step_position_s;
        compute(session, cost);
        session->position++;
        if (session_has_fault(session, FAKE_DECODE_FAILS))
            return error_set(error, ERROR_FAILED, "scripted: decode fails");
        deliver(session, sink);
    }
    if (session_has_fault(session, FAKE_STEP_TWICE)) {
        session->step--;
        deliver(session, sink);
    }
    return 0;
}

static int fake_memory_usage(const struct session *session, struct memory_usage *usage,
                             struct error *error)
{
    struct fake_script *script = session->engine->script;
    log_word(session->engine, "memory", -1, -1);
    fake_script_spend(script, script->memory_usage_s);
    if (session_has_fault(session, FAKE_MEMORY_USAGE_FAILS))
        return error_set(error, ERROR_FAILED, "scripted: memory_usage fails");
    *usage = (struct memory_usage){
        .host_peak_bytes = script->host_peak_bytes,
        .device_allocated_bytes = script->device_allocated_bytes,
        .device_reserved_bytes = script->device_reserved_bytes,
    };
    return 0;
}

static int fake_limit_run(struct engine *engine, struct limit_probe *probe, struct error *error)
{
    if (probe->working_bytes < 0)
        return error_set(error, ERROR_INPUT, "a buffer of %lld bytes",
                         (long long)probe->working_bytes);
    if (probe->working_bytes > 0 && engine->script->probes_left > 0 &&
        --engine->script->probes_left == 0)
        return error_set(error, ERROR_DEVICE, "scripted: the device is lost in a probe");
    bool reads = probe->kind != LIMIT_MULTIPLY_ADD;
    probe->work = reads ? (double)probe->working_bytes : 1e9;
    fake_script_spend(engine->script,
                      probe->work / (reads ? engine->script->bandwidth : engine->script->flops));
    return 0;
}

static void fake_time_components(struct session *session, double *seconds)
{
    log_word(session->engine, seconds != NULL ? "components" : "whole", -1, -1);
    session->component_s = seconds;
}

static double fake_device_decode_s(const struct session *session)
{
    double rate = session->engine->script->device_clock;
    return rate > 0.0 ? rate * (session->last_s - session->first_s) : NAN;
}

static void fake_read_device(struct engine *engine, struct device_reading *reading)
{
    const struct fake_script *script = engine->script;
    device_reading_init(reading);
    if (script->read_device != NULL)
        script->read_device(script->device_context, reading);
}

const struct engine_ops engine_fake = {
    .name = "fake",
    .device = "fake",
    .hidden = true,
    .probe = fake_probe,
    .open = fake_open,
    .close = fake_close,
    .facts = fake_facts,
    .predict = fake_predict,
    .session_open = fake_session_open,
    .session_close = fake_session_close,
    .prefill = fake_prefill,
    .decode = fake_decode,
    .memory_usage = fake_memory_usage,
    .limit_run = fake_limit_run,
    .time_components = fake_time_components,
    .device_decode_s = fake_device_decode_s,
    .read_device = fake_read_device,
};
