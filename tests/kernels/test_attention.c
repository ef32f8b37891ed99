/* Attention of every instruction set against sums in double over random shapes, its masks,
 * splits, types of the cache and extreme inputs. --bench: GB/s of decode, GFLOP/s of prefill. */
#include "kernel_inputs.h"

struct shape {
    enum kernel_type type;
    int64_t positions, first, group, head_dim, window, capacity;
    float softcap, deviation;
    bool alibi;
};

/* Inputs, caches and results of one call; every buffer has exactly the size it needs. */
struct scene {
    struct shape shape;
    float *queries, *keys, *values, *out, *workspace;
    void *key_cache, *value_cache;
    float slopes[32];
    struct attention_call call;
};

static struct scene open_scene(const struct kernels *table, struct shape shape, uint64_t key)
{
    struct inputs inputs = {key, 0};
    struct scene scene = {.shape = shape};
    int64_t length = shape.first + shape.positions, row = shape.group * shape.head_dim;
    scene.queries = allocate_poisoned((size_t)(shape.positions * row) * sizeof(float));
    scene.out = allocate_poisoned((size_t)(shape.positions * row) * sizeof(float));
    scene.keys = allocate_poisoned((size_t)(length * shape.head_dim) * sizeof(float));
    scene.values = allocate_poisoned((size_t)(length * shape.head_dim) * sizeof(float));
    fill_normal(&inputs, scene.queries, shape.positions * row, shape.deviation);
    fill_normal(&inputs, scene.keys, length * shape.head_dim, shape.deviation);
    fill_normal(&inputs, scene.values, length * shape.head_dim, 1);
    scene.key_cache =
        allocate_poisoned(kernel_key_bytes(shape.type, shape.capacity, shape.head_dim));
    scene.value_cache =
        allocate_poisoned(kernel_value_bytes(shape.type, shape.capacity, shape.head_dim));
    scene.workspace =
        allocate_poisoned(sizeof(float) * kernel_attention_workspace_floats(
                                              shape.positions, shape.group, shape.head_dim));
    /* In two pieces, as prefill and decode do. */
    int64_t half = length / 2, dim = shape.head_dim;
    table->store_keys(shape.type, scene.key_cache, shape.capacity, dim, 0, half, scene.keys, dim);
    table->store_keys(shape.type, scene.key_cache, shape.capacity, dim, half, length - half,
                      scene.keys + half * dim, dim);
    table->store_values(shape.type, scene.value_cache, shape.capacity, dim, 0, half, scene.values,
                        dim);
    table->store_values(shape.type, scene.value_cache, shape.capacity, dim, half, length - half,
                        scene.values + half * dim, dim);
    for (int64_t g = 0; g < shape.group; g++)
        scene.slopes[g] = ldexpf(1, (int)-(g % 8));
    return scene;
}

static struct attention_call *make_call(struct scene *scene)
{
    const struct shape *shape = &scene->shape;
    scene->call = (struct attention_call){
        .kv_type = shape->type,
        .queries = scene->queries,
        .query_stride = shape->group * shape->head_dim,
        .out = scene->out,
        .out_stride = shape->group * shape->head_dim,
        .position_count = shape->positions,
        .first_position = shape->first,
        .group = shape->group,
        .head_dim = shape->head_dim,
        .keys = scene->key_cache,
        .values = scene->value_cache,
        .capacity = shape->capacity,
        .scale = 1 / sqrtf((float)shape->head_dim),
        .softcap = shape->softcap,
        .window = shape->window,
        .alibi_slopes = shape->alibi ? scene->slopes : NULL,
        .workspace = scene->workspace,
    };
    return &scene->call;
}

static void close_scene(struct scene *scene)
{
    free(scene->queries);
    free(scene->keys);
    free(scene->values);
    free(scene->out);
    free(scene->workspace);
    free(scene->key_cache);
    free(scene->value_cache);
}

/* One row by the definition. */
static void expect_row(const struct scene *scene, int64_t position, int64_t head, double *out)
{
    const struct shape *shape = &scene->shape;
    int64_t dim = shape->head_dim, last = shape->first + position;
    int64_t begin = shape->window > 0 && last >= shape->window ? last - shape->window + 1 : 0;
    const float *query = scene->queries + (position * shape->group + head) * dim;
    double *scores = malloc((size_t)(last + 1) * sizeof *scores), largest = -INFINITY, sum = 0;
    for (int64_t k = begin; k <= last; k++) {
        double score = 0;
        for (int64_t d = 0; d < dim; d++)
            score += (double)query[d] * scene->keys[k * dim + d];
        score /= sqrt((double)dim);
        if (shape->softcap != 0)
            score = shape->softcap * tanh(score / shape->softcap);
        if (shape->alibi)
            score += scene->slopes[head] * (double)(k - last);
        scores[k] = score;
        largest = fmax(largest, score);
    }
    for (int64_t d = 0; d < dim; d++)
        out[d] = 0;
    for (int64_t k = begin; k <= last; k++) {
        double weight = exp(scores[k] - largest);
        sum += weight;
        for (int64_t d = 0; d < dim; d++)
            out[d] += weight * scene->values[k * dim + d];
    }
    for (int64_t d = 0; d < dim; d++)
        out[d] /= sum;
    free(scores);
}

