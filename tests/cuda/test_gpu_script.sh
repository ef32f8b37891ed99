#!/bin/sh
# scripts/test_gpu.sh without a GPU: it says so and fails; on the emulated GPU it goes through all
# its steps, and fails where a sanitizer does, or where there is none.
set -eu
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

expect() { # exit code, words, options...
    wanted=$1 words=$2 code=0
    shift 2
    scripts/test_gpu.sh "$@" >"$work/out" 2>&1 || code=$?
    if [ "$code" != "$wanted" ] || ! grep -q "$words" "$work/out"; then
        echo "test_gpu.sh $*: exit code $code, expected $wanted and \"$words\":" >&2
        cat "$work/out" >&2
        exit 1
    fi
}

# shellcheck disable=SC2016 # the arguments of the scripts that are written
printf '#!/bin/sh\necho "$2" >>"%s/tools"\n' "$work" >"$work/quiet"
# shellcheck disable=SC2016
printf '#!/bin/sh\n[ "$2" != racecheck ] || exit 9\n' >"$work/races"
chmod +x "$work/quiet" "$work/races"

expect 1 "There is no GPU that tokenmark can use here" --device cuda:4096
expect 2 "^usage: " --gpu 1
expect 0 "all tests on emu passed" --device emu --folder gpt2 --sanitizer "$work/quiet"
[ "$(sort -u "$work/tools" | tr '\n' ' ')" = "initcheck memcheck racecheck synccheck " ] || exit 1
grep -q "compared with the CPU engine: 1 models" "$work/out"
expect 1 "FAILED: racecheck: test_cuda_attention" --device emu --folder gpt2 \
    --sanitizer "$work/races"
expect 1 "there is no $work/none" --device emu --folder gpt2 --sanitizer "$work/none"
