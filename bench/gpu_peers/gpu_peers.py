"""Measures tokenmark on a GPU against Hugging Face transformers, eager and with a static cache and
compiled decode steps: the same random weights, the same prompts, the same card, engines interleaved
in random order within each cell, several rounds in one run.

    make bench-gpu-peers                        # GPT-2, a 1B and an 8B model, float16
    scripts/bench_gpu_peers.sh --tiny           # does it work here at all? two tiny models, a CPU

The card's copy bandwidth and its matrix peak are measured by PyTorch at the begin of each round, not
by tokenmark; shares are of those. A ratio is of two times within one round (above 1: tokenmark is
faster); tables show its median with the smallest and the largest.
"""
import argparse
import json
import os
import random
import statistics
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "bench", "peers"))

import models  # noqa: E402
import peers  # noqa: E402
import summary  # noqa: E402

OURS = "tokenmark"
MODES = ("eager", "compiled")
SHAPES = {
    "gpt2": models.MODELS["gpt2"],
    "llama-1b": ("LlamaConfig", dict(
        vocab_size=128256, hidden_size=2048, intermediate_size=8192, num_hidden_layers=16,
        num_attention_heads=32, num_key_value_heads=8, head_dim=64, max_position_embeddings=131072,
        rope_theta=500000.0, rms_norm_eps=1e-5, tie_word_embeddings=True)),
    "llama-8b": ("LlamaConfig", dict(
        vocab_size=128256, hidden_size=4096, intermediate_size=14336, num_hidden_layers=32,
        num_attention_heads=32, num_key_value_heads=8, head_dim=128, max_position_embeddings=131072,
        rope_theta=500000.0, rms_norm_eps=1e-5, tie_word_embeddings=False)),
}
TINY_SHAPES = {
    "tiny-gpt2": ("GPT2Config", dict(vocab_size=512, n_embd=64, n_layer=2, n_head=4,
                                     n_positions=256)),
    "tiny-llama": ("LlamaConfig", dict(
        vocab_size=512, hidden_size=64, intermediate_size=160, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=1024)),
}
# What is aimed at: decode share of the copy bandwidth or milliseconds a step at batch 1; prefill
# share of the matrix peak from 2048 tokens up.
DECODE_SHARES = {"llama-8b": 0.90, "llama-1b": 0.80}
STEP_MS = {"gpt2": 0.20}
PREFILL_SHARE, PREFILL_TOKENS = 0.60, 2048


def cells_of(model, arguments):
    """Without the lengths that the model has no positions for."""
    _, facts = arguments.shapes[model]
    positions = facts.get("max_position_embeddings") or facts.get("n_positions", 1024)
    return [(batch, length) for batch in arguments.batches for length in arguments.lengths
            if length + arguments.steps <= positions]


def open_engines(arguments, folder):
    engines = {OURS: peers.Tokenmark(arguments.program, folder, arguments.dtype,
                                     arguments.threads, device=arguments.device)}
    for mode in MODES:
        engines[mode] = peers.Worker("transformers", arguments.work, folder, arguments.dtype,
                                     arguments.threads, (arguments.torch_device, mode),
                                     arguments.python, arguments.worker)
    return engines


def same_tokens(expected, found):
    """Share of equal tokens up to the first difference of each row."""
    same = total = 0
    for a, b in zip(expected, found, strict=True):
        total += len(a)
        same += next((i for i, (x, y) in enumerate(zip(a, b, strict=True)) if x != y), len(a))
    return same / total


def measure_cell(arguments, number, model, cell, engines, limits):
    batch, length = cell
    prompts = engines[OURS].generate(batch, length, arguments.steps)["prompts"]
    order = random.Random(f"{number}{model}{cell}").sample(sorted(engines), len(engines))
    answers = {name: engines[name].measure(prompts, arguments.steps, arguments.runs)
               for name in order}
    work = answers[OURS]["cell"]
    rows = {}
    for name in order:
        prefill_s = statistics.median(answers[name]["prefill_s"])
        step_s = statistics.median(answers[name]["step_s"])
        rows[name] = {
            "prefill_s": prefill_s, "step_s": step_s,
            "decode_share": work["decode_step_bytes"] / step_s / limits["copy_bytes_per_s"],
            "prefill_share": work["prefill_flops"] / prefill_s / limits["flops_per_s"],
            "same_tokens": same_tokens(answers["eager"]["tokens"], answers[name]["tokens"]),
        }
        print(f"round {number} {model} {batch}x{length} {name}: prefill {prefill_s * 1e3:.2f} ms, "
              f"step {step_s * 1e3:.3f} ms", file=sys.stderr)
    return rows


def measure(arguments):
    """model, batch, length -> round -> engine -> row; and the limits of every round."""
    table, readings = {}, []
    for model in arguments.models:
        folder = arguments.folder or models.make_model(
            model, os.path.join(arguments.work, "models"), arguments.shapes, arguments.dtype)
        engines = open_engines(arguments, folder)
        for number in range(1, arguments.rounds + 1):
            limits = engines["eager"].ask({"limits": True})
            readings.append(limits)
            cells = cells_of(model, arguments)
            for cell in random.Random(number).sample(cells, len(cells)):
                rows = measure_cell(arguments, number, model, cell, engines, limits)
                table.setdefault((model, *cell), {})[number] = rows
        for engine in engines.values():
            engine.close()
    return table, readings


