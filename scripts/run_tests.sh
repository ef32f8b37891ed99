#!/bin/sh
# Runs the tests of one build folder, then prints the ten slowest and, last, ctest's summary:
# scripts/run_tests.sh FOLDER [ctest options]
set -eu
cd "$(dirname "$0")/.."
folder=$1
shift

log=$folder/ctest.log
status=$folder/ctest.status
rm -f "$status"
{
    code=0
    ctest --test-dir "$folder" --output-on-failure --parallel "${TEST_JOBS:-2}" "$@" || code=$?
    echo "$code" >"$status"
} 2>&1 | tee "$log"

echo
echo "Ten slowest tests:"
sed -n 's/^ *[0-9]*\/[0-9]* Test *#[0-9]*: \([^ ]*\) .* \([0-9.]*\) sec.*$/\2 \1/p' "$log" |
    sort -rn | head -10 | awk '{printf "  %8.2f s  %s\n", $1, $2}'
echo
sed -n '/tests passed,.*tests failed out of/,$p' "$log"
exit "$(cat "$status")"
