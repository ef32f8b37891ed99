#!/bin/sh
# Makes the Python environment of transformers (a folder of its own, nothing of it is a dependency of
# tokenmark) and runs the comparison on a GPU: scripts/bench_gpu_peers.sh [options of gpu_peers.py]
set -eu
cd "$(dirname "$0")/.."

case " $* " in
*" --tiny "* | *" --device "*) ;;
*)
    if ! build/tokenmark bench --list-engines | grep -q '^native-cuda.*can run'; then
        echo "There is no GPU that tokenmark can use here:" >&2
        build/tokenmark bench --list-engines | grep '^native-cuda' >&2 || true
        echo "(scripts/bench_gpu_peers.sh --tiny shows whether the comparison works at all)" >&2
        exit 1
    fi
    ;;
esac
scripts/peer_environment.sh build/gpu_peers transformers
exec build/gpu_peers/venv-transformers/bin/python bench/gpu_peers/gpu_peers.py "$@"
