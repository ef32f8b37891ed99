"""The engines that are compared: tokenmark by its command line, each peer as a process of its own
Python environment that sleeps between requests. Both say how many CPUs other processes used
meanwhile: on a shared machine only quiet measurements mean something."""
import json
import os
import statistics
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
# peer -> the dtypes that it has.
DTYPES = {
    "llama": ("float32", "bfloat16", "float16", "int8"),
    "openvino": ("float32", "bfloat16", "int8"),
    "transformers": ("float32", "bfloat16", "float16"),
}


TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def busy_s():
    """CPU seconds that all processes of the machine have used."""
    with open("/proc/stat", encoding="ascii") as file:
        user, nice, system, _, _, irq, softirq, steal = map(int, file.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) * TICK_S


def process_s(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK_S


class Worker:
    """`words`: what the peer's script takes beside folder, dtype and threads. `python`: instead
    of the peer's own environment; `script`: instead of its own."""

    def __init__(self, peer, work, folder, dtype, threads, words=(), python=None, script=None):
        python = python or os.path.join(work, "venv-" + peer, "bin", "python")
        script = script or os.path.join(HERE, f"worker_{peer}.py")
        log = os.path.join(work, "-".join([peer, *words]).replace(":", "") + ".log")
        self.log = open(log, "w", encoding="utf-8")
        self.process = subprocess.Popen(
            [python, script, folder, dtype, str(threads), *words],
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

    def ask(self, request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def measure(self, ids, steps, runs):
        pid = self.process.pid
        begin, all_before, own_before = time.monotonic(), busy_s(), process_s(pid)
        answer = self.ask({"ids": ids, "steps": steps, "runs": runs})
        others = busy_s() - all_before - (process_s(pid) - own_before)
        answer["other_cpus"] = max(0.0, others / (time.monotonic() - begin))
        return answer

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.log.close()


class Tokenmark:
    """bench for the times, generate for the tokens. `sampled`: at the defaults of bench."""

    def __init__(self, program, folder, dtype, threads, sampled=False, device="cpu"):
        self.common = ["--model", folder, "--dtype", dtype, "--device", device,
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
                document = json.load(file)
        records = document["runs"]
        return {"cell": document["cells"][0],
                "prefill_s": [run["prefill_time"] for run in records],
                "step_s": [run["decode_time_per_token"] for run in records],
                "other_cpus": sum(run["other_cpu_s"] or 0 for run in records)
                              / sum(run["total_latency"] for run in records),
                "bandwidth": statistics.median(run["bandwidth_before_gb_per_s"] or 0
                                               for run in records),
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
