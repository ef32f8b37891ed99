/* The engine in float32 against Hugging Face transformers: every folder of tests/golden on every
 * instruction set of this CPU, with one and two threads; with older config keys and as GGUF on
 * the best one. The greedy tokens are the same; logits differ by at most 1e-5 of the largest. */
#include "golden_fixture.h"

static const double tolerance = 1e-5;

/* A folder that holds `config` as its config.json, beside the model's other files. */
static void make_view(char out[512], const char *folder, const char *config)
{
    (void)snprintf(out, 512, "/tmp/tokenmark_golden_XXXXXX");
    assert_non_null(mkdtemp(out));
    const char *names[2][2] = {{config, "config.json"}, {"model.safetensors", "model.safetensors"}};
    for (int i = 0; i < 2; i++) {
        char from[1100], to[600];
        (void)snprintf(from, sizeof from, "%s/%s", folder, names[i][0]);
        (void)snprintf(to, sizeof to, "%s/%s", out, names[i][1]);
        assert_int_equal(symlink(from, to), 0);
    }
}

static void remove_view(const char *view)
{
    static const char *const names[] = {"config.json", "model.safetensors"};
    for (int i = 0; i < 2; i++) {
        char path[600];
        (void)snprintf(path, sizeof path, "%s/%s", view, names[i]);
        assert_int_equal(unlink(path), 0);
    }
    assert_int_equal(rmdir(view), 0);
}

static void check_case(const struct opened *opened, const char *label, const struct golden *golden,
                       const struct golden_case *item)
{
    struct session_shape shape = golden_shape(golden, item);
    struct generation run;
    generate(opened, &shape, item->ids, item->length, &run);
    int64_t a_step = item->batch * golden->vocabulary;
    for (int64_t step = 0; step < golden->steps; step++) {
        double difference =
            logit_difference(run.logits + step * a_step, item->logits + step * a_step, a_step);
        if (!(difference <= tolerance))
            fail_msg("%s, batch %lld, step %lld: logits differ by %g of the largest", label,
                     (long long)item->batch, (long long)step, difference);
        for (int64_t i = step * item->batch; i < (step + 1) * item->batch; i++)
            assert_int_equal(run.tokens[i], item->tokens[i]);
    }
    generation_free(&run);
}

static void check_engine(struct opened *opened, const struct golden *golden, const char *path,
                         const char *isa, int threads)
{
    char label[700];
    (void)snprintf(label, sizeof label, "%s, %s, %d threads", path, isa, threads);
    struct engine_options options = make_options(isa, threads);
    open_engine(opened, &options);
    for (size_t i = 0; i < golden->case_count; i++)
        check_case(opened, label, golden, &golden->cases[i]);
}

static void check_model(const struct golden *golden, const char *path, bool everywhere)
{
    struct opened opened;
    golden_open(&opened, golden, path);
    if (!everywhere)
        check_engine(&opened, golden, path, "auto", 2);
    for (size_t isa = 0; everywhere && isa < kernels_count(); isa++)
        if (kernels_runnable(isa))
            for (int threads = 1; threads <= 2; threads++)
                check_engine(&opened, golden, path, kernels_name(isa), threads);
    close_opened(&opened);
}

static void test_folder(void **state)
{
    struct golden golden;
    char folder[512], view[512], gguf[600];
    golden_load(&golden, *state);
    golden_folder(folder, golden.name);
    check_model(&golden, folder, true);
    make_view(view, folder, "config_old.json");
    check_model(&golden, view, false);
    remove_view(view);
    (void)snprintf(gguf, sizeof gguf, "%s/model.gguf", folder);
    if (file_exists(gguf))
        check_model(&golden, gguf, false);
    golden_free(&golden);
}

int main(int argc, char **argv)
{
    return golden_main(test_folder, argc, argv);
}
