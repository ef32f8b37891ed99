"""What every peer's process does: loads once, then answers one JSON request a line on stdin with
one JSON answer a line on stdout. peers.py has the other end."""
import json
import sys

WARM_UP_STEPS = 4


def serve(generate, limits=None):
    """generate(ids, steps) -> (prefill seconds, seconds a decode step, tokens [row][step]);
    limits() -> what the device does at most, where that is asked for."""
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        if request.get("limits"):
            print(json.dumps(limits()), flush=True)
            continue
        ids, steps = request["ids"], request["steps"]
        generate(ids, min(steps, WARM_UP_STEPS))
        runs = [generate(ids, steps) for _ in range(request["runs"])]
        print(json.dumps({"prefill_s": [run[0] for run in runs],
                          "step_s": [run[1] for run in runs],
                          "tokens": runs[0][2]}), flush=True)
