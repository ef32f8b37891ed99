/* The products of a mixture's experts on the emulated GPU against sums in double: pair by pair, and
 * grouped by expert on tensor cores; experts that no token or every token chooses, tiles that are
 * not full, widths that no tile divides, in every schedule. */
#include "kernel_fixture.h"

struct scene {
    int64_t tokens, per_token, experts, inputs, outputs;
    enum device_type type;
    bool shares_x, y_float, has_bias;
    int favourite; /* the expert that every token's first place goes to, or -1 */
};

static const struct scene scenes[] = {
    {20, 2, 8, 64, 128, DEVICE_F16, true, false, false, -1},
    {70, 1, 3, 72, 40, DEVICE_BF16, true, true, true, 1},
    {33, 4, 40, 200, 130, DEVICE_F16, false, true, true, 39},
    {17, 2, 4, 8, 3, DEVICE_BF16, true, false, true, 0},
    {65, 2, 2, 136, 257, DEVICE_F16, true, true, false, -1},
    {5, 2, 6, 12, 9, DEVICE_F32, true, true, true, -1},
};
enum { EXPERTS_MAX = 64 };

struct data {
    int32_t ids[1024];
    void *x, *weights[EXPERTS_MAX], *biases[EXPERTS_MAX]; /* on the host */
    void *device[2 * EXPERTS_MAX + 8];
    int device_count;
};

static void *keep(struct data *data, void *device)
{
    data->device[data->device_count++] = device;
    return device;
}

/* Distinct experts for the places of a token. */
static void choose(const struct scene *scene, int32_t *ids)
{
    for (int64_t token = 0; token < scene->tokens; token++)
        for (int64_t place = 0; place < scene->per_token; place++) {
            int32_t id = (int32_t)((uint32_t)(token * 7 + 1) * 2654435761U >> 8) & 0xffff;
            id = (int32_t)((id + place) % scene->experts);
            if (scene->favourite >= 0)
                id = (int32_t)((scene->favourite + place * (1 + token % 3)) % scene->experts);
            ids[token * scene->per_token + place] = id;
        }
}

static struct expert_linear_call make_call(const struct scene *scene, struct data *data)
{
    const void *addresses[2 * EXPERTS_MAX] = {0};
    int64_t pairs = scene->tokens * scene->per_token;
    choose(scene, data->ids);
    for (int64_t i = 0; i < scene->experts; i++) {
        addresses[i] = keep(data, device_values(scene->type, scene->outputs * scene->inputs,
                                                (uint32_t)i * 1000003U, &data->weights[i]));
        if (scene->has_bias && i % 3 != 1)
            addresses[scene->experts + i] =
                keep(data, device_values(DEVICE_F32, scene->outputs, 77U + (uint32_t)i * 7919U,
                                         &data->biases[i]));
    }
    const void **table =
        keep(data, device_copy(addresses, (size_t)(2 * scene->experts) * sizeof *addresses));
    int64_t stride = scene->inputs + 8, rows = scene->shares_x ? scene->tokens : pairs;
    const int32_t *ids = keep(data, device_copy(data->ids, (size_t)pairs * sizeof(int32_t)));
    void *order = keep(data, device_take(expert_order_bytes(pairs, scene->experts)));
    assert_int_equal(cudaMemset(order, 0xff, expert_order_bytes(pairs, scene->experts)),
                     cudaSuccess);
    assert_int_equal(kernel_expert_order(ids, pairs, scene->experts, order, NULL), cudaSuccess);
    return (struct expert_linear_call){
        .type = scene->type,
        .x = keep(data, device_values(scene->type, rows * stride, 900000001U, &data->x)),
        .weights = table,
        .biases = scene->has_bias ? table + scene->experts : NULL,
        .ids = ids,
        .order = order,
        .y = keep(data, device_take((size_t)(pairs * scene->outputs) *
                                    element_bytes(scene->y_float ? DEVICE_F32 : scene->type))),
        .pairs = pairs,
        .experts = scene->experts,
        .x_share = scene->shares_x ? scene->per_token : 1,
        .x_stride = stride,
        .inputs = scene->inputs,
        .outputs = scene->outputs,
        .y_float = scene->y_float,
    };
}

static void compare(const struct scene *scene, const struct data *data,
                    const struct expert_linear_call *call, const void *found, const char *kernel)
{
    enum device_type y_type = scene->y_float ? DEVICE_F32 : scene->type;
    for (int64_t pair = 0; pair < call->pairs; pair++)
        for (int64_t output = 0; output < call->outputs; output++) {
            int32_t expert = data->ids[pair];
            double sum = 0;
            for (int64_t i = 0; i < call->inputs; i++)
                sum += (double)element_at(data->weights[expert], call->type,
                                          output * call->inputs + i) *
                       (double)element_at(data->x, call->type,
                                          pair / call->x_share * call->x_stride + i);
            if (data->biases[expert] != NULL)
                sum += (double)((float *)data->biases[expert])[output];
            double actual = (double)element_at(found, y_type, pair * call->outputs + output);
            if (!(fabs(actual - sum) <= 1e-5 + fabs(sum) * (1e-5 + type_rounding(y_type))))
                fail_msg("%s, %lld tokens, expert %d of %lld: %g at pair %lld, output %lld, "
                         "expected %g",
                         kernel, (long long)scene->tokens, expert, (long long)scene->experts,
                         actual, (long long)pair, (long long)output, sum);
        }
}

