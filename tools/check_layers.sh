#!/bin/sh
# Holds the rooms of src/ to the table below: which may include which, which system headers and
# calls are kept to one room. Prints every breach and fails; ARCHITECTURE.md explains the rooms.
set -eu
cd "$(dirname "$0")/.."

# room: what its files may include, as prefixes of the path written from src/
table='
base         base/
kernels      kernels/
stats        stats/
config       config/ base/
model        model/ base/
results      results/ stats/ base/
engine       engine/ model/ base/
engine/cpu   engine/ model/ base/ kernels/
engine/fake  engine/ model/ base/
engine/cuda  engine/ model/ base/
bench        bench/ engine/engine.h engine/sampler.h model/ config/ results/ stats/ base/
report       report/ results/ stats/ base/
cli          cli/ bench/ report/ config/ results/ stats/ engine/engine.h model/ base/
main         cli/
'

# pattern (extended regular expression) | rooms that may have it | why
kept='
include <jansson|base config model results engine engine/cpu engine/fake engine/cuda bench report cli|JSON
include <curl/|model|downloads
include <fontconfig/|report|fonts
include <hwloc|base|topology
include <(immintrin|arm_neon|x86intrin)|kernels|intrinsics
include <(pthread|sched|threads)\.h>|base|threads
include <cuda|engine/cuda|CUDA
include <argp|cli|the command line
\<getenv *\(|cli|hidden inputs
\<(printf|puts|putchar|perror) *\(|cli|printing
\<fprintf *\( *std(out|err)|cli|printing
\<(exit|_exit|abort) *\(|cli report|ending the process (report: in the child before exec only)
'

breaches=$(mktemp)
trap 'rm -f "$breaches"' EXIT

room_of() {
    case $1 in
    src/engine/*/*) echo "$1" | cut -d/ -f2-3 ;;
    src/*/*) echo "$1" | cut -d/ -f2 ;;
    *) echo main ;;
    esac
}

git ls-files -co --exclude-standard 'src/*.c' 'src/*.h' 'src/*.cu' 'src/*.cuh' | while read -r file; do
    room=$(room_of "$file")
    allowed=$(printf '%s\n' "$table" | awk -v room="$room" '$1 == room {$1 = ""; print}')
    [ -n "$allowed" ] || echo "$file: room '$room' is not in tools/check_layers.sh" >>"$breaches"
    sed -n 's/^ *# *include *"\([^"]*\)".*/\1/p' "$file" | while read -r header; do
        ok=no
        for prefix in $allowed; do
            case $header in "$prefix"*) ok=yes ;; esac
        done
        # The two engines are known by their tables only.
        case $room/$header in
        cli/engine/cpu/* | bench/engine/cpu/* | engine/fake/engine/cpu/* | engine/cpu/engine/fake/*) ok=no ;;
        esac
        [ $ok = yes ] || echo "$file: $room must not include \"$header\"" >>"$breaches"
        [ -f "src/$header" ] || echo "$file: \"$header\" is not written from src/" >>"$breaches"
    done
    printf '%s\n' "$kept" | while IFS='|' read -r a b c d; do
        [ -n "$a" ] || continue
        # A pattern may hold '|' inside parentheses: the last two fields are rooms and reason.
        line="$a|$b|$c${d:+|$d}"
        reason=${line##*|}
        line=${line%|*}
        rooms=${line##*|}
        pattern=${line%|*}
        case " $rooms " in *" $room "*) continue ;; esac
        grep -nE "$pattern" "$file" | grep -vE '^[0-9]+: *(/?\*|//)' | while read -r hit; do
            echo "$file:$hit: kept to $rooms ($reason)" >>"$breaches"
        done
    done
done

if [ -s "$breaches" ]; then
    sort -u "$breaches" >&2
    exit 1
fi
echo "layers hold"
