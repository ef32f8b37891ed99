/* Models that are known by name: facts of their public config.json files (the source stands
 * beside each), so that their architecture can be measured with no file at hand. Data only. */
#include <string.h>

#include "model/model.h"

static const char gpt2_small[] =
    "{\"model_type\": \"gpt2\", \"vocab_size\": 50257, \"n_positions\": 1024, "
    "\"n_embd\": 768, \"n_layer\": 12, \"n_head\": 12, "
    "\"activation_function\": \"gelu_new\", \"layer_norm_epsilon\": 1e-05, "
    "\"initializer_range\": 0.02}";

static const char gpt2_medium[] =
    "{\"model_type\": \"gpt2\", \"vocab_size\": 50257, \"n_positions\": 1024, "
    "\"n_embd\": 1024, \"n_layer\": 24, \"n_head\": 16, "
    "\"activation_function\": \"gelu_new\", \"layer_norm_epsilon\": 1e-05, "
    "\"initializer_range\": 0.02}";

static const char gpt2_large[] =
    "{\"model_type\": \"gpt2\", \"vocab_size\": 50257, \"n_positions\": 1024, "
    "\"n_embd\": 1280, \"n_layer\": 36, \"n_head\": 20, "
    "\"activation_function\": \"gelu_new\", \"layer_norm_epsilon\": 1e-05, "
    "\"initializer_range\": 0.02}";

static const char gpt2_xl[] =
    "{\"model_type\": \"gpt2\", \"vocab_size\": 50257, \"n_positions\": 1024, "
    "\"n_embd\": 1600, \"n_layer\": 48, \"n_head\": 25, "
    "\"activation_function\": \"gelu_new\", \"layer_norm_epsilon\": 1e-05, "
    "\"initializer_range\": 0.02}";

static const char distilgpt2[] =
    "{\"model_type\": \"gpt2\", \"vocab_size\": 50257, \"n_positions\": 1024, "
    "\"n_embd\": 768, \"n_layer\": 6, \"n_head\": 12, \"activation_function\": \"gelu_new\", "
    "\"layer_norm_epsilon\": 1e-05, \"initializer_range\": 0.02}";

static const char llama_3_2_1b[] =
    "{\"model_type\": \"llama\", \"vocab_size\": 128256, \"hidden_size\": 2048, "
    "\"num_hidden_layers\": 16, \"num_attention_heads\": 32, \"num_key_value_heads\": 8, "
    "\"intermediate_size\": 8192, \"max_position_embeddings\": 131072, "
    "\"rms_norm_eps\": 1e-05, \"rope_theta\": 500000.0, "
    "\"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 32.0, "
    "\"low_freq_factor\": 1.0, \"high_freq_factor\": 4.0, "
    "\"original_max_position_embeddings\": 8192}, \"hidden_act\": \"silu\", "
    "\"tie_word_embeddings\": true, \"initializer_range\": 0.02}";

static const char llama_3_2_3b[] =
    "{\"model_type\": \"llama\", \"vocab_size\": 128256, \"hidden_size\": 3072, "
    "\"num_hidden_layers\": 28, \"num_attention_heads\": 24, \"num_key_value_heads\": 8, "
    "\"intermediate_size\": 8192, \"max_position_embeddings\": 131072, "
    "\"rms_norm_eps\": 1e-05, \"rope_theta\": 500000.0, "
    "\"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 32.0, "
    "\"low_freq_factor\": 1.0, \"high_freq_factor\": 4.0, "
    "\"original_max_position_embeddings\": 8192}, \"hidden_act\": \"silu\", "
    "\"tie_word_embeddings\": true, \"initializer_range\": 0.02}";

