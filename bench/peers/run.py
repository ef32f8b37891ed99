"""Measures tokenmark against other engines: same weights, same prompts, same machine, cells
interleaved in random order, several rounds. Rows are appended to a CSV as they come, so a
run can be stopped and gone on with; `--summary` prints the table of ratios.

    bench/peers/run.py --peers transformers --dtypes float32 --rounds 3

What counts is the ratio within one round (peer time / tokenmark time, above 1: tokenmark is
faster); absolute times of a shared machine drift.
"""
import argparse
import csv
import json
import math
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
FIELDS = ["round", "model", "dtype", "peer", "batch", "length", "bandwidth_gb_per_s",
          "prefill_s", "step_s", "same_tokens"]
MODELS = {
    "gpt2": ("GPT2Config", dict()),
    "smollm2-135m": ("LlamaConfig", dict(
        vocab_size=49152, hidden_size=576, intermediate_size=1536, num_hidden_layers=30,
        num_attention_heads=9, num_key_value_heads=3, max_position_embeddings=8192,
        rope_theta=100000.0, rms_norm_eps=1e-5, tie_word_embeddings=True)),
    "qwen2-0.5b": ("Qwen2Config", dict(
        vocab_size=151936, hidden_size=896, intermediate_size=4864, num_hidden_layers=24,
        num_attention_heads=14, num_key_value_heads=2, max_position_embeddings=32768,
        rope_theta=1000000.0, rms_norm_eps=1e-6, tie_word_embeddings=True)),
}


def make_model(name, folder):
    """A random model of the named shape, written once by transformers."""
    path = os.path.join(folder, name)
    if os.path.exists(os.path.join(path, "config.json")):
        return path
    import torch
    import transformers
    kind, facts = MODELS[name]
    torch.manual_seed(1)
    config = getattr(transformers, kind)(**facts)
    model = transformers.AutoModelForCausalLM.from_config(config)
    model.save_pretrained(path)
    return path


def read_bandwidth():
    """GB/s of reading 512 MB of memory with all threads: the yardstick of the same minute."""
    import torch
    buffer = torch.ones(128 << 20, dtype=torch.float32)
    best = 0.0
    for _ in range(3):
        begin = time.perf_counter()
        buffer.sum()
        best = max(best, buffer.numel() * 4 / (time.perf_counter() - begin) / 1e9)
    return best


