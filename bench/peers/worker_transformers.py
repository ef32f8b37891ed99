"""Hugging Face transformers as a peer: loads a model once, then answers one JSON request a
line on stdin with one JSON answer a line on stdout. See run.py for the protocol."""
import json
import sys
import time

import torch
from transformers import AutoModelForCausalLM

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def generate(model, ids, steps):
    """Prefill with logits for the last position, then greedy steps with the cache."""
    with torch.inference_mode():
        begin = time.perf_counter()
        out = model(ids, use_cache=True, logits_to_keep=1)
        token = out.logits[:, -1].argmax(-1, keepdim=True)
        first = time.perf_counter()
        tokens = [token]
        for _ in range(steps - 1):
            out = model(token, past_key_values=out.past_key_values, use_cache=True)
            token = out.logits[:, -1].argmax(-1, keepdim=True)
            tokens.append(token)
        end = time.perf_counter()
    return first - begin, (end - first) / max(steps - 1, 1), torch.cat(tokens, 1).tolist()


def main():
    folder, dtype, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
    torch.set_num_threads(threads)
    model = AutoModelForCausalLM.from_pretrained(
        folder, dtype=DTYPES[dtype], attn_implementation="eager"
    ).eval()
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        ids = torch.tensor(request["ids"])
        generate(model, ids, min(request["steps"], 4))  # warm-up, not counted
        runs = [generate(model, ids, request["steps"]) for _ in range(request["runs"])]
        print(
            json.dumps(
                {
                    "prefill_s": [run[0] for run in runs],
                    "step_s": [run[1] for run in runs],
                    "tokens": runs[0][2],
                }
            ),
            flush=True,
        )


if __name__ == "__main__":
    main()
