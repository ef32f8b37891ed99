#!/bin/sh
# Makes the Python environments that the peers need (folders of their own, nothing of them is a
# dependency of tokenmark) and runs the comparison: scripts/bench_peers.sh [options of run.py]
set -eu
cd "$(dirname "$0")/.."

scripts/peer_environment.sh build/peers transformers openvino llama
exec build/peers/venv-transformers/bin/python bench/peers/run.py "$@"
