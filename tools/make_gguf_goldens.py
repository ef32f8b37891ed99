"""Writes tests/golden/<name>/model.gguf beside the safetensors that it comes from, with the
changes that llama.cpp's converter makes for each architecture, and, where transformers can read
the architecture from GGUF, checks that it computes the golden logits from the file.

    tools/make_gguf_goldens.py            (needs accelerate, gguf, numpy, safetensors, torch, transformers)
"""
import json
import math
import os
import re

import gguf
import numpy as np
from safetensors.torch import load_file

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "golden")

# golden -> general.architecture
NAMES = {
    "bloom_six_heads": "bloom", "falcon_7b": "falcon", "falcon_40b": "falcon", "gemma": "gemma",
    "gemma2": "gemma2", "gpt2": "gpt2", "gpt_neox_parallel": "gptneox",
    "granite": "granite", "llama": "llama",
    "llama_linear": "llama", "llama_llama3": "llama", "llama_tied_biased": "llama",
    "llama_yarn": "llama", "mixtral": "llama", "olmo_clip": "olmo", "olmo2": "olmo2",
    "phi": "phi2", "phi3_longrope": "phi3", "qwen2": "qwen2", "qwen3": "qwen3",
    "qwen3_moe": "qwen3moe", "stablelm": "stablelm", "stablelm_qk_norm": "stablelm",
}
# What transformers reads from GGUF with all facts that these goldens have.
READABLE = ("bloom_six_heads", "falcon_7b", "llama", "qwen2", "stablelm")


