/* The sampler on the emulated GPU against its definition made plainly, by sorting: rows that are
 * short, long, not aligned; logits that are all equal, mostly equal, flat, steep, not finite; with
 * scratch of its own and in the logits' place, in every schedule. */
#include "kernel_fixture.h"

#include "engine/sampler.h"
#include "kernels/sample_definition.h"

enum { ROWS = 3, STEP = 2, STEPS = 4, SEED = 77 };

static const struct {
    float temperature;
    double top_p;
} ways[] = {{0, 1}, {1, 1}, {1, 0.9}, {0.2F, 0.5}, {30, 0.001}, {5, 0.999}};
enum { WAYS = sizeof ways / sizeof ways[0] };

enum logits { FLAT, STEEP, MOSTLY_EQUAL, EQUAL, NOT_FINITE, KINDS };

static float make_logit(enum logits kind, uint32_t index)
{
    switch (kind) {
    case FLAT:
        return exact_value(index) * 4 + exact_value(index * 7 + 3) / 64;
    case STEEP:
        return exact_value(index) * 90 + exact_value(index * 5 + 1);
    case MOSTLY_EQUAL:
        return index % 7 == 3 ? 1.5F : (float)(index % 3) - 2;
    case NOT_FINITE:
        return index % 5 == 4 ? INFINITY : 0;
    default:
        return -0.25F;
    }
}

struct entry {
    uint32_t weight;
    int32_t id;
};

static int compare_entries(const void *a, const void *b)
{
    const struct entry *first = a, *second = b;
    if (first->weight != second->weight)
        return first->weight > second->weight ? -1 : 1;
    return first->id < second->id ? -1 : 1;
}

/* The definition of engine/sampler.h, word by word. */
static int32_t sample_plainly(const float *logits, int64_t count, size_t way, int64_t row)
{
    int64_t best = 0;
    for (int64_t i = 0; i < count; i++) {
        if (!isfinite(logits[i]))
            return -1;
        best = logits[i] > logits[best] ? i : best;
    }
    if (ways[way].temperature == 0)
        return (int32_t)best;
    struct entry *entries = calloc((size_t)count, sizeof *entries);
    bool *is_in = calloc((size_t)count, sizeof *is_in);
    assert_true(entries != NULL && is_in != NULL);
    uint64_t total = 0, sum = 0;
    for (int64_t i = 0; i < count; i++) {
        uint32_t weight =
            sample_weight(logits[i], logits[best], sample_scale(ways[way].temperature));
        entries[i] = (struct entry){weight, (int32_t)i};
        total += weight;
    }
    qsort(entries, (size_t)count, sizeof *entries, compare_entries);
    uint64_t fraction = sample_fraction(ways[way].top_p);
    uint64_t needed = fraction >> 32 != 0 ? total : sample_needed(fraction, total);
    for (int64_t i = 0; i < count && sum < needed; i++) {
        sum += entries[i].weight;
        is_in[entries[i].id] = true;
    }
    uint64_t position = sample_position(sampler_draw(SEED, row, STEP), sum), walked = 0;
    int32_t id = 0;
    for (; id < count; id++) {
        if (is_in[id])
            walked += sample_weight(logits[id], logits[best], sample_scale(ways[way].temperature));
        if (walked > position)
            break;
    }
    free(entries);
    free(is_in);
    return id;
}

static void check(int64_t count, enum logits kind, size_t way, bool in_place)
{
    float *logits = calloc((size_t)(ROWS * count), sizeof *logits);
    assert_non_null(logits);
    for (int64_t i = 0; i < ROWS * count; i++)
        logits[i] = make_logit(kind, (uint32_t)i);
    struct device_state state = {.step = STEP};
    size_t bytes = (size_t)(ROWS * count) * sizeof *logits;
    float *on_device = device_copy(logits, bytes);
    struct sample_call call = {
        .logits = on_device,
        .weights = in_place ? (uint32_t *)on_device : device_take(bytes),
        .chosen = device_take(STEPS * ROWS * sizeof(int32_t)),
        .next = device_take(ROWS * sizeof(int32_t)),
        .rows = ROWS,
        .vocabulary = count,
        .temperature = ways[way].temperature,
        .scale = ways[way].temperature > 0 ? sample_scale(ways[way].temperature) : 0,
        .fraction = sample_fraction(ways[way].top_p),
        .seed = SEED,
        .state = device_copy(&state, sizeof state),
    };
    int32_t chosen[STEPS * ROWS], next[ROWS];
    assert_int_equal(kernel_sample(&call), cudaSuccess);
    device_read(chosen, call.chosen, sizeof chosen);
    device_read(next, call.next, sizeof next);
    device_read(&state, call.state, sizeof state);
    uint32_t refused = 0;
    for (int64_t row = 0; row < ROWS; row++) {
        int32_t id = sample_plainly(logits + row * count, count, way, row);
        int32_t found = chosen[STEP * ROWS + row];
        refused += id < 0;
        if (found != id || next[row] != (id < 0 ? 0 : id))
            fail_msg("%lld logits of kind %d, temperature %g, top_p %g, row %lld: %d, expected %d",
                     (long long)count, (int)kind, (double)ways[way].temperature, ways[way].top_p,
                     (long long)row, found, id);
    }
    assert_int_equal(state.not_finite, refused);
    if (!in_place)
        assert_int_equal(cudaFree(call.weights), cudaSuccess);
    void *taken[] = {on_device, call.chosen, call.next, call.state};
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++)
        assert_int_equal(cudaFree(taken[i]), cudaSuccess);
    free(logits);
}

static void test_every_kind(void **state)
{
    (void)state;
    static const int64_t counts[] = {1, 2, 31, 97, 256, 1030, 5000};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        for (int kind = 0; kind < KINDS; kind++)
            for (size_t way = 0; way < WAYS; way++)
                check(counts[i], (enum logits)kind, way, (i + way) % 2 == 0);
}

static void test_large_vocabularies(void **state)
{
    (void)state;
    for (size_t way = 1; way < WAYS; way++) {
        check(50257, way % 2 == 0 ? FLAT : MOSTLY_EQUAL, way, true);
        check(32768, way % 2 == 0 ? STEEP : FLAT, way, false);
    }
}

static void check_some(int number)
{
    check(97, FLAT, 2, number % 2 == 0);
    check(1030, MOSTLY_EQUAL, 5, number % 2 == 1);
    check(260, STEEP, 1, true);
}

static void test_every_schedule(void **state)
{
    (void)state;
    in_all_schedules(check_some);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind),
        cmocka_unit_test(test_large_vocabularies),
        cmocka_unit_test(test_every_schedule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
