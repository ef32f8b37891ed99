/* Operations and bytes of a pass against values worked out by hand for a dense model, one with
 * grouped keys, one with sliding windows and one with experts. */
#include "test.h"

#include <jansson.h>

#include "model/cost.h"

static struct architecture architecture;

static void parse(const char *json)
{
    struct error error = {0};
    json_t *config = json_loads(json, 0, NULL);
    assert_non_null(config);
    if (architecture_from_config(&architecture, config, "config.json", &error) != 0)
        fail_msg("%s", error.text);
    json_decref(config);
}

static void gpt2_is_counted(void **state)
{
    (void)state;
    parse("{\"model_type\": \"gpt2\", \"vocab_size\": 50257, \"n_positions\": 1024, "
          "\"n_embd\": 768, \"n_layer\": 12, \"n_head\": 12}");
    const struct model_cost_types types = {4, 4};
    /* A layer: 4 x 768 x 768 + 2 x 768 x 3072 = 7,077,888; the head: 50257 x 768 = 38,597,376.
     * The token at position 128 attends to 129 keys in each of 12 layers. */
    struct model_cost step = model_cost_decode_step(&architecture, 1, 128, 1, types);
    assert_close(step.flops, 2.0 * (84934656 + 38597376) + 4.0 * 768 * 1548, 0.5);
    assert_close(step.flops, 251819520.0, 0.5);
    assert_close(step.weight_bytes, 494128128.0, 0.5);
    assert_close(step.kv_bytes, 9510912.0, 0.5);
    /* Two rows of four tokens: 1 + 2 + 3 + 4 keys a row and layer. In the last layer seven tokens
     * of eight need their keys and values, 2 x 768 x 768 = 1,179,648, and no more. */
    struct model_cost prefill = model_cost_prefill(&architecture, 2, 4, types);
    assert_close(prefill.flops,
                 2.0 * (8.0 * (77856768 + 1179648) + 2.0 * 5898240 + 2.0 * 38597376) +
                     4.0 * 768 * 2 * (11 * 10 + 4),
                 0.5);
    assert_close(prefill.flops, 1443265536.0, 0.5);
    assert_close(prefill.weight_bytes, 494128128.0, 0.5);
    assert_close(prefill.kv_bytes, 589824.0, 0.5);
}

static void grouped_keys_are_counted(void **state)
{
    (void)state;
    parse("{\"model_type\": \"llama\", \"vocab_size\": 100, \"max_position_embeddings\": 64, "
          "\"hidden_size\": 64, \"num_hidden_layers\": 2, \"num_attention_heads\": 8, "
          "\"num_key_value_heads\": 2, \"intermediate_size\": 128}");
    /* A layer: 2 x 64 x 64 + 2 x 16 x 64 + 3 x 64 x 128 = 34,816; three steps see 11, 12 and 13
     * keys. */
    struct model_cost step =
        model_cost_decode_step(&architecture, 3, 10, 3, (struct model_cost_types){2, 4});
    assert_close(step.flops, 474624.0, 1e-6);
    assert_close(step.weight_bytes, 152064.0, 1e-6);
    assert_close(step.kv_bytes, 9216.0, 1e-6);
}

static void windows_bound_the_keys(void **state)
{
    (void)state;
    parse("{\"model_type\": \"mistral\", \"vocab_size\": 100, \"max_position_embeddings\": 64, "
          "\"hidden_size\": 16, \"num_hidden_layers\": 2, \"num_attention_heads\": 2, "
          "\"num_key_value_heads\": 1, \"intermediate_size\": 16, \"sliding_window\": 4}");
    /* A layer: 2 x 16 x 16 + 2 x 8 x 16 + 3 x 16 x 16 = 1536, of which 256 for keys and values;
     * 1 + 2 + 3 + 4 + 4 + 4 keys in the first layer, 4 for the last token in the second. */
    const struct model_cost_types types = {1, 1};
    struct model_cost prefill = model_cost_prefill(&architecture, 1, 6, types);
    assert_close(prefill.flops, 2.0 * (6 * (1536 + 256) + 1280 + 1600) + 4.0 * 16 * (18 + 4), 1e-6);
    struct model_cost across = model_cost_decode_step(&architecture, 1, 2, 3, types);
    assert_close(across.kv_bytes, 2 * 2.0 * 8 * (3 + 4 + 4) / 3.0, 1e-9);
    struct model_cost beyond = model_cost_decode_step(&architecture, 1, 20, 7, types);
    assert_close(beyond.kv_bytes, 2 * 2.0 * 8 * 4, 1e-9);
}

static void experts_are_read_as_tokens_meet_them(void **state)
{
    (void)state;
    parse("{\"model_type\": \"mixtral\", \"vocab_size\": 50, \"max_position_embeddings\": 64, "
          "\"hidden_size\": 32, \"num_hidden_layers\": 2, \"num_attention_heads\": 4, "
          "\"num_key_value_heads\": 2, \"intermediate_size\": 48, \"num_local_experts\": 4, "
          "\"num_experts_per_tok\": 2, \"sliding_window\": null}");
    /* A layer: 3072 for attention, 128 for the router, 4608 for each expert. */
    const struct model_cost_types types = {1, 1};
    struct model_cost one = model_cost_decode_step(&architecture, 1, 5, 1, types);
    assert_close(one.weight_bytes, 6400 + 2 * 9216 + 1600, 1e-6);
    assert_close(one.flops, 54400.0, 1e-6);
    /* Two tokens with two of four experts each meet three on average. */
    struct model_cost two = model_cost_decode_step(&architecture, 2, 5, 1, types);
    assert_close(two.weight_bytes, 6400 + 3 * 9216 + 1600, 1e-6);
    struct model_cost many = model_cost_prefill(&architecture, 8, 32, types);
    assert_close(many.weight_bytes, 6400 + 4 * 9216 + 1600, 1e-6);
}

static void types_have_sizes(void **state)
{
    (void)state;
    assert_true(model_cost_type_bytes("float32") == 4.0);
    assert_true(model_cost_type_bytes("bfloat16") == 2.0);
    assert_true(isnan(model_cost_type_bytes("float128")));
    struct model_cost none =
        model_cost_decode_step(&architecture, 1, 1, 0, (struct model_cost_types){4, 4});
    assert_true(none.flops == 0.0 && none.weight_bytes == 0.0 && none.kv_bytes == 0.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gpt2_is_counted),
        cmocka_unit_test(grouped_keys_are_counted),
        cmocka_unit_test(windows_bound_the_keys),
        cmocka_unit_test(experts_are_read_as_tokens_meet_them),
        cmocka_unit_test(types_have_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
