/* Keeps tokens and the K largest logits of every step; see generation_log.h. */
#include "cli/generation_log.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/memory.h"

/* The order of the list: the larger logit, then the lower id. */
static bool comes_before(struct top_logit a, struct top_logit b)
{
    return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
}

static int compare(const void *left, const void *right)
{
    const struct top_logit *a = left, *b = right;
    return comes_before(*a, *b) ? -1 : comes_before(*b, *a);
}

/* Restores the heap whose root is the last in order, after its element at `at` has changed. */
static void sift_down(struct top_logit *heap, int64_t count, int64_t at)
{
    for (;;) {
        int64_t last = at, left = 2 * at + 1, right = left + 1;
        if (left < count && comes_before(heap[last], heap[left]))
            last = left;
        if (right < count && comes_before(heap[last], heap[right]))
            last = right;
        if (last == at)
            return;
        struct top_logit moved = heap[at];
        heap[at] = heap[last];
        heap[last] = moved;
        at = last;
    }
}

static void select_top(const float *logits, int64_t vocabulary_size, struct top_logit *top,
                       int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        top[i] = (struct top_logit){(int32_t)i, logits[i]};
    for (int64_t i = count / 2; i-- > 0;)
        sift_down(top, count, i);
    for (int64_t i = count; i < vocabulary_size; i++) {
        struct top_logit candidate = {(int32_t)i, logits[i]};
        if (comes_before(candidate, top[0])) {
            top[0] = candidate;
            sift_down(top, count, 0);
        }
    }
    qsort(top, (size_t)count, sizeof *top, compare);
}

static void on_step(void *context, int64_t step, const int32_t *tokens, double time_s)
{
    (void)time_s;
    struct generation_log *log = context;
    for (int64_t row = 0; row < log->batch && step < log->steps; row++)
        log->tokens[row * log->steps + step] = tokens[row];
}

static void on_logits(void *context, int64_t step, const float *logits)
{
    struct generation_log *log = context;
    for (int64_t row = 0; row < log->batch && step < log->steps; row++)
        select_top(logits + row * log->vocabulary_size, log->vocabulary_size,
                   log->top + (row * log->steps + step) * log->top_count, log->top_count);
}

int generation_log_open(struct generation_log *log, struct error *error)
{
    size_t slots = 0, top = 0;
    if (!size_multiply((size_t)log->batch, (size_t)log->steps, &slots) ||
        !size_multiply(slots, (size_t)log->top_count, &top))
        return error_set(error, ERROR_INPUT, "the output is too large");
    log->tokens = calloc(slots, sizeof *log->tokens);
    log->top = calloc(top > 0 ? top : 1, sizeof *log->top);
    if (log->tokens == NULL || log->top == NULL) {
        generation_log_close(log);
        return error_set(error, ERROR_MEMORY, "no memory for the output of %zu tokens", slots);
    }
    return 0;
}

void generation_log_close(struct generation_log *log)
{
    free(log->tokens);
    free(log->top);
    log->tokens = NULL;
    log->top = NULL;
}

struct token_sink generation_log_sink(struct generation_log *log)
{
    return (struct token_sink){
        .step = on_step,
        .logits = log->top_count > 0 ? on_logits : NULL,
        .context = log,
    };
}

static json_t *step_top(const struct generation_log *log, int64_t slot)
{
    json_t *list = json_array();
    for (int64_t k = 0; list != NULL && k < log->top_count; k++) {
        struct top_logit entry = log->top[slot * log->top_count + k];
        json_t *pair = json_array();
        if (pair == NULL || json_array_append_new(pair, json_integer(entry.id)) != 0 ||
            json_array_append_new(pair, json_number((double)entry.logit)) != 0 ||
            json_array_append(list, pair) != 0) {
            json_decref(list);
            list = NULL;
        }
        json_decref(pair);
    }
    return list;
}

static json_t *step_token(const struct generation_log *log, int64_t slot)
{
    return json_integer(log->tokens[slot]);
}

static json_t *by_row_and_step(const struct generation_log *log,
                               json_t *(*value)(const struct generation_log *log, int64_t slot))
{
    json_t *rows = json_array();
    for (int64_t row = 0; rows != NULL && row < log->batch; row++) {
        json_t *steps = json_array();
        bool done = steps != NULL;
        for (int64_t step = 0; done && step < log->steps; step++)
            done = json_array_append_new(steps, value(log, row * log->steps + step)) == 0;
        if (!done || json_array_append(rows, steps) != 0) {
            json_decref(rows);
            rows = NULL;
        }
        json_decref(steps);
    }
    return rows;
}

json_t *generation_log_tokens(const struct generation_log *log)
{
    return by_row_and_step(log, step_token);
}

json_t *generation_log_top(const struct generation_log *log)
{
    return by_row_and_step(log, step_top);
}
