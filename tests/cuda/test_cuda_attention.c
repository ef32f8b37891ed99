/* The attention kernels on the emulated GPU against a plain sum in double: head sizes, shared KV
 * heads, windows, soft-cap, ALiBi, chunks that do not start at 0, keys in parts. */
#include "test.h"

#include "base/half.h"
#include "engine/cuda/cuda_kernels.h"

struct scene {
    int64_t batch, count, first, heads, kv_heads, dim, window, splits;
    float softcap;
    bool alibi;
};

static const struct scene scenes[] = {
    {2, 100, 0, 4, 2, 64, 0, 1, 0, false},     {1, 70, 37, 3, 1, 128, 0, 1, 0, false},
    {1, 65, 60, 2, 2, 80, 50, 1, 0, false},    {1, 40, 200, 4, 1, 8, 0, 1, 5, false},
    {1, 66, 3, 2, 1, 256, 0, 1, 0, true},      {1, 30, 130, 2, 2, 200, 33, 1, 0, false},
    {2, 1, 300, 12, 2, 64, 0, 3, 0, false},    {1, 1, 700, 8, 8, 16, 300, 2, 0, true},
    {2, 1, 5, 10, 1, 40, 0, 4, 0, false},      {1, 5, 0, 2, 2, 300, 0, 1, 0, false},
    {1, 64, 64, 16, 1, 24, 0, 1, 30.0F, true}, {3, 1, 0, 16, 1, 128, 0, 2, 0, false},
    {1, 1, 257, 40, 2, 128, 0, 3, 0, true},    {1, 1, 400, 16, 4, 256, 120, 5, 20.0F, false},
    {2, 1, 31, 3, 3, 8, 0, 1, 0, false},       {1, 1, 900, 16, 2, 72, 0, 4, 0, false},
    {1, 1, 127, 17, 1, 200, 0, 1, 3.0F, true},
};

/* Values in [-1, 1) with a few bits, exact in float16. */
static float value(uint32_t index)
{
    index = (index ^ 61U) * 2654435761U;
    return (float)((int)(index >> 24) - 128) / 128;
}

static uint16_t to_half(float x) /* exact for what value() gives */
{
    for (uint32_t bits = 0; bits < 0x10000U; bits++)
        if (half_to_float(bits) == x)
            return (uint16_t)bits;
    fail_msg("%g is no float16", (double)x);
    return 0;
}

static void *upload_halves(int64_t count, uint32_t seed)
{
    static uint16_t table[256];
    if (table[255] == 0)
        for (int i = 0; i < 256; i++)
            table[i] = to_half((float)(i - 128) / 128);
    uint16_t *host = calloc((size_t)count, sizeof *host);
    void *device = NULL;
    assert_non_null(host);
    for (int64_t i = 0; i < count; i++)
        host[i] = table[(int)(value(seed + (uint32_t)i) * 128) + 128];
    assert_int_equal(cudaMalloc(&device, (size_t)count * sizeof *host), cudaSuccess);
    assert_int_equal(cudaMemcpy(device, host, (size_t)count * sizeof *host, cudaMemcpyHostToDevice),
                     cudaSuccess);
    free(host);
    return device;
}

enum {
    QUERY_SEED = 1,
    KEY_SEED = 100000000,
    VALUE_SEED = 200000000,
    DIM_MAX = 512,
    HEADS_MAX = 64
};
static const float slope_step = 0.25F;

static int64_t capacity(const struct scene *scene)
{
    return scene->first + scene->count + 3;
}

static float cached(const struct scene *scene, uint32_t seed, int64_t row, int64_t head,
                    int64_t key, int64_t d)
{
    return value(
        seed +
        (uint32_t)(((row * scene->kv_heads + head) * capacity(scene) + key) * scene->dim + d));
}

static double score(const struct scene *scene, int64_t row, int64_t token, int64_t head,
                    int64_t key)
{
    int64_t position = scene->first + token;
    double sum = 0;
    for (int64_t d = 0; d < scene->dim; d++)
        sum +=
            (double)value(
                QUERY_SEED +
                (uint32_t)(((row * scene->count + token) * scene->heads + head) * scene->dim + d)) *
            (double)cached(scene, KEY_SEED, row, head / (scene->heads / scene->kv_heads), key, d);
    sum *= 1 / sqrt((double)scene->dim);
    if (scene->softcap > 0)
        sum = (double)scene->softcap * tanh(sum / (double)scene->softcap);
    if (scene->alibi)
        sum += (double)slope_step * (double)(head + 1) * (double)(key - position);
    return sum;
}

static void expect_head(const struct scene *scene, int64_t row, int64_t token, int64_t head,
                        double *out)
{
    int64_t position = scene->first + token;
    int64_t start =
        scene->window > 0 && position >= scene->window ? position - scene->window + 1 : 0;
    double total = 0;
    memset(out, 0, (size_t)scene->dim * sizeof *out);
    for (int64_t key = start; key <= position; key++) {
        double weight = exp(score(scene, row, token, head, key));
        total += weight;
        for (int64_t d = 0; d < scene->dim; d++)
            out[d] += weight * (double)cached(scene, VALUE_SEED, row,
                                              head / (scene->heads / scene->kv_heads), key, d);
    }
    for (int64_t d = 0; d < scene->dim; d++)
        out[d] /= total;
}

