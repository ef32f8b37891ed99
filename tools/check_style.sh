#!/bin/sh
# The rules of the house that a compiler does not know: lengths of files, lines and functions,
# an opening comment in every file, unique file names, no unfinished business.
set -eu
cd "$(dirname "$0")/.."

files=$(git ls-files -co --exclude-standard 'src/*.c' 'src/*.h' 'src/*.cu' 'src/*.cuh' 'tests/*.c' 'tests/*.h' 'tests/*.cpp' 'tests/*.cu' 'tests/*.cuh')
status=0
complain() {
    echo "$1" >&2
    status=1
}

for file in $files; do
    [ -f "$file" ] || continue
    lines=$(wc -l <"$file")
    [ "$lines" -le 600 ] || complain "$file: $lines lines, at most 600"
    case $(head -c 2 "$file") in
    '/*' | '//') ;;
    *) complain "$file: does not open with what it is for" ;;
    esac
done

# shellcheck disable=SC2086 # a list of files
long=$(awk 'length($0) > 100 {print FILENAME ":" FNR ": " length($0) " columns, at most 100"}' $files)
[ -z "$long" ] || complain "$long"
# shellcheck disable=SC2086
functions=$(awk '
    FNR == 1 {start = 0}
    /^\{/ {start = FNR}
    /^\}/ {if (start && FNR - start - 1 > 70) print FILENAME ":" start ": function of " FNR - start - 1 " lines, at most 70"; start = 0}
' $files)
[ -z "$functions" ] || complain "$functions"
same=$(printf '%s\n' "$files" | grep '^src/' | sed 's/.*\///' | sort | uniq -d)
[ -z "$same" ] || complain "file names that stand twice in src: $same"
# shellcheck disable=SC2086
marks=$(grep -nE '\b(TODO|FIXME|XXX|HACK)\b' $files || true)
[ -z "$marks" ] || complain "$marks"
[ $status = 0 ] && echo "style holds"
exit $status
