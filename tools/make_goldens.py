#!/usr/bin/env python3
"""Makes tests/golden/: tiny random models of every family with what Hugging Face transformers
computes on them, so that the engine is checked without any network or Python.

Each folder holds config.json (as the transformers of today writes it), config_old.json (the
older keys that most files on disk have), model.safetensors, expected.json (cases: prompts and
greedy tokens) and expected_logits.bin (float32, little endian: for each case [step][row][id]).
The reference runs in float32 with eager attention and transformers' own KV cache.

Usage: python tools/make_goldens.py [NAME ...]     (all when no name is given)
"""
import copy
import json
import pathlib
import shutil
import sys
import tempfile
import warnings

import numpy
import safetensors
import safetensors.torch
import torch
import transformers
from transformers import AutoConfig, AutoModelForCausalLM

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "tests" / "golden"
STEPS = 16
CASES = ((1, 7), (3, 21))  # batch size, prompt length; the second is longer than any window
SMALLEST_GAP = 2e-3  # between the two largest logits, of the largest magnitude


def rope(theta=10000.0, **more):
    return {"rope_type": "default", "rope_theta": theta, **more}


def llama(**more):
    return {"vocab_size": 101, "hidden_size": 32, "intermediate_size": 56,
            "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
            "max_position_embeddings": 64, "rope_parameters": rope(), **more}


GPT2 = {"vocab_size": 101, "n_positions": 64, "n_embd": 32, "n_layer": 2, "n_head": 4}
MOE = {"vocab_size": 67, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
       "num_key_value_heads": 1}
