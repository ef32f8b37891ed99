/* What one generation produced, taken from the engine's sink: tokens, and the largest logits. */
#ifndef TOKENMARK_CLI_GENERATION_LOG_H
#define TOKENMARK_CLI_GENERATION_LOG_H

#include <jansson.h>
#include <stdint.h>

#include "base/error.h"
#include "engine/engine.h"

struct top_logit {
    int32_t id;
    float logit;
};

struct generation_log {
    int64_t batch;
    int64_t steps;
    int64_t vocabulary_size;
    int64_t top_count;     /* logits kept per row and step; 0 for none */
    int32_t *tokens;       /* [batch, steps] */
    struct top_logit *top; /* [batch, steps, top_count], largest first, ties to the lower id */
};

/* The dimensions are set by the caller. */
int generation_log_open(struct generation_log *log, struct error *error);
void generation_log_close(struct generation_log *log);

/* A sink that fills the log. */
struct token_sink generation_log_sink(struct generation_log *log);

/* [row][step] and [row][step][k] = [id, logit]; NULL when out of memory. */
json_t *generation_log_tokens(const struct generation_log *log);
json_t *generation_log_top(const struct generation_log *log);

#endif
