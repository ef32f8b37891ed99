"""Writes a model folder of gpt2, llama or qwen2 as <dtype>.gguf for llama.cpp, with the changes
that its converter makes. The vocabulary has no words: token ids are fed directly."""
import json
import os
import re

import gguf
import numpy as np
from safetensors.numpy import load_file

KINDS = {"float32": gguf.GGMLQuantizationType.F32, "bfloat16": gguf.GGMLQuantizationType.BF16,
         "float16": gguf.GGMLQuantizationType.F16, "int8": gguf.GGMLQuantizationType.Q8_0}


def permute(rows, heads):
    """Halves of a head become neighbours: what llama's rotation in ggml expects."""
    shape = rows.shape
    return rows.reshape(heads, 2, shape[0] // heads // 2, *shape[1:]).swapaxes(1, 2).reshape(shape)


def add_facts(writer, config):
    heads = config.get("num_attention_heads") or config["n_head"]
    hidden = config.get("hidden_size") or config["n_embd"]
    writer.add_context_length(config.get("max_position_embeddings") or config["n_positions"])
    writer.add_embedding_length(hidden)
    writer.add_block_count(config.get("num_hidden_layers") or config["n_layer"])
    writer.add_feed_forward_length(config.get("intermediate_size") or 4 * hidden)
    writer.add_head_count(heads)
    writer.add_vocab_size(config["vocab_size"])
    writer.add_tokenizer_model("none")
    if config["model_type"] == "gpt2":
        writer.add_layer_norm_eps(config["layer_norm_epsilon"])
        return
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_dimension_count(hidden // heads)
    rope = config.get("rope_parameters") or config
    writer.add_rope_freq_base(rope["rope_theta"])


def change(config, name, data):
    if config["model_type"] == "gpt2" and re.search(r"(c_attn|c_proj|c_fc)\.weight$", name):
        return np.ascontiguousarray(data.T)
    if config["model_type"] == "llama":
        for part, heads in (("q_proj", "num_attention_heads"), ("k_proj", "num_key_value_heads")):
            if part in name:
                return permute(data, config[heads])
    return data


def write_gguf(folder, dtype):
    path = os.path.join(folder, dtype + ".gguf")
    if os.path.exists(path):
        return
    with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
        config = json.load(file)
    arch = config["model_type"]
    kind = next(key for key, value in gguf.MODEL_ARCH_NAMES.items() if value == arch)
    layers = config.get("num_hidden_layers") or config["n_layer"]
    names = gguf.get_tensor_name_map(kind, layers)
    writer = gguf.GGUFWriter(path + ".part", arch)
    add_facts(writer, config)
    for name, data in load_file(os.path.join(folder, "model.safetensors")).items():
        if name.endswith((".attn.bias", ".attn.masked_bias", "rotary_emb.inv_freq")):
            continue
        target = names.get_name(name, try_suffixes=(".weight", ".bias"))
        if target is None:
            raise ValueError(f"{name}: no name for it in {arch}")
        data = change(config, name, data.astype(np.float32))
        narrow = data.ndim > 1 and not target.startswith("position_embd")
        to = KINDS[dtype] if narrow else gguf.GGMLQuantizationType.F32
        writer.add_tensor(target, gguf.quants.quantize(data, to), raw_dtype=to)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    os.rename(path + ".part", path)
