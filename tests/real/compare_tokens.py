"""Greedy generation from real prompts, by tokenmark and by Hugging Face transformers in float32 on
the same GGUF file: compare_tokens.py PROGRAM FILE.gguf

Prints one line a prompt; ends with 1 where a token differs."""
import json
import os
import subprocess
import sys

import torch
import transformers

TOKENS = 48
PROMPTS = [
    "The capital of France is",
    "Once upon a time, in a village at the foot of a mountain, there lived",
    "def fibonacci(n):\n    ",
    "Water boils at a temperature of",
    "The three primary colours are red,",
    "In 1969, for the first time in history,",
]
CHAT = "Explain in two sentences why the sky is blue."
# Largest difference of a logit, as a part of the largest logit, that rounding explains.
TOLERANCE = 1e-4


def reference(model, prompt):
    """The tokens that transformers generates, and the logits that each was chosen from."""
    with torch.no_grad():
        output = model.generate(
            torch.tensor([prompt]), attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
            max_new_tokens=TOKENS, min_new_tokens=TOKENS, do_sample=False, eos_token_id=-1,
            pad_token_id=0, repetition_penalty=1.0, return_dict_in_generate=True,
            output_logits=True)
    return output.sequences[0, len(prompt):].tolist(), [step[0] for step in output.logits]


def measured(program, path, prompt):
    done = subprocess.run(
        [program, "generate", "--model", path, "--prompt-ids", ",".join(map(str, prompt)),
         "--output-length", str(TOKENS), "--top-logits", "5", "--device", "cpu",
         "--dtype", "float32"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{program}: {done.stderr}")
    result = json.loads(done.stdout)
    return result["generated"][0], result["top_logits"][0]


def compare(program, path, model, prompt):
    """The number of equal tokens, and the largest relative difference of their logits."""
    wanted, logits = reference(model, prompt)
    found, top = measured(program, path, prompt)
    worst = 0.0
    for step, (expected, token) in enumerate(zip(wanted, found)):
        largest = logits[step].abs().max().item()
        for identifier, value in top[step]:
            worst = max(worst, abs(logits[step][identifier].item() - value) / largest)
        if expected != token:
            gap = (logits[step][expected] - logits[step][token]).item()
            print(f"  step {step}: {expected} expected, {token} found; their logits are {gap:.6f} "
                  "apart")
            return step, worst
    return len(wanted), worst


def main():
    program, path = sys.argv[1:]
    folder, name = os.path.split(path)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, gguf_file=name)
    model = transformers.AutoModelForCausalLM.from_pretrained(
        folder, gguf_file=name, dtype=torch.float32).eval()
    prompts = [(text, tokenizer(text)["input_ids"]) for text in PROMPTS]
    chat = f"<|im_start|>user\n{CHAT}<|im_end|>\n<|im_start|>assistant\n"
    prompts.append((CHAT, tokenizer(chat)["input_ids"]))
    failed = 0
    for text, ids in prompts:
        equal, worst = compare(program, path, model, ids)
        good = equal == TOKENS and worst < TOLERANCE
        failed += not good
        print(f"{'agrees' if good else 'DIFFERS'}: {equal} of {TOKENS} tokens, logits within "
              f"{worst:.1e}: {text!r}", flush=True)
    print(f"{name}: {len(prompts) - failed} of {len(prompts)} prompts agree with transformers "
          f"{transformers.__version__}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
