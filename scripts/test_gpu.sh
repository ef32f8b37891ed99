#!/bin/sh
# What only a GPU can show: the kernels under compute-sanitizer, the engine's tests, and every model
# family on the device against the committed goldens and against the CPU engine.
#   scripts/test_gpu.sh [--device NAME] [--sanitizer COMMAND] [--folder GOLDEN]
# --device emu runs the same on the emulated GPU and --folder one golden model and the kernels alone,
# to try the script itself.
set -u
cd "$(dirname "$0")/.." || exit 1

device=cuda sanitizer=compute-sanitizer folder=
while [ $# -gt 0 ]; do
    case $1 in
    --device) device=$2 ;;
    --sanitizer) sanitizer=$2 ;;
    --folder) folder=$2 ;;
    *)
        echo "usage: scripts/test_gpu.sh [--device NAME] [--sanitizer COMMAND] [--folder GOLDEN]" >&2
        exit 2
        ;;
    esac
    shift 2
done

program=build/tokenmark
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
failures=0

failed() {
    echo "FAILED: $1" >&2
    failures=$((failures + 1))
}

# step NAME COMMAND...: its output is shown where it fails.
step() {
    name=$1
    shift
    if "$@" >"$work/out" 2>&1; then
        echo "passed: $name"
    else
        tail -40 "$work/out" >&2
        failed "$name"
    fi
}

if ! "$program" generate --model tests/golden/gpt2 --device "$device" --prompt-ids 1 \
    --output-length 1 >"$work/out" 2>&1; then
    echo "There is no GPU that tokenmark can use here, so nothing was tested:" >&2
    cat "$work/out" >&2
    exit 1
fi

# The kernel tests are built twice: for the GPU, and emulated.
tests=
for path in build/tests/gpu/test_cuda_*; do
    [ -x "$path" ] || continue
    case $device in
    emu*) path=build/tests/$(basename "$path") ;;
    esac
    tests="$tests $path"
done

export TOKENMARK_TEST_DEVICE="$device"
[ -n "$folder" ] || step "engine" build/tests/test_cuda_engine
step "goldens of transformers, float32, float16 and bfloat16" build/tests/test_cuda_goldens \
    ${folder:+"$folder"}

# The same greedy tokens as the CPU engine's, in a cell that the goldens do not have.
compared=0
for path in tests/golden/*/expected.json; do
    name=$(basename "$(dirname "$path")")
    [ -f "tests/golden/$name/config.json" ] || continue
    [ -z "$folder" ] || [ "$folder" = "$name" ] || continue
    for where in "$device" cpu; do
        "$program" generate --model "tests/golden/$name" --dtype float32 --device "$where" \
            --random-prompt 3x11 --output-length 9 >"$work/tokens-${where%%:*}" 2>"$work/out" ||
            failed "$name on $where: $(cat "$work/out")"
    done
    cmp -s "$work/tokens-${device%%:*}" "$work/tokens-cpu" ||
        failed "$name: other tokens than the CPU engine's"
    compared=$((compared + 1))
done
echo "compared with the CPU engine: $compared models"
[ "$compared" -gt 0 ] || failed "no model was compared with the CPU engine"

if command -v "$sanitizer" >/dev/null 2>&1; then
    for tool in memcheck racecheck initcheck synccheck; do
        for test in $tests build/tests/test_cuda_engine; do
            step "$tool: $(basename "$test")" "$sanitizer" --tool "$tool" --error-exitcode 9 "$test"
        done
    done
else
    failed "there is no $sanitizer (it comes with the CUDA toolkit): no kernel was watched"
fi

if [ "$failures" -gt 0 ]; then
    echo "$failures of the tests on $device failed" >&2
    exit 1
fi
echo "all tests on $device passed"