static const double type_tolerance[KERNEL_TYPE_COUNT] = {2e-5, 4e-3, 3e-2, 6e-2};

static void check_scene(const struct kernels *table, const struct scene *scene)
{
    const struct shape *shape = &scene->shape;
    double expected[512];
    for (int64_t i = 0; i < shape->positions; i++) {
        for (int64_t g = 0; g < shape->group; g++) {
            expect_row(scene, i, g, expected);
            const float *out = scene->out + (i * shape->group + g) * shape->head_dim;
            for (int64_t d = 0; d < shape->head_dim; d++) {
                if (!(fabs(out[d] - expected[d]) <= type_tolerance[shape->type]))
                    fail_msg("%s type %d positions %d first %d group %d head_dim %d window %d "
                             "softcap %g alibi %d: [%d][%d][%d] is %.9g, expected %.9g",
                             table->isa, (int)shape->type, (int)shape->positions, (int)shape->first,
                             (int)shape->group, (int)shape->head_dim, (int)shape->window,
                             (double)shape->softcap, shape->alibi, (int)i, (int)g, (int)d,
                             (double)out[d], expected[d]);
            }
        }
    }
}

static struct shape random_shape(struct inputs *inputs)
{
    static const int64_t dims[] = {64, 128, 80, 96, 1, 5, 16, 33, 48, 256};
    struct shape shape = {.type = (enum kernel_type)input_between(inputs, 0, 3), .deviation = 1};
    shape.head_dim = dims[input_between(inputs, 0, 9)];
    shape.positions = input_between(inputs, 0, 2) == 0 ? 1 : input_between(inputs, 1, 130);
    shape.first = input_between(inputs, 0, 1) == 0 ? 0 : input_between(inputs, 0, 600);
    shape.group = input_between(inputs, 0, 1) == 0 ? 1 : input_between(inputs, 1, 9);
    if (shape.positions > 20)
        shape.group = 1;
    shape.window = input_between(inputs, 0, 2) == 0 ? input_between(inputs, 1, 300) : 0;
    shape.softcap = input_between(inputs, 0, 3) == 0 ? 2 : 0;
    shape.alibi = shape.softcap == 0 && input_between(inputs, 0, 3) == 0;
    shape.capacity = shape.first + shape.positions + input_between(inputs, 0, 40);
    return shape;
}

static void check_random_shapes(const struct kernels *table)
{
    struct inputs inputs = {1, 0};
    for (int i = 0; i < 60 / CASES_DIVISOR; i++) {
        struct scene scene = open_scene(table, random_shape(&inputs), (uint64_t)i);
        table->attention(make_call(&scene));
        check_scene(table, &scene);
        close_scene(&scene);
    }
}

static void test_random_shapes(void **state)
{
    (void)state;
    for_each_isa(check_random_shapes);
}

/* The caches are the same bits whatever set stored them, and the results agree closely. */
static void check_against_c(const struct kernels *table)
{
    const struct kernels *reference = kernels_choose("c");
    struct inputs inputs = {2, 0};
    for (int i = 0; i < 40 / CASES_DIVISOR; i++) {
        struct shape shape = random_shape(&inputs);
        struct scene scene = open_scene(table, shape, (uint64_t)i);
        struct scene expected = open_scene(reference, shape, (uint64_t)i);
        assert_memory_equal(scene.key_cache, expected.key_cache,
                            kernel_key_bytes(shape.type, shape.capacity, shape.head_dim));
        assert_memory_equal(scene.value_cache, expected.value_cache,
                            kernel_value_bytes(shape.type, shape.capacity, shape.head_dim));
        table->attention(make_call(&scene));
        reference->attention(make_call(&expected));
        for (int64_t k = 0; k < shape.positions * shape.group * shape.head_dim; k++)
            assert_close(scene.out[k], expected.out[k], 1e-5);
        close_scene(&scene);
        close_scene(&expected);
    }
}

static void test_against_c(void **state)
{
    (void)state;
    for_each_isa(check_against_c);
}

/* Floats halfway between two of a narrow type or beside that, also below and above a half's range.
 */
