/* Every dtype of weights with every dtype of the cache against transformers' float32, on the
 * reference's own tokens, every folder of tests/golden and every instruction set of this CPU.
 * Bounds on the distance, over all steps and relative to the largest logit (measured: up to
 * about three quarters of them):
 *             weights: largest, root mean square    cache: largest, root mean square
 *   float16            0.005    0.0007                     0.0025   0.0005
 *   bfloat16           0.05     0.007                      0.025    0.004
 *   int8               0.2      0.025                      0.075    0.008
 *   int4               1.1      0.2                        (none)
 * A pair of dtypes has the wider of its two bounds. In a mixture of experts rounding can send a
 * token to other experts: four times the root mean square, and no bound on the largest.
 * What a dtype means does not depend on where it is computed: instruction sets, a row alone or in
 * a batch, prefill or decode differ by a fraction of that (`same`). */
#include "golden_fixture.h"

struct bounds {
    double largest, mean_square_root;
};

struct dtype_bounds {
    const char *name;
    struct bounds weights, cache;
    double same; /* root mean square between two ways to compute the same */
    int kv_auto; /* the cache that goes with it */
};

static const struct dtype_bounds dtypes[] = {
    {"float32", {1e-5, 1e-6}, {1e-5, 1e-6}, 1e-6, 0},
    {"float16", {5e-3, 7e-4}, {2.5e-3, 5e-4}, 2e-4, 1},
    {"bfloat16", {5e-2, 7e-3}, {2.5e-2, 4e-3}, 7e-4, 2},
    {"int8", {2e-1, 2.5e-2}, {7.5e-2, 8e-3}, 6e-3, 2},
    {"int4", {1.1, 2e-1}, {0, 0}, 6e-3, 2}, /* of weights alone */
};
enum { DTYPE_COUNT = sizeof dtypes / sizeof dtypes[0], KV_COUNT = DTYPE_COUNT - 1, THREADS = 2 };
static const double expert_factor = 4;

static struct bounds distance(const float *actual, const float *expected, int64_t count)
{
    double squares = 0, largest = 0;
    for (int64_t i = 0; i < count; i++) {
        double difference = (double)actual[i] - (double)expected[i];
        squares += difference * difference;
        largest = fmax(largest, fabs((double)expected[i]));
    }
    return (struct bounds){logit_difference(actual, expected, count),
                           sqrt(squares / (double)count) / largest};
}

static void open_dtypes(struct opened *opened, int dtype, int kv_dtype, const char *isa)
{
    struct engine_options options = make_options(isa, THREADS);
    options.dtype = dtypes[dtype].name;
    options.kv_dtype = dtypes[kv_dtype].name;
    open_engine(opened, &options);
}

static void check_distance(const struct opened *opened, const char *label, int dtype, int kv_dtype,
                           struct bounds is)
{
    const struct architecture *a = model_architecture(opened->model);
    struct bounds weights = dtypes[dtype].weights, cache = dtypes[kv_dtype].cache;
    double root = fmax(weights.mean_square_root, cache.mean_square_root);
    double largest = fmax(weights.largest, cache.largest);
    if (a->experts.count > 0 && dtype + kv_dtype > 0) {
        root *= expert_factor;
        largest = INFINITY;
    }
    if (!(is.largest <= largest && is.mean_square_root <= root))
        fail_msg("%s: logits differ by %g of the largest, root mean square %g", label, is.largest,
                 is.mean_square_root);
    /* As near as float32: it was not computed as asked for. Heads of 1 lose nothing in int8. */
    if (dtype + kv_dtype > 0 && a->head_dim > 1 && !(is.largest > dtypes[0].weights.largest))
        fail_msg("%s: logits differ by %g only", label, is.largest);
}

/* One case with the dtypes that are open. `first`, unless NULL, keeps the logits of the first set
 * that it is handed to; those of the others are near them. */
static void check_case(const struct opened *opened, const struct golden *golden,
                       const struct golden_case *item, int dtype, int kv_dtype, const char *isa,
                       float **first)
{
    char label[256];
    (void)snprintf(label, sizeof label, "%s, %s, cache %s, %s, batch %lld", golden->name,
                   dtypes[dtype].name, dtypes[kv_dtype].name, isa, (long long)item->batch);
    struct session_shape shape = golden_shape(golden, item);
    shape.forced_tokens = item->tokens;
    int64_t count = golden->steps * item->batch * golden->vocabulary;
    struct generation run;
    generate(opened, &shape, item->ids, item->length, &run);
    check_distance(opened, label, dtype, kv_dtype, distance(run.logits, item->logits, count));
    if (first != NULL && *first == NULL) {
        *first = run.logits;
        run.logits = NULL;
    } else if (first != NULL) {
        double same = distance(run.logits, *first, count).mean_square_root;
        if (!(same <= dtypes[dtype].same))
            fail_msg("%s: root mean square %g from another set", label, same);
    }
    generation_free(&run);
}

