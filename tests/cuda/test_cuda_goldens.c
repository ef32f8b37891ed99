/* The CUDA engine, on the emulated GPU or a real one, against Hugging Face transformers: every
 * folder of tests/golden in float32 (the same greedy tokens), float16 and bfloat16 (on the
 * reference's own tokens, within the bounds of tests/golden/test_golden_dtypes.c). Decode steps are
 * captured. */
#include "golden_fixture.h"

struct dtype_bounds {
    const char *name;
    double largest, mean_square_root; /* relative to the largest logit */
    bool is_forced;
};

static const struct dtype_bounds dtypes[] = {
    {"float32", 1e-5, 1e-6, false},
    {"float16", 5e-3, 7e-4, true},
    {"bfloat16", 5e-2, 7e-3, true},
};
static const double expert_factor = 4;

static double mean_square_root(const float *actual, const float *expected, int64_t count)
{
    double squares = 0, largest = 0;
    for (int64_t i = 0; i < count; i++) {
        double difference = (double)actual[i] - (double)expected[i];
        squares += difference * difference;
        largest = fmax(largest, fabs((double)expected[i]));
    }
    return sqrt(squares / (double)count) / largest;
}

static void check_case(const struct opened *opened, const struct golden *golden,
                       const struct golden_case *item, const struct dtype_bounds *dtype)
{
    struct session_shape shape = golden_shape(golden, item);
    shape.forced_tokens = dtype->is_forced ? item->tokens : NULL;
    int64_t count = golden->steps * item->batch * golden->vocabulary;
    struct generation run;
    generate(opened, &shape, item->ids, item->length, &run);
    double largest = logit_difference(run.logits, item->logits, count);
    double root = mean_square_root(run.logits, item->logits, count);
    bool has_experts = model_architecture(opened->model)->experts.count > 0 && dtype->is_forced;
    /* Rounding can send a token to other experts: a jump that costs the same in every dtype, so
     * that the coarsest one's bound holds for all. */
    double root_bound =
        has_experts ? expert_factor * dtypes[sizeof dtypes / sizeof dtypes[0] - 1].mean_square_root
                    : dtype->mean_square_root;
    if (!(largest <= (has_experts ? INFINITY : dtype->largest)) || !(root <= root_bound))
        fail_msg("%s, %s, batch %lld: logits differ by %g of the largest, root mean square %g",
                 golden->name, dtype->name, (long long)item->batch, largest, root);
    for (int64_t i = 0; !dtype->is_forced && i < golden->steps * item->batch; i++)
        assert_int_equal(run.tokens[i], item->tokens[i]);
    generation_free(&run);
}

static void test_folder(void **state)
{
    struct golden golden;
    char folder[512];
    golden_load(&golden, *state);
    struct opened opened;
    golden_open(&opened, &golden, golden_folder(folder, golden.name));
    opened.ops = cuda_ops();
    for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++) {
        struct engine_options options = make_options("auto", 2);
        options.dtype = dtypes[i].name;
        open_engine(&opened, &options);
        for (size_t k = 0; k < golden.case_count; k++)
            check_case(&opened, &golden, &golden.cases[k], &dtypes[i]);
    }
    close_opened(&opened);
    golden_free(&golden);
}

int main(int argc, char **argv)
{
    return golden_main(test_folder, argc, argv);
}
