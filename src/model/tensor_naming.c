/* The names of tensor_naming.h, as the public checkpoints of each family have them. */
#include "model/tensor_naming.h"

#include <stddef.h>

static const struct tensor_rule gpt2[] = {
    {.role = WEIGHT_TOKEN_EMBEDDING, .stem = "wte"},
    {.role = WEIGHT_POSITION_EMBEDDING, .stem = "wpe"},
    {.role = WEIGHT_ATTENTION_NORM_GAIN, .stem = "h.%d.ln_1"},
    {WEIGHT_QUERY, "h.%d.attn.c_attn", PART_QKV_BLOCKS, true, false},
    {WEIGHT_KEY, "h.%d.attn.c_attn", PART_QKV_BLOCKS, true, false},
    {WEIGHT_VALUE, "h.%d.attn.c_attn", PART_QKV_BLOCKS, true, false},
    {WEIGHT_ATTENTION_OUTPUT, "h.%d.attn.c_proj", PART_WHOLE, true, false},
    {.role = WEIGHT_MLP_NORM_GAIN, .stem = "h.%d.ln_2"},
    {WEIGHT_UP, "h.%d.mlp.c_fc", PART_WHOLE, true, false},
    {WEIGHT_DOWN, "h.%d.mlp.c_proj", PART_WHOLE, true, false},
    {.role = WEIGHT_FINAL_NORM_GAIN, .stem = "ln_f"},
    {.role = WEIGHT_HEAD, .stem = "lm_head", .at_top = true},
    {.stem = NULL},
};
const struct tensor_naming tensor_naming_gpt2 = {{"transformer.", ""}, {gpt2}};

static const struct tensor_rule gpt_neo[] = {
    {.role = WEIGHT_TOKEN_EMBEDDING, .stem = "wte"},
    {.role = WEIGHT_POSITION_EMBEDDING, .stem = "wpe"},
    {.role = WEIGHT_ATTENTION_NORM_GAIN, .stem = "h.%d.ln_1"},
    {.role = WEIGHT_QUERY, .stem = "h.%d.attn.attention.q_proj"},
    {.role = WEIGHT_KEY, .stem = "h.%d.attn.attention.k_proj"},
    {.role = WEIGHT_VALUE, .stem = "h.%d.attn.attention.v_proj"},
    {.role = WEIGHT_ATTENTION_OUTPUT, .stem = "h.%d.attn.attention.out_proj"},
    {.role = WEIGHT_MLP_NORM_GAIN, .stem = "h.%d.ln_2"},
    {.role = WEIGHT_UP, .stem = "h.%d.mlp.c_fc"},
    {.role = WEIGHT_DOWN, .stem = "h.%d.mlp.c_proj"},
    {.role = WEIGHT_FINAL_NORM_GAIN, .stem = "ln_f"},
    {.role = WEIGHT_HEAD, .stem = "lm_head", .at_top = true},
    {.stem = NULL},
};
const struct tensor_naming tensor_naming_gpt_neo = {{"transformer.", ""}, {gpt_neo}};

static const struct tensor_rule gptj[] = {
    {.role = WEIGHT_TOKEN_EMBEDDING, .stem = "wte"},
    {.role = WEIGHT_ATTENTION_NORM_GAIN, .stem = "h.%d.ln_1"},
    {.role = WEIGHT_QUERY, .stem = "h.%d.attn.q_proj"},
    {.role = WEIGHT_KEY, .stem = "h.%d.attn.k_proj"},
    {.role = WEIGHT_VALUE, .stem = "h.%d.attn.v_proj"},
    {.role = WEIGHT_ATTENTION_OUTPUT, .stem = "h.%d.attn.out_proj"},
    {.role = WEIGHT_UP, .stem = "h.%d.mlp.fc_in"},
    {.role = WEIGHT_DOWN, .stem = "h.%d.mlp.fc_out"},
    {.role = WEIGHT_FINAL_NORM_GAIN, .stem = "ln_f"},
    {.role = WEIGHT_HEAD, .stem = "lm_head", .at_top = true},
    {.stem = NULL},
};
const struct tensor_naming tensor_naming_gptj = {{"transformer.", ""}, {gptj}};

