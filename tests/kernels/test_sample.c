/* Sampling: every instruction set gives, bit for bit, the token of a plain reference that sorts;
 * the nucleus and the distribution against exact ones; ties, extremes, refusals. --bench: time a
 * row of 50,257 logits. */
#include "engine/sampler.h"
#include "kernel_inputs.h"
#include "kernels/sample_definition.h"

struct scene {
    float *logits;
    uint32_t *workspace;
    struct sample_call call;
};

static struct scene open_scene(int64_t count)
{
    struct scene scene = {.logits = allocate_poisoned((size_t)count * sizeof(float))};
    scene.workspace = allocate_poisoned(kernel_sample_workspace_words(count) * sizeof(uint32_t));
    scene.call = (struct sample_call){scene.logits, count, 1, 1, 0, scene.workspace};
    return scene;
}

static void close_scene(struct scene *scene)
{
    free(scene->logits);
    free(scene->workspace);
}

struct weighed {
    uint64_t weight;
    int64_t id;
};

static int by_weight_then_id(const void *left, const void *right)
{
    const struct weighed *a = left, *b = right;
    if (a->weight != b->weight)
        return a->weight < b->weight ? 1 : -1;
    return a->id < b->id ? -1 : 1;
}

/* What the definition says, by a sort and 128-bit integers. kept[id] tells the nucleus. */
static int64_t expect_token(const struct sample_call *call, bool *kept)
{
    int64_t count = call->count, greedy = 0;
    for (int64_t i = 1; i < count; i++)
        greedy = call->logits[i] > call->logits[greedy] ? i : greedy;
    memset(kept, 0, (size_t)count);
    if (call->temperature == 0)
        return greedy;
    struct weighed *sorted = malloc((size_t)count * sizeof *sorted);
    float scale = sample_scale(call->temperature);
    __extension__ unsigned __int128 total = 0, sum = 0;
    for (int64_t i = 0; i < count; i++) {
        uint32_t weight = sample_weight(call->logits[i], call->logits[greedy], scale);
        sorted[i] = (struct weighed){weight, i};
        total += weight;
    }
    qsort(sorted, (size_t)count, sizeof *sorted, by_weight_then_id);
    uint64_t fraction = (uint64_t)floor(call->top_p * 4294967296.0 + 0.5);
    for (int64_t i = 0; i < count && (i == 0 || (sum << 32) < fraction * total); i++) {
        kept[sorted[i].id] = true;
        sum += sorted[i].weight;
    }
    uint64_t position = (uint64_t)(call->draw * sum >> 64), running = 0;
    int64_t token = -1;
    for (int64_t i = 0; i < count && token < 0; i++) {
        running += kept[i] ? sample_weight(call->logits[i], call->logits[greedy], scale) : 0;
        if (running > position)
            token = i;
    }
    free(sorted);
    return token;
}

static void expect_everywhere(const struct sample_call *call, int64_t expected)
{
    for (size_t i = 0; i < kernels_count(); i++) {
        if (!kernels_runnable(i))
            continue;
        int64_t token = kernels_choose(kernels_name(i))->sample(call);
        if (token != expected)
            fail_msg("%s: count %d temperature %g top_p %.17g draw %llx: token %d, expected %d",
                     kernels_name(i), (int)call->count, (double)call->temperature, call->top_p,
                     (unsigned long long)call->draw, (int)token, (int)expected);
    }
}

enum { FILL_KINDS = 7 };

/* Ways in which logits are spread. */
static void fill_logits(struct inputs *inputs, int kind, float *logits, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        float normal = input_normal(inputs);
        switch (kind) {
        case 0: /* random weights: flat */
            logits[i] = 0.5f * normal;
            break;
        case 1: /* a trained model's: peaked */
            logits[i] = 4 * normal - 100;
            break;
        case 2: /* few values, many ties */
            logits[i] = rintf(normal);
            break;
        case 3: /* all the same */
            logits[i] = -3.25f;
            break;
        case 4: /* one far above */
            logits[i] = i == count / 3 ? 90 : normal;
            break;
        case 5: /* the largest floats */
            logits[i] = normal > 0 ? 3.4e38f : -3.4e38f;
            break;
        default: /* zeros of both signs below the smallest steps */
            logits[i] = i % 3 == 0 ? -0.0f : i % 3 == 1 ? 0.0f : -1e-38f;
        }
    }
}

