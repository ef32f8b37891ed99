/* An engine that computes nothing: scripted costs on a test clock, scripted failures, and a log
 * of what was asked of it. It tests the suite itself. Through the table of engines (--device
 * fake) it runs the built-in script in real time, for tests of the command line. */
#ifndef TOKENMARK_ENGINE_FAKE_FAKE_H
#define TOKENMARK_ENGINE_FAKE_FAKE_H

#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/text.h"
#include "engine/engine.h"

enum fake_fault_kind {
    FAKE_PREDICT_FAILS,
    FAKE_OPEN_FAILS,
    FAKE_OUT_OF_MEMORY, /* at session_open */
    FAKE_PREFILL_FAILS,
    FAKE_DEVICE_LOST, /* in the prefill */
    FAKE_DECODE_FAILS,
    FAKE_NOT_FINITE, /* the sampler meets a logit that is not finite */
    FAKE_MEMORY_USAGE_FAILS,
    FAKE_STEP_LOST,         /* one decode step fewer than asked for */
    FAKE_STEP_TWICE,        /* the last step is delivered twice */
    FAKE_OTHER_TOKENS,      /* not those of the other generations */
    FAKE_TOKEN_OUTSIDE,     /* one id equal to the vocabulary's size */
    FAKE_CLOCK_GOES_BACK,   /* a stamp before the one before it */
    FAKE_MEMORY_TOO_SMALL,  /* predict: half of what is needed is available */
    FAKE_PREDICT_OVERFLOWS, /* predict: larger than any memory */
    FAKE_ROWS_EQUAL,        /* every row gets the tokens of the first */
};

/* A fault of one cell: in generation `generation` of a session (0 = the first, the warm-up), or
 * in all of them (-1). */
struct fake_fault {
    enum fake_fault_kind kind;
    int64_t batch_size;
    int64_t input_length; /* 0 = any */
    int64_t generation;
};

/* Costs in seconds. `now_s` is the test clock: every action moves it on. */
struct fake_script {
    int64_t vocabulary_size; /* of an engine opened without a model */
    double now_s;
    double open_s;
    double prefill_token_s; /* per row and prompt token */
    double step_s;
    double step_row_s;      /* added per row */
    double step_position_s; /* added per position already in the cache */
    double memory_usage_s;
    double close_s;
    /* Generation g of a session takes factors[g] times as long (the last one from there on). */
    const double *factors;
    size_t factor_count;
    const struct fake_fault *faults;
    size_t fault_count;
    const char *fault_text; /* instead of the built-in words of a failing prefill; may be NULL */
    int64_t weight_bytes;
    int64_t kv_bytes_per_position; /* per row */
    int64_t workspace_bytes;
    int64_t available_bytes;
    int64_t host_peak_bytes;
    int64_t device_allocated_bytes; /* -1: no device of its own */
    int64_t device_reserved_bytes;
    double bandwidth;    /* bytes per second, of limit_run */
    double flops;        /* operations per second, of limit_run */
    int64_t probes_left; /* calls of limit_run until the device is lost in one; 0: never */
    double device_clock; /* how fast the device's own clock runs; 0: it has none */
    /* Of prefill and step, where components are asked for; they add up to 1. */
    double component_parts[ENGINE_COMPONENT_COUNT];
    /* What the device shows of itself; NULL: nothing. */
    void (*read_device)(void *context, struct device_reading *reading);
    void *device_context;
    struct text *log; /* what was asked, one word each; may be NULL */
    bool sleeps;      /* in real time, instead of moving now_s */
};

/* A script without costs or faults that has memory for everything. */
void fake_script_init(struct fake_script *script);

/* What the table's engine runs: 5 us per prompt token, 2 ms per step, in real time; batch 13
 * fails in its prefill, 17 runs out of memory, 19 is predicted not to fit, 23 has logits that
 * are not finite. */
void fake_script_built_in(struct fake_script *script);

/* Lets that much time pass. */
void fake_script_spend(struct fake_script *script, double seconds);

/* The clock that `script` moves. */
struct clock fake_clock(struct fake_script *script);

/* Opens an engine that follows `script`, which must outlive it; `model` may be NULL. */
int fake_engine_open(struct engine **out, struct fake_script *script, const struct model *model,
                     const struct engine_options *options, struct error *error);

/* The ops of the table; its open runs the built-in script. */
extern const struct engine_ops engine_fake;

#endif
