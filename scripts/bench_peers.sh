#!/bin/sh
# Makes the Python environments that the peers need (folders of their own, nothing of them is a
# dependency of tokenmark) and runs the comparison: scripts/bench_peers.sh [options of run.py]
set -eu
cd "$(dirname "$0")/.."

work=build/peers
mkdir -p "$work"
for peer in transformers openvino llama; do
    venv=$work/venv-$peer
    [ -e "$venv/installed" ] && continue
    [ -x "$venv/bin/python" ] || python3 -m venv "$venv"
    # llama.cpp is built here, for this machine's instructions.
    if ! CMAKE_ARGS="-DGGML_NATIVE=ON -DLLAVA_BUILD=OFF" \
        "$venv/bin/python" -m pip install -q -r "bench/peers/requirements-$peer.txt"; then
        echo "$peer could not be installed from the Python package registry." >&2
        exit 1
    fi
    touch "$venv/installed"
done
exec "$work/venv-transformers/bin/python" bench/peers/run.py "$@"