static const char llama_3_1_8b[] =
    "{\"model_type\": \"llama\", \"vocab_size\": 128256, \"hidden_size\": 4096, "
    "\"num_hidden_layers\": 32, \"num_attention_heads\": 32, \"num_key_value_heads\": 8, "
    "\"intermediate_size\": 14336, \"max_position_embeddings\": 131072, "
    "\"rms_norm_eps\": 1e-05, \"rope_theta\": 500000.0, "
    "\"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 8.0, "
    "\"low_freq_factor\": 1.0, \"high_freq_factor\": 4.0, "
    "\"original_max_position_embeddings\": 8192}, \"hidden_act\": \"silu\", "
    "\"tie_word_embeddings\": false, \"initializer_range\": 0.02}";

static const char llama_3_8b[] =
    "{\"model_type\": \"llama\", \"vocab_size\": 128256, \"hidden_size\": 4096, "
    "\"num_hidden_layers\": 32, \"num_attention_heads\": 32, \"num_key_value_heads\": 8, "
    "\"intermediate_size\": 14336, \"max_position_embeddings\": 8192, "
    "\"rms_norm_eps\": 1e-05, \"rope_theta\": 500000.0, \"hidden_act\": \"silu\", "
    "\"tie_word_embeddings\": false, \"initializer_range\": 0.02}";

static const char qwen2_5_0_5b[] =
    "{\"model_type\": \"qwen2\", \"vocab_size\": 151936, \"hidden_size\": 896, "
    "\"num_hidden_layers\": 24, \"num_attention_heads\": 14, \"num_key_value_heads\": 2, "
    "\"intermediate_size\": 4864, \"max_position_embeddings\": 32768, "
    "\"rms_norm_eps\": 1e-06, \"rope_theta\": 1000000.0, \"hidden_act\": \"silu\", "
    "\"use_sliding_window\": false, \"tie_word_embeddings\": true, "
    "\"initializer_range\": 0.02}";

static const char qwen2_5_1_5b[] =
    "{\"model_type\": \"qwen2\", \"vocab_size\": 151936, \"hidden_size\": 1536, "
    "\"num_hidden_layers\": 28, \"num_attention_heads\": 12, \"num_key_value_heads\": 2, "
    "\"intermediate_size\": 8960, \"max_position_embeddings\": 131072, "
    "\"rms_norm_eps\": 1e-06, \"rope_theta\": 1000000.0, \"hidden_act\": \"silu\", "
    "\"use_sliding_window\": false, \"tie_word_embeddings\": true, "
    "\"initializer_range\": 0.02}";

static const char qwen2_5_3b[] =
    "{\"model_type\": \"qwen2\", \"vocab_size\": 151936, \"hidden_size\": 2048, "
    "\"num_hidden_layers\": 36, \"num_attention_heads\": 16, \"num_key_value_heads\": 2, "
    "\"intermediate_size\": 11008, \"max_position_embeddings\": 32768, "
    "\"rms_norm_eps\": 1e-06, \"rope_theta\": 1000000.0, \"hidden_act\": \"silu\", "
    "\"use_sliding_window\": false, \"tie_word_embeddings\": true, "
    "\"initializer_range\": 0.02}";

static const char qwen2_5_7b[] =
    "{\"model_type\": \"qwen2\", \"vocab_size\": 152064, \"hidden_size\": 3584, "
    "\"num_hidden_layers\": 28, \"num_attention_heads\": 28, \"num_key_value_heads\": 4, "
    "\"intermediate_size\": 18944, \"max_position_embeddings\": 131072, "
    "\"rms_norm_eps\": 1e-06, \"rope_theta\": 1000000.0, \"hidden_act\": \"silu\", "
    "\"use_sliding_window\": false, \"tie_word_embeddings\": false, "
    "\"initializer_range\": 0.02}";

static const char qwen3_0_6b[] =
    "{\"model_type\": \"qwen3\", \"vocab_size\": 151936, \"hidden_size\": 1024, "
    "\"num_hidden_layers\": 28, \"num_attention_heads\": 16, \"num_key_value_heads\": 8, "
    "\"head_dim\": 128, \"intermediate_size\": 3072, \"max_position_embeddings\": 40960, "
    "\"rms_norm_eps\": 1e-06, \"rope_theta\": 1000000, \"hidden_act\": \"silu\", "
    "\"attention_bias\": false, \"use_sliding_window\": false, "
    "\"tie_word_embeddings\": true, \"initializer_range\": 0.02}";