static const struct tensor_rule gpt_neox[] = {
    {.role = WEIGHT_TOKEN_EMBEDDING, .stem = "embed_in"},
    {.role = WEIGHT_ATTENTION_NORM_GAIN, .stem = "layers.%d.input_layernorm"},
    {WEIGHT_QUERY, "layers.%d.attention.query_key_value", PART_QKV_GROUPS, false, false},
    {WEIGHT_KEY, "layers.%d.attention.query_key_value", PART_QKV_GROUPS, false, false},
    {WEIGHT_VALUE, "layers.%d.attention.query_key_value", PART_QKV_GROUPS, false, false},
    {.role = WEIGHT_ATTENTION_OUTPUT, .stem = "layers.%d.attention.dense"},
    {.role = WEIGHT_MLP_NORM_GAIN, .stem = "layers.%d.post_attention_layernorm"},
    {.role = WEIGHT_UP, .stem = "layers.%d.mlp.dense_h_to_4h"},
    {.role = WEIGHT_DOWN, .stem = "layers.%d.mlp.dense_4h_to_h"},
    {.role = WEIGHT_FINAL_NORM_GAIN, .stem = "final_layer_norm"},
    {.role = WEIGHT_HEAD, .stem = "embed_out", .at_top = true},
    {.role = WEIGHT_HEAD, .stem = "lm_head", .at_top = true},
    {.stem = NULL},
};
const struct tensor_naming tensor_naming_gpt_neox = {{"gpt_neox.", ""}, {gpt_neox}};

static const struct tensor_rule opt[] = {
    {.role = WEIGHT_TOKEN_EMBEDDING, .stem = "embed_tokens"},
    {.role = WEIGHT_POSITION_EMBEDDING, .stem = "embed_positions"},
    {.role = WEIGHT_ATTENTION_NORM_GAIN, .stem = "layers.%d.self_attn_layer_norm"},
    {.role = WEIGHT_QUERY, .stem = "layers.%d.self_attn.q_proj"},
    {.role = WEIGHT_KEY, .stem = "layers.%d.self_attn.k_proj"},
    {.role = WEIGHT_VALUE, .stem = "layers.%d.self_attn.v_proj"},
    {.role = WEIGHT_ATTENTION_OUTPUT, .stem = "layers.%d.self_attn.out_proj"},
    {.role = WEIGHT_MLP_NORM_GAIN, .stem = "layers.%d.final_layer_norm"},
    {.role = WEIGHT_UP, .stem = "layers.%d.fc1"},
    {.role = WEIGHT_DOWN, .stem = "layers.%d.fc2"},
    {.role = WEIGHT_FINAL_NORM_GAIN, .stem = "final_layer_norm"},
    {.role = WEIGHT_HEAD, .stem = "lm_head", .at_top = true},
    {.stem = NULL},
};
const struct tensor_naming tensor_naming_opt = {{"model.decoder.", "decoder.", ""}, {opt}};

/* bloom and falcon share the names of everything but norms and embeddings' norm. */
static const struct tensor_rule bloom[] = {
    {.role = WEIGHT_TOKEN_EMBEDDING, .stem = "word_embeddings"},
    {.role = WEIGHT_EMBEDDING_NORM_GAIN, .stem = "word_embeddings_layernorm"},
    {.role = WEIGHT_ATTENTION_NORM_GAIN, .stem = "h.%d.input_layernorm"},
    {.role = WEIGHT_ATTENTION_NORM_GAIN, .stem = "h.%d.ln_attn"},
    {WEIGHT_QUERY, "h.%d.self_attention.query_key_value", PART_QKV_GROUPS, false, false},
    {WEIGHT_KEY, "h.%d.self_attention.query_key_value", PART_QKV_GROUPS, false, false},
    {WEIGHT_VALUE, "h.%d.self_attention.query_key_value", PART_QKV_GROUPS, false, false},
    {.role = WEIGHT_ATTENTION_OUTPUT, .stem = "h.%d.self_attention.dense"},
    {.role = WEIGHT_MLP_NORM_GAIN, .stem = "h.%d.post_attention_layernorm"},
    {.role = WEIGHT_MLP_NORM_GAIN, .stem = "h.%d.ln_mlp"},
    {.role = WEIGHT_UP, .stem = "h.%d.mlp.dense_h_to_4h"},
    {.role = WEIGHT_DOWN, .stem = "h.%d.mlp.dense_4h_to_h"},
    {.role = WEIGHT_FINAL_NORM_GAIN, .stem = "ln_f"},
    {.role = WEIGHT_HEAD, .stem = "lm_head", .at_top = true},
    {.stem = NULL},
};
const struct tensor_naming tensor_naming_bloom = {{"transformer.", ""}, {bloom}};
const struct tensor_naming tensor_naming_falcon = {{"transformer.", ""}, {bloom}};

