/* Models that are known by name: facts of their public config.json files, so that their
 * architecture can be measured with no file at hand. Data only. */
#include <string.h>

#include "model/model.h"

const struct known_model known_models[] = {
    {"gpt2",
     "{\"model_type\": \"gpt2\", \"vocab_size\": 50257, \"n_positions\": 1024, "
     "\"n_embd\": 768, \"n_layer\": 12, \"n_head\": 12, "
     "\"activation_function\": \"gelu_new\", \"layer_norm_epsilon\": 1e-05, "
     "\"initializer_range\": 0.02}",
     "https://huggingface.co/openai-community/gpt2/blob/main/config.json"},
    {"gpt2-medium",
     "{\"model_type\": \"gpt2\", \"vocab_size\": 50257, \"n_positions\": 1024, "
     "\"n_embd\": 1024, \"n_layer\": 24, \"n_head\": 16, "
     "\"activation_function\": \"gelu_new\", \"layer_norm_epsilon\": 1e-05, "
     "\"initializer_range\": 0.02}",
     "https://huggingface.co/openai-community/gpt2-medium/blob/main/config.json"},
    {"gpt2-large",
     "{\"model_type\": \"gpt2\", \"vocab_size\": 50257, \"n_positions\": 1024, "
     "\"n_embd\": 1280, \"n_layer\": 36, \"n_head\": 20, "
     "\"activation_function\": \"gelu_new\", \"layer_norm_epsilon\": 1e-05, "
     "\"initializer_range\": 0.02}",
     "https://huggingface.co/openai-community/gpt2-large/blob/main/config.json"},
    {"gpt2-xl",
     "{\"model_type\": \"gpt2\", \"vocab_size\": 50257, \"n_positions\": 1024, "
     "\"n_embd\": 1600, \"n_layer\": 48, \"n_head\": 25, "
     "\"activation_function\": \"gelu_new\", \"layer_norm_epsilon\": 1e-05, "
     "\"initializer_range\": 0.02}",
     "https://huggingface.co/openai-community/gpt2-xl/blob/main/config.json"},
    {"distilgpt2",
     "{\"model_type\": \"gpt2\", \"vocab_size\": 50257, \"n_positions\": 1024, "
     "\"n_embd\": 768, \"n_layer\": 6, \"n_head\": 12, "
     "\"activation_function\": \"gelu_new\", \"layer_norm_epsilon\": 1e-05, "
     "\"initializer_range\": 0.02}",
     "https://huggingface.co/distilbert/distilgpt2/blob/main/config.json"},
    {"microsoft/DialoGPT-small",
     "{\"model_type\": \"gpt2\", \"vocab_size\": 50257, \"n_positions\": 1024, "
     "\"n_embd\": 768, \"n_layer\": 12, \"n_head\": 12, "
     "\"activation_function\": \"gelu_new\", \"layer_norm_epsilon\": 1e-05, "
     "\"initializer_range\": 0.02}",
     "https://huggingface.co/microsoft/DialoGPT-small/blob/main/config.json"},
    {"microsoft/DialoGPT-medium",
     "{\"model_type\": \"gpt2\", \"vocab_size\": 50257, \"n_positions\": 1024, "
     "\"n_embd\": 1024, \"n_layer\": 24, \"n_head\": 16, "
     "\"activation_function\": \"gelu_new\", \"layer_norm_epsilon\": 1e-05, "
     "\"initializer_range\": 0.02}",
     "https://huggingface.co/microsoft/DialoGPT-medium/blob/main/config.json"},
    {"microsoft/DialoGPT-large",
     "{\"model_type\": \"gpt2\", \"vocab_size\": 50257, \"n_positions\": 1024, "
     "\"n_embd\": 1280, \"n_layer\": 36, \"n_head\": 20, "
     "\"activation_function\": \"gelu_new\", \"layer_norm_epsilon\": 1e-05, "
     "\"initializer_range\": 0.02}",
     "https://huggingface.co/microsoft/DialoGPT-large/blob/main/config.json"},
};
const size_t known_model_count = sizeof known_models / sizeof known_models[0];

const struct known_model *known_model_find(const char *name)
{
    for (size_t i = 0; i < known_model_count; i++)
        if (strcmp(known_models[i].name, name) == 0)
            return &known_models[i];
    return NULL;
}
