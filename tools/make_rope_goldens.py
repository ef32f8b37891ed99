#!/usr/bin/env python3
"""Makes tests/unit/rope_frequencies.json: RoPE's inverse frequencies and the factor on cos and
sin as Hugging Face transformers computes them, for every kind of scaling.

Each entry is a Llama-like config.json, the sequence length, and what transformers gives.

Usage: python tools/make_rope_goldens.py
"""
import json
import pathlib

import transformers
from transformers import LlamaConfig, Phi3Config
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

OUT = pathlib.Path(__file__).resolve().parent.parent / "tests" / "unit" / "rope_frequencies.json"

SIZES = {"hidden_size": 64, "num_attention_heads": 2, "num_hidden_layers": 1, "vocab_size": 11,
         "intermediate_size": 32}
LONG = {"short_factor": [1 + i / 8 for i in range(16)], "long_factor": [2 + i for i in range(16)]}

# name: (configuration class, max_position_embeddings, rope_parameters, sequence length)
CASES = {
    "default": (LlamaConfig, 2048, {"rope_type": "default"}, 10),
    "large_theta": (LlamaConfig, 2048, {"rope_type": "default", "rope_theta": 1000000.0}, 10),
    "linear": (LlamaConfig, 2048, {"rope_type": "linear", "factor": 4.0}, 10),
    "dynamic_short": (LlamaConfig, 128, {"rope_type": "dynamic", "factor": 2.0}, 100),
    "dynamic_long": (LlamaConfig, 128, {"rope_type": "dynamic", "factor": 2.0}, 1000),
    "llama3": (LlamaConfig, 131072, {
        "rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0,
        "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}, 10),
    "yarn": (LlamaConfig, 131072, {
        "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}, 10),
    "yarn_scales": (LlamaConfig, 4096, {
        "rope_type": "yarn", "factor": 40.0, "original_max_position_embeddings": 512,
        "beta_fast": 16.0, "beta_slow": 2.0, "mscale": 1.0, "mscale_all_dim": 0.5}, 10),
    "yarn_untruncated": (LlamaConfig, 4096, {
        "rope_type": "yarn", "factor": 8.0, "original_max_position_embeddings": 512,
        "truncate": False, "attention_factor": 1.25}, 10),
    "longrope_short": (Phi3Config, 4096, {
        "rope_type": "longrope", "original_max_position_embeddings": 256, **LONG}, 200),
    "longrope_long": (Phi3Config, 4096, {
        "rope_type": "longrope", "original_max_position_embeddings": 256, **LONG}, 300),
}


def make(kind, positions, parameters, length):
    special = {"pad_token_id": 0} if kind is Phi3Config else {}
    if "longrope" in parameters["rope_type"]:
        special["original_max_position_embeddings"] = parameters["original_max_position_embeddings"]
    config = kind(**SIZES, max_position_embeddings=positions, rope_parameters=dict(parameters),
                  **special)
    if parameters["rope_type"] == "default":
        frequencies, factor = LlamaRotaryEmbedding.compute_default_rope_parameters(config)
    else:
        compute = ROPE_INIT_FUNCTIONS[parameters["rope_type"]]
        frequencies, factor = compute(config, seq_len=length)
    return {"config": {"model_type": config.model_type, **SIZES, **special,
                       "max_position_embeddings": positions, "rope_parameters": parameters},
            "length": length, "inverse_frequencies": frequencies.double().tolist(),
            "attention_factor": float(factor)}


def main():
    cases = {name: make(*case) for name, case in CASES.items()}
    OUT.write_text(json.dumps({"transformers": transformers.__version__, "cases": cases},
                              indent=1) + "\n", encoding="ascii")


if __name__ == "__main__":
    main()
