#!/bin/sh
# Makes the Python environment WORK/venv-PEER of each peer that has none yet, from
# bench/peers/requirements-PEER.txt: scripts/peer_environment.sh WORK PEER...
set -eu
cd "$(dirname "$0")/.."

work=$1
shift
mkdir -p "$work"
for peer in "$@"; do
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