static void check_sets(struct opened *opened, const struct golden *golden, int dtype, int kv_dtype)
{
    float *first[GOLDEN_CASES_MAX] = {NULL};
    bool is_auto = kv_dtype == dtypes[dtype].kv_auto;
    for (size_t isa = 0; isa < kernels_count(); isa++) {
        if (!kernels_runnable(isa))
            continue;
        open_dtypes(opened, dtype, kv_dtype, kernels_name(isa));
        for (size_t i = 0; i < golden->case_count; i++)
            check_case(opened, golden, &golden->cases[i], dtype, kv_dtype, kernels_name(isa),
                       is_auto ? &first[i] : NULL);
    }
    for (size_t i = 0; i < golden->case_count; i++)
        free(first[i]);
}

/* Logits [steps, vocabulary] of `row` alone when its first `prefilled` tokens are the prompt and
 * the rest of it, then the reference's tokens, are fed one at a time. */
static void run_alone(const struct opened *opened, const struct golden *golden,
                      const struct golden_case *item, int64_t row, int64_t prefilled, float *out)
{
    int64_t total = item->length + golden->steps;
    int32_t *all = calloc((size_t)total, sizeof *all);
    assert_non_null(all);
    memcpy(all, item->ids + row * item->length, (size_t)item->length * sizeof *all);
    for (int64_t step = 0; step < golden->steps; step++)
        all[item->length + step] = item->tokens[step * item->batch + row];
    struct session_shape shape = make_shape(1, prefilled, total - prefilled);
    shape.forced_tokens = all + prefilled;
    struct generation run;
    generate(opened, &shape, all, prefilled, &run);
    memcpy(out, run.logits + (item->length - prefilled) * golden->vocabulary,
           (size_t)(golden->steps * golden->vocabulary) * sizeof *out);
    generation_free(&run);
    free(all);
}

static void check_same(const struct opened *opened, const struct golden *golden,
                       const struct golden_case *item, int dtype)
{
    int64_t width = golden->vocabulary, count = golden->steps * width;
    /* There positions turn by an angle that depends on the prompt's length. */
    bool length_shows = model_architecture(opened->model)->rope.scaling == ROPE_SCALING_DYNAMIC;
    struct session_shape shape = golden_shape(golden, item);
    shape.forced_tokens = item->tokens;
    struct generation batch;
    generate(opened, &shape, item->ids, item->length, &batch);
    float *rows = calloc((size_t)count * 2, sizeof *rows);
    assert_non_null(rows);
    float *alone = rows + count;
    for (int64_t row = 0; row < item->batch; row++) {
        for (int64_t step = 0; step < golden->steps; step++)
            memcpy(rows + step * width, batch.logits + (step * item->batch + row) * width,
                   (size_t)width * sizeof *rows);
        for (int64_t prefilled = length_shows ? item->length : 1; prefilled <= item->length;
             prefilled += item->length - 1) {
            run_alone(opened, golden, item, row, prefilled, alone);
            double same = distance(alone, rows, count).mean_square_root;
            if (!(same <= dtypes[dtype].same))
                fail_msg("%s, %s, row %lld alone with a prompt of %lld: root mean square %g",
                         golden->name, dtypes[dtype].name, (long long)row, (long long)prefilled,
                         same);
        }
    }
    free(rows);
    generation_free(&batch);
}

static void test_folder(void **state)
{
    struct golden golden;
    struct opened opened;
    char folder[512];
    golden_load(&golden, *state);
    golden_open(&opened, &golden, golden_folder(folder, golden.name));
    for (int dtype = 0; dtype < DTYPE_COUNT; dtype++) {
        for (int kv_dtype = 0; kv_dtype < KV_COUNT; kv_dtype++)
            check_sets(&opened, &golden, dtype, kv_dtype);
        open_dtypes(&opened, dtype, dtypes[dtype].kv_auto, "auto");
        for (size_t i = 0; i < golden.case_count; i++)
            check_same(&opened, &golden, &golden.cases[i], dtype);
    }
    close_opened(&opened);
    golden_free(&golden);
}

int main(int argc, char **argv)
{
    return golden_main(test_folder, argc, argv);
}
