#!/bin/sh
# Makes the Python environment that the peers need (a folder of its own, nothing of it is a
# dependency of tokenmark) and runs the comparison: scripts/bench_peers.sh [options of run.py]
set -eu
cd "$(dirname "$0")/.."

venv=build/peers/venv
if [ ! -x "$venv/bin/python" ]; then
    mkdir -p build/peers
    python3 -m venv "$venv"
fi
if ! "$venv/bin/python" -m pip install -q -r bench/peers/requirements.txt; then
    echo "The peers could not be installed from the Python package registry." >&2
    exit 1
fi
exec "$venv/bin/python" bench/peers/run.py "$@"