static const struct tensor_rule phi[] = {
    {.role = WEIGHT_TOKEN_EMBEDDING, .stem = "embed_tokens"},
    {.role = WEIGHT_ATTENTION_NORM_GAIN, .stem = "layers.%d.input_layernorm"},
    {.role = WEIGHT_QUERY, .stem = "layers.%d.self_attn.q_proj"},
    {.role = WEIGHT_KEY, .stem = "layers.%d.self_attn.k_proj"},
    {.role = WEIGHT_VALUE, .stem = "layers.%d.self_attn.v_proj"},
    {.role = WEIGHT_QUERY_NORM_GAIN, .stem = "layers.%d.self_attn.q_layernorm"},
    {.role = WEIGHT_KEY_NORM_GAIN, .stem = "layers.%d.self_attn.k_layernorm"},
    {.role = WEIGHT_ATTENTION_OUTPUT, .stem = "layers.%d.self_attn.dense"},
    {.role = WEIGHT_UP, .stem = "layers.%d.mlp.fc1"},
    {.role = WEIGHT_DOWN, .stem = "layers.%d.mlp.fc2"},
    {.role = WEIGHT_FINAL_NORM_GAIN, .stem = "final_layernorm"},
    {.role = WEIGHT_HEAD, .stem = "lm_head", .at_top = true},
    {.stem = NULL},
};
const struct tensor_naming tensor_naming_phi = {{"model.", ""}, {phi}};

/* What all descendants of Llama share: embedding, attention, dense MLP, last norm, head. */
static const struct tensor_rule llama_common[] = {
    {.role = WEIGHT_TOKEN_EMBEDDING, .stem = "embed_tokens"},
    {.role = WEIGHT_QUERY, .stem = "layers.%d.self_attn.q_proj"},
    {.role = WEIGHT_KEY, .stem = "layers.%d.self_attn.k_proj"},
    {.role = WEIGHT_VALUE, .stem = "layers.%d.self_attn.v_proj"},
    {.role = WEIGHT_QUERY_NORM_GAIN, .stem = "layers.%d.self_attn.q_norm"},
    {.role = WEIGHT_KEY_NORM_GAIN, .stem = "layers.%d.self_attn.k_norm"},
    {.role = WEIGHT_ATTENTION_OUTPUT, .stem = "layers.%d.self_attn.o_proj"},
    {.role = WEIGHT_DOWN, .stem = "layers.%d.mlp.down_proj"},
    {.role = WEIGHT_FINAL_NORM_GAIN, .stem = "norm"},
    {.role = WEIGHT_HEAD, .stem = "lm_head", .at_top = true},
    {.stem = NULL},
};

static const struct tensor_rule llama_gate_up[] = {
    {.role = WEIGHT_GATE, .stem = "layers.%d.mlp.gate_proj"},
    {.role = WEIGHT_UP, .stem = "layers.%d.mlp.up_proj"},
    {.stem = NULL},
};

static const struct tensor_rule norms_before[] = {
    {.role = WEIGHT_ATTENTION_NORM_GAIN, .stem = "layers.%d.input_layernorm"},
    {.role = WEIGHT_MLP_NORM_GAIN, .stem = "layers.%d.post_attention_layernorm"},
    {.stem = NULL},
};

/* With norms after attention and MLP the same word means another norm. */
static const struct tensor_rule norms_after[] = {
    {.role = WEIGHT_ATTENTION_NORM_GAIN, .stem = "layers.%d.input_layernorm"},
    {.role = WEIGHT_ATTENTION_AFTER_NORM_GAIN, .stem = "layers.%d.post_attention_layernorm"},
    {.role = WEIGHT_MLP_NORM_GAIN, .stem = "layers.%d.pre_feedforward_layernorm"},
    {.role = WEIGHT_MLP_AFTER_NORM_GAIN, .stem = "layers.%d.post_feedforward_layernorm"},
    {.stem = NULL},
};

