#!/bin/sh
# Configures one preset of CMakePresets.json and builds it: scripts/build.sh PRESET
set -eu
cd "$(dirname "$0")/.."

preset=$1
case $preset in
default | test) folder=build ;;
*) folder=build-$preset ;;
esac

# A folder keeps the generator it was made with; a new one takes Ninja where it is there.
if [ ! -f "$folder/CMakeCache.txt" ] && command -v ninja >/dev/null 2>&1; then
    export CMAKE_GENERATOR=Ninja
fi
cmake --preset "$preset" >"/tmp/tokenmark_configure.$$" 2>&1 || {
    cat "/tmp/tokenmark_configure.$$" >&2
    rm -f "/tmp/tokenmark_configure.$$"
    exit 1
}
rm -f "/tmp/tokenmark_configure.$$"
cmake --build "$folder" --parallel "${JOBS:-2}"