def permute(rows, heads):
    """Halves of a head become neighbours: what llama's rotation in ggml expects."""
    shape = rows.shape
    return rows.reshape(heads, 2, shape[0] // heads // 2, *shape[1:]).swapaxes(1, 2).reshape(shape)


def ungroup(rows, groups, queries, head_dim):
    """[groups][queries + key + value][head_dim] rows as all queries, all keys, all values."""
    parts = rows.reshape(groups, queries + 2, head_dim, *rows.shape[1:])
    pieces = (parts[:, :queries], parts[:, queries:queries + 1], parts[:, queries + 1:])
    return np.concatenate([piece.reshape(-1, *rows.shape[1:]) for piece in pieces])


def llama3_factors(scaling, theta, head_dim):
    """The divisors of each frequency, as the converter stores them."""
    low = scaling["original_max_position_embeddings"] / scaling["low_freq_factor"]
    high = scaling["original_max_position_embeddings"] / scaling["high_freq_factor"]
    factors = []
    for i in range(0, head_dim, 2):
        wave = 2 * math.pi * theta ** (i / head_dim)
        if wave < high:
            factors.append(1.0)
        elif wave > low:
            factors.append(scaling["factor"])
        else:
            smooth = (scaling["original_max_position_embeddings"] / wave
                      - scaling["low_freq_factor"]) / (scaling["high_freq_factor"]
                                                       - scaling["low_freq_factor"])
            factors.append(1 / ((1 - smooth) / scaling["factor"] + smooth))
    return np.array(factors, dtype=np.float32)


def add_narrow(writer, name, data):
    """Matrices in the narrowest type that holds them exactly, vectors in float32."""
    if data.ndim > 1 and np.array_equal(data.astype(np.float16).astype(np.float32), data):
        writer.add_tensor(name, data.astype(np.float16))
        return
    kind = gguf.GGMLQuantizationType.BF16
    narrow = gguf.quants.quantize(data, kind) if data.ndim > 1 else None
    if narrow is not None and np.array_equal(gguf.quants.dequantize(narrow, kind), data):
        writer.add_tensor(name, narrow, raw_dtype=kind)
    else:
        writer.add_tensor(name, data.astype(np.float32))


class Converter:
    def __init__(self, name):
        self.name, self.arch = name, NAMES[name]
        self.folder = os.path.join(FOLDER, name)
        with open(os.path.join(self.folder, "config_old.json"), encoding="utf-8") as file:
            self.config = json.load(file)
        get = self.get
        self.hidden = get("hidden_size", "n_embd", "n_embed")
        self.heads = get("num_attention_heads", "n_head")
        self.layers = get("num_hidden_layers", "n_layer")
        self.head_dim = get("head_dim", missing=self.hidden // self.heads)
        self.kv_heads = get("num_key_value_heads", "num_kv_heads", missing=self.heads)
        if self.config["model_type"] == "falcon" and not get("new_decoder_architecture"):
            self.kv_heads = 1 if get("multi_query") else self.heads
        self.tensors = {key: value.float().numpy() for key, value in
                        load_file(os.path.join(self.folder, "model.safetensors")).items()}
        kind = next(key for key, value in gguf.MODEL_ARCH_NAMES.items() if value == self.arch)
        self.names = gguf.get_tensor_name_map(kind, self.layers)

    def get(self, *keys, missing=None):
        for key in keys:
            if self.config.get(key) is not None:
                return self.config[key]
        return missing

    def facts(self, writer):
        get = self.get
        writer.add_context_length(get("max_position_embeddings", "n_positions", missing=2048))
        writer.add_embedding_length(self.hidden)
        writer.add_block_count(self.layers)
        writer.add_feed_forward_length(get("intermediate_size", "n_inner", "ffn_hidden_size",
                                           missing=4 * self.hidden))
        writer.add_head_count(self.heads)
        writer.add_head_count_kv(self.kv_heads)
        if "rms_norm_eps" in self.config:
            writer.add_layer_norm_rms_eps(get("rms_norm_eps"))
        else:
            writer.add_layer_norm_eps(get("layer_norm_epsilon", "layer_norm_eps", missing=1e-5))
        if self.arch not in ("gpt2", "bloom"):
            share = get("partial_rotary_factor", "rotary_pct", missing=1.0)
            writer.add_rope_dimension_count(int(self.head_dim * share))
            writer.add_rope_freq_base(get("rope_theta", "rotary_emb_base", missing=10000.0))
        if "head_dim" in self.config or self.arch in ("gemma", "gemma2"):
            writer.add_key_length(self.head_dim)
            writer.add_value_length(self.head_dim)
        writer.add_vocab_size(get("vocab_size"))
        self.special_facts(writer)

    def special_facts(self, writer):
        get = self.get
        scaling = get("rope_scaling") or {}
        kind = scaling.get("rope_type") or scaling.get("type")
        if kind in ("linear", "yarn"):
            writer.add_rope_scaling_type(gguf.RopeScalingType(kind))
            writer.add_rope_scaling_factor(scaling["factor"])
            if kind == "yarn":
                writer.add_rope_scaling_orig_ctx_len(scaling["original_max_position_embeddings"])
        if kind == "longrope":
            original = get("original_max_position_embeddings")
            scale = get("max_position_embeddings") / original
            writer.add_rope_scaling_orig_ctx_len(original)
            writer.add_rope_scaling_attn_factors(math.sqrt(1 + math.log(scale) / math.log(original)))
        if get("num_local_experts", "num_experts"):
            writer.add_expert_count(get("num_local_experts", "num_experts"))
            writer.add_expert_used_count(get("num_experts_per_tok"))
        if get("moe_intermediate_size"):
            writer.add_expert_feed_forward_length(get("moe_intermediate_size"))
        if self.arch == "gemma2":
            writer.add_attn_logit_softcapping(get("attn_logit_softcapping"))
            writer.add_final_logit_softcapping(get("final_logit_softcapping"))
            writer.add_sliding_window(get("sliding_window"))
        if self.arch == "granite":
            writer.add_attention_scale(get("attention_multiplier"))
            writer.add_embedding_scale(get("embedding_multiplier"))
            writer.add_residual_scale(get("residual_multiplier"))
            writer.add_logit_scale(get("logits_scaling"))
        if self.arch == "olmo" and get("clip_qkv"):
            writer.add_clamp_kqv(get("clip_qkv"))
        if "use_parallel_residual" in self.config:
            writer.add_parallel_residual(get("use_parallel_residual"))

    def change(self, name, data):
        """What the converter does to one tensor."""
        if self.arch in ("llama", "granite", "olmo"):
            if re.search(r"q_proj\.(weight|bias)$", name):
                data = permute(data, self.heads)
            if re.search(r"k_proj\.(weight|bias)$", name):
                data = permute(data, self.kv_heads)
        if self.arch == "gpt2" and re.search(r"(c_attn|c_proj|c_fc)\.weight$", name):
            data = data.T.copy()
        if self.arch in ("gptneox", "bloom", "falcon") and "query_key_value" in name:
            data = ungroup(data, self.kv_heads, self.heads // self.kv_heads, self.head_dim)
        if self.arch.startswith("gemma") and name.endswith("norm.weight"):
            data = data + 1
        if self.arch == "gemma2" and "q_proj" in name:
            # The format has no query_pre_attn_scalar: its difference from head_dim goes here.
            data = data * math.sqrt(self.head_dim / self.get("query_pre_attn_scalar"))
        return data

    def stacked(self):
        """Tensors of experts and of single heads' norms, put together."""
        tensors, stacks = {}, {}
        for name, data in self.tensors.items():
            found = re.match(r"(.*\.)(experts|norms)\.(\d+)\.(.*)$", name)
            if found:
                before, kind, number, after = found.groups()
                key = before + ("experts." + after if kind == "experts" else "weight")
                stacks.setdefault(key, {})[int(number)] = data
            else:
                tensors[name] = data
        for name, parts in stacks.items():
            tensors[name] = np.stack([parts[i] for i in range(len(parts))])
        return tensors

    def write(self):
        path = os.path.join(self.folder, "model.gguf")
        writer = gguf.GGUFWriter(path, self.arch)
        writer.add_name(self.name)
        self.facts(writer)
        scaling = self.get("rope_scaling") or {}
        if scaling.get("rope_type") == "llama3":
            writer.add_tensor("rope_freqs.weight", llama3_factors(
                scaling, self.get("rope_theta"), self.head_dim))
        if scaling.get("type") == "longrope":
            for kind in ("long", "short"):
                writer.add_tensor(f"rope_factors_{kind}.weight",
                                  np.array(scaling[f"{kind}_factor"], dtype=np.float32))
        for name, data in self.stacked().items():
            if name.endswith((".attn.bias", ".attn.masked_bias", "rotary_emb.inv_freq")):
                continue
            suffixes = (".weight", ".bias")
            new_name = (self.names.get_name(name, try_suffixes=suffixes) or
                        self.names.get_name(name.removeprefix("transformer."),
                                            try_suffixes=suffixes))
            if new_name is None:
                raise SystemExit(f"{self.name}: gguf has no name for {name}")
            add_narrow(writer, new_name, np.ascontiguousarray(self.change(name, data)))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return path


def check(name):
    """transformers' own reading of the file against the golden logits."""
    import torch
    from transformers import AutoModelForCausalLM
    folder = os.path.join(FOLDER, name)
    with open(os.path.join(folder, "expected.json"), encoding="utf-8") as file:
        expected = json.load(file)
    model = AutoModelForCausalLM.from_pretrained(folder, gguf_file="model.gguf",
                                                 dtype=torch.float32,
                                                 attn_implementation="eager").eval()
    for case in expected["cases"]:
        ids = torch.tensor(case["prompts"])
        with torch.no_grad():
            made = model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False,
                                  min_new_tokens=expected["steps"],
                                  max_new_tokens=expected["steps"], pad_token_id=0,
                                  eos_token_id=None)
        if made[:, ids.shape[1]:].tolist() != case["tokens"]:
            return "other tokens"
    return "the same tokens"


def write_blocks():
    """Random blocks of each format, followed by the float32 values that gguf makes of them."""
    folder = os.path.join(FOLDER, "gguf_blocks")
    os.makedirs(folder, exist_ok=True)
    kinds = gguf.GGMLQuantizationType
    for kind in (kinds.Q4_0, kinds.Q4_1, kinds.Q5_0, kinds.Q5_1, kinds.Q8_0, kinds.Q4_K,
                 kinds.Q5_K, kinds.Q6_K):
        elements, size = gguf.GGML_QUANT_SIZES[kind]
        raw = np.random.default_rng(7).integers(0, 256, (3, size), dtype=np.uint8)
        halves = {kinds.Q6_K: [208], kinds.Q4_0: [0], kinds.Q5_0: [0], kinds.Q8_0: [0]}
        for place in halves.get(kind, [0, 2]):
            raw[:, place + 1] &= 0xBF  # scales without infinities
        values = gguf.quants.dequantize(raw, kind).astype(np.float32)
        with open(os.path.join(folder, kind.name + ".bin"), "wb") as file:
            file.write(raw.tobytes() + values.tobytes())


def main():
    write_blocks()
    for name in NAMES:
        path = Converter(name).write()
        verdict = "not read by transformers with all its facts"
        if name in READABLE:
            verdict = "transformers reads it: " + check(name)
        print(f"{name}: {os.path.getsize(path)} bytes, {verdict}")


if __name__ == "__main__":
    main()
