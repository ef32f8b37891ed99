"""bench/gpu_peers on a golden model with a stub in place of transformers: rows, ratios and shares are
what the times say. gpu_peers_test.py PROGRAM DEVICE"""
import json
import os
import statistics
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def close(a, b):
    return abs(a - b) <= 1e-9 * abs(b)


def main():
    program, device = sys.argv[1:3]
    with tempfile.TemporaryDirectory() as folder:
        found = os.path.join(folder, "rows.json")
        out = subprocess.run(
            [sys.executable, os.path.join(ROOT, "bench", "gpu_peers", "gpu_peers.py"), "--tiny",
             "--program", program, "--device", device, "--work", folder, "--models", "tiny-gpt2",
             "--folder", os.path.join(ROOT, "tests", "golden", "gpt2"), "--batches", "2",
             "--lengths", "8,4096", "--rounds", "2", "--runs", "1", "--json", found,
             "--python", sys.executable, "--worker",
             os.path.join(ROOT, "tests", "bench", "stub_transformers.py")],
            check=True, stdout=subprocess.PIPE, text=True).stdout
        with open(found, encoding="utf-8") as file:
            document = json.load(file)
    assert document["limits"] == [{"copy_bytes_per_s": 1e12, "flops_per_s": 1e15}] * 2
    cells = document["cells"]
    assert sorted((cell["batch"], cell["length"]) for cell in cells) == [(2, 8)]
    for cell in cells:
        assert list(cell["rounds"]) == ["1", "2"]
        for rows in cell["rounds"].values():
            ours, eager, compiled = rows["tokenmark"], rows["eager"], rows["compiled"]
            assert eager["step_s"] == 0.002 and compiled["prefill_s"] == 0.01
            assert eager["same_tokens"] == 1 and compiled["same_tokens"] == 0
            for share, time in (("decode_share", "step_s"), ("prefill_share", "prefill_s")):
                assert close(2 * eager[share], compiled[share]) and ours[share] > 0
                assert close(ours[share] * ours[time], eager[share] * eager[time])
        ratio = statistics.median(rows["eager"]["step_s"] / rows["tokenmark"]["step_s"]
                                  for rows in cell["rounds"].values())
        row = f"| tiny-gpt2 | float32 | {cell['batch']} x {cell['length']} | "
        assert any(line.startswith(row) and f"| {ratio:.2f} [" in line
                   for line in out.splitlines()), out
    assert "copy bandwidth 1000.00 [1000.00, 1000.00] GB/s" in out, out


main()
