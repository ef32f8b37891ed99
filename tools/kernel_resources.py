#!/usr/bin/env python3
"""Holds every CUDA kernel to the registers and the memory that tests/cuda/kernel_resources.txt
grants it, by what ptxas said when the plugin was built (the build keeps it beside the objects).

    tools/kernel_resources.py BUILD           compare; exit 1 where a kernel takes more
    tools/kernel_resources.py BUILD --write   write the table anew from this build

Kernels are templates: a row stands for all instances of one, with the largest figure of each. The
budget leaves room (an eighth, in steps of 8 registers), so that small changes pass and a jump does
not. Spills are never granted. Without kernels (no nvcc) the exit code is 77: skipped.
"""
import argparse
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TABLE = os.path.join(ROOT, "tests", "cuda", "kernel_resources.txt")
SKIPPED = 77
REGISTERS_MAX = 255
HEAD = """\
# Registers a thread of every CUDA kernel, per architecture, and what it may take at most: registers,
# stack and static shared memory in bytes (kernels take their shared memory at launch, within
# the limits that the emulated GPU checks). Largest of all instances of a template.
# Made and compared by tools/kernel_resources.py.
"""
NAME = re.compile(r"Compiling entry function '(\w+)' for 'sm_(\w+)'")
STACK = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
USED = re.compile(r"Used (\d+) registers")
SHARED = re.compile(r"(\d+) bytes smem")


def plain_name(mangled):
    """The name of a mangled function, without scopes, template arguments and parameters."""
    nested, rest, name = mangled.startswith("_ZN"), re.sub(r"^_ZN?", "", mangled), mangled
    while match := re.match(r"(\d+)", rest):
        end = match.end() + int(match[1])
        name, rest = rest[match.end():end], rest[end:]
        if not nested:
            break
    return name


def read_log(path, kernels):
    """kernels: name -> architecture -> [registers, stack, shared, spilled], the largest of each."""
    figures = None
    with open(path, encoding="utf-8") as file:
        for line in file:
            if match := NAME.search(line):
                architectures = kernels.setdefault(plain_name(match[1]), {})
                figures = architectures.setdefault(match[2], [0, 0, 0, 0])
            elif figures is None:
                continue
            elif match := STACK.search(line):
                figures[1] = max(figures[1], int(match[1]))
                figures[3] = max(figures[3], int(match[2]) + int(match[3]))
            elif match := USED.search(line):
                shared = SHARED.search(line)
                figures[0] = max(figures[0], int(match[1]))
                figures[2] = max(figures[2], int(shared[1]) if shared else 0)
                figures = None


def read_build(folder):
    kernels = {}
    for path, _, files in os.walk(os.path.join(folder, "CMakeFiles", "tokenmark_cuda.dir")):
        for name in files:
            # Left over from a file that is no more: its object is not linked either.
            source = os.path.join(ROOT, "src", "engine", "cuda", name.removesuffix(".o.kernels"))
            if name.endswith(".o.kernels") and os.path.exists(source):
                read_log(os.path.join(path, name), kernels)
    return kernels


def budget(architectures):
    registers, stack, shared, _ = map(max, zip(*architectures.values()))
    return [min(REGISTERS_MAX, -(-registers * 9 // 64) * 8), stack, shared]


def write_table(kernels, path):
    names = sorted({name for each in kernels.values() for name in each}, key=int)
    rows = [["kernel", *(f"sm_{name}" for name in names), "registers", "stack", "shared"]]
    for kernel, each in sorted(kernels.items()):
        rows.append([kernel, *(str(each[name][0]) if name in each else "-" for name in names),
                     *map(str, budget(each))])
    widths = [max(map(len, column)) for column in zip(*rows)]
    with open(path, "w", encoding="utf-8") as file:
        file.write(HEAD)
        for first, *rest in rows:
            cells = [word.rjust(width) for word, width in zip(rest, widths[1:])]
            file.write("  ".join([first.ljust(widths[0]), *cells]) + "\n")


def read_table(path):
    """name -> [registers, stack, shared] granted."""
    with open(path, encoding="utf-8") as file:
        rows = [line.split() for line in file if line.strip() and not line.startswith("#")]
    return {row[0]: [int(word) for word in row[-3:]] for row in rows[1:]}


def compare(kernels, granted):
    problems = []
    for kernel, each in sorted(kernels.items()):
        if kernel not in granted:
            problems.append(f"{kernel} is not in the table")
            continue
        for name, (*figures, spilled) in sorted(each.items()):
            for what, found, most in zip(("registers", "bytes of stack", "bytes of shared memory"),
                                         figures, granted[kernel]):
                if found > most:
                    problems.append(f"{kernel}, sm_{name}: {found} {what}, {most} are granted")
            if spilled > 0:
                problems.append(f"{kernel}, sm_{name}: spills {spilled} bytes")
    problems += [f"{kernel} is in the table, but there is no such kernel"
                 for kernel in sorted(set(granted) - set(kernels))]
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("build", help="folder of a build with nvcc")
    parser.add_argument("--table", default=TABLE)
    parser.add_argument("--write", action="store_true", help="write the table anew")
    arguments = parser.parse_args()

    kernels = read_build(arguments.build)
    if not kernels:
        print(f"skipped: {arguments.build} has no CUDA kernels (nvcc was not there)")
        return SKIPPED
    if arguments.write:
        write_table(kernels, arguments.table)
        return 0
    problems = compare(kernels, read_table(arguments.table))
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems:
        print("where this is meant: tools/kernel_resources.py BUILD --write, and look at what "
              "changed", file=sys.stderr)
        return 1
    print(f"{len(kernels)} kernels take what they are granted, none spills")
    return 0


if __name__ == "__main__":
    sys.exit(main())
