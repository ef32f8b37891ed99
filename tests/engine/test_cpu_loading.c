/* What loading takes while it goes on: hardly more memory than the weights that it leaves. */
#include "engine/loading_bench.h"

#include <stdarg.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/text.h"

enum { HIDDEN = 512, LAYERS = 6, VOCABULARY = 16384, POSITIONS = 64, NAME_MAX_BYTES = 64 };
static const int64_t largest_bytes = (int64_t)VOCABULARY * HIDDEN * 4;

struct writer {
    struct text header;
    size_t offset;
};

static void add_tensor(struct writer *writer, int64_t rows, int64_t columns, const char *name, ...)
{
    char full[NAME_MAX_BYTES];
    va_list arguments;
    va_start(arguments, name);
    (void)vsnprintf(full, sizeof full, name, arguments);
    va_end(arguments);
    size_t bytes = (size_t)(rows * columns) * 4;
    text_printf(&writer->header, "%s\"%s\":{\"dtype\":\"F32\",\"shape\":[",
                writer->offset > 0 ? "," : "{", full);
    if (rows > 1)
        text_printf(&writer->header, "%lld,", (long long)rows);
    text_printf(&writer->header, "%lld],\"data_offsets\":[%zu,%zu]}", (long long)columns,
                writer->offset, writer->offset + bytes);
    writer->offset += bytes;
}

/* The tensors of a GPT-2, all zeros: a file with a hole, which costs nothing to make. */
static void write_weights(const char *path)
{
    static const struct {
        const char *name;
        int64_t inputs, outputs;
    } matrices[] = {{"attn.c_attn", HIDDEN, 3 * (int64_t)HIDDEN},
                    {"attn.c_proj", HIDDEN, HIDDEN},
                    {"mlp.c_fc", HIDDEN, 4 * (int64_t)HIDDEN},
                    {"mlp.c_proj", 4 * (int64_t)HIDDEN, HIDDEN}};
    struct writer writer = {0};
    add_tensor(&writer, VOCABULARY, HIDDEN, "wte.weight");
    add_tensor(&writer, POSITIONS, HIDDEN, "wpe.weight");
    for (int layer = 0; layer < LAYERS; layer++) {
        for (int norm = 1; norm <= 2; norm++) {
            add_tensor(&writer, 1, HIDDEN, "h.%d.ln_%d.weight", layer, norm);
            add_tensor(&writer, 1, HIDDEN, "h.%d.ln_%d.bias", layer, norm);
        }
        for (size_t i = 0; i < sizeof matrices / sizeof matrices[0]; i++) {
            add_tensor(&writer, matrices[i].inputs, matrices[i].outputs, "h.%d.%s.weight", layer,
                       matrices[i].name);
            add_tensor(&writer, 1, matrices[i].outputs, "h.%d.%s.bias", layer, matrices[i].name);
        }
    }
    add_tensor(&writer, 1, HIDDEN, "ln_f.weight");
    add_tensor(&writer, 1, HIDDEN, "ln_f.bias");
    text_append(&writer.header, "}");
    assert_false(writer.header.failed);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    uint64_t length = writer.header.length;
    assert_int_equal(fwrite(&length, sizeof length, 1, file), 1);
    assert_int_equal(fwrite(writer.header.data, 1, writer.header.length, file), length);
    assert_int_equal(fflush(file), 0);
    assert_int_equal(ftruncate(fileno(file), (off_t)(8 + length + writer.offset)), 0);
    assert_int_equal(fclose(file), 0);
    text_free(&writer.header);
}

static void write_config(const char *path)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    (void)fprintf(file,
                  "{\"model_type\": \"gpt2\", \"vocab_size\": %d, \"n_positions\": %d, \"n_embd\": "
                  "%d, \"n_layer\": %d, \"n_head\": 8}",
                  VOCABULARY, POSITIONS, HIDDEN, LAYERS);
    assert_int_equal(fclose(file), 0);
}

static void check_peak(const char *folder, enum weights_choice weights, const char *dtype)
{
    struct opened opened = {.ops = cpu_ops()};
    struct error error = {0};
    struct model_options model = {.name = folder, .weights = weights, .seed = 42};
    int64_t before = memory_resident_bytes();
    if (!memory_peak_reset())
        skip();
    if (model_open(&opened.model, &model, &error) != 0)
        fail_msg("%s", error.text);
    struct engine_options options = make_options("auto", 2);
    options.dtype = dtype;
    open_engine(&opened, &options);
    int64_t peak = memory_peak_bytes() - before;
    json_t *facts = opened.ops->facts(opened.engine);
    int64_t bytes = json_integer_value(json_object_get(facts, "weight_bytes"));
    json_decref(facts);
    close_opened(&opened);
    assert_true(peak >= bytes);
    if (peak > bytes + bytes * 3 / 10 + largest_bytes)
        fail_msg("%s: %.1f MB at the peak for %.1f MB of weights", dtype, (double)peak / 1048576,
                 (double)bytes / 1048576);
}

static void test_peak_of_loading(void **state)
{
    (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    skip(); /* their shadow memory is resident too */
#endif
    char folder[] = "/tmp/tokenmark_loading_XXXXXX", config[64], weights[64];
    assert_non_null(mkdtemp(folder));
    (void)snprintf(config, sizeof config, "%s/config.json", folder);
    (void)snprintf(weights, sizeof weights, "%s/model.safetensors", folder);
    write_config(config);
    write_weights(weights);
    static const char *const dtypes[] = {"float32", "bfloat16"};
    for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++) {
        check_peak(folder, WEIGHTS_REAL, dtypes[i]);
        check_peak(folder, WEIGHTS_RANDOM, dtypes[i]);
    }
    (void)remove(weights);
    (void)remove(config);
    (void)rmdir(folder);
}

int main(int argument_count, char **arguments)
{
    if (argument_count > 2 && strcmp(arguments[1], "--bench") == 0) {
        int rounds = argument_count > 3 ? atoi(arguments[3]) : 5;
        bench_loading(arguments[2],
                      rounds < 1                  ? 1
                      : rounds > BENCH_ROUNDS_MAX ? BENCH_ROUNDS_MAX
                                                  : rounds,
                      argument_count > 4 ? arguments[4] : "auto",
                      argument_count > 5 ? arguments[5] : NULL);
        return 0;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_peak_of_loading)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
