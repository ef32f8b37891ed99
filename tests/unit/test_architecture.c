/* config.json to architecture: both generations of keys, published parameter counts, RoPE and
 * ALiBi against transformers' numbers, and refusals that name the key. */
#include "test.h"

#include <dirent.h>

#include "base/file.h"
#include "base/json.h"
#include "model/model.h"

static int parse(struct architecture *architecture, const char *json, struct error *error)
{
    json_t *config = NULL;
    assert_int_equal(json_text_load(&config, json, strlen(json), "config.json", error), 0);
    int status = architecture_from_config(architecture, config, "config.json", error);
    json_decref(config);
    return status;
}

static struct architecture parse_good(const char *json)
{
    struct architecture architecture;
    struct error error = {0};
    if (parse(&architecture, json, &error) != 0)
        fail_msg("%s: %s", json, error.text);
    return architecture;
}

/* False where the folder has no such file: a golden in another format. */
static bool load(struct architecture *architecture, const char *folder, const char *file)
{
    char path[512];
    struct error error = {0};
    json_t *config = NULL;
    (void)snprintf(path, sizeof path, TEST_SOURCE_DIR "/tests/golden/%s/%s", folder, file);
    if (!file_exists(path))
        return false;
    assert_int_equal(json_file_load(&config, path, 1 << 20, &error), 0);
    /* Padding bytes too must be equal for memcmp. */
    memset(architecture, 0, sizeof *architecture);
    if (architecture_from_config(architecture, config, path, &error) != 0)
        fail_msg("%s", error.text);
    json_decref(config);
    return true;
}

/* Every golden folder has its configuration in today's keys and in those before. */
static void test_older_keys_mean_the_same(void **state)
{
    (void)state;
    static struct architecture today, before;
    DIR *folder = opendir(TEST_SOURCE_DIR "/tests/golden");
    assert_non_null(folder);
    int compared = 0;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] == '.' || strchr(entry->d_name, '.') != NULL)
            continue;
        if (!load(&today, entry->d_name, "config.json"))
            continue;
        assert_true(load(&before, entry->d_name, "config_old.json"));
        if (memcmp(&today, &before, sizeof today) != 0)
            fail_msg("%s: the older keys give another architecture", entry->d_name);
        compared++;
    }
    (void)closedir(folder);
    assert_true(compared >= 21);
}

/* Totals as the hub shows them for the published weights. */
static void test_parameter_counts(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t parameters;
    } published[] = {
        {"gpt2", 124439808},
        {"gpt2-medium", 354823168},
        {"gpt2-large", 774030080},
        {"gpt2-xl", 1557611200},
        {"distilgpt2", 81912576},
        {"microsoft/DialoGPT-medium", 354823168},
        {"meta-llama/Llama-3.2-1B", 1235814400},
        {"meta-llama/Llama-3.2-3B", 3212749824},
        {"meta-llama/Llama-3.1-8B", 8030261248},
        {"Qwen/Qwen2.5-0.5B", 494032768},
        {"Qwen/Qwen2.5-7B", 7615616512},
        {"Qwen/Qwen3-0.6B", 596049920},
        {"Qwen/Qwen3-8B", 8190735360},
        {"mistralai/Mistral-7B-v0.1", 7241732096},
        {"microsoft/Phi-3-mini-4k-instruct", 3821079552},
        {"google/gemma-2-2b", 2614341888},
        {"HuggingFaceTB/SmolLM2-135M", 134515008},
        {"HuggingFaceTB/SmolLM2-1.7B", 1711376384},
        {"TinyLlama/TinyLlama-1.1B-Chat-v1.0", 1100048384},
        {"EleutherAI/pythia-70m", 70426624},
        {"EleutherAI/pythia-6.9b", 6857302016},
    };
    for (size_t i = 0; i < sizeof published / sizeof published[0]; i++) {
        const struct known_model *known = known_model_find(published[i].name);
        assert_non_null(known);
        struct architecture architecture = parse_good(known->config_json);
        if (architecture_parameter_count(&architecture) != published[i].parameters)
            fail_msg("%s has %lld parameters, published are %lld", known->name,
                     (long long)architecture_parameter_count(&architecture),
                     (long long)published[i].parameters);
    }
}

static void test_known_models_parse(void **state)
{
    (void)state;
    for (size_t i = 0; i < known_model_count; i++) {
        struct architecture architecture = parse_good(known_models[i].config_json);
        assert_true(architecture.position_limit > 0);
        assert_contains(known_models[i].source, "https://");
        assert_ptr_equal(known_model_find(known_models[i].name), &known_models[i]);
    }
    assert_null(known_model_find("gpt3"));
}

