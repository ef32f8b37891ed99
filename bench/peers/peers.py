"""The engines that are compared: tokenmark by its command line, each peer as a process of its own
Python environment that sleeps between requests."""
import json
import os
import subprocess
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
# peer -> the dtypes that it has.
DTYPES = {
    "llama": ("float32", "bfloat16", "float16", "int8"),
    "openvino": ("float32", "bfloat16", "int8"),
    "transformers": ("float32", "bfloat16", "float16"),
}


class Worker:
    def __init__(self, peer, work, folder, dtype, threads):
        python = os.path.join(work, "venv-" + peer, "bin", "python")
        script = os.path.join(HERE, f"worker_{peer}.py")
        self.log = open(os.path.join(work, f"{peer}.log"), "w", encoding="utf-8")
        self.process = subprocess.Popen(
            [python, script, folder, dtype, str(threads)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True)
        self.peer = peer
        if not self.answer().get("ready"):
            raise RuntimeError(f"{peer} did not start for {folder} in {dtype}")

    def answer(self):
        """Its next line of JSON; what libraries print in between is passed over."""
        for line in self.process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        raise RuntimeError(f"{self.peer} stopped: see {self.log.name}")

    def measure(self, ids, steps, runs):
        self.process.stdin.write(json.dumps({"ids": ids, "steps": steps, "runs": runs}) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.log.close()


class Tokenmark:
    """bench for the times, generate for the tokens. `sampled`: at the defaults of bench."""

    def __init__(self, program, folder, dtype, threads, sampled=False):
        self.common = ["--model", folder, "--dtype", dtype, "--device", "cpu",
                       "--threads", str(threads)]
        self.program = program
        self.sampled = sampled
        self.made = {}

    def measure(self, ids, steps, runs):
        batch, length = len(ids), len(ids[0])
        with tempfile.TemporaryDirectory() as folder:
            prefix = os.path.join(folder, "cell")
            subprocess.run(
                [self.program, "bench", *self.common, "--batch-sizes", str(batch),
                 "--input-lengths", str(length), "--output-length", str(steps),
                 "--num-runs", str(runs), *([] if self.sampled else ["--temperature", "0"]),
                 "--output-file", prefix],
                check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            with open(prefix + ".json", encoding="utf-8") as file:
                records = json.load(file)["runs"]
        return {"prefill_s": [run["prefill_time"] for run in records],
                "step_s": [run["decode_time_per_token"] for run in records],
                "tokens": self.generate(batch, length, steps)["generated"]}

    def generate(self, batch, length, steps):
        """Prompts of the cell and what follows them, made once."""
        key = (batch, length)
        if key not in self.made:
            out = subprocess.run(
                [self.program, "generate", *self.common, "--random-prompt", f"{batch}x{length}",
                 "--output-length", str(steps)],
                check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            self.made[key] = json.loads(out.stdout)
        return self.made[key]

    def close(self):
        self.made.clear()