static float near_tie(int64_t position, int64_t d)
{
    static const int exponents[] = {0, -20, 10, 15};
    static const uint32_t low_bits[] = {0x8000, 0x7FFF, 0x8001, 0x1000, 0x0FFF, 0x3000};
    uint32_t bits = (uint32_t)(0x3F80 + 7 * d + position) << 16 | low_bits[(position + d) % 6];
    float value;
    memcpy(&value, &bits, sizeof value);
    return ldexpf(d % 2 == 0 ? value : -value, exponents[position % 4]);
}

/* Rounding to the narrow types is to even in every set: the caches are the same bits. */
static void check_rounding(const struct kernels *table)
{
    enum { POSITIONS = 13, DIM = 43 };
    const struct kernels *reference = kernels_choose("c");
    float near[POSITIONS * DIM], halves[POSITIONS * DIM];
    for (int64_t i = 0; i < POSITIONS * DIM; i++) {
        near[i] = near_tie(i / DIM, i % DIM);
        /* 127 is the largest of a row, so that int8 meets the halves as they are. */
        halves[i] = i % DIM == 0 ? 127 : (float)(i % 253 - 126) - 0.5f;
    }
    for (int type = 0; type < KERNEL_TYPE_COUNT; type++) {
        for (int64_t count = 1; count <= POSITIONS; count++) {
            const float *rows = count % 2 == 0 ? near : halves;
            size_t key_bytes = kernel_key_bytes(type, count, DIM);
            size_t value_bytes = kernel_value_bytes(type, count, DIM);
            char *caches[2] = {allocate_poisoned(key_bytes + value_bytes),
                               allocate_poisoned(key_bytes + value_bytes)};
            for (int i = 0; i < 2; i++) {
                const struct kernels *kernels = i == 0 ? table : reference;
                kernels->store_keys(type, caches[i], count, DIM, 0, count, rows, DIM);
                kernels->store_values(type, caches[i] + key_bytes, count, DIM, 0, count, rows, DIM);
            }
            assert_memory_equal(caches[0], caches[1], key_bytes + value_bytes);
            free(caches[0]);
            free(caches[1]);
        }
    }
}

static void test_rounding(void **state)
{
    (void)state;
    for_each_isa(check_rounding);
}

static void check_splits(const struct kernels *table)
{
    struct inputs inputs = {3, 0};
    for (int i = 0; i < 40 / CASES_DIVISOR; i++) {
        struct shape shape = random_shape(&inputs);
        struct scene scene = open_scene(table, shape, (uint64_t)i);
        struct attention_call *call = make_call(&scene);
        int64_t length = shape.first + shape.positions, rows = shape.positions * shape.group;
        int64_t splits = input_between(&inputs, 1, 5);
        size_t floats = (size_t)(rows * (shape.head_dim + 2));
        float *partials = allocate_poisoned((size_t)splits * floats * sizeof(float));
        for (int64_t s = 0; s < splits; s++) {
            call->key_first = length * s / splits;
            call->key_count = length * (s + 1) / splits - call->key_first;
            call->partial = partials + (size_t)s * floats;
            table->attention(call);
        }
        assert_true(isnan(scene.out[0]));
        table->attention_combine(partials, splits, shape.positions, shape.group, shape.head_dim,
                                 scene.out, call->out_stride);
        check_scene(table, &scene);
        free(partials);
        close_scene(&scene);
    }
}

static void test_splits(void **state)
{
    (void)state;
    for_each_isa(check_splits);
}

/* A position computed alone gives what it gave among others. */
static void check_alone(const struct kernels *table)
{
    struct shape shape = {KERNEL_F32, 50, 100, 3, 64, 0, 150, 0, 1, false};
    struct scene scene = open_scene(table, shape, 4);
    struct attention_call *call = make_call(&scene);
    table->attention(call);
    for (int64_t i = 0; i < shape.positions; i++) {
        float out[3 * 64];
        call->queries = scene.queries + i * 3 * 64;
        call->first_position = shape.first + i;
        call->position_count = 1;
        call->out = out;
        table->attention(call);
        for (int64_t k = 0; k < 3 * 64; k++)
            assert_close(out[k], scene.out[i * 3 * 64 + k], 2e-6);
    }
    close_scene(&scene);
}

static void test_alone(void **state)
{
    (void)state;
    for_each_isa(check_alone);
}

/* Equal scores give the mean; immense ones stay finite and inside the values' range. */
static void check_extremes(const struct kernels *table)
{
    const float deviations[] = {0, 1e-30f, 1e4f, 1e10f, 1e18f, 1e19f};
    for (int type = 0; type < KERNEL_TYPE_COUNT; type++) {
        for (size_t i = 0; i < sizeof deviations / sizeof deviations[0]; i++) {
            struct shape shape = {(enum kernel_type)type, 40,   10, 2, 72, 0, 50, 0,
                                  deviations[i],          false};
            struct scene scene = open_scene(table, shape, i);
            table->attention(make_call(&scene));
            for (int64_t k = 0; k < 40 * 2 * 72; k++)
                assert_true(fabsf(scene.out[k]) < 6);
            if (deviations[i] < 1)
                check_scene(table, &scene);
            close_scene(&scene);
        }
    }
}