static void test_rope_frequencies(void **state)
{
    (void)state;
    json_t *golden = NULL;
    struct error error = {0};
    assert_int_equal(json_file_load(&golden, TEST_SOURCE_DIR "/tests/unit/rope_frequencies.json",
                                    1 << 20, &error),
                     0);
    const char *name;
    json_t *item;
    json_object_foreach(json_object_get(golden, "cases"), name, item)
    {
        struct architecture architecture;
        if (architecture_from_config(&architecture, json_object_get(item, "config"), name,
                                     &error) != 0)
            fail_msg("%s", error.text);
        const json_t *wanted = json_object_get(item, "inverse_frequencies");
        double frequencies[ROPE_PAIRS_MAX];
        double factor = 0;
        architecture_rope_frequencies(&architecture.rope,
                                      json_integer_value(json_object_get(item, "length")),
                                      frequencies, &factor);
        assert_int_equal(2 * json_array_size(wanted), architecture.rope.rotary_dim);
        assert_close(factor, json_real_value(json_object_get(item, "attention_factor")), 1e-7);
        for (size_t i = 0; i < json_array_size(wanted); i++) {
            double value = json_real_value(json_array_get(wanted, i));
            /* transformers works in float32 throughout: a few units in its last place. */
            assert_close(frequencies[i] / value, 1, 5e-7);
        }
    }
    assert_int_equal(json_object_size(json_object_get(golden, "cases")), 11);
    json_decref(golden);
}

static void test_alibi_slopes(void **state)
{
    (void)state;
    static const float eight[] = {0.5F,     0.25F,     0.125F,     0.0625F,
                                  0.03125F, 0.015625F, 0.0078125F, 0.00390625F};
    /* Four heads' slopes, then every other one of eight heads'. */
    static const float six[] = {0.25F, 0.0625F, 0.015625F, 0.00390625F, 0.5F, 0.125F};
    float slopes[8];
    architecture_alibi_slopes(8, slopes);
    assert_memory_equal(slopes, eight, sizeof eight);
    architecture_alibi_slopes(6, slopes);
    assert_memory_equal(slopes, six, sizeof six);
}

static void test_facts_that_are_derived(void **state)
{
    (void)state;
    struct architecture gpt2 = parse_good("{\"model_type\": \"gpt2\", \"n_inner\": null}");
    assert_int_equal(gpt2.intermediate_size, 3072);
    assert_close(gpt2.attention_scale, 0.125, 0);
    assert_true(gpt2.tied_embedding);

    struct architecture gemma = parse_good("{\"model_type\": \"gemma\", \"hidden_act\": \"gelu\"}");
    assert_close(gemma.embedding_scale, sqrt(3072.0), 1e-12);
    assert_int_equal(gemma.activation, ACTIVATION_GELU_TANH);

    struct architecture gemma2 =
        parse_good("{\"model_type\": \"gemma2\", \"attn_logit_softcapping\": null}");
    assert_close(gemma2.attention_softcap, 0, 0);
    assert_close(gemma2.logit_softcap, 30, 0);
    assert_int_equal(gemma2.window[0], 4096);
    assert_int_equal(gemma2.window[1], 0);

    struct architecture neo =
        parse_good("{\"model_type\": \"gpt_neo\", \"num_layers\": 3, \"window_size\": 7,"
                   " \"attention_types\": [[[\"global\"], 1], [[\"local\"], 2]]}");
    assert_int_equal(neo.window[0], 0);
    assert_int_equal(neo.window[2], 7);

    struct architecture qwen2 = parse_good(
        "{\"model_type\": \"qwen2\", \"use_sliding_window\": true, \"sliding_window\": 8,"
        " \"max_window_layers\": 30}");
    assert_int_equal(qwen2.window[29], 0);
    assert_int_equal(qwen2.window[30], 8);

    struct architecture mistral = parse_good("{\"model_type\": \"mistral\","
                                             " \"sliding_window\": null}");
    assert_int_equal(mistral.window[5], 0);

    struct architecture moe = parse_good(
        "{\"model_type\": \"qwen3_moe\", \"decoder_sparse_step\": 2, \"mlp_only_layers\": [3]}");
    assert_false(moe.layer_is_sparse[0]);
    assert_true(moe.layer_is_sparse[1]);
    assert_false(moe.layer_is_sparse[3]);

    struct architecture bloom = parse_good("{\"model_type\": \"bloom\"}");
    assert_int_equal(bloom.position_limit, 0);
}

