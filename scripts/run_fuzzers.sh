#!/bin/sh
# Runs every fuzz target of a build folder for some seconds, starting from the committed corpus;
# what it finds stays in the build folder: scripts/run_fuzzers.sh FOLDER SECONDS
set -eu
cd "$(dirname "$0")/.."
folder=$1
seconds=$2

count=0
for target in "$folder"/tests/fuzz_*; do
    if [ ! -x "$target" ] || [ ! -f "$target" ]; then
        continue
    fi
    name=$(basename "$target")
    work=$folder/corpus/$name
    mkdir -p "$work"
    echo "== $name, $seconds s"
    "$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$work/crash-" "$work" "tests/fuzz/corpus/${name#fuzz_}" 2>&1 | tail -8
    count=$((count + 1))
done
[ "$count" -gt 0 ] || { echo "no fuzz target was built in $folder" >&2; exit 1; }
