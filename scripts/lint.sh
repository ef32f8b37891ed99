#!/bin/sh
# Formatting, static analysis and the rules of the house over all sources.
set -eu
cd "$(dirname "$0")/.."

status=0
sources=$(git ls-files '*.c' '*.h' '*.cpp' '*.cu' '*.cuh')
# shellcheck disable=SC2086 # a list of files
clang-format --dry-run -Werror $sources || status=1
tools/check_layers.sh || status=1
tools/check_style.sh || status=1
if command -v shellcheck >/dev/null 2>&1; then
    git ls-files '*.sh' .ci/run | xargs shellcheck || status=1
fi
git ls-files 'src/*.c' | xargs -P 2 -n 4 clang-tidy -p build --quiet || status=1
exit $status