static void test_against_sort(void **state)
{
    (void)state;
    static const int64_t counts[] = {1, 2, 7, 15, 16, 17, 100, 511, 512, 513, 1025, 5000};
    static const double top_ps[] = {1, 0.9, 0.5, 0.05, 1e-12, 0.999999, 1 - 1e-12};
    static const float temperatures[] = {1, 0.7f, 0, 0.01f, 1e-40f, 50, 1e38f};
    struct inputs inputs = {1, 0};
    for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
        struct scene scene = open_scene(counts[c]);
        bool *kept = malloc((size_t)counts[c]);
        for (int i = 0; i < FILL_KINDS * 14 / CASES_DIVISOR; i++) {
            fill_logits(&inputs, i % FILL_KINDS, scene.logits, counts[c]);
            scene.call.top_p = top_ps[input_between(&inputs, 0, 6)];
            scene.call.temperature = temperatures[input_between(&inputs, 0, 6)];
            scene.call.draw = (uint64_t)input_word(&inputs) << 32 | input_word(&inputs);
            if (i % 5 == 0)
                scene.call.draw = i % 2 ? 0 : UINT64_MAX;
            expect_everywhere(&scene.call, expect_token(&scene.call, kept));
        }
        free(kept);
        close_scene(&scene);
    }
}

/* Draws at both ends of every kept id's share: exactly the nucleus can be drawn. */
static void test_nucleus(void **state)
{
    (void)state;
    enum { COUNT = 300 };
    struct inputs inputs = {2, 0};
    struct scene scene = open_scene(COUNT);
    for (int kind = 0; kind < 4; kind++) {
        fill_logits(&inputs, kind, scene.logits, COUNT);
        scene.call.top_p = 0.6;
        bool kept[COUNT], drawn[COUNT] = {false};
        expect_token(&scene.call, kept);
        float max = scene.logits[0];
        for (int i = 1; i < COUNT; i++)
            max = fmaxf(max, scene.logits[i]);
        uint64_t sum = 0, before = 0;
        for (int i = 0; i < COUNT; i++)
            sum += kept[i] ? sample_weight(scene.logits[i], max, sample_scale(1)) : 0;
        for (int i = 0; i < COUNT; i++) {
            uint64_t weight = kept[i] ? sample_weight(scene.logits[i], max, sample_scale(1)) : 0;
            for (int last = 0; last < 2 && weight > 0; last++) {
                __extension__ unsigned __int128 position = last ? before + weight - 1 : before;
                scene.call.draw = (uint64_t)(((position << 64) + sum - 1) / sum);
                expect_everywhere(&scene.call, i);
                drawn[i] = true;
            }
            before += weight;
        }
        assert_memory_equal(kept, drawn, sizeof kept);
    }
    close_scene(&scene);
}

/* Weights against exp in double. */
static void test_weights(void **state)
{
    (void)state;
    assert_int_equal(sample_weight(5, 5, sample_scale(0.3f)), UINT32_MAX);
    assert_int_equal(sample_weight(-3.4e38f, 3.4e38f, sample_scale(1e38f)), 0);
    for (int i = 1; i < 20000; i += CASES_DIVISOR) {
        float logit = -(float)i / 1000;
        double expected = 4294967296.0 * exp(logit / 0.8);
        assert_close(sample_weight(logit, 0, sample_scale(0.8f)), expected,
                     1 + expected * (2e-7 - 1.5e-7 * logit));
    }
    assert_int_equal(sample_needed(sample_fraction(0.5), 7), 4);
    assert_int_equal(sample_needed(sample_fraction(1), UINT64_C(1) << 50), UINT64_C(1) << 50);
    assert_int_equal(sample_needed(sample_fraction(1e-30), 7), 1);
    assert_int_equal(sample_position(UINT64_MAX, UINT64_C(12345678901234)), 12345678901233);
}

