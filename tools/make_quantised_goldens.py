#!/usr/bin/env python3
"""Makes tests/golden/gguf_quantised/<name>/: tiny GGUF files of the llama family whose matrices are
quantised in every format that tokenmark reads, mixed within layers, with what Hugging Face
transformers computes on them (de-quantised to float32): expected.json and expected_logits.bin as
tools/make_goldens.py writes them.

    tools/make_quantised_goldens.py     (needs accelerate, gguf, numpy, torch, transformers)
"""
import json
import pathlib

import gguf
import numpy as np
import torch
from transformers import AutoModelForCausalLM

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "tests" / "golden" / "gguf_quantised"
STEPS = 16
CASES = ((1, 7), (3, 21))  # batch size, prompt length
SMALLEST_GAP = 2e-3  # between the two largest logits, of the largest magnitude
K = gguf.GGMLQuantizationType

# name: hidden, intermediate, layers, heads, kv heads, the types of the matrices in turn
MODELS = {
    "q8_0": (64, 96, 2, 4, 2, {"*": [K.Q8_0]}),
    "q4_0": (64, 96, 2, 4, 2, {"*": [K.Q4_0], "output": [K.Q8_0]}),
    # Every 32-element format; the three matrices with one input never have the same type. Tied.
    "mixed": (64, 128, 2, 4, 2, {
        "*": [K.Q4_1, K.Q5_0, K.Q8_0, K.Q5_1, K.Q4_0, K.F16, K.Q5_1, K.Q4_1, K.BF16, K.F32],
        "token_embd": [K.Q5_1], "output": None}),
    # The K formats, laid out as the usual mixtures do it: wider types for values and the last.
    "mixed_k": (256, 256, 1, 4, 1, {
        "*": [K.Q4_K], "attn_v": [K.Q6_K], "attn_k": [K.Q5_K], "ffn_up": [K.Q5_K],
        "ffn_down": [K.Q6_K], "token_embd": [K.Q4_K], "output": [K.Q6_K]}),
}
VOCABULARY = 90


def halves(count, value):
    return np.full((count, 1), value, dtype=np.float16).view(np.uint8)


def k_scales(scales):
    """Eight scales below 64, which are the minimums too, in the 12 bytes of Q4_K and Q5_K."""
    low, high = scales[:, :4], scales[:, 4:]
    first = low | (high >> 4) << 6
    return np.concatenate([first, first, (high & 15) | (high & 15) << 4], axis=1).astype(np.uint8)


def random_blocks(kind, rows, columns, random):
    """Super-blocks of about normal size: gguf quantises into none of them."""
    count = rows * columns // 256
    def draw(size, top=256):
        return random.integers(0, top, (count, size), dtype=np.uint8)
    if kind == K.Q6_K:
        signed = random.integers(-60, 61, (count, 16)).astype(np.int8).view(np.uint8)
        blocks = [draw(192), signed, halves(count, 9e-5)]
    else:
        middle, step = (7.5, 3e-4) if kind == K.Q4_K else (15.5, 1.5e-4)
        blocks = [halves(count, step), halves(count, step * middle), k_scales(draw(8, 64)),
                  draw(128 if kind == K.Q4_K else 160)]
    return np.concatenate(blocks, axis=1).reshape(rows, -1)


def add_matrix(writer, name, kind, rows, columns, random):
    if kind in (K.Q4_K, K.Q5_K, K.Q6_K):
        writer.add_tensor(name, random_blocks(kind, rows, columns, random), raw_dtype=kind)
        return
    data = random.standard_normal((rows, columns)).astype(np.float32) * 0.12
    if kind == K.F32:
        writer.add_tensor(name, data)
    elif kind == K.F16:
        writer.add_tensor(name, data.astype(np.float16))
    else:
        writer.add_tensor(name, gguf.quants.quantize(data, kind), raw_dtype=kind)


def write(path, name, seed):
    hidden, inner, layers, heads, kv_heads, types = MODELS[name]
    random = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name(name)
    writer.add_context_length(64)
    writer.add_embedding_length(hidden)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(inner)
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_dimension_count(hidden // heads)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(VOCABULARY)
    width = hidden // heads * kv_heads
    shapes = {"attn_q": (hidden, hidden), "attn_k": (width, hidden), "attn_v": (width, hidden),
              "attn_output": (hidden, hidden), "ffn_gate": (inner, hidden),
              "ffn_up": (inner, hidden), "ffn_down": (hidden, inner)}
    turn = 0
    def add(tensor, part, rows, columns):
        nonlocal turn
        kinds = types.get(part, types["*"])
        if kinds is not None:
            add_matrix(writer, tensor, kinds[turn % len(kinds)], rows, columns, random)
        turn += part not in types
    def add_norm(tensor):
        writer.add_tensor(tensor, (1 + 0.1 * random.standard_normal(hidden)).astype(np.float32))
    add("token_embd.weight", "token_embd", VOCABULARY, hidden)
    for layer in range(layers):
        add_norm(f"blk.{layer}.attn_norm.weight")
        add_norm(f"blk.{layer}.ffn_norm.weight")
        for part, (rows, columns) in shapes.items():
            add(f"blk.{layer}.{part}.weight", part, rows, columns)
    add_norm("output_norm.weight")
    add("output.weight", "output", VOCABULARY, hidden)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def answer(folder, seed):
    """Cases and logits, or None where two logits are too near each other."""
    model = AutoModelForCausalLM.from_pretrained(folder, gguf_file="model.gguf",
                                                 dtype=torch.float32,
                                                 attn_implementation="eager").eval()
    random = np.random.default_rng(seed + 1)
    cases, logits = [], []
    for batch, length in CASES:
        ids = torch.tensor(random.integers(0, VOCABULARY, (batch, length)))
        with torch.no_grad():
            made = model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False,
                                  min_new_tokens=STEPS, max_new_tokens=STEPS, pad_token_id=0,
                                  eos_token_id=None, output_logits=True,
                                  return_dict_in_generate=True)
        steps = torch.stack(made.logits).float()
        best = steps.topk(2, dim=-1).values
        if ((best[..., 0] - best[..., 1]) / steps.abs().max()).min() < SMALLEST_GAP:
            return None
        cases.append({"prompts": ids.tolist(), "tokens": made.sequences[:, length:].tolist()})
        logits.append(steps.numpy().astype("<f4"))
    return cases, logits


def main():
    for name in MODELS:
        folder = FOLDER / name
        folder.mkdir(parents=True, exist_ok=True)
        made, seed = None, 0
        while made is None:
            seed += 1
            write(folder / "model.gguf", name, seed)
            made = answer(folder, seed)
        cases, logits = made
        (folder / "expected.json").write_text(json.dumps(
            {"steps": STEPS, "vocabulary_size": VOCABULARY, "max_positions": 0, "cases": cases}))
        (folder / "expected_logits.bin").write_bytes(b"".join(part.tobytes() for part in logits))
        print(f"{name}: seed {seed}, {(folder / 'model.gguf').stat().st_size} bytes, logits up to "
              f"{max(np.abs(part).max() for part in logits):.3g}")


if __name__ == "__main__":
    main()