static const char qwen3_1_7b[] =
    "{\"model_type\": \"qwen3\", \"vocab_size\": 151936, \"hidden_size\": 2048, "
    "\"num_hidden_layers\": 28, \"num_attention_heads\": 16, \"num_key_value_heads\": 8, "
    "\"head_dim\": 128, \"intermediate_size\": 6144, \"max_position_embeddings\": 40960, "
    "\"rms_norm_eps\": 1e-06, \"rope_theta\": 1000000, \"hidden_act\": \"silu\", "
    "\"attention_bias\": false, \"use_sliding_window\": false, "
    "\"tie_word_embeddings\": true, \"initializer_range\": 0.02}";

static const char qwen3_4b[] =
    "{\"model_type\": \"qwen3\", \"vocab_size\": 151936, \"hidden_size\": 2560, "
    "\"num_hidden_layers\": 36, \"num_attention_heads\": 32, \"num_key_value_heads\": 8, "
    "\"head_dim\": 128, \"intermediate_size\": 9728, \"max_position_embeddings\": 40960, "
    "\"rms_norm_eps\": 1e-06, \"rope_theta\": 1000000, \"hidden_act\": \"silu\", "
    "\"attention_bias\": false, \"use_sliding_window\": false, "
    "\"tie_word_embeddings\": true, \"initializer_range\": 0.02}";

static const char qwen3_8b[] =
    "{\"model_type\": \"qwen3\", \"vocab_size\": 151936, \"hidden_size\": 4096, "
    "\"num_hidden_layers\": 36, \"num_attention_heads\": 32, \"num_key_value_heads\": 8, "
    "\"head_dim\": 128, \"intermediate_size\": 12288, \"max_position_embeddings\": 40960, "
    "\"rms_norm_eps\": 1e-06, \"rope_theta\": 1000000, \"hidden_act\": \"silu\", "
    "\"attention_bias\": false, \"use_sliding_window\": false, "
    "\"tie_word_embeddings\": false, \"initializer_range\": 0.02}";

static const char mistral_7b_v0_1[] =
    "{\"model_type\": \"mistral\", \"vocab_size\": 32000, \"hidden_size\": 4096, "
    "\"num_hidden_layers\": 32, \"num_attention_heads\": 32, \"num_key_value_heads\": 8, "
    "\"intermediate_size\": 14336, \"max_position_embeddings\": 32768, "
    "\"rms_norm_eps\": 1e-05, \"rope_theta\": 10000.0, \"sliding_window\": 4096, "
    "\"hidden_act\": \"silu\", \"tie_word_embeddings\": false, \"initializer_range\": 0.02}";

static const char mistral_7b_v0_3[] =
    "{\"model_type\": \"mistral\", \"vocab_size\": 32768, \"hidden_size\": 4096, "
    "\"num_hidden_layers\": 32, \"num_attention_heads\": 32, \"num_key_value_heads\": 8, "
    "\"intermediate_size\": 14336, \"max_position_embeddings\": 32768, "
    "\"rms_norm_eps\": 1e-05, \"rope_theta\": 1000000.0, \"sliding_window\": null, "
    "\"hidden_act\": \"silu\", \"tie_word_embeddings\": false, \"initializer_range\": 0.02}";

static const char phi_3_mini[] =
    "{\"model_type\": \"phi3\", \"vocab_size\": 32064, \"hidden_size\": 3072, "
    "\"num_hidden_layers\": 32, \"num_attention_heads\": 32, \"num_key_value_heads\": 32, "
    "\"intermediate_size\": 8192, \"max_position_embeddings\": 4096, "
    "\"original_max_position_embeddings\": 4096, \"rms_norm_eps\": 1e-05, "
    "\"rope_theta\": 10000.0, \"rope_scaling\": null, \"sliding_window\": 2047, "
    "\"hidden_act\": \"silu\", \"tie_word_embeddings\": false, \"initializer_range\": 0.02}";