/* Pearson's statistic of the draws of sampler_draw() against the exact probabilities. */
static void test_distribution(void **state)
{
    (void)state;
    enum { COUNT = 200, DRAWS = 200000 / CASES_DIVISOR };
    const struct kernels *table = kernels_choose(NULL);
    struct inputs inputs = {3, 0};
    struct scene scene = open_scene(COUNT);
    fill_logits(&inputs, 0, scene.logits, COUNT);
    scene.call.temperature = 0.8f;
    scene.call.top_p = 0.9;
    bool kept[COUNT];
    expect_token(&scene.call, kept);
    double exact[COUNT], sum = 0, statistic = 0;
    int drawn[COUNT] = {0}, cells = 0;
    for (int i = 0; i < COUNT; i++) {
        exact[i] = kept[i] ? exp(scene.logits[i] / 0.8) : 0;
        sum += exact[i];
    }
    for (int i = 0; i < DRAWS; i++) {
        scene.call.draw = sampler_draw(42, i % 16, i / 16);
        int64_t token = table->sample(&scene.call);
        assert_in_range(token, 0, COUNT - 1);
        drawn[token]++;
    }
    for (int i = 0; i < COUNT; i++) {
        double expected = exact[i] / sum * DRAWS;
        if (!kept[i]) {
            assert_int_equal(drawn[i], 0);
            continue;
        }
        statistic += (drawn[i] - expected) * (drawn[i] - expected) / expected;
        cells++;
    }
    /* Mean cells - 1, variance twice that; the bound is four deviations away on both sides. */
    double deviation = sqrt(2.0 * (cells - 1));
    assert_true(cells > 100);
    assert_close(statistic, cells - 1, 4 * deviation);
    close_scene(&scene);
}

static void test_refusals(void **state)
{
    (void)state;
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    for (int64_t count = 1; count < 70; count += 11) {
        struct scene scene = open_scene(count);
        struct inputs inputs = {4, 0};
        for (int i = 0; i < 12; i++) {
            fill_logits(&inputs, 0, scene.logits, count);
            scene.logits[input_between(&inputs, 0, count - 1)] = bad[i % 3];
            scene.call.temperature = i & 1 ? 1 : 0;
            expect_everywhere(&scene.call, -1);
        }
        close_scene(&scene);
    }
}

struct bench {
    const struct kernels *table;
    struct scene scene;
    int64_t sum; /* of the tokens, so that they are needed */
};

static void bench_sample(void *context)
{
    struct bench *bench = context;
    bench->scene.call.draw += UINT64_C(0x9E3779B97F4A7C15);
    bench->sum += bench->table->sample(&bench->scene.call);
}

static void bench_isa(const struct kernels *table)
{
    static const char *const kinds[] = {"flat", "peaked", "tied", "equal", "one"};
    static const struct {
        float temperature;
        double top_p;
    } cases[] = {{0, 1}, {1, 1}, {1, 0.9}};
    enum { VOCABULARY = 50257 };
    struct bench bench = {table, open_scene(VOCABULARY), 0};
    struct inputs inputs = {5, 0};
    for (int kind = 0; kind < 5; kind++) {
        fill_logits(&inputs, kind, bench.scene.logits, VOCABULARY);
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            bench.scene.call.temperature = cases[i].temperature;
            bench.scene.call.top_p = cases[i].top_p;
            printf("%-12s %-6s temperature %g top_p %-3g: %7.1f us a row\n", table->isa,
                   kinds[kind], (double)cases[i].temperature, cases[i].top_p,
                   time_call(bench_sample, &bench) * 1e6);
        }
    }
    close_scene(&bench.scene);
}

int main(int argc, char **argv)
{
    if (bench_asked(argc, argv, bench_isa))
        return 0;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_sort), cmocka_unit_test(test_nucleus),
        cmocka_unit_test(test_weights),      cmocka_unit_test(test_distribution),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