FALCON = {"vocab_size": 101, "hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 6}
NEOX = {"vocab_size": 101, "hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 3,
        "intermediate_size": 80, "max_position_embeddings": 64}
STABLELM = llama(num_key_value_heads=4, rope_parameters=rope(partial_rotary_factor=0.25))

# name: (model_type, configuration, stored type). What each is for stands in its name.
MODELS = {
    "gpt2": ("gpt2", GPT2, "float32"),
    "gpt2_odd_sizes": ("gpt2", {**GPT2, "vocab_size": 97, "n_positions": 41, "n_embd": 36,
                                "n_head": 3, "n_layer": 3, "n_inner": 50}, "float32"),
    "gpt2_one_head": ("gpt2", {**GPT2, "n_embd": 40, "n_head": 1, "n_layer": 1,
                               "activation_function": "gelu"}, "float32"),
    "gpt2_head_dim_1": ("gpt2", {**GPT2, "n_embd": 24, "n_head": 24,
                                 "activation_function": "relu"}, "float32"),
    "gpt2_bare_names": ("gpt2", {**GPT2, "n_positions": 40}, "float32"),
    "gpt2_unscaled": ("gpt2", {**GPT2, "scale_attn_weights": False,
                               "layer_norm_epsilon": 1e-3}, "float16"),
    "gpt2_untied": ("gpt2", {**GPT2, "tie_word_embeddings": False}, "bfloat16"),
    "gpt_neo_local": ("gpt_neo", {"vocab_size": 101, "hidden_size": 32, "num_layers": 3,
                                  "num_heads": 4, "window_size": 5,
                                  "max_position_embeddings": 64,
                                  "attention_types": [[["global", "local", "local"], 1]]},
                      "float16"),
    "gpt_neox_parallel": ("gpt_neox", {**NEOX, "rope_parameters":
                                       rope(partial_rotary_factor=0.25)}, "float16"),
    "gpt_neox_sequential": ("gpt_neox", {**NEOX, "use_parallel_residual": False,
                                         "attention_bias": False, "hidden_act": "gelu_new",
                                         "tie_word_embeddings": True, "rope_parameters":
                                         rope(1000.0, partial_rotary_factor=1.0)}, "float16"),
    "gptj": ("gptj", {"vocab_size": 101, "n_positions": 64, "n_embd": 48, "n_layer": 2,
                      "n_head": 3, "rotary_dim": 8}, "float16"),
    "opt": ("opt", {"vocab_size": 101, "hidden_size": 32, "num_hidden_layers": 2, "ffn_dim": 72,
                    "num_attention_heads": 4, "max_position_embeddings": 64,
                    "word_embed_proj_dim": 32}, "float16"),
    "bloom_six_heads": ("bloom", {"vocab_size": 101, "hidden_size": 48, "n_layer": 2,
                                  "n_head": 6}, "float16"),
    "bloom_four_heads": ("bloom", {"vocab_size": 101, "hidden_size": 32, "n_layer": 2,
                                   "n_head": 4}, "float16"),
    "falcon_7b": ("falcon", FALCON, "float16"),
    "falcon_40b": ("falcon", {**FALCON, "new_decoder_architecture": True,
                              "num_kv_heads": 2}, "float16"),
    "phi": ("phi", llama(num_key_value_heads=4, hidden_act="gelu_new",
                         rope_parameters=rope(partial_rotary_factor=0.5)), "float16"),
    "phi3_window": ("phi3", llama(sliding_window=6, num_key_value_heads=4), "float16"),
    "phi3_longrope": ("phi3", llama(
        max_position_embeddings=128, original_max_position_embeddings=32,
        rope_parameters=rope(rope_type="longrope", partial_rotary_factor=1.0,
                             original_max_position_embeddings=32,
                             long_factor=[1.5, 2.0, 3.0, 4.5],
                             short_factor=[1.0, 1.1, 1.3, 1.6])), "float16"),
    "llama": ("llama", llama(), "float32"),
    "llama_tied_biased": ("llama", llama(tie_word_embeddings=True, attention_bias=True,
                                         mlp_bias=True, head_dim=12), "float16"),
    "llama_linear": ("llama", llama(rope_parameters=rope(rope_type="linear", factor=2.5)),
                     "float16"),
    "llama_dynamic": ("llama", llama(max_position_embeddings=16, rope_parameters=rope(
        rope_type="dynamic", factor=2.0)), "float16"),
    "llama_llama3": ("llama", llama(rope_parameters=rope(
        100.0, rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
        original_max_position_embeddings=32)), "bfloat16"),
    "llama_yarn": ("llama", llama(max_position_embeddings=128, rope_parameters=rope(
        100.0, rope_type="yarn", factor=4.0, original_max_position_embeddings=32)), "float16"),
    "mistral_window": ("mistral", llama(sliding_window=6), "bfloat16"),
    "qwen2": ("qwen2", llama(rope_parameters=rope(1000000.0)), "bfloat16"),
    "qwen2_window": ("qwen2", llama(num_hidden_layers=3, use_sliding_window=True,
                                    sliding_window=5, max_window_layers=1,
                                    tie_word_embeddings=True), "float16"),
    "qwen3": ("qwen3", llama(head_dim=20), "bfloat16"),
    "gemma": ("gemma", llama(num_key_value_heads=1, head_dim=16), "bfloat16"),
    "gemma2": ("gemma2", llama(num_hidden_layers=3, head_dim=12, sliding_window=5,
                               query_pre_attn_scalar=20, attn_logit_softcapping=3.0,
                               final_logit_softcapping=6.0), "bfloat16"),
    "stablelm": ("stablelm", {**STABLELM, "use_qkv_bias": True}, "float16"),
    "stablelm_qk_norm": ("stablelm", {**STABLELM, "num_key_value_heads": 2, "head_dim": 8,
                                      "qk_layernorm": True}, "float16"),
    "stablelm_parallel": ("stablelm", {**STABLELM, "use_parallel_residual": True}, "float16"),
    "olmo_clip": ("olmo", llama(clip_qkv=0.7), "float16"),
    "olmo2": ("olmo2", llama(), "float16"),
    "granite": ("granite", llama(embedding_multiplier=3.0, residual_multiplier=0.6,
                                 attention_multiplier=0.2, logits_scaling=4.0), "float16"),
    "mixtral": ("mixtral", {**MOE, "intermediate_size": 24, "num_local_experts": 5,
                            "num_experts_per_tok": 2, "max_position_embeddings": 64},
                "float16"),
    "qwen3_moe": ("qwen3_moe", {**MOE, "head_dim": 12, "intermediate_size": 40,
                                "moe_intermediate_size": 20, "num_experts": 6,
                                "num_experts_per_tok": 3, "norm_topk_prob": True,
                                "max_position_embeddings": 64}, "float16"),
    "qwen3_moe_mixed": ("qwen3_moe", {**MOE, "head_dim": 8, "intermediate_size": 40,
                                      "num_hidden_layers": 3, "moe_intermediate_size": 20,
                                      "num_experts": 6, "num_experts_per_tok": 2,
                                      "norm_topk_prob": False, "mlp_only_layers": [1],
                                      "max_position_embeddings": 64}, "float16"),
}

# Keys that transformers writes today and older files do not have.
NEW_KEYS = ("layer_types", "rope_parameters", "dtype", "transformers_version", "head_dim")
# Per family: where older files keep the share of a head that turns.
ROTARY_SHARE_KEY = {"gpt_neox": "rotary_pct", "phi": "partial_rotary_factor",
                    "stablelm": "partial_rotary_factor", "phi3": "partial_rotary_factor"}
OWN_HEAD_DIM = ("qwen3", "qwen3_moe", "gemma", "gemma2")


def old_config(config, own_head_dim):
    """The same model in the words of older files."""
    old = {k: v for k, v in config.items() if k not in NEW_KEYS}
    family = config["model_type"]
    if family in OWN_HEAD_DIM or own_head_dim:
        old["head_dim"] = config["head_dim"]
    old["torch_dtype"] = config["dtype"]
    old["transformers_version"] = "4.38.0"
    if family in ("qwen3_moe",) and "num_local_experts" in old:
        old["num_experts"] = old.pop("num_local_experts")
    parameters = dict(config.get("rope_parameters") or {})
    if not parameters:
        return old
    theta = parameters.pop("rope_theta", 10000.0)
    share = parameters.pop("partial_rotary_factor", None)
    kind = parameters.pop("rope_type")
    if family == "gpt_neox":
        old["rotary_emb_base"] = int(theta)
    elif family not in ("gptj",):
        old["rope_theta"] = theta
    if share is not None and family in ROTARY_SHARE_KEY:
        old[ROTARY_SHARE_KEY[family]] = share
    if kind == "longrope":
        old["rope_scaling"] = {"type": "longrope", "long_factor": parameters["long_factor"],
                               "short_factor": parameters["short_factor"]}
    elif kind in ("linear", "dynamic"):
        old["rope_scaling"] = {"type": kind, "factor": parameters["factor"]}
    elif kind != "default":
        old["rope_scaling"] = {"rope_type": kind, **parameters}
    elif family not in ("gpt_neox", "gptj", "falcon", "phi"):
        old["rope_scaling"] = None
    return old


def randomise(model, seed):
    """Weights that make decisive logits: no bias is zero, no norm gain is one."""
    generator = torch.Generator().manual_seed(seed)
    plus_one = model.config.model_type in ("gemma", "gemma2")
    scale = 2.5 if model.config.model_type == "bloom" else 1.3

    def normal(shape, scale):
        return torch.randn(shape, generator=generator) * scale

    with torch.no_grad():
        for name, parameter in model.named_parameters():
            is_norm = "norm" in name or "ln_" in name or "layernorm" in name
            if is_norm and name.endswith("weight"):
                centre = 0.0 if plus_one else 0.3 if "embed" in name else 1.0
                parameter.copy_(normal(parameter.shape, 0.1 if "embed" in name else 0.3) + centre)
            elif parameter.dim() < 2:
                parameter.copy_(normal(parameter.shape, 0.3))
            elif any(word in name for word in ("wte", "wpe", "embed")):
                # Small, else a tied head gives the last token back for ever.
                parameter.copy_(normal(parameter.shape, 0.3))
            elif "lm_head" in name:
                parameter.copy_(normal(parameter.shape, 1.0))
            else:
                inputs = parameter.shape[0 if type_is_conv1d(model, name) else -1]
                parameter.copy_(normal(parameter.shape, scale / inputs**0.5))


def round_parameters(model, stored):
    """To what the file will hold; buffers, such as RoPE's frequencies, stay exact."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.to(stored))


def type_is_conv1d(model, name):
    module = model.get_submodule(name.rsplit(".", 1)[0]) if "." in name else model
    return type(module).__name__ == "Conv1D"


def run(model, prompts, steps, cached):
    """Greedy tokens [row][step] and logits [step][row][id]."""
    model = copy.deepcopy(model)  # dynamic RoPE remembers the longest sequence it saw
    ids = torch.tensor(prompts)
    cache, logits, chosen = None, [], []
    fed = ids
    with torch.no_grad():
        for _ in range(steps):
            if cached:
                out = model(fed, past_key_values=cache, use_cache=True)
                cache = out.past_key_values
            else:
                out = model(ids, use_cache=False)
            last = out.logits[:, -1].float()
            logits.append(last)
            fed = last.argmax(-1, keepdim=True)
            chosen.append(fed)
            ids = torch.cat([ids, fed], 1)
    return torch.cat(chosen, 1), torch.stack(logits)


def smallest_gap(logits):
    top = logits.topk(2, -1).values
    return float(((top[..., 0] - top[..., 1]).amin()) / logits.abs().max())


def distinct_tokens(tokens):
    return len(set(tokens.flatten().tolist()))


def bare_names(tensors, config):
    """The names of the original gpt2 file: no prefix, and each layer's causal mask."""
    out = {name.removeprefix("transformer."): value for name, value in tensors.items()}
    positions = config["n_positions"]
    mask = torch.tril(torch.ones(positions, positions)).view(1, 1, positions, positions)
    for layer in range(config["n_layer"]):
        out[f"h.{layer}.attn.bias"] = mask.clone()
    return out


def build(name):
    family, settings, stored = MODELS[name]
    seed = sum(ord(letter) * (i + 1) for i, letter in enumerate(name))
    config = AutoConfig.for_model(family, **{**settings, "pad_token_id": None})
    config._attn_implementation = "eager"
    vocabulary = config.vocab_size
    for attempt in range(300):
        model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()
        randomise(model, seed + 1000 * attempt)
        round_parameters(model, getattr(torch, stored))
        rng = numpy.random.default_rng(seed + attempt)
        cases = []
        for batch, length in CASES:
            prompts = rng.integers(0, vocabulary, (batch, length)).tolist()
            tokens, logits = run(model, prompts, STEPS, True)
            cases.append((prompts, tokens, logits))
        if (all(smallest_gap(logits) > SMALLEST_GAP for _, _, logits in cases)
                and all(distinct_tokens(tokens) >= 2 * len(prompts)
                        for prompts, tokens, _ in cases)):
            break
    else:
        raise SystemExit(f"{name}: no seed gives decisive logits")
    if "dynamic" not in name and "longrope" not in name:
        for prompts, tokens, logits in cases:
            whole = run(model, prompts, STEPS, False)
            difference = float((whole[1] - logits).abs().max() / logits.abs().max())
            assert torch.equal(whole[0], tokens) and difference < 1e-4, (name, difference)
    write(name, model, stored, cases, seed)
    distinct = distinct_tokens(cases[1][1])
    gap = min(smallest_gap(logits) for _, _, logits in cases)
    print(f"{name}: attempt {attempt}, gap {gap:.1e}, {distinct} distinct tokens, "
          f"largest logit {max(float(c[2].abs().max()) for c in cases):.3g}")


def write(name, model, stored, cases, seed):
    target = FOLDER / name
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as scratch:
        model.to(getattr(torch, stored)).save_pretrained(scratch)
        config = json.loads((pathlib.Path(scratch) / "config.json").read_text())
        tensors = safetensors.torch.load_file(pathlib.Path(scratch) / "model.safetensors")
    if name.endswith("bare_names"):
        tensors = bare_names(tensors, config)
    safetensors.torch.save_file(tensors, target / "model.safetensors", {"format": "pt"})
    own_head_dim = "head_dim" in MODELS[name][1]
    for file, content in (("config.json", config),
                          ("config_old.json", old_config(config, own_head_dim))):
        (target / file).write_text(json.dumps(content, indent=1) + "\n")
    expected = {
        "made_by": {"torch": torch.__version__, "transformers": transformers.__version__,
                    "safetensors": safetensors.__version__, "seed": seed},
        "vocabulary_size": model.config.vocab_size,
        "steps": STEPS,
        "max_positions": 64 if name == "llama_dynamic" else 0,  # past the model's own limit
        "cases": [{"prompts": prompts, "tokens": tokens.tolist()} for prompts, tokens, _ in cases],
    }
    (target / "expected.json").write_text(json.dumps(expected) + "\n")
    with open(target / "expected_logits.bin", "wb") as file:
        for _, _, logits in cases:
            file.write(logits.numpy().astype("<f4").tobytes())


if __name__ == "__main__":
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    for chosen in sys.argv[1:] or MODELS:
        build(chosen)