static const char gemma_2_2b[] =
    "{\"model_type\": \"gemma2\", \"vocab_size\": 256000, \"hidden_size\": 2304, "
    "\"num_hidden_layers\": 26, \"num_attention_heads\": 8, \"num_key_value_heads\": 4, "
    "\"head_dim\": 256, \"intermediate_size\": 9216, \"max_position_embeddings\": 8192, "
    "\"rms_norm_eps\": 1e-06, \"rope_theta\": 10000.0, "
    "\"hidden_activation\": \"gelu_pytorch_tanh\", \"query_pre_attn_scalar\": 256, "
    "\"attn_logit_softcapping\": 50.0, \"final_logit_softcapping\": 30.0, "
    "\"sliding_window\": 4096, \"initializer_range\": 0.02}";

static const char smollm2_135m[] =
    "{\"model_type\": \"llama\", \"vocab_size\": 49152, \"hidden_size\": 576, "
    "\"num_hidden_layers\": 30, \"num_attention_heads\": 9, \"num_key_value_heads\": 3, "
    "\"intermediate_size\": 1536, \"max_position_embeddings\": 8192, "
    "\"rms_norm_eps\": 1e-05, \"rope_theta\": 100000, \"hidden_act\": \"silu\", "
    "\"tie_word_embeddings\": true, \"initializer_range\": 0.041666666666666664}";

static const char smollm2_360m[] =
    "{\"model_type\": \"llama\", \"vocab_size\": 49152, \"hidden_size\": 960, "
    "\"num_hidden_layers\": 32, \"num_attention_heads\": 15, \"num_key_value_heads\": 5, "
    "\"intermediate_size\": 2560, \"max_position_embeddings\": 8192, "
    "\"rms_norm_eps\": 1e-05, \"rope_theta\": 100000, \"hidden_act\": \"silu\", "
    "\"tie_word_embeddings\": true, \"initializer_range\": 0.02}";

static const char smollm2_1_7b[] =
    "{\"model_type\": \"llama\", \"vocab_size\": 49152, \"hidden_size\": 2048, "
    "\"num_hidden_layers\": 24, \"num_attention_heads\": 32, \"num_key_value_heads\": 32, "
    "\"intermediate_size\": 8192, \"max_position_embeddings\": 8192, "
    "\"rms_norm_eps\": 1e-05, \"rope_theta\": 130000, \"hidden_act\": \"silu\", "
    "\"tie_word_embeddings\": true, \"initializer_range\": 0.02}";

static const char tinyllama_1_1b[] =
    "{\"model_type\": \"llama\", \"vocab_size\": 32000, \"hidden_size\": 2048, "
    "\"num_hidden_layers\": 22, \"num_attention_heads\": 32, \"num_key_value_heads\": 4, "
    "\"intermediate_size\": 5632, \"max_position_embeddings\": 2048, "
    "\"rms_norm_eps\": 1e-05, \"rope_theta\": 10000.0, \"hidden_act\": \"silu\", "
    "\"tie_word_embeddings\": false, \"initializer_range\": 0.02}";

static const char pythia_70m[] =
    "{\"model_type\": \"gpt_neox\", \"vocab_size\": 50304, \"hidden_size\": 512, "
    "\"num_hidden_layers\": 6, \"num_attention_heads\": 8, \"intermediate_size\": 2048, "
    "\"max_position_embeddings\": 2048, \"layer_norm_eps\": 1e-05, \"rotary_pct\": 0.25, "
    "\"rotary_emb_base\": 10000, \"hidden_act\": \"gelu\", \"use_parallel_residual\": true, "
    "\"tie_word_embeddings\": false, \"initializer_range\": 0.02}";

static const char pythia_160m[] =
    "{\"model_type\": \"gpt_neox\", \"vocab_size\": 50304, \"hidden_size\": 768, "
    "\"num_hidden_layers\": 12, \"num_attention_heads\": 12, \"intermediate_size\": 3072, "
    "\"max_position_embeddings\": 2048, \"layer_norm_eps\": 1e-05, \"rotary_pct\": 0.25, "
    "\"rotary_emb_base\": 10000, \"hidden_act\": \"gelu\", \"use_parallel_residual\": true, "
    "\"tie_word_embeddings\": false, \"initializer_range\": 0.02}";

