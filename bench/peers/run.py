"""Measures tokenmark against other engines: same weights, same prompts, same machine, engines
interleaved in random order within each cell, several rounds. Rows are appended to a CSV as they
come, so a run can be stopped and gone on with; `--summary` prints the tables of ratios alone.

    scripts/bench_peers.sh --models gpt2 --dtypes float32,bfloat16,int8 --rounds 3

What counts is the ratio within one round (peer time / tokenmark time, above 1: tokenmark is
faster); absolute times of a shared machine drift. `same_tokens` is the share of generated tokens
that are equal, up to each row's first difference, to those of transformers in float32.
"""
import argparse
import contextlib
import csv
import fcntl
import json
import os
import random
import statistics
import sys

import make_gguf
import models
import peers
from summary import summary

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
FIELDS = ["round", "model", "dtype", "peer", "batch", "length", "bandwidth_gb_per_s",
          "prefill_s", "step_s", "same_tokens", "other_cpus"]
QUIET_CPUS = 0.05  # that others may use while a cell is measured
LARGE_CELL_TOKENS = 4096  # from here on one run: the slowest engines take half a minute


class Reference:
    """What transformers generates in float32, kept in a file beside the model."""

    def __init__(self, arguments, folder):
        self.arguments, self.folder = arguments, folder
        self.path = os.path.join(folder, "reference.json")
        self.known = {}
        if os.path.exists(self.path):
            with open(self.path, encoding="utf-8") as file:
                self.known = json.load(file)

    def fill(self, cells, tokenmark):
        missing = {}
        for batch, length in cells:
            prompts = tokenmark.generate(batch, length, self.arguments.steps)["prompts"]
            if self.known.get(f"{batch}x{length}", {}).get("prompts") != prompts:
                missing[f"{batch}x{length}"] = prompts
        if not missing:
            return
        worker = peers.Worker("transformers", self.arguments.work, self.folder, "float32",
                              self.arguments.threads)
        for cell, prompts in missing.items():
            tokens = worker.measure(prompts, self.arguments.steps, 1)["tokens"]
            self.known[cell] = {"prompts": prompts, "tokens": tokens}
        worker.close()
        with open(self.path, "w", encoding="utf-8") as file:
            json.dump(self.known, file)

    def agreement(self, batch, length, tokens):
        """Share of equal tokens up to the first difference of each row."""
        same = total = 0
        for a, b in zip(self.known[f"{batch}x{length}"]["tokens"], tokens):
            total += len(a)
            for x, y in zip(a, b):
                if x != y:
                    break
                same += 1
        return same / total


@contextlib.contextmanager
def locked(paths):
    """Holds each file's lock, in this order: others who take them too wait meanwhile."""
    with contextlib.ExitStack() as stack:
        for path in paths:
            file = stack.enter_context(open(path, "a", encoding="utf-8"))
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def quietest(engine, prompts, runs, arguments):
    """The first of some tries that others hardly disturbed, else the least disturbed one."""
    best = None
    for _ in range(arguments.tries):
        answer = engine.measure(prompts, arguments.steps, runs)
        if best is None or answer["other_cpus"] < best["other_cpus"]:
            best = answer
        if best["other_cpus"] <= QUIET_CPUS:
            break
    return best


def measure_cell(arguments, number, model, dtype, cell, engines, reference):
    batch, length = cell
    prompts = engines["tokenmark"].generate(batch, length, arguments.steps)["prompts"]
    runs = 1 if batch * length >= LARGE_CELL_TOKENS else arguments.runs
    rows = []
    order = random.Random(f"{number}{cell}").sample(sorted(engines), len(engines))
    with locked(arguments.lock):
        for name in order:
            answer = quietest(engines[name], prompts, runs, arguments)
            same = reference.agreement(batch, length, answer["tokens"])
            prefill_s = statistics.median(answer["prefill_s"])
            step_s = statistics.median(answer["step_s"])
            bandwidth = answer.get("bandwidth")
            rows.append([number, model, dtype, name, batch, length,
                         "" if bandwidth is None else f"{bandwidth:.2f}",
                         f"{prefill_s:.6f}", f"{step_s:.6f}", f"{same:.3f}",
                         f"{answer['other_cpus']:.3f}"])
            print(f"round {number} {model} {dtype} {batch}x{length} {name}: "
                  f"prefill {prefill_s * 1e3:.1f} ms, step {step_s * 1e3:.2f} ms, "
                  f"tokens equal {same:.3f}, others used {answer['other_cpus']:.2f} CPUs",
                  file=sys.stderr)
    return rows


