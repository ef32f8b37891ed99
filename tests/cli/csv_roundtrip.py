"""The results files as other programs see them: Python's csv and json modules read the same
numbers from both. Called with the program that writes a pair of files and a folder for them."""

import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path


def flat(run):
    """A run of the JSON file with the names of the CSV columns."""
    out = {k: v for k, v in run.items() if k not in ("memory_usage", "decode_step_times")}
    for name in ("cpu_memory_mb", "gpu_memory_allocated_mb", "gpu_memory_reserved_mb"):
        out[name] = run["memory_usage"].get(name)
    return out


def check(folder, writer):
    subprocess.run([writer, str(folder / "out")], check=True)
    document = json.loads((folder / "out.json").read_text(encoding="utf-8"))
    with open(folder / "out.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, strict=True))
    assert len(rows) == len(document["runs"]) > 0, "rows and runs differ in number"
    for row, run in zip(rows, map(flat, document["runs"])):
        only_csv = set(row) - set(run)
        assert set(run) <= set(row), set(run) - set(row)
        # What only a GPU shows is left out of a JSON run without one, and empty in CSV.
        assert all(name.startswith("gpu_") and row[name] == "" for name in only_csv), only_csv
        for name, value in run.items():
            if value is None:
                assert row[name] == "", (name, row[name])
            elif isinstance(value, str):
                assert row[name] == value, (name, row[name], value)
            else:
                assert type(value)(row[name]) == value, (name, row[name], value)
    names = {row["model_name"] for row in rows}
    assert any(sign in name for name in names for sign in ',"\n'), "no name that needs quotes"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        check(Path(scratch), sys.argv[1])
