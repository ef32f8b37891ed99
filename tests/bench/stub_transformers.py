"""Plays transformers for gpu_peers_test.py: twice 1 ms a step, no right token, known limits."""
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "bench", "peers"))
from worker_common import serve  # noqa: E402

folder, dtype, threads, device, mode = sys.argv[1:6]
assert os.path.exists(os.path.join(folder, "config.json")) and dtype == "float32"
assert device == "cpu" and mode in ("eager", "compiled")
FACTOR = 2 if mode == "eager" else 1


def generate(ids, steps):
    return FACTOR * 0.01, FACTOR * 0.001, [[FACTOR - 1] * steps for _ in ids]


serve(generate, lambda: {"copy_bytes_per_s": 1e12, "flops_per_s": 1e15})