def open_engines(arguments, folder, dtype):
    """tokenmark twice (greedy, and sampling at its defaults) and the peers that have the dtype."""
    engines = {"tokenmark": peers.Tokenmark(arguments.program, folder, dtype, arguments.threads)}
    if arguments.sampled:
        engines["tokenmark-sampled"] = peers.Tokenmark(arguments.program, folder, dtype,
                                                       arguments.threads, sampled=True)
    for name in arguments.peers:
        if dtype not in peers.DTYPES[name]:
            continue
        if name == "llama":
            make_gguf.write_gguf(folder, dtype)
        engines[name] = peers.Worker(name, arguments.work, folder, dtype, arguments.threads)
    return engines


def measure(arguments, path):
    done = set()
    new = not os.path.exists(path)
    if not new:
        with open(path, encoding="utf-8", newline="") as file:
            done = {(int(r["round"]), r["model"], r["dtype"], int(r["batch"]), int(r["length"]))
                    for r in csv.DictReader(file)}
    with open(path, "a", encoding="utf-8", newline="", buffering=1) as file:
        writer = csv.writer(file)
        if new:
            writer.writerow(FIELDS)
        for model in arguments.models:
            folder = models.make_model(model, os.path.join(arguments.work, "models"))
            cells = models.cells_of(model, arguments.batches, arguments.lengths)
            for dtype in arguments.dtypes:
                wanted = [(number, cell) for number in range(1, arguments.rounds + 1)
                          for cell in random.Random(number).sample(cells, len(cells))
                          if (number, model, dtype, *cell) not in done]
                if not wanted:
                    continue
                engines = open_engines(arguments, folder, dtype)
                reference = Reference(arguments, folder)
                reference.fill(sorted({cell for _, cell in wanted}), engines["tokenmark"])
                for number, cell in wanted:
                    writer.writerows(measure_cell(arguments, number, model, dtype, cell, engines,
                                                  reference))
                for engine in engines.values():
                    engine.close()


def words(text):
    return text.split(",")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--program", default=os.path.join(ROOT, "build", "tokenmark"))
    parser.add_argument("--work", default=os.path.join(ROOT, "build", "peers"))
    parser.add_argument("--models", type=words, default=list(models.MODELS))
    parser.add_argument("--dtypes", type=words, default=["float32", "bfloat16", "int8"])
    parser.add_argument("--peers", type=words, default=list(peers.DTYPES))
    parser.add_argument("--batches", help="default: the model's own list in models.py")
    parser.add_argument("--lengths")
    parser.add_argument("--steps", type=int, default=32)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--tries", type=int, default=3,
                        help="measure again so often while other processes disturb")
    parser.add_argument("--most-others", type=float, default=0.2, metavar="CPUS",
                        help="rows during which others used more are left out of the tables")
    parser.add_argument("--sampled", action="store_true",
                        help="tokenmark once more, sampling as bench does by default")
    parser.add_argument("--lock", type=words, default=[], metavar="FILE,...",
                        help="files to lock during a cell, where others measure too")
    parser.add_argument("--summary", action="store_true", help="only print the tables")
    arguments = parser.parse_args()

    os.makedirs(arguments.work, exist_ok=True)
    path = os.path.join(arguments.work, "rows.csv")
    if not arguments.summary:
        measure(arguments, path)
    summary(path, arguments.most_others)


if __name__ == "__main__":
    main()
