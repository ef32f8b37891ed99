"""Hugging Face transformers as a peer: eager on a CPU or a GPU, or with a static cache and compiled
decode steps, its fastest way: worker_transformers.py FOLDER DTYPE THREADS [DEVICE [MODE]]."""
import inspect
import statistics
import sys
import time

import torch
from transformers import AutoModelForCausalLM, StaticCache

from worker_common import serve

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
STATIC_STEPS = 512  # positions that a static cache has beyond the prompt
SHAPES_MAX = 64  # that are kept compiled: a shape comes again in every round
PREPARING_STEPS = 6  # compile, then what is recorded as a graph at the second and third call


class Eager:
    """Prefill with logits for the last position, then greedy steps with the cache. The host waits
    for the first tokens and for the last, as the prompt's ids begin and the tokens end there."""

    def __init__(self, model, device):
        self.model, self.device = model, device
        # Newer releases call it "cache".
        names = inspect.signature(model.forward).parameters
        self.cache_name = "past_key_values" if "past_key_values" in names else "cache"

    def new_cache(self, batch, length, steps):
        return None

    def forward(self, call, ids, cache):
        out = call(ids, use_cache=True, logits_to_keep=1, **{self.cache_name: cache})
        return out.logits[:, -1].argmax(-1, keepdim=True), getattr(out, self.cache_name, None)

    def step(self, token, cache):
        return self.forward(self.model, token, cache)

    def __call__(self, rows, steps):
        with torch.inference_mode():
            given = self.new_cache(len(rows), len(rows[0]), steps)
            self.wait()
            begin = time.perf_counter()
            ids = torch.tensor(rows).to(self.device)
            token, cache = self.forward(self.model, ids, given)
            _ = token.tolist()
            first = time.perf_counter()
            tokens = [token]
            for _ in range(steps - 1):
                token, cache = self.step(token, cache)
                tokens.append(token)
            found = torch.cat(tokens, 1).tolist()
            end = time.perf_counter()
        return first - begin, (end - first) / max(steps - 1, 1), found

    def wait(self):
        if self.device != "cpu":
            torch.cuda.synchronize()


class Compiled(Eager):
    """The prompt eagerly, as generate() does it; steps compiled, on a GPU as a captured graph."""

    def __init__(self, model, device):
        super().__init__(model, device)
        mode = "default" if device == "cpu" else "reduce-overhead"
        self.compiled = torch.compile(model.forward, mode=mode, dynamic=False)
        self.caches = {}
        limits = torch._dynamo.config
        setattr(limits, "recompile_limit" if hasattr(limits, "recompile_limit")
                else "cache_size_limit", SHAPES_MAX)

    def new_cache(self, batch, length, steps):
        if steps > STATIC_STEPS:
            raise ValueError(f"{steps} steps, at most {STATIC_STEPS} in a static cache")
        if (batch, length) not in self.caches:
            self.caches[batch, length] = StaticCache(config=self.model.config,
                                                     max_cache_len=length + STATIC_STEPS)
            self([[1] * length] * batch, PREPARING_STEPS)
        cache = self.caches[batch, length]
        cache.reset()
        return cache

    def step(self, token, cache):
        torch.compiler.cudagraph_mark_step_begin()
        token, _ = self.forward(self.compiled, token, cache)
        return token.clone(), cache


def time_median(work, count, device):
    """Median seconds of `work`, after one time that is not counted."""
    times = []
    for _ in range(count + 1):
        begin = time.perf_counter()
        work()
        if device != "cpu":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - begin)
    return statistics.median(times[1:])


def measure_limits(device, dtype):
    """What the device does at most, of random numbers: bytes per second read and written by a
    copy, and operations per second of a square matrix product."""
    count, size = (1 << 22, 512) if device == "cpu" else (1 << 29, 8192)
    source = torch.rand(count, dtype=torch.float32, device=device)
    target = torch.empty_like(source)
    copy_s = time_median(lambda: target.copy_(source), 9, device)
    a = torch.randn(size, size, dtype=DTYPES[dtype], device=device)
    b = torch.randn(size, size, dtype=DTYPES[dtype], device=device)
    product_s = time_median(lambda: a @ b, 9, device)
    del source, target
    if device != "cpu":
        torch.cuda.empty_cache()
    return {"copy_bytes_per_s": 2 * 4 * count / copy_s, "flops_per_s": 2 * size**3 / product_s}


def main():
    folder, dtype, threads, device, mode = (sys.argv[1:] + ["cpu", "eager"][len(sys.argv) - 4:])[:5]
    torch.set_num_threads(int(threads))
    attention = "eager" if device == "cpu" else "sdpa"
    model = AutoModelForCausalLM.from_pretrained(
        folder, dtype=DTYPES[dtype], attn_implementation=attention).to(device).eval()
    generate = {"eager": Eager, "compiled": Compiled}[mode](model, device)
    serve(generate, lambda: measure_limits(device, dtype))


if __name__ == "__main__":
    main()