static void test_extremes(void **state)
{
    (void)state;
    for_each_isa(check_extremes);
}

struct bench {
    const struct kernels *table;
    struct scene scene;
    int64_t heads;
    char *keys, *values;
};

static void bench_attend(void *context)
{
    struct bench *bench = context;
    struct attention_call *call = make_call(&bench->scene);
    const struct shape *shape = &bench->scene.shape;
    for (int64_t head = 0; head < bench->heads; head++) {
        call->keys = bench->keys + head * (int64_t)kernel_key_bytes(shape->type, shape->capacity,
                                                                    shape->head_dim);
        call->values = bench->values + head * (int64_t)kernel_value_bytes(
                                                  shape->type, shape->capacity, shape->head_dim);
        bench->table->attention(call);
    }
}

static void bench_store(void *context)
{
    struct bench *bench = context;
    struct scene *scene = &bench->scene;
    const struct shape *shape = &scene->shape;
    bench->table->store_keys(shape->type, scene->key_cache, shape->capacity, shape->head_dim, 0,
                             shape->positions, scene->keys, shape->head_dim);
    bench->table->store_values(shape->type, scene->value_cache, shape->capacity, shape->head_dim, 0,
                               shape->positions, scene->values, shape->head_dim);
}

/* Heads' caches one after another; `heads` copies of the scene's. */
static struct bench open_bench(const struct kernels *table, struct shape shape, int64_t heads)
{
    struct bench bench = {table, open_scene(table, shape, 9), heads, NULL, NULL};
    size_t key_bytes = kernel_key_bytes(shape.type, shape.capacity, shape.head_dim);
    size_t value_bytes = kernel_value_bytes(shape.type, shape.capacity, shape.head_dim);
    bench.keys = allocate_poisoned((size_t)heads * key_bytes);
    bench.values = allocate_poisoned((size_t)heads * value_bytes);
    for (size_t head = 0; head < (size_t)heads; head++) {
        memcpy(bench.keys + head * key_bytes, bench.scene.key_cache, key_bytes);
        memcpy(bench.values + head * value_bytes, bench.scene.value_cache, value_bytes);
    }
    return bench;
}

static void close_bench(struct bench *bench)
{
    free(bench->keys);
    free(bench->values);
    close_scene(&bench->scene);
}

static void bench_isa(const struct kernels *table)
{
    static const char *const types[] = {"f32", "f16", "bf16", "i8"};
    for (int type = 0; type < KERNEL_TYPE_COUNT; type++) {
        for (int64_t group = 1; group <= 4; group += 3) {
            struct shape shape = {.type = (enum kernel_type)type,
                                  .positions = 1,
                                  .first = 1023,
                                  .group = group,
                                  .head_dim = 64,
                                  .capacity = 1024,
                                  .deviation = 1};
            struct bench bench = open_bench(table, shape, 600);
            double bytes = 600.0 * (double)(kernel_key_bytes(shape.type, 1024, 64) +
                                            kernel_value_bytes(shape.type, 1024, 64));
            printf("%-12s %-4s decode at 1024, group %d: %7.1f GB/s\n", table->isa, types[type],
                   (int)group, bytes / time_call(bench_attend, &bench) * 1e-9);
            close_bench(&bench);
        }
        for (int64_t length = 128; length <= 2048; length *= 4) {
            struct shape shape = {.type = (enum kernel_type)type,
                                  .positions = length,
                                  .group = 1,
                                  .head_dim = 64,
                                  .capacity = length,
                                  .deviation = 1};
            struct bench bench = open_bench(table, shape, 1);
            double operations = 4.0 * 64 * (double)length * (double)(length + 1) / 2;
            printf("%-12s %-4s prefill %5d: %7.1f GFLOP/s of causal work", table->isa, types[type],
                   (int)length, operations / time_call(bench_attend, &bench) * 1e-9);
            printf("; store %.2f ns/element\n",
                   time_call(bench_store, &bench) / (2.0 * 64 * (double)length) * 1e9);
            close_bench(&bench);
        }
    }
}

int main(int argc, char **argv)
{
    if (bench_asked(argc, argv, bench_isa))
        return 0;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_shapes), cmocka_unit_test(test_against_c),
        cmocka_unit_test(test_splits),        cmocka_unit_test(test_rounding),
        cmocka_unit_test(test_alone),         cmocka_unit_test(test_extremes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
