"""OpenVINO as a peer: optimum-intel exports the model once with its KV cache as state, the head
is cut down to the last position, and the compiled model is driven without further layers of
Python. 8-bit weights by NNCF."""
import os
import sys
import time

import numpy as np
import openvino as ov
from openvino import opset13

from worker_common import serve


def export(folder, path, dtype):
    import nncf
    from optimum.intel import OVModelForCausalLM
    core = ov.Core()
    plain = os.path.join(folder, "openvino", "openvino_model.xml")
    if not os.path.exists(plain):
        OVModelForCausalLM.from_pretrained(
            folder, export=True, compile=False, load_in_8bit=False, stateful=True
        ).save_pretrained(os.path.dirname(plain))
    model = core.read_model(plain)
    keep_last_position(model)
    if dtype == "int8":
        model = nncf.compress_weights(model)
    ov.save_model(model, path, compress_to_fp16=False)


def keep_last_position(model):
    """The product that makes the logits gets the last position only, as everywhere else."""
    node = model.output("logits").node
    while node.get_type_name() != "MatMul":
        node = node.input_value(0).get_node()
    source = node.input_value(0)
    last = opset13.slice(source, [-1], [np.iinfo(np.int64).max], [1], [1])
    node.input(0).replace_source_output(last.output(0))
    model.validate_nodes_and_infer_types()


def options(dtype, threads):
    chosen = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY",
              "INFERENCE_PRECISION_HINT": "bf16" if dtype == "bfloat16" else "f32"}
    if dtype == "float32":
        chosen["KV_CACHE_PRECISION"] = "f32"
    return chosen


def main():
    folder, dtype, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
    kind = "int8" if dtype == "int8" else "float32"
    path = os.path.join(folder, f"openvino-{kind}.xml")
    if not os.path.exists(path):
        export(folder, path, kind)
    request = ov.Core().compile_model(path, "CPU", options(dtype, threads)).create_infer_request()
    names = {name for port in request.model_inputs for name in port.names}

    def step(ids, position, rows):
        feed = {"input_ids": ids,
                "attention_mask": np.ones((rows, position + ids.shape[1]), np.int64)}
        if "position_ids" in names:
            positions = np.arange(position, position + ids.shape[1], dtype=np.int64)
            feed["position_ids"] = np.tile(positions, (rows, 1))
        if "beam_idx" in names:
            feed["beam_idx"] = np.arange(rows, dtype=np.int32)
        request.infer(feed, share_inputs=True)
        return request.get_tensor("logits").data[:, -1].argmax(-1)[:, None].astype(np.int64)

    def generate(ids, steps):
        ids = np.array(ids, dtype=np.int64)
        rows, length = ids.shape
        request.reset_state()
        begin = time.perf_counter()
        chosen = [step(ids, 0, rows)]
        first = time.perf_counter()
        for i in range(steps - 1):
            chosen.append(step(chosen[-1], length + i, rows))
        end = time.perf_counter()
        return first - begin, (end - first) / max(steps - 1, 1), np.hstack(chosen).tolist()

    serve(generate)


if __name__ == "__main__":
    main()