static const struct tensor_rule phi3_fused[] = {
    {WEIGHT_QUERY, "layers.%d.self_attn.qkv_proj", PART_QKV_BLOCKS, false, false},
    {WEIGHT_KEY, "layers.%d.self_attn.qkv_proj", PART_QKV_BLOCKS, false, false},
    {WEIGHT_VALUE, "layers.%d.self_attn.qkv_proj", PART_QKV_BLOCKS, false, false},
    {WEIGHT_GATE, "layers.%d.mlp.gate_up_proj", PART_GATE_UP, false, false},
    {WEIGHT_UP, "layers.%d.mlp.gate_up_proj", PART_GATE_UP, false, false},
    {.stem = NULL},
};

/* transformers 5 holds all experts of a layer in one tensor. */
static const struct tensor_rule experts_fused[] = {
    {.role = WEIGHT_ROUTER, .stem = "layers.%d.mlp.gate"},
    {WEIGHT_GATE, "layers.%d.mlp.experts.gate_up_proj", PART_EXPERTS_GATE_UP, false, false},
    {WEIGHT_UP, "layers.%d.mlp.experts.gate_up_proj", PART_EXPERTS_GATE_UP, false, false},
    {WEIGHT_DOWN, "layers.%d.mlp.experts.down_proj", PART_EXPERTS, false, false},
    {.stem = NULL},
};

static const struct tensor_rule mixtral_experts[] = {
    {.role = WEIGHT_ROUTER, .stem = "layers.%d.block_sparse_moe.gate"},
    {.role = WEIGHT_GATE, .stem = "layers.%d.block_sparse_moe.experts.%e.w1"},
    {.role = WEIGHT_UP, .stem = "layers.%d.block_sparse_moe.experts.%e.w3"},
    {.role = WEIGHT_DOWN, .stem = "layers.%d.block_sparse_moe.experts.%e.w2"},
    {.stem = NULL},
};

static const struct tensor_rule qwen_experts[] = {
    {.role = WEIGHT_GATE, .stem = "layers.%d.mlp.experts.%e.gate_proj"},
    {.role = WEIGHT_UP, .stem = "layers.%d.mlp.experts.%e.up_proj"},
    {.role = WEIGHT_DOWN, .stem = "layers.%d.mlp.experts.%e.down_proj"},
    {.stem = NULL},
};

static const struct tensor_rule stablelm_norms[] = {
    {WEIGHT_QUERY_NORM_GAIN, "layers.%d.self_attn.q_layernorm.norms.%h", PART_HEADS, false, false},
    {WEIGHT_KEY_NORM_GAIN, "layers.%d.self_attn.k_layernorm.norms.%h", PART_HEADS, false, false},
    {.stem = NULL},
};

const struct tensor_naming tensor_naming_llama = {{"model.", ""},
                                                  {llama_common, llama_gate_up, norms_before}};
const struct tensor_naming tensor_naming_gemma2 = {{"model.", ""},
                                                   {llama_common, llama_gate_up, norms_after}};
const struct tensor_naming tensor_naming_olmo2 = {{"model.", ""},
                                                  {llama_common, llama_gate_up, norms_after}};
const struct tensor_naming tensor_naming_phi3 = {{"model.", ""},
                                                 {llama_common, phi3_fused, norms_before}};
const struct tensor_naming tensor_naming_mixtral = {
    {"model.", ""}, {llama_common, norms_before, mixtral_experts, experts_fused}};
const struct tensor_naming tensor_naming_qwen3_moe = {
    {"model.", ""}, {llama_common, llama_gate_up, norms_before, qwen_experts, experts_fused}};
const struct tensor_naming tensor_naming_stablelm = {
    {"model.", ""}, {llama_common, llama_gate_up, norms_before, stablelm_norms}};

/* GGUF files call a thing by one name whatever the family. The converter has undone GPT-2's
 * transposition and put fused projections in blocks. */
