/* THE interface between measuring and computing. An engine is a model's weights on a device;
 * a session is one KV cache for one cell. bench/ and cli/ know nothing else of either.
 *
 * Time: an engine stamps with the clock handed to open and reports through the sink; only
 * the caller turns stamps into results. Nothing is allocated in prefill or decode. */
#ifndef TOKENMARK_ENGINE_ENGINE_H
#define TOKENMARK_ENGINE_ENGINE_H

#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"
#include "model/model.h"

struct engine;  /* opaque, each engine's own */
struct session; /* opaque, each engine's own */

struct engine_options {
    const char *dtype;    /* "auto", "float32", "float16", "bfloat16", ... */
    const char *kv_dtype; /* "auto" or like dtype */
    const char *isa;      /* "auto" or a lower instruction set; CPU only */
    int threads;          /* 0 = the engine's choice */
    bool pin;             /* bind threads to CPUs */
    int device_index;     /* N of cuda:N */
    const struct clock *clock;
    void (*notice)(void *context, const char *text, double fraction); /* loading; may be NULL */
    void *notice_context;
    bool no_graph;   /* a GPU's decode steps as plain launches, not as a captured graph */
    bool sync_steps; /* on a GPU the host waits for every decode step and stamps it itself */
    bool plan_only; /* for facts and predict alone: no weights are read, no session can be opened */
};

/* One cell's session: everything that is allocated, and how tokens are chosen. */
struct session_shape {
    int64_t batch_size;
    int64_t input_length;  /* longest prompt */
    int64_t output_length; /* tokens generated, the first included: the cache holds
                            * input_length + output_length - 1 positions a row */
    double temperature;    /* 0 = greedy */
    double top_p;
    uint64_t seed;    /* of the draws */
    bool want_logits; /* the sink will ask for logits (generate, tests) */
    /* Instead of the chosen tokens these are fed on, [steps, batch]; NULL outside tests. */
    const int32_t *forced_tokens;
};

/* Bytes a session takes, known before it is opened; the same function sizes it. Also of more
 * positions than the model has: only session_open refuses those. */
struct session_memory {
    int64_t weight_bytes; /* beside it, as packed: the same for every session of the engine */
    int64_t kv_bytes;
    int64_t workspace_bytes; /* activations, logits, scratch */
    bool on_device;          /* the bytes are the device's, not the host's */
    int64_t available_bytes; /* there now, or beside the weights of an engine that only plans */
};

struct memory_usage {
    int64_t host_peak_bytes;        /* resident peak of the process since session_open */
    int64_t device_allocated_bytes; /* -1 without a device of its own */
    int64_t device_reserved_bytes;
};

/* Receives a run's tokens. `step` 0 is the first generated token (the end of prefill). */
struct token_sink {
    /* tokens [batch] of one step, known on the host at time_s of the engine's clock. */
    void (*step)(void *context, int64_t step, const int32_t *tokens, double time_s);
    /* logits [batch, vocabulary_size] that step's tokens were chosen from: after the model's own
     * soft-cap, before temperature. Called only with shape.want_logits; may be NULL. */
    void (*logits)(void *context, int64_t step, const float *logits);
    /* Asked between layers: true makes the engine return ERROR_STOPPED soon. May be NULL. */
    bool (*stop)(void *context);
    void *context;
};

enum limit_kind {
    LIMIT_READ_BANDWIDTH,
    LIMIT_COPY_BANDWIDTH, /* ERROR_INPUT from an engine that does not measure it */
    LIMIT_MULTIPLY_ADD
};

/* One pass of a probe; the caller times it. */
struct limit_probe {
    enum limit_kind kind;
    const char *dtype;     /* of the multiply-adds */
    int64_t working_bytes; /* of a bandwidth: buffer size, of a copy half from and half to;
                            * 0 gives the probes' memory back */
    int threads;           /* out: of the host that took part; 0 = none */
    double work; /* out: bytes read and written, or floating-point operations (2 per mul-add) */
};

/* What holds a device's clocks down: bits. */
enum device_throttle {
    DEVICE_THROTTLE_POWER_LIMIT = 1 << 0,
    DEVICE_THROTTLE_HEAT = 1 << 1,          /* by the driver */
    DEVICE_THROTTLE_HARDWARE_HEAT = 1 << 2, /* by the device itself */
    DEVICE_THROTTLE_HARDWARE = 1 << 3,      /* heat or power, the device does not say which */
    DEVICE_THROTTLE_POWER_BRAKE = 1 << 4,   /* the machine's power supply asked for it */
    DEVICE_THROTTLE_SETTING = 1 << 5,       /* clocks that a person has set */
    DEVICE_THROTTLE_SYNC_BOOST = 1 << 6,    /* the slowest of a group of devices */
};