def values(rounds, engine, field):
    return [rows[engine][field] for rows in rounds.values()]


def verdict(model, batch, length, rounds):
    """What was aimed at for this cell, and whether it was reached; "" where nothing was."""
    step_ms = statistics.median(values(rounds, OURS, "step_s")) * 1e3
    decode = statistics.median(values(rounds, OURS, "decode_share"))
    prefill = statistics.median(values(rounds, OURS, "prefill_share"))
    aims = []
    if batch == 1 and model in DECODE_SHARES:
        aims.append((f"decode {DECODE_SHARES[model]:.0%}", decode >= DECODE_SHARES[model]))
    if batch == 1 and model in STEP_MS:
        aims.append((f"step {STEP_MS[model]:.2f} ms", step_ms <= STEP_MS[model]))
    if length >= PREFILL_TOKENS:
        aims.append((f"prefill {PREFILL_SHARE:.0%}", prefill >= PREFILL_SHARE))
    return ", ".join(f"{aim}: {'reached' if reached else 'missed'}" for aim, reached in aims)


def print_shares(table):
    print(f"\n### {OURS}: times, and shares of the copy bandwidth and the matrix peak "
          "(median [min, max])\n")
    print("| model | batch x length | prefill ms | step ms | decode share | prefill share | aims |")
    print("|---|---|---|---|---|---|---|")
    for (model, batch, length), rounds in sorted(table.items()):
        times = [summary.spread([value * 1e3 for value in values(rounds, OURS, field)])
                 for field in ("prefill_s", "step_s")]
        shares = [summary.spread(values(rounds, OURS, field))
                  for field in ("decode_share", "prefill_share")]
        print(f"| {model} | {batch} x {length} | {' | '.join(times + shares)} "
              f"| {verdict(model, batch, length, rounds)} |")


def print_tables(arguments, table, readings):
    copies = [reading["copy_bytes_per_s"] / 1e9 for reading in readings]
    peaks = [reading["flops_per_s"] / 1e12 for reading in readings]
    print(f"{arguments.dtype}, {arguments.steps} tokens, {arguments.rounds} rounds of "
          f"{arguments.runs} runs; copy bandwidth {summary.spread(copies)} GB/s (read and written), "
          f"matrix peak {summary.spread(peaks)} TFLOP/s")
    print_shares(table)
    # summary.print_peer wants the dtype in the key.
    keyed = {(model, arguments.dtype, batch, length): rounds
             for (model, batch, length), rounds in table.items()}
    for mode in MODES:
        summary.print_peer(keyed, mode)


def words(text):
    return text.split(",")


def numbers(text):
    return [int(word) for word in text.split(",")]


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--program", default=os.path.join(ROOT, "build", "tokenmark"))
    parser.add_argument("--work", default=os.path.join(ROOT, "build", "gpu_peers"))
    parser.add_argument("--tiny", action="store_true",
                        help="tiny models and cells on a CPU: whether all of this works")
    parser.add_argument("--device", help="tokenmark's (cuda, with --tiny cpu)")
    parser.add_argument("--torch-device", help="PyTorch's (cuda, with --tiny cpu)")
    parser.add_argument("--dtype", help="float16, with --tiny float32")
    parser.add_argument("--models", type=words, help="default: all")
    parser.add_argument("--batches", type=numbers)
    parser.add_argument("--lengths", type=numbers)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--runs", type=int)
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--folder", help="take this model for every name, make none")
    parser.add_argument("--python", help="of the workers, instead of their own environment")
    parser.add_argument("--worker", help="a script that plays transformers, for tests")
    parser.add_argument("--json", help="write the rows and the limits there as well")
    arguments = parser.parse_args()
    arguments.shapes = TINY_SHAPES if arguments.tiny else SHAPES
    defaults = (("device", "cuda", "cpu"), ("torch_device", "cuda", "cpu"),
                ("dtype", "float16", "float32"), ("models", list(SHAPES), list(TINY_SHAPES)),
                ("batches", [1, 16], [1, 2]), ("lengths", [128, 512, 2048], [8, 24]),
                ("steps", 64, 8), ("runs", 5, 2), ("rounds", 5, 2))
    for name, usual, tiny in defaults:
        if getattr(arguments, name) is None:
            setattr(arguments, name, tiny if arguments.tiny else usual)
    for name in arguments.models:
        if name not in arguments.shapes:
            parser.error(f"no model {name}: {', '.join(arguments.shapes)}")
    return arguments


def main():
    arguments = parse()
    os.makedirs(arguments.work, exist_ok=True)
    table, readings = measure(arguments)
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump({"limits": readings,
                       "cells": [{"model": key[0], "batch": key[1], "length": key[2],
                                  "rounds": rounds} for key, rounds in table.items()]}, file)
    print_tables(arguments, table, readings)


if __name__ == "__main__":
    main()
