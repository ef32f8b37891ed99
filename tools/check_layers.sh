#!/bin/sh
# Holds the rooms of src/ to the tables below: which may include which, and which system headers
# and calls are kept to one room. Prints every breach and fails; ARCHITECTURE.md explains the rooms.
set -eu
cd "$(dirname "$0")/.."

# room | what its files may include, as prefixes of the path written from src/
rooms='
base        | base/
kernels     | kernels/
stats       | stats/
config      | config/ base/
model       | model/ base/
results     | results/ stats/ base/
engine      | engine/engine.h engine/sampler.h engine/plugin.h engine/cuda_driver.h model/ base/
engine/cpu  | engine/engine.h engine/sampler.h engine/cpu/ model/ base/ kernels/
engine/fake | engine/engine.h engine/sampler.h engine/fake/ model/ base/
engine/cuda | engine/engine.h engine/sampler.h engine/plugin.h engine/cuda/ model/ base/
bench       | bench/ engine/engine.h engine/sampler.h model/ config/ results/ stats/ base/
report      | report/ results/ stats/ base/
cli         | cli/ bench/ report/ config/ results/ stats/ engine/engine.h model/ base/
main        | cli/
'

# extended regular expression | rooms that may have it | what it is
kept='
include <jansson                       | base config model results engine engine/cpu engine/fake engine/cuda bench report cli | JSON
include <curl/                         | model      | downloads
include <fontconfig/                   | report     | fonts
include <hwloc                         | base       | topology
include <(immintrin|arm_neon|cpuid)    | kernels    | intrinsics
include <(sched|threads)[.]h>          | base       | threads
include <pthread[.]h>                  | base kernels | threads (kernels: the tables are filled once)
include <cuda                          | engine/cuda | CUDA
include <argp                          | cli        | the command line
(^|[^a-z_])getenv *[(]                 | cli        | hidden inputs
(^|[^a-z_])(printf|puts|putchar|perror) *[(] | cli  | printing
fprintf *[(] *std(out|err)             | cli        | printing
(^|[^a-z_.])(exit|_exit|abort) *[(]    | cli        | ending the process
'

git ls-files -co --exclude-standard 'src/*.c' 'src/*.h' 'src/*.cu' 'src/*.cuh' |
    ROOMS=$rooms KEPT=$kept awk '
function trim(text) { gsub(/^ +| +$/, "", text); return text }
function room_of(path,   part, n) {
    n = split(path, part, "/")
    if (n == 2) return "main"
    return part[2] == "engine" && n == 4 ? part[2] "/" part[3] : part[2]
}
function breach(text) { print text | "cat >&2"; broken = 1 }
function check_include(file, room, header,   prefix, n, i, ok) {
    n = split(allowed[room], prefix, " ")
    for (i = 1; i <= n; i++) if (index(header, prefix[i]) == 1) ok = 1
    if (!ok) breach(file ": " room " must not include \"" header "\"")
    if (system("test -f src/" header) != 0) breach(file ": \"" header "\" is not written from src/")
}
BEGIN {
    n = split(ENVIRON["ROOMS"], line, "\n")
    for (i = 1; i <= n; i++) if (split(line[i], field, "|") == 2) allowed[trim(field[1])] = field[2]
    n = split(ENVIRON["KEPT"], line, "\n")
    for (i = 1; i <= n; i++) {
        # The expression may hold "|" in parentheses: rooms and reason are the last two fields.
        count = split(line[i], field, "|")
        if (count < 3) continue
        rule++
        reason[rule] = trim(field[count]); keeper[rule] = " " trim(field[count - 1]) " "
        expression[rule] = field[1]
        for (j = 2; j < count - 1; j++) expression[rule] = expression[rule] "|" field[j]
        expression[rule] = trim(expression[rule])
    }
}
{
    file = $0
    room = room_of(file)
    if (!(room in allowed)) breach(file ": room \"" room "\" is not in tools/check_layers.sh")
    number = 0
    while ((getline text < file) > 0) {
        number++
        if (text ~ /^ *# *include *"/) {
            split(text, quoted, "\"")
            if (!(room SUBSEP quoted[2] in seen)) check_include(file, room, quoted[2])
            seen[room, quoted[2]] = 1
        }
        if (text ~ /^ *(\/?\*|\/\/)/) continue
        for (r = 1; r <= rule; r++)
            if (text ~ expression[r] && index(keeper[r], " " room " ") == 0)
                breach(file ":" number ": " trim(text) ": kept to" keeper[r] "(" reason[r] ")")
    }
    close(file)
}
END {
    close("cat >&2")
    if (broken) exit 1
    print "layers hold"
}'
