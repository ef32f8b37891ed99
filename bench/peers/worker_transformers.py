"""Hugging Face transformers as a peer, in its eager mode."""
import sys
import time

import torch
from transformers import AutoModelForCausalLM

from worker_common import serve

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def main():
    folder, dtype, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
    torch.set_num_threads(threads)
    model = AutoModelForCausalLM.from_pretrained(
        folder, dtype=DTYPES[dtype], attn_implementation="eager").eval()

    def generate(ids, steps):
        """Prefill with logits for the last position, then greedy steps with the cache."""
        ids = torch.tensor(ids)
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

    serve(generate)


if __name__ == "__main__":
    main()