static const struct tensor_rule gguf_common[] = {
    {.role = WEIGHT_TOKEN_EMBEDDING, .stem = "token_embd"},
    {.role = WEIGHT_POSITION_EMBEDDING, .stem = "position_embd"},
    {.role = WEIGHT_EMBEDDING_NORM_GAIN, .stem = "token_embd_norm"},
    {.role = WEIGHT_QUERY, .stem = "blk.%d.attn_q"},
    {.role = WEIGHT_KEY, .stem = "blk.%d.attn_k"},
    {.role = WEIGHT_VALUE, .stem = "blk.%d.attn_v"},
    {WEIGHT_QUERY, "blk.%d.attn_qkv", PART_QKV_BLOCKS, false, false},
    {WEIGHT_KEY, "blk.%d.attn_qkv", PART_QKV_BLOCKS, false, false},
    {WEIGHT_VALUE, "blk.%d.attn_qkv", PART_QKV_BLOCKS, false, false},
    {.role = WEIGHT_QUERY_NORM_GAIN, .stem = "blk.%d.attn_q_norm"},
    {.role = WEIGHT_KEY_NORM_GAIN, .stem = "blk.%d.attn_k_norm"},
    {.role = WEIGHT_ATTENTION_OUTPUT, .stem = "blk.%d.attn_output"},
    {.role = WEIGHT_ATTENTION_AFTER_NORM_GAIN, .stem = "blk.%d.post_attention_norm"},
    {.role = WEIGHT_MLP_NORM_GAIN, .stem = "blk.%d.ffn_norm"},
    {.role = WEIGHT_GATE, .stem = "blk.%d.ffn_gate"},
    {.role = WEIGHT_DOWN, .stem = "blk.%d.ffn_down"},
    {.role = WEIGHT_MLP_AFTER_NORM_GAIN, .stem = "blk.%d.post_ffw_norm"},
    {.role = WEIGHT_FINAL_NORM_GAIN, .stem = "output_norm"},
    {.role = WEIGHT_HEAD, .stem = "output"},
    {.stem = NULL},
};

static const struct tensor_rule gguf_attention_norm[] = {
    {.role = WEIGHT_ATTENTION_NORM_GAIN, .stem = "blk.%d.attn_norm"},
    {.stem = NULL},
};

/* In falcon 40B the norms before attention and MLP have each other's usual names. */
static const struct tensor_rule gguf_falcon_norms[] = {
    {.role = WEIGHT_ATTENTION_NORM_GAIN, .stem = "blk.%d.attn_norm_2"},
    {.role = WEIGHT_ATTENTION_NORM_GAIN, .stem = "blk.%d.attn_norm"},
    {.role = WEIGHT_MLP_NORM_GAIN, .stem = "blk.%d.attn_norm"},
    {.stem = NULL},
};

static const struct tensor_rule gguf_up[] = {
    {.role = WEIGHT_UP, .stem = "blk.%d.ffn_up"},
    {.stem = NULL},
};

/* Where there is no ffn_gate, gate and up are one tensor called ffn_up. */
static const struct tensor_rule gguf_gate_up[] = {
    {WEIGHT_GATE, "blk.%d.ffn_up", PART_GATE_UP, false, false},
    {WEIGHT_UP, "blk.%d.ffn_up", PART_GATE_UP, false, false},
    {.stem = NULL},
};

static const struct tensor_rule gguf_experts[] = {
    {.role = WEIGHT_ROUTER, .stem = "blk.%d.ffn_gate_inp"},
    {WEIGHT_GATE, "blk.%d.ffn_gate_exps.weight", PART_EXPERTS, false, false},
    {WEIGHT_UP, "blk.%d.ffn_up_exps.weight", PART_EXPERTS, false, false},
    {WEIGHT_DOWN, "blk.%d.ffn_down_exps.weight", PART_EXPERTS, false, false},
    {.stem = NULL},
};

const struct tensor_naming tensor_naming_gguf = {
    {""}, {gguf_common, gguf_attention_norm, gguf_up, gguf_experts}};
const struct tensor_naming tensor_naming_gguf_falcon = {{""},
                                                        {gguf_common, gguf_falcon_norms, gguf_up}};
const struct tensor_naming tensor_naming_gguf_phi3 = {
    {""}, {gguf_common, gguf_attention_norm, gguf_gate_up}};