static const char pythia_410m[] =
    "{\"model_type\": \"gpt_neox\", \"vocab_size\": 50304, \"hidden_size\": 1024, "
    "\"num_hidden_layers\": 24, \"num_attention_heads\": 16, \"intermediate_size\": 4096, "
    "\"max_position_embeddings\": 2048, \"layer_norm_eps\": 1e-05, \"rotary_pct\": 0.25, "
    "\"rotary_emb_base\": 10000, \"hidden_act\": \"gelu\", \"use_parallel_residual\": true, "
    "\"tie_word_embeddings\": false, \"initializer_range\": 0.02}";

static const char pythia_1b[] =
    "{\"model_type\": \"gpt_neox\", \"vocab_size\": 50304, \"hidden_size\": 2048, "
    "\"num_hidden_layers\": 16, \"num_attention_heads\": 8, \"intermediate_size\": 8192, "
    "\"max_position_embeddings\": 2048, \"layer_norm_eps\": 1e-05, \"rotary_pct\": 0.25, "
    "\"rotary_emb_base\": 10000, \"hidden_act\": \"gelu\", \"use_parallel_residual\": true, "
    "\"tie_word_embeddings\": false, \"initializer_range\": 0.02}";

static const char pythia_1_4b[] =
    "{\"model_type\": \"gpt_neox\", \"vocab_size\": 50304, \"hidden_size\": 2048, "
    "\"num_hidden_layers\": 24, \"num_attention_heads\": 16, \"intermediate_size\": 8192, "
    "\"max_position_embeddings\": 2048, \"layer_norm_eps\": 1e-05, \"rotary_pct\": 0.25, "
    "\"rotary_emb_base\": 10000, \"hidden_act\": \"gelu\", \"use_parallel_residual\": true, "
    "\"tie_word_embeddings\": false, \"initializer_range\": 0.02}";

static const char pythia_2_8b[] =
    "{\"model_type\": \"gpt_neox\", \"vocab_size\": 50304, \"hidden_size\": 2560, "
    "\"num_hidden_layers\": 32, \"num_attention_heads\": 32, \"intermediate_size\": 10240, "
    "\"max_position_embeddings\": 2048, \"layer_norm_eps\": 1e-05, \"rotary_pct\": 0.25, "
    "\"rotary_emb_base\": 10000, \"hidden_act\": \"gelu\", \"use_parallel_residual\": true, "
    "\"tie_word_embeddings\": false, \"initializer_range\": 0.02}";

static const char pythia_6_9b[] =
    "{\"model_type\": \"gpt_neox\", \"vocab_size\": 50432, \"hidden_size\": 4096, "
    "\"num_hidden_layers\": 32, \"num_attention_heads\": 32, \"intermediate_size\": 16384, "
    "\"max_position_embeddings\": 2048, \"layer_norm_eps\": 1e-05, \"rotary_pct\": 0.25, "
    "\"rotary_emb_base\": 10000, \"hidden_act\": \"gelu\", \"use_parallel_residual\": true, "
    "\"tie_word_embeddings\": false, \"initializer_range\": 0.02}";

