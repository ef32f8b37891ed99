/* Opening models: directories, the cache, known names, random weights, position limits; and that
 * rows come out the same however they are asked for and however they lie in the file. */
#include "test.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "model/model.h"
#include "model/safetensors.h"
#include "model/weight_shape.h"

static char folder[64];
static char last_notice[2048];

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/tokenmark_test_XXXXXX");
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    char command[128];
    (void)snprintf(command, sizeof command, "rm -r '%s'", folder);
    return system(command);
}

/* A path below the test's folder, or below the goldens with "golden:NAME". */
static const char *path_of(char out[512], const char *name)
{
    if (strncmp(name, "golden:", 7) == 0)
        (void)snprintf(out, 512, TEST_SOURCE_DIR "/tests/golden/%s", name + 7);
    else
        (void)snprintf(out, 512, "%s/%s", folder, name);
    return out;
}

static void write_file(const char *name, const char *content)
{
    char path[512];
    struct error error = {0};
    path_of(path, name);
    *strrchr(path, '/') = '\0';
    assert_int_equal(file_make_directories(path, &error), 0);
    path_of(path, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    (void)fputs(content, file);
    assert_int_equal(fclose(file), 0);
}

static void copy_file(const char *from, const char *to)
{
    char source[512], target[512];
    write_file(to, "");
    char command[1200];
    (void)snprintf(command, sizeof command, "cp '%s' '%s'", path_of(source, from),
                   path_of(target, to));
    assert_int_equal(system(command), 0);
}

static void keep_notice(void *context, const char *text, double fraction)
{
    (void)context;
    (void)fraction;
    (void)snprintf(last_notice, sizeof last_notice, "%s", text);
}

/* Nothing of the tester's own surroundings plays a part, and no network. */
static struct model_options options_for(const char *name, enum weights_choice weights)
{
    last_notice[0] = '\0';
    return (struct model_options){
        .name = name,
        .weights = weights,
        .seed = 42,
        .environment = {.home = folder, .hf_hub_offline = "1"},
        .notice = keep_notice,
    };
}

static struct model *open_good(const struct model_options *options)
{
    struct model *model = NULL;
    struct error error = {0};
    if (model_open(&model, options, &error) != 0)
        fail_msg("%s: %s", options->name, error.text);
    return model;
}

static void refuse(const struct model_options *options, const char *words)
{
    struct model *model = NULL;
    struct error error = {0};
    if (model_open(&model, options, &error) != ERROR_INPUT)
        fail_msg("%s was not refused", options->name);
    assert_null(model);
    assert_contains(error.text, words);
}

/* Calls `visit` for every weight that the model has. */
static void for_each_weight(const struct model *model,
                            void (*visit)(const struct model *model, struct weight_id id))
{
    const struct architecture *architecture = model_architecture(model);
    for (int role = 0; role < WEIGHT_ROLE_COUNT; role++) {
        bool once = weight_scope((enum weight_role)role) == WEIGHT_OF_MODEL;
        for (int64_t layer = 0; layer < (once ? 1 : architecture->layer_count); layer++)
            for (int64_t expert = 0; expert <= architecture->experts.count; expert++)
                if (weight_exists(model, (struct weight_id){(enum weight_role)role, layer, expert}))
                    visit(model, (struct weight_id){(enum weight_role)role, layer, expert});
    }
}

/* Blocks of any height give what reading all rows at once gives; no number is made up. */
static void check_reading(const struct model *model, struct weight_id id)
{
    int64_t rows = weight_rows(model, id);
    int64_t columns = weight_columns(model, id);
    float *whole = malloc((size_t)(rows * columns) * sizeof *whole);
    float *block = malloc((size_t)(rows * columns) * sizeof *block);
    weight_read_rows(model, id, 0, rows, whole);
    for (int64_t i = 0; i < rows * columns; i++)
        assert_true(isfinite(whole[i]));
    static const int64_t heights[] = {1, 7, 32};
    for (size_t h = 0; h < 3; h++) {
        for (int64_t row = 0; row < rows; row += heights[h]) {
            int64_t count = rows - row < heights[h] ? rows - row : heights[h];
            weight_read_rows(model, id, row, count, block);
            assert_memory_equal(block, whole + row * columns,
                                (size_t)(count * columns) * sizeof *block);
        }
    }
    weight_release(model, id);
    weight_read_rows(model, id, 0, rows, block);
    assert_memory_equal(block, whole, (size_t)(rows * columns) * sizeof *block);
    free(whole);
    free(block);
}

static int64_t elements_in_file(const char *name)
{
    char path[512];
    char file[540];
    struct tensor_set set = {0};
    struct error error = {0};
    (void)snprintf(file, sizeof file, "%s/model.safetensors", path_of(path, name));
    if (safetensors_open(&set, file, &error) != 0)
        fail_msg("%s", error.text);
    int64_t total = 0;
    for (size_t i = 0; i < set.count; i++) {
        const char *tensor = set.tensors[i].name;
        bool mask = strstr(tensor, ".attn.bias") != NULL || strstr(tensor, "masked_bias") != NULL;
        int64_t count = mask ? 0 : 1;
        for (int axis = 0; axis < set.tensors[i].rank; axis++)
            count *= set.tensors[i].shape[axis];
        total += count;
    }
    tensor_set_free(&set);
    return total;
}

static void test_every_family_opens(void **state)
{
    (void)state;
    char path[512];
    DIR *goldens = opendir(path_of(path, "golden:"));
    assert_non_null(goldens);
    int opened = 0;
    for (struct dirent *entry; (entry = readdir(goldens)) != NULL;) {
        if (strchr(entry->d_name, '.') != NULL)
            continue;
        char name[300];
        char config[540];
        (void)snprintf(name, sizeof name, "golden:%s", entry->d_name);
        (void)snprintf(config, sizeof config, "%s/config.json", path_of(path, name));
        if (!file_exists(config)) /* a golden in another format */
            continue;
        struct model_options options = options_for(path_of(path, name), WEIGHTS_AUTO);
        struct model *model = open_good(&options);
        assert_false(model_weights_are_random(model));
        for_each_weight(model, check_reading);
        int64_t count = architecture_parameter_count(model_architecture(model));
        if (count != elements_in_file(name))
            fail_msg("%s: %lld parameters, %lld elements in the file", name, (long long)count,
                     (long long)elements_in_file(name));
        model_close(model);
        opened++;
    }
    (void)closedir(goldens);
    assert_true(opened >= 21);
}

/* gpt2's file has query, key and value side by side, as [inputs, outputs]. */
static void test_fused_and_transposed(void **state)
{
    (void)state;
    char path[512], file[540];
    struct model_options options = options_for(path_of(path, "golden:gpt2"), WEIGHTS_REAL);
    struct model *model = open_good(&options);
    struct tensor_set set = {0};
    struct error error = {0};
    (void)snprintf(file, sizeof file, "%s/model.safetensors", path);
    assert_int_equal(safetensors_open(&set, file, &error), 0);
    assert_int_equal(tensor_set_finish(&set, &error), 0);
    const struct tensor *fused = tensor_find(&set, "transformer.h.1.attn.c_attn.weight");
    const struct tensor *biases = tensor_find(&set, "transformer.h.1.attn.c_attn.bias");
    assert_non_null(fused);
    int64_t hidden = model_architecture(model)->hidden_size;
    float *row = malloc((size_t)hidden * sizeof *row);
    for (int part = 0; part < 3; part++) {
        struct weight_id id = {(enum weight_role)(WEIGHT_QUERY + 2 * part), 1, 0};
        for (int64_t r = 0; r < hidden; r++) {
            weight_read_rows(model, id, r, 1, row);
            for (int64_t c = 0; c < hidden; c++) {
                float wanted;
                tensor_read(fused, c * 3 * hidden + part * hidden + r, 1, &wanted);
                assert_true(row[c] == wanted);
            }
        }
        id.role = (enum weight_role)(id.role + 1);
        weight_read_rows(model, id, 0, 1, row);
        float wanted;
        tensor_read(biases, part * hidden + 5, 1, &wanted);
        assert_true(row[5] == wanted);
    }
    free(row);
    tensor_set_free(&set);
    model_close(model);
}

static void test_broken_directories(void **state)
{
    (void)state;
    char path[512];
    struct model_options options = options_for(path_of(path, "empty"), WEIGHTS_AUTO);
    assert_int_equal(mkdir(path, 0755), 0);
    refuse(&options, "no config.json");

    write_file("bare/config.json", "{\"model_type\": \"gpt2\"}");
    options.name = path_of(path, "bare");
    refuse(&options, "--weights random");
    write_file("bare/pytorch_model.bin", "pickle");
    refuse(&options, "save_pretrained");
    options.weights = WEIGHTS_RANDOM;
    struct model *model = open_good(&options);
    assert_true(model_weights_are_random(model));
    model_close(model);

    options = options_for(path_of(path, "bare/config.json"), WEIGHTS_AUTO);
    refuse(&options, "is not a GGUF file");
    options.name = "./no/such/place";
    refuse(&options, "no such file");

    /* The weights of one model with the configuration of others. */
    copy_file("golden:gpt2/model.safetensors", "mixed/model.safetensors");
    options.name = path_of(path, "mixed");
    copy_file("golden:gpt2_odd_sizes/config.json", "mixed/config.json");
    refuse(&options, "has the shape");
    copy_file("golden:llama/config.json", "mixed/config.json");
    refuse(&options, "\"model.embed_tokens.weight\" is missing");
    copy_file("golden:gpt2_untied/config.json", "mixed/config.json");
    refuse(&options, "\"lm_head.weight\" is missing");
    write_file("mixed/config.json", "{\"model_type\": \"gpt2\", ");
    refuse(&options, "config.json:1");
}

static void test_known_names(void **state)
{
    (void)state;
    struct model_options options = options_for("gpt2", WEIGHTS_AUTO);
    struct model *model = open_good(&options);
    assert_true(model_weights_are_random(model));
    assert_contains(last_notice, "RANDOM WEIGHTS");
    assert_contains(last_notice, "HF_HUB_OFFLINE");
    json_t *facts = model_facts(model);
    assert_string_equal(json_string_value(json_object_get(facts, "weights")), "random");
    assert_string_equal(json_string_value(json_object_get(facts, "name")), "gpt2");
    assert_int_equal(json_integer_value(json_object_get(facts, "parameters")), 124439808);
    assert_int_equal(json_integer_value(json_object_get(facts, "own_positions")), 1024);
    json_decref(facts);
    model_close(model);

    options = options_for("distilgpt2", WEIGHTS_RANDOM);
    model = open_good(&options);
    assert_string_equal(last_notice, "");
    model_close(model);

    options = options_for("gpt2", WEIGHTS_REAL);
    refuse(&options, "HF_HUB_OFFLINE");
    options = options_for("gpt2-lage", WEIGHTS_AUTO);
    refuse(&options, "did you mean \"gpt2-large\"");
    options = options_for("gpt2-lage", WEIGHTS_RANDOM);
    refuse(&options, "did you mean \"gpt2-large\"");
    options = options_for("a//b", WEIGHTS_AUTO);
    refuse(&options, "not a model's name");
}

static void test_cache(void **state)
{
    (void)state;
    static const char commit[] = "0123456789abcdef0123456789abcdef01234567";
    char name[256];
    write_file("hub/models--org--tiny/refs/main", commit);
    static const char *const files[] = {"config.json", "model.safetensors"};
    for (int i = 0; i < 2; i++) {
        char from[64];
        (void)snprintf(from, sizeof from, "golden:llama/%s", files[i]);
        (void)snprintf(name, sizeof name, "hub/models--org--tiny/snapshots/%s/%s", commit,
                       files[i]);
        copy_file(from, name);
    }
    char hub[512];
    struct model_options options = options_for("org/tiny", WEIGHTS_REAL);
    options.environment.hf_hub_cache = path_of(hub, "hub");
    struct model *model = open_good(&options);
    assert_false(model_weights_are_random(model));
    json_t *facts = model_facts(model);
    assert_string_equal(json_string_value(json_object_get(facts, "source")), "cache");
    json_decref(facts);
    model_close(model);

    options.revision = commit;
    model_close(open_good(&options));
    options.revision = "../../main";
    refuse(&options, "org/tiny");
    options = options_for("org/tiny", WEIGHTS_REAL);
    refuse(&options, "org/tiny");
}

static void test_max_positions(void **state)
{
    (void)state;
    char path[512];
    struct model_options options = options_for("gpt2", WEIGHTS_RANDOM);
    struct weight_id table = {WEIGHT_POSITION_EMBEDDING, 0, 0};
    struct model *own = open_good(&options);
    options.max_positions = 5000;
    struct model *longer = open_good(&options);
    assert_int_equal(weight_rows(own, table), 1024);
    assert_int_equal(weight_rows(longer, table), 5000);
    assert_int_equal(model_architecture(longer)->position_limit, 5000);
    assert_int_equal(model_architecture(longer)->own_position_limit, 1024);
    float first[768], second[768];
    weight_read_rows(own, table, 1023, 1, first);
    weight_read_rows(longer, table, 1023, 1, second);
    assert_memory_equal(first, second, sizeof first);
    model_close(own);
    model_close(longer);

    options.max_positions = 100; /* it raises, it never lowers */
    own = open_good(&options);
    assert_int_equal(model_architecture(own)->position_limit, 1024);
    model_close(own);

    options = options_for(path_of(path, "golden:gpt2"), WEIGHTS_REAL);
    options.max_positions = 5000;
    refuse(&options, "--weights random");
    options = options_for(path_of(path, "golden:llama"), WEIGHTS_REAL);
    options.max_positions = 5000;
    struct model *rope = open_good(&options);
    assert_int_equal(model_architecture(rope)->position_limit, 5000);
    model_close(rope);
    options = options_for(path_of(path, "golden:bloom_six_heads"), WEIGHTS_REAL);
    options.max_positions = 5000;
    struct model *alibi = open_good(&options);
    assert_int_equal(model_architecture(alibi)->position_limit, 0);
    model_close(alibi);
    options = options_for("gpt2", WEIGHTS_RANDOM);
    options.max_positions = (int64_t)1 << 40;
    refuse(&options, "--max-positions");
}

static void test_random_weights(void **state)
{
    (void)state;
    char path[512];
    struct model_options options = options_for(path_of(path, "golden:gemma2"), WEIGHTS_RANDOM);
    struct model *gemma = open_good(&options);
    for_each_weight(gemma, check_reading);
    float gain[64];
    weight_read_rows(gemma, (struct weight_id){WEIGHT_FINAL_NORM_GAIN, 0, 0}, 0, 1, gain);
    assert_close(gain[3], 0, 0); /* the engine adds the 1 */
    model_close(gemma);

    options = options_for("gpt2", WEIGHTS_RANDOM);
    struct model *gpt2 = open_good(&options);
    options.seed = 43;
    struct model *other = open_good(&options);
    float a[768], b[768];
    weight_read_rows(gpt2, (struct weight_id){WEIGHT_MLP_NORM_GAIN, 3, 0}, 0, 1, a);
    assert_close(a[0], 1, 0);
    weight_read_rows(gpt2, (struct weight_id){WEIGHT_MLP_NORM_BIAS, 3, 0}, 0, 1, a);
    for (int i = 0; i < 768; i++)
        assert_true(fabsf(a[i]) < 0.02F);
    weight_read_rows(gpt2, (struct weight_id){WEIGHT_HEAD, 0, 0}, 50000, 1, a);
    weight_read_rows(gpt2, (struct weight_id){WEIGHT_TOKEN_EMBEDDING, 0, 0}, 50000, 1, b);
    assert_memory_equal(a, b, sizeof a);
    weight_read_rows(other, (struct weight_id){WEIGHT_TOKEN_EMBEDDING, 0, 0}, 50000, 1, b);
    assert_memory_not_equal(a, b, sizeof a);
    assert_false(weight_exists(gpt2, (struct weight_id){WEIGHT_GATE, 0, 0}));
    assert_false(weight_exists(gpt2, (struct weight_id){WEIGHT_QUERY, 12, 0}));
    assert_false(weight_exists(gpt2, (struct weight_id){WEIGHT_UP, 0, 1}));
    model_close(gpt2);
    model_close(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_family_opens),
        cmocka_unit_test(test_fused_and_transposed),
        cmocka_unit_test(test_broken_directories),
        cmocka_unit_test(test_known_names),
        cmocka_unit_test(test_cache),
        cmocka_unit_test(test_max_positions),
        cmocka_unit_test(test_random_weights),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