static void run_scene(const struct scene *scene)
{
    struct data *data = calloc(1, sizeof *data);
    assert_non_null(data);
    struct expert_linear_call call = make_call(scene, data);
    size_t bytes = (size_t)(call.pairs * call.outputs) *
                   element_bytes(scene->y_float ? DEVICE_F32 : scene->type);
    void *found = calloc(1, bytes);
    assert_non_null(found);
    assert_int_equal(expert_group_serves(&call), scene->type != DEVICE_F32);
    for (int grouped = 0; grouped <= (int)expert_group_serves(&call); grouped++) {
        assert_int_equal(cudaMemset(call.y, 0xff, bytes), cudaSuccess);
        assert_int_equal(grouped ? kernel_expert_group(&call) : kernel_expert_linear(&call),
                         cudaSuccess);
        device_read(found, call.y, bytes);
        compare(scene, data, &call, found, grouped ? "grouped" : "pair by pair");
    }
    call.order = NULL;
    assert_int_equal(kernel_expert_group(&call), cudaErrorInvalidValue);
    for (int i = 0; i < data->device_count; i++)
        assert_int_equal(cudaFree(data->device[i]), cudaSuccess);
    for (int64_t i = 0; i < scene->experts; i++) {
        free(data->weights[i]);
        free(data->biases[i]);
    }
    free(data->x);
    free(data);
    free(found);
}

static void test_all_scenes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof scenes / sizeof scenes[0]; i++)
        run_scene(&scenes[i]);
}

/* Rows of width 1 and value 1: the logits are the router's weights. Many are equal. */
static void route(int64_t rows, int64_t experts, int64_t per_token, bool normalise)
{
    enum { PLACES_MAX = 16, EXPERTS = 300 };
    float one[32], router[EXPERTS], weights[32 * PLACES_MAX];
    int32_t ids[32 * PLACES_MAX], expected[PLACES_MAX];
    double total = 0, kept = 0;
    for (int64_t i = 0; i < rows; i++)
        one[i] = 1;
    for (int64_t i = 0; i < experts; i++) {
        router[i] = exact_value((uint32_t)i / 2 % 40) * 4;
        total += exp((double)router[i]);
    }
    bool taken[EXPERTS] = {false};
    for (int64_t place = 0; place < per_token; place++) {
        int64_t best = -1;
        for (int64_t i = 0; i < experts; i++)
            if (!taken[i] && (best < 0 || router[i] > router[best]))
                best = i;
        taken[best] = true;
        expected[place] = (int32_t)best;
        kept += exp((double)router[best]) / total;
    }
    struct route_call call = {
        .x = device_copy(one, (size_t)rows * sizeof *one),
        .router = device_copy(router, (size_t)experts * sizeof *router),
        .logits = device_take((size_t)(rows * experts) * sizeof(float)),
        .ids = device_take((size_t)(rows * per_token) * sizeof *ids),
        .weights = device_take((size_t)(rows * per_token) * sizeof *weights),
        .rows = rows,
        .width = 1,
        .experts = experts,
        .per_token = per_token,
        .normalise = normalise,
    };
    assert_int_equal(kernel_route(&call), cudaSuccess);
    device_read(ids, call.ids, (size_t)(rows * per_token) * sizeof *ids);
    device_read(weights, call.weights, (size_t)(rows * per_token) * sizeof *weights);
    for (int64_t i = 0; i < rows * per_token; i++) {
        int32_t id = expected[i % per_token];
        double weight = exp((double)router[id]) / total / (normalise ? kept : 1);
        if (ids[i] != id || !(fabs((double)weights[i] - weight) <= 1e-6))
            fail_msg("%lld experts, place %lld: expert %d with %g, expected %d with %g",
                     (long long)experts, (long long)(i % per_token), ids[i], (double)weights[i], id,
                     weight);
    }
    const void *taken_memory[] = {call.x, call.router, call.logits, call.ids, call.weights};
    for (size_t i = 0; i < sizeof taken_memory / sizeof taken_memory[0]; i++)
        assert_int_equal(cudaFree((void *)taken_memory[i]), cudaSuccess);
}

static void route_some(int number)
{
    route(9, 40, 8, number % 2 == 0);
    route(1, 130, 5, number % 2 == 1);
}

static void test_routes(void **state)
{
    (void)state;
    route(5, 1, 1, true);
    route(5, 4, 4, false);
    route(32, 32, 16, true);
    route(3, 33, 2, false);
    route(2, 300, 16, true);
    in_all_schedules(route_some);
}

static void run_two(int number)
{
    run_scene(&scenes[number % 2 == 0 ? 0 : 3]);
    run_scene(&scenes[1]);
}

static void test_every_schedule(void **state)
{
    (void)state;
    in_all_schedules(run_two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_scenes),
        cmocka_unit_test(test_every_schedule),
        cmocka_unit_test(test_routes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