class Worker:
    """A peer in its own process, asleep between requests."""

    def __init__(self, peer, folder, dtype, threads):
        script = os.path.join(HERE, f"worker_{peer}.py")
        self.process = subprocess.Popen(
            [sys.executable, script, folder, dtype, str(threads)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        if not json.loads(self.process.stdout.readline() or "{}").get("ready"):
            raise RuntimeError(f"{peer} did not start for {folder} in {dtype}")

    def measure(self, ids, steps, runs):
        self.process.stdin.write(json.dumps({"ids": ids, "steps": steps, "runs": runs}) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Tokenmark:
    """tokenmark by its command line: bench for the times, generate for the tokens."""

    def __init__(self, program, folder, dtype, threads):
        self.common = ["--model", folder, "--dtype", dtype, "--device", "cpu",
                       "--threads", str(threads)]
        self.program = program
        self.tokens = {}

    def measure(self, ids, steps, runs):
        batch, length = len(ids), len(ids[0])
        with tempfile.TemporaryDirectory() as folder:
            prefix = os.path.join(folder, "cell")
            subprocess.run(
                [self.program, "bench", *self.common, "--batch-sizes", str(batch),
                 "--input-lengths", str(length), "--output-length", str(steps),
                 "--num-runs", str(runs), "--temperature", "0", "--output-file", prefix],
                check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            with open(prefix + ".json", encoding="utf-8") as file:
                records = json.load(file)["runs"]
        return {"prefill_s": [run["prefill_time"] for run in records],
                "step_s": [run["decode_time_per_token"] for run in records],
                "tokens": self.generate(batch, length, steps)["generated"]}

    def generate(self, batch, length, steps):
        key = (batch, length)
        if key not in self.tokens:
            out = subprocess.run(
                [self.program, "generate", *self.common, "--random-prompt", f"{batch}x{length}",
                 "--output-length", str(steps)],
                check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            self.tokens[key] = json.loads(out.stdout)
        return self.tokens[key]

    def close(self):
        pass


def agreement(ours, theirs):
    """Share of generated tokens that are equal up to the first difference of each row."""
    same = total = 0
    for a, b in zip(ours, theirs):
        total += len(a)
        for x, y in zip(a, b):
            if x != y:
                break
            same += 1
    return same / total


def run_round(number, cells, peers, arguments, model, dtype, writer, done):
    tokenmark = peers["tokenmark"]
    order = list(cells)
    random.Random(number).shuffle(order)
    for batch, length in order:
        key = (str(number), model, dtype, str(batch), str(length))
        if key in done:
            continue
        made = tokenmark.generate(batch, length, arguments.steps)
        bandwidth = read_bandwidth()
        rows = []
        for name in random.Random(f"{number}{batch}{length}").sample(sorted(peers), len(peers)):
            answer = peers[name].measure(made["prompts"], arguments.steps, arguments.runs)
            rows.append([number, model, dtype, name, batch, length, f"{bandwidth:.2f}",
                         f"{statistics.median(answer['prefill_s']):.6f}",
                         f"{statistics.median(answer['step_s']):.6f}",
                         f"{agreement(made['generated'], answer['tokens']):.3f}"])
            print(f"round {number} {model} {dtype} {batch}x{length} {name}: "
                  f"prefill {float(rows[-1][7]) * 1e3:.1f} ms, step {float(rows[-1][8]) * 1e3:.2f} ms, "
                  f"tokens equal {rows[-1][9]}", file=sys.stderr)
        writer.writerows(rows)


def summary(path):
    """Ratios peer / tokenmark within each round; median and range over the rounds."""
    table = {}
    with open(path, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            key = (row["model"], row["dtype"], int(row["batch"]), int(row["length"]))
            table.setdefault(key, {}).setdefault(row["round"], {})[row["peer"]] = row
    names = sorted({peer for rounds in table.values() for rows in rounds.values()
                    for peer in rows} - {"tokenmark"})
    for name in names:
        print(f"\n### {name} : tokenmark (above 1: tokenmark is faster; median [min, max])\n")
        print("| model | dtype | batch x length | prefill | decode step | tokens equal | rounds |")
        print("|---|---|---|---|---|---|---|")
        logs = {}
        for (model, dtype, batch, length), rounds in sorted(table.items()):
            pairs = [(rows[name], rows["tokenmark"]) for rows in rounds.values()
                     if name in rows and "tokenmark" in rows]
            if not pairs:
                continue
            text = []
            for field in ("prefill_s", "step_s"):
                ratios = [float(peer[field]) / float(ours[field]) for peer, ours in pairs]
                middle = statistics.median(ratios)
                logs.setdefault((dtype, field), []).append(math.log(middle))
                text.append(f"{middle:.2f} [{min(ratios):.2f}, {max(ratios):.2f}]")
            same = min(float(peer["same_tokens"]) for peer, _ in pairs)
            print(f"| {model} | {dtype} | {batch} x {length} | {text[0]} | {text[1]} "
                  f"| {same:.0%} | {len(pairs)} |")
        for (dtype, field), values in sorted(logs.items()):
            mean = math.exp(sum(values) / len(values))
            print(f"\ngeometric mean, {dtype}, {field[:-2]}: {mean:.2f} over {len(values)} cells")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--program", default=os.path.join(ROOT, "build", "tokenmark"))
    parser.add_argument("--work", default=os.path.join(ROOT, "build", "peers"))
    parser.add_argument("--models", default="gpt2")
    parser.add_argument("--dtypes", default="float32")
    parser.add_argument("--peers", default="transformers")
    parser.add_argument("--batches", default="1,4,16")
    parser.add_argument("--lengths", default="32,128,512")
    parser.add_argument("--steps", type=int, default=32)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--summary", action="store_true", help="only print the table")
    arguments = parser.parse_args()

    os.makedirs(arguments.work, exist_ok=True)
    path = os.path.join(arguments.work, "rows.csv")
    if not arguments.summary:
        measure(arguments, path)
    summary(path)


def measure(arguments, path):
    done = set()
    new = not os.path.exists(path)
    if not new:
        with open(path, encoding="utf-8", newline="") as file:
            done = {(r["round"], r["model"], r["dtype"], r["batch"], r["length"])
                    for r in csv.DictReader(file)}
    cells = [(int(b), int(n)) for b in arguments.batches.split(",")
             for n in arguments.lengths.split(",")]
    with open(path, "a", encoding="utf-8", newline="", buffering=1) as file:
        writer = csv.writer(file)
        if new:
            writer.writerow(FIELDS)
        for model in arguments.models.split(","):
            folder = make_model(model, os.path.join(arguments.work, "models"))
            for dtype in arguments.dtypes.split(","):
                peers = {"tokenmark": Tokenmark(arguments.program, folder, dtype,
                                                arguments.threads)}
                for name in arguments.peers.split(","):
                    peers[name] = Worker(name, folder, dtype, arguments.threads)
                for number in range(1, arguments.rounds + 1):
                    run_round(number, cells, peers, arguments, model, dtype, writer, done)
                for peer in peers.values():
                    peer.close()


if __name__ == "__main__":
    main()
