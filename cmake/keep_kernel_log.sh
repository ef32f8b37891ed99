#!/bin/sh
# Runs the compilation of a .cu file (a compiler launcher of CMake) and keeps what ptxas says of its
# kernels as OBJECT.kernels, for tools/kernel_resources.py; everything else it says stays visible.
object=
previous=
for word in "$@"; do
    [ "$previous" = -o ] && object=$word
    previous=$word
done
[ -n "$object" ] || exec "$@"

code=0
"$@" 2>"$object.said" || code=$?
lines='^ptxas info|bytes stack frame, '
grep -E "$lines" "$object.said" >"$object.kernels"
grep -vE "$lines" "$object.said" >&2
rm -f "$object.said"
exit "$code"
