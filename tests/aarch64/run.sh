#!/bin/sh
# Builds the kernels and their tests for 64-bit ARM and runs them under qemu-user:
# tests/aarch64/run.sh FOLDER. Exits with 77 where compiler or emulator are missing.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=$1

skip() {
    echo "Skipped: $1"
    exit 77
}

command -v aarch64-linux-gnu-gcc >/dev/null ||
    skip "no compiler for 64-bit ARM (Debian: gcc-aarch64-linux-gnu)"
[ -e "$(aarch64-linux-gnu-gcc -print-file-name=libc.a)" ] ||
    skip "no C library for 64-bit ARM (Debian: libc6-dev-arm64-cross)"
qemu=$(command -v qemu-aarch64 || command -v qemu-aarch64-static) ||
    skip "no emulator of 64-bit ARM (Debian: qemu-user)"

if ! [ -f "$folder/CMakeCache.txt" ]; then
    command -v ninja >/dev/null && export CMAKE_GENERATOR=Ninja
    cmake -S "$here" -B "$folder" -DCMAKE_BUILD_TYPE=Release \
        -DCMAKE_TOOLCHAIN_FILE="$here/../../cmake/aarch64.cmake"
fi
cmake --build "$folder" --parallel "${JOBS:-2}"

# A CPU of ARMv8.0 knows no instruction past base NEON, so that one that slipped in ends the test.
expect_sets() {
    sets=$("$qemu" -cpu "$1" "$folder/runnable_sets")
    [ "$sets" = "$2" ] || {
        echo "$1 runs '$sets', expected '$2'"
        exit 1
    }
}
expect_sets cortex-a53 "neon c best: neon"
expect_sets max "neon_dotprod neon c best: neon_dotprod"
for test in "$folder"/test_*; do
    [ -x "$test" ] || continue
    echo "${test##*/} on ARMv8.0"
    "$qemu" -cpu cortex-a53 "$test" neon
done
echo "test_linear with dotprod"
"$qemu" -cpu max "$folder/test_linear" neon_dotprod