const struct known_model known_models[] = {
    {"gpt2", gpt2_small, "https://huggingface.co/openai-community/gpt2/blob/main/config.json"},
    {"openai-community/gpt2", gpt2_small,
     "https://huggingface.co/openai-community/gpt2/blob/main/config.json"},
    {"microsoft/DialoGPT-small", gpt2_small,
     "https://huggingface.co/microsoft/DialoGPT-small/blob/main/config.json"},
    {"gpt2-medium", gpt2_medium,
     "https://huggingface.co/openai-community/gpt2-medium/blob/main/config.json"},
    {"openai-community/gpt2-medium", gpt2_medium,
     "https://huggingface.co/openai-community/gpt2-medium/blob/main/config.json"},
    {"microsoft/DialoGPT-medium", gpt2_medium,
     "https://huggingface.co/microsoft/DialoGPT-medium/blob/main/config.json"},
    {"gpt2-large", gpt2_large,
     "https://huggingface.co/openai-community/gpt2-large/blob/main/config.json"},
    {"openai-community/gpt2-large", gpt2_large,
     "https://huggingface.co/openai-community/gpt2-large/blob/main/config.json"},
    {"microsoft/DialoGPT-large", gpt2_large,
     "https://huggingface.co/microsoft/DialoGPT-large/blob/main/config.json"},
    {"gpt2-xl", gpt2_xl, "https://huggingface.co/openai-community/gpt2-xl/blob/main/config.json"},
    {"openai-community/gpt2-xl", gpt2_xl,
     "https://huggingface.co/openai-community/gpt2-xl/blob/main/config.json"},
    {"distilgpt2", distilgpt2,
     "https://huggingface.co/distilbert/distilgpt2/blob/main/config.json"},
    {"distilbert/distilgpt2", distilgpt2,
     "https://huggingface.co/distilbert/distilgpt2/blob/main/config.json"},
    {"meta-llama/Llama-3.2-1B", llama_3_2_1b,
     "https://huggingface.co/meta-llama/Llama-3.2-1B/blob/main/config.json"},
    {"meta-llama/Llama-3.2-1B-Instruct", llama_3_2_1b,
     "https://huggingface.co/meta-llama/Llama-3.2-1B-Instruct/blob/main/config.json"},
    {"meta-llama/Llama-3.2-3B", llama_3_2_3b,
     "https://huggingface.co/meta-llama/Llama-3.2-3B/blob/main/config.json"},
    {"meta-llama/Llama-3.2-3B-Instruct", llama_3_2_3b,
     "https://huggingface.co/meta-llama/Llama-3.2-3B-Instruct/blob/main/config.json"},
    {"meta-llama/Llama-3.1-8B", llama_3_1_8b,
     "https://huggingface.co/meta-llama/Llama-3.1-8B/blob/main/config.json"},
    {"meta-llama/Llama-3.1-8B-Instruct", llama_3_1_8b,
     "https://huggingface.co/meta-llama/Llama-3.1-8B-Instruct/blob/main/config.json"},
    {"meta-llama/Meta-Llama-3-8B", llama_3_8b,
     "https://huggingface.co/meta-llama/Meta-Llama-3-8B/blob/main/config.json"},
    {"meta-llama/Meta-Llama-3-8B-Instruct", llama_3_8b,
     "https://huggingface.co/meta-llama/Meta-Llama-3-8B-Instruct/blob/main/config.json"},
    {"Qwen/Qwen2.5-0.5B", qwen2_5_0_5b,
     "https://huggingface.co/Qwen/Qwen2.5-0.5B/blob/main/config.json"},
    {"Qwen/Qwen2.5-1.5B", qwen2_5_1_5b,
     "https://huggingface.co/Qwen/Qwen2.5-1.5B/blob/main/config.json"},
    {"Qwen/Qwen2.5-3B", qwen2_5_3b, "https://huggingface.co/Qwen/Qwen2.5-3B/blob/main/config.json"},
    {"Qwen/Qwen2.5-7B", qwen2_5_7b, "https://huggingface.co/Qwen/Qwen2.5-7B/blob/main/config.json"},
    {"Qwen/Qwen3-0.6B", qwen3_0_6b, "https://huggingface.co/Qwen/Qwen3-0.6B/blob/main/config.json"},
    {"Qwen/Qwen3-1.7B", qwen3_1_7b, "https://huggingface.co/Qwen/Qwen3-1.7B/blob/main/config.json"},
    {"Qwen/Qwen3-4B", qwen3_4b, "https://huggingface.co/Qwen/Qwen3-4B/blob/main/config.json"},
    {"Qwen/Qwen3-8B", qwen3_8b, "https://huggingface.co/Qwen/Qwen3-8B/blob/main/config.json"},
    {"mistralai/Mistral-7B-v0.1", mistral_7b_v0_1,
     "https://huggingface.co/mistralai/Mistral-7B-v0.1/blob/main/config.json"},
    {"mistralai/Mistral-7B-v0.3", mistral_7b_v0_3,
     "https://huggingface.co/mistralai/Mistral-7B-v0.3/blob/main/config.json"},
    {"mistralai/Mistral-7B-Instruct-v0.3", mistral_7b_v0_3,
     "https://huggingface.co/mistralai/Mistral-7B-Instruct-v0.3/blob/main/config.json"},
    {"microsoft/Phi-3-mini-4k-instruct", phi_3_mini,
     "https://huggingface.co/microsoft/Phi-3-mini-4k-instruct/blob/main/config.json"},
    {"google/gemma-2-2b", gemma_2_2b,
     "https://huggingface.co/google/gemma-2-2b/blob/main/config.json"},
    {"google/gemma-2-2b-it", gemma_2_2b,
     "https://huggingface.co/google/gemma-2-2b-it/blob/main/config.json"},
    {"HuggingFaceTB/SmolLM2-135M", smollm2_135m,
     "https://huggingface.co/HuggingFaceTB/SmolLM2-135M/blob/main/config.json"},
    {"HuggingFaceTB/SmolLM2-135M-Instruct", smollm2_135m,
     "https://huggingface.co/HuggingFaceTB/SmolLM2-135M-Instruct/blob/main/config.json"},
    {"HuggingFaceTB/SmolLM2-360M", smollm2_360m,
     "https://huggingface.co/HuggingFaceTB/SmolLM2-360M/blob/main/config.json"},
    {"HuggingFaceTB/SmolLM2-360M-Instruct", smollm2_360m,
     "https://huggingface.co/HuggingFaceTB/SmolLM2-360M-Instruct/blob/main/config.json"},
    {"HuggingFaceTB/SmolLM2-1.7B", smollm2_1_7b,
     "https://huggingface.co/HuggingFaceTB/SmolLM2-1.7B/blob/main/config.json"},
    {"HuggingFaceTB/SmolLM2-1.7B-Instruct", smollm2_1_7b,
     "https://huggingface.co/HuggingFaceTB/SmolLM2-1.7B-Instruct/blob/main/config.json"},
    {"TinyLlama/TinyLlama-1.1B-Chat-v1.0", tinyllama_1_1b,
     "https://huggingface.co/TinyLlama/TinyLlama-1.1B-Chat-v1.0/blob/main/config.json"},
    {"EleutherAI/pythia-70m", pythia_70m,
     "https://huggingface.co/EleutherAI/pythia-70m/blob/main/config.json"},
    {"EleutherAI/pythia-160m", pythia_160m,
     "https://huggingface.co/EleutherAI/pythia-160m/blob/main/config.json"},
    {"EleutherAI/pythia-410m", pythia_410m,
     "https://huggingface.co/EleutherAI/pythia-410m/blob/main/config.json"},
    {"EleutherAI/pythia-1b", pythia_1b,
     "https://huggingface.co/EleutherAI/pythia-1b/blob/main/config.json"},
    {"EleutherAI/pythia-1.4b", pythia_1_4b,
     "https://huggingface.co/EleutherAI/pythia-1.4b/blob/main/config.json"},
    {"EleutherAI/pythia-2.8b", pythia_2_8b,
     "https://huggingface.co/EleutherAI/pythia-2.8b/blob/main/config.json"},
    {"EleutherAI/pythia-6.9b", pythia_6_9b,
     "https://huggingface.co/EleutherAI/pythia-6.9b/blob/main/config.json"},
};
const size_t known_model_count = sizeof known_models / sizeof known_models[0];

const struct known_model *known_model_find(const char *name)
{
    for (size_t i = 0; i < known_model_count; i++)
        if (strcmp(known_models[i].name, name) == 0)
            return &known_models[i];
    return NULL;
}