/* What the engine cannot honour is refused by name, whatever else is in the file. */
static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *json, *words;
    } cases[] = {
        {"[1]", "object"},
        {"{}", "model_type"},
        {"{\"model_type\": 7}", "model_type"},
        {"{\"model_type\": \"lama\"}", "did you mean \"llama\""},
        {"{\"model_type\": \"t5\"}", "known: bloom"},
        {"{\"model_type\": \"llama\", \"quantization_config\": {\"bits\": 4}}",
         "quantization_config"},
        {"{\"model_type\": \"gpt2\", \"add_cross_attention\": true}", "add_cross_attention"},
        {"{\"model_type\": \"gpt2\", \"scale_attn_by_inverse_layer_idx\": true}",
         "scale_attn_by_inverse_layer_idx"},
        {"{\"model_type\": \"gpt2\", \"activation_function\": \"mish\"}", "activation_function"},
        {"{\"model_type\": \"gpt2\", \"n_embd\": 770}", "hidden_size"},
        {"{\"model_type\": \"gpt2\", \"n_embd\": 0}", "n_embd"},
        {"{\"model_type\": \"gpt2\", \"n_embd\": \"768\"}", "n_embd"},
        {"{\"model_type\": \"gpt2\", \"n_layer\": 1000}", "at most 512 layers"},
        {"{\"model_type\": \"gpt2\", \"layer_norm_epsilon\": -1}", "epsilon"},
        {"{\"model_type\": \"gptj\", \"rotary_dim\": null}", "rotary_dim"},
        {"{\"model_type\": \"gpt_neo\", \"attention_types\": [[[\"global\"], 5]]}",
         "attention_types"},
        {"{\"model_type\": \"gpt_neo\", \"attention_types\": [[[\"near\"], 24]]}",
         "attention_types"},
        {"{\"model_type\": \"opt\", \"word_embed_proj_dim\": 512}", "word_embed_proj_dim"},
        {"{\"model_type\": \"opt\", \"do_layer_norm_before\": false}", "do_layer_norm_before"},
        {"{\"model_type\": \"bloom\", \"apply_residual_connection_post_layernorm\": true}",
         "apply_residual_connection_post_layernorm"},
        {"{\"model_type\": \"falcon\", \"alibi\": true}", "alibi"},
        {"{\"model_type\": \"llama\", \"num_key_value_heads\": 5}", "num_key_value_heads"},
        {"{\"model_type\": \"llama\", \"rope_scaling\": {\"type\": \"proportional\"}}",
         "rope_scaling.type"},
        {"{\"model_type\": \"llama\", \"rope_scaling\": {\"type\": \"linear\"}}",
         "rope_scaling.factor"},
        {"{\"model_type\": \"llama\", \"rope_scaling\": {\"rope_type\": \"llama3\","
         " \"factor\": 8, \"low_freq_factor\": 4, \"high_freq_factor\": 4}}",
         "high_freq_factor"},
        {"{\"model_type\": \"phi3\", \"rope_scaling\": {\"type\": \"su\","
         " \"long_factor\": [1, 2], \"short_factor\": [1, 2]}}",
         "long_factor"},
        {"{\"model_type\": \"llama\", \"rope_parameters\": {\"full_attention\": {}}}",
         "full_attention"},
        {"{\"model_type\": \"llama\", \"rope_theta\": 0}", "rope_theta"},
        {"{\"model_type\": \"phi\", \"partial_rotary_factor\": 0}", "partial_rotary_factor"},
        {"{\"model_type\": \"phi\", \"partial_rotary_factor\": 1.5}", "partial_rotary_factor"},
        {"{\"model_type\": \"qwen2\", \"layer_types\": [\"full_attention\"]}", "layer_types"},
        {"{\"model_type\": \"gemma2\", \"sliding_window\": null}", "sliding_window"},
        {"{\"model_type\": \"gemma2\", \"use_bidirectional_attention\": true}",
         "use_bidirectional_attention"},
        {"{\"model_type\": \"mixtral\", \"num_experts_per_tok\": 9}", "num_experts_per_tok"},
        {"{\"model_type\": \"qwen3_moe\", \"mlp_only_layers\": [99]}", "mlp_only_layers"},
        {"{\"model_type\": \"granite\", \"logits_scaling\": 0}", "logits_scaling"},
        {"{\"model_type\": \"qwen3_moe\", \"hidden_size\": 16777215, \"num_experts\": 1000,"
         " \"moe_intermediate_size\": 16777215, \"num_hidden_layers\": 512}",
         "hidden_size"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct architecture architecture;
        struct error error = {0};
        if (parse(&architecture, cases[i].json, &error) != ERROR_INPUT)
            fail_msg("not refused: %s", cases[i].json);
        assert_contains(error.text, "config.json");
        assert_contains(error.text, cases[i].words);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_older_keys_mean_the_same),
        cmocka_unit_test(test_parameter_counts),
        cmocka_unit_test(test_known_models_parse),
        cmocka_unit_test(test_rope_frequencies),
        cmocka_unit_test(test_alibi_slopes),
        cmocka_unit_test(test_facts_that_are_derived),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
