"""llama.cpp as a peer, through the C interface that llama-cpp-python wraps: all rows of a batch
are sequences of one llama_batch. Reads <folder>/<dtype>.gguf (make_gguf.py)."""
import ctypes
import os
import sys
import time

import llama_cpp
import numpy as np

from worker_common import serve


class Batch:
    """A llama_batch of one token for each (row, position) pair."""

    def __init__(self, capacity):
        self.batch = llama_cpp.llama_batch_init(capacity, 0, 1)

    def fill(self, tokens, first_position):
        """tokens [row][position]; logits are wanted for the last position of each row."""
        i = 0
        for row, ids in enumerate(tokens):
            for position, token in enumerate(ids):
                self.batch.token[i] = token
                self.batch.pos[i] = first_position + position
                self.batch.n_seq_id[i] = 1
                self.batch.seq_id[i][0] = row
                self.batch.logits[i] = position == len(ids) - 1
                i += 1
        self.batch.n_tokens = i

    def free(self):
        llama_cpp.llama_batch_free(self.batch)


def best_tokens(context, vocabulary, rows, length):
    """The largest logit of each row's last position."""
    tokens = []
    for row in range(rows):
        logits = llama_cpp.llama_get_logits_ith(context, (row + 1) * length - 1)
        tokens.append(int(np.ctypeslib.as_array(logits, (vocabulary,)).argmax()))
    return tokens


def decode(context, batch):
    if llama_cpp.llama_decode(context, batch.batch) != 0:
        raise RuntimeError("llama_decode failed")


def main():
    folder, dtype, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
    quiet = llama_cpp.llama_log_callback(lambda level, text, data: None)
    llama_cpp.llama_log_set(quiet, ctypes.c_void_p(0))
    llama_cpp.llama_backend_init()
    model = llama_cpp.llama_model_load_from_file(
        os.path.join(folder, dtype + ".gguf").encode(), llama_cpp.llama_model_default_params())
    vocabulary = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(model))
    held = {"shape": None, "context": None}

    def context_for(rows, length, steps):
        """The context of the last call when the shape is the same."""
        shape = (rows, length)
        if held["shape"] != shape:
            if held["context"] is not None:
                llama_cpp.llama_free(held["context"])
            options = llama_cpp.llama_context_default_params()
            options.n_ctx = rows * (length + steps + 32)
            options.n_seq_max = rows
            options.n_batch = rows * length
            options.n_threads = options.n_threads_batch = threads
            held["context"] = llama_cpp.llama_init_from_model(model, options)
            held["shape"] = shape
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(held["context"]), True)
        return held["context"]

    def generate(ids, steps):
        rows, length = len(ids), len(ids[0])
        context = context_for(rows, length, 64)
        prompt, step = Batch(rows * length), Batch(rows)
        prompt.fill(ids, 0)
        begin = time.perf_counter()
        decode(context, prompt)
        chosen = [best_tokens(context, vocabulary, rows, length)]
        first = time.perf_counter()
        for i in range(steps - 1):
            step.fill([[token] for token in chosen[-1]], length + i)
            decode(context, step)
            chosen.append(best_tokens(context, vocabulary, rows, 1))
        end = time.perf_counter()
        prompt.free()
        step.free()
        return first - begin, (end - first) / max(steps - 1, 1), [list(row) for row in zip(*chosen)]

    serve(generate)


if __name__ == "__main__":
    main()