static void compare(const struct scene *scene, const uint16_t *found, const char *kernel)
{
    double expected[DIM_MAX];
    for (int64_t row = 0; row < scene->batch; row++)
        for (int64_t token = 0; token<scene->count; token += scene->count> 8 ? 7 : 1)
            for (int64_t head = 0; head < scene->heads; head++) {
                expect_head(scene, row, token, head, expected);
                const uint16_t *at =
                    found + ((row * scene->count + token) * scene->heads + head) * scene->dim;
                for (int64_t d = 0; d < scene->dim; d++)
                    if (!(fabs((double)half_to_float(at[d]) - expected[d]) <= 2e-3))
                        fail_msg("%s, dim %lld, row %lld, token %lld, head %lld: %g at %lld, "
                                 "expected %g",
                                 kernel, (long long)scene->dim, (long long)row, (long long)token,
                                 (long long)head, (double)half_to_float(at[d]), (long long)d,
                                 expected[d]);
            }
}

static void *take(size_t bytes)
{
    void *memory = NULL;
    assert_int_equal(cudaMalloc(&memory, bytes), cudaSuccess);
    assert_int_equal(cudaMemset(memory, 0, bytes), cudaSuccess);
    return memory;
}

static void run_scene(const struct scene *scene)
{
    int64_t rows = scene->batch * scene->count, cells = rows * scene->heads * scene->dim;
    int64_t cache = scene->batch * scene->kv_heads * capacity(scene) * scene->dim;
    struct device_state host_state = {.position = (int32_t)scene->first};
    float slopes[HEADS_MAX];
    for (int i = 0; i < HEADS_MAX; i++)
        slopes[i] = slope_step * (float)(i + 1);
    size_t counters = attention_counters(scene->batch, scene->heads, scene->kv_heads);
    struct device_state *state = take(sizeof *state);
    float *alibi = take(sizeof slopes);
    (void)cudaMemcpy(state, &host_state, sizeof host_state, cudaMemcpyHostToDevice);
    (void)cudaMemcpy(alibi, slopes, sizeof slopes, cudaMemcpyHostToDevice);
    struct attention_call call = {
        .type = DEVICE_F16,
        .queries = upload_halves(cells, QUERY_SEED),
        .out = take((size_t)cells * sizeof(uint16_t)),
        .keys = upload_halves(cache, KEY_SEED),
        .values = upload_halves(cache, VALUE_SEED),
        .alibi = scene->alibi ? alibi : NULL,
        .query_stride = scene->heads * scene->dim,
        .rows = rows,
        .count = scene->count,
        .heads = scene->heads,
        .kv_heads = scene->kv_heads,
        .head_dim = scene->dim,
        .capacity = capacity(scene),
        .window = scene->window,
        .scale = 1 / sqrtf((float)scene->dim),
        .softcap = scene->softcap,
        .splits = scene->splits,
        .partials = take(attention_partial_floats(scene->batch, scene->heads, scene->kv_heads,
                                                  scene->dim, scene->splits) *
                         sizeof(float)),
        .counters = take(counters * sizeof(uint32_t)),
        .state = state,
    };
    uint16_t *found = calloc((size_t)cells, sizeof *found);
    assert_non_null(found);
    static const struct {
        const char *name;
        bool (*serves)(const struct attention_call *call);
        cudaError_t (*run)(const struct attention_call *call);
    } kernels[] = {
        {"plain", NULL, kernel_attention},
        {"prompts on tensor cores", flash_attention_serves, kernel_flash_attention},
        {"steps on tensor cores", flash_decode_serves, kernel_flash_decode},
    };
    for (int i = 0; i < 6; i++) { /* each twice: counters are zero again */
        int k = i / 2;
        if (kernels[k].serves != NULL && !kernels[k].serves(&call))
            continue;
        (void)cudaMemset(call.out, 0xff, (size_t)cells * sizeof *found);
        assert_int_equal(kernels[k].run(&call), cudaSuccess);
        (void)cudaMemcpy(found, call.out, (size_t)cells * sizeof *found, cudaMemcpyDeviceToHost);
        compare(scene, found, kernels[k].name);
    }
    free(found);
    void *const pieces[] = {state,
                            alibi,
                            (void *)call.queries,
                            call.out,
                            (void *)call.keys,
                            (void *)call.values,
                            call.partials,
                            call.counters};
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++)
        assert_int_equal(cudaFree(pieces[i]), cudaSuccess);
}

static void test_scenes(void **test_state)
{
    (void)test_state;
    for (size_t i = 0; i < sizeof scenes / sizeof scenes[0]; i++)
        run_scene(&scenes[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_scenes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