/* What a device shows of itself, now. NaN where it does not. */
struct device_reading {
    double power_w;
    double energy_j; /* since its driver was loaded */
    double core_mhz, memory_mhz;
    double temperature_c;
    double heat_throttled_s, power_throttled_s; /* totals since some start */
    double other_processes;                     /* that compute on it, beside this one */
    double memory_used_bytes;                   /* by all processes and the driver */
    double throttle;                            /* a sum of enum device_throttle */
};

static inline void device_reading_init(struct device_reading *reading)
{
    *reading = (struct device_reading){NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN};
}

/* Where the time of a pass goes. */
enum engine_component {
    ENGINE_EMBEDDING,             /* of tokens and positions */
    ENGINE_ATTENTION_PROJECTIONS, /* to queries, keys and values, and back */
    ENGINE_ATTENTION,             /* over the cache, which it also fills */
    ENGINE_MLP,                   /* experts and their router too */
    ENGINE_NORMS,
    ENGINE_HEAD, /* logits */
    ENGINE_SAMPLING,
    ENGINE_COMPONENT_COUNT,
};

struct engine_ops {
    const char *name;   /* "native-cpu" */
    const char *device; /* "cpu" or "cuda": what --device asks for */
    bool hidden;        /* tests only: chosen by name, not listed, never by auto */
    /* Computes on a device with memory of its own, which a failure can take from this process for
     * good (ERROR_DEVICE): a grid is measured in a process that can be replaced. */
    bool own_device;

    /* Can it run here? 0, or a code with the reason. */
    int (*probe)(int device_index, struct error *reason);
    /* `model` NULL: an engine for limit_run and facts alone. */
    int (*open)(struct engine **out, const struct model *model,
                const struct engine_options *options, struct error *error);
    void (*close)(struct engine *engine);
    /* Facts for the header and the results: device, dtype, kv_dtype, isa, threads, and with a
     * model weight_bytes; of a GPU also `gpu`, an object of facts about the card and its driver.
     * New reference. */
    json_t *(*facts)(const struct engine *engine);
    int (*predict)(const struct engine *engine, const struct session_shape *shape,
                   struct session_memory *memory, struct error *error);
    /* Allocates and touches everything the cell needs. ERROR_MEMORY when there is not enough. */
    int (*session_open)(struct session **out, struct engine *engine,
                        const struct session_shape *shape, struct error *error);
    void (*session_close)(struct session *session);
    /* ids [batch, length], int32, row-major, all inside the vocabulary. Starts at position 0
     * whatever ran before, fills the cache, chooses the first token of every row. */
    int (*prefill)(struct session *session, const int32_t *ids, int64_t length,
                   const struct token_sink *sink, struct error *error);
    /* `steps` further tokens for every row, one step at a time. */
    int (*decode)(struct session *session, int64_t steps, const struct token_sink *sink,
                  struct error *error);
    int (*memory_usage)(const struct session *session, struct memory_usage *usage,
                        struct error *error);
    int (*limit_run)(struct engine *engine, struct limit_probe *probe, struct error *error);
    /* Optional, NULL where the engine cannot tell: until the next call, prefill and decode add the
     * seconds of each component to seconds [ENGINE_COMPONENT_COUNT]; NULL ends it. What that costs
     * falls into the passes, so a timed one never runs with it. */
    void (*time_components)(struct session *session, double *seconds);
    /* Optional, NULL where the device has no clock of its own: by that clock, seconds from the
     * first to the last token of the last generation; NaN before there is one. */
    double (*device_decode_s)(const struct session *session);
    /* Optional, NULL for an engine without a device of its own: reads the device, within some
     * milliseconds; the caller sees to it that this never falls into a timed window. */
    void (*read_device)(struct engine *engine, struct device_reading *reading);
};

/* The table: every engine that exists, also one that is not there or cannot run here. */
struct engine_entry {
    const char *name;
    const char *device;
    const struct engine_ops *ops; /* NULL: opened at run time by load */
    /* Finds the engine for that device, cheap things first; 0, or a code with the reason. Once
     * opened it stays until the process ends. */
    int (*load)(const struct engine_ops **out, int device_index, struct error *reason);
    bool hidden; /* tests only: see engine_ops */
};
extern const struct engine_entry engines[];
extern const size_t engine_count;

/* Can this entry run on that device? 0 and its ops, or a code with the reason. */
int engine_entry_probe(const struct engine_entry *entry, int device_index,
                       const struct engine_ops **out, struct error *reason);

/* The entry that serves `device` ("cpu", "cuda", "cuda:N", "auto"; with hidden engines by their
 * device name, e.g. "fake"). *device_index is N. *reason tells, for "auto" that fell back to the
 * CPU, why; "" otherwise. ERROR_INPUT where the device asked for is not there. */
int engine_choose(const struct engine_ops **out, int *device_index, const char *device,
                  struct error *reason, struct error *error);

/* How a token is drawn, the same on every engine: see sampler.h. */

#endif
