"""Tables of ratios, peer : tokenmark, from the rows that run.py wrote. A ratio is of two times
within one round; a table shows the median over the rounds with the smallest and the largest."""
import csv
import math
import statistics

FIELDS = (("prefill_s", "prefill"), ("step_s", "decode step"))
OURS = "tokenmark"


def read_rows(path, most_others):
    """(model, dtype, batch, length) -> round -> peer -> row, and how many rows were disturbed."""
    table, disturbed = {}, 0
    with open(path, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if float(row["other_cpus"]) > most_others:
                disturbed += 1
                continue
            key = (row["model"], row["dtype"], int(row["batch"]), int(row["length"]))
            table.setdefault(key, {}).setdefault(row["round"], {})[row["peer"]] = row
    return table, disturbed


def ratios(rounds, peer, field):
    return [float(rows[peer][field]) / float(rows[OURS][field])
            for rows in rounds.values() if peer in rows and OURS in rows]


def spread(values):
    return f"{statistics.median(values):.2f} [{min(values):.2f}, {max(values):.2f}]"


def milliseconds(rounds, field):
    values = [float(rows[OURS][field]) * 1e3 for rows in rounds.values() if OURS in rows]
    return f"{statistics.median(values):.1f}" if values else ""


def print_means(logs):
    for (dtype, name), values in sorted(logs.items()):
        mean = math.exp(sum(values) / len(values))
        print(f"geometric mean, {dtype}, {name}: {mean:.2f} over {len(values)} cells")


def print_peer(table, peer):
    print(f"\n### {peer} : {OURS} (above 1: {OURS} is faster; median [min, max])\n")
    print("| model | dtype | batch x length | prefill | decode step | tokens equal | rounds |")
    print("|---|---|---|---|---|---|---|")
    logs = {}
    for (model, dtype, batch, length), rounds in sorted(table.items()):
        found = {name: ratios(rounds, peer, field) for field, name in FIELDS}
        if not found["prefill"]:
            continue
        for name, values in found.items():
            logs.setdefault((dtype, name), []).append(math.log(statistics.median(values)))
        same = min(float(rows[peer]["same_tokens"]) for rows in rounds.values() if peer in rows)
        print(f"| {model} | {dtype} | {batch} x {length} | {spread(found['prefill'])} "
              f"| {spread(found['decode step'])} | {same:.0%} | {len(found['prefill'])} |")
    print()
    print_means(logs)


def print_best(table, peers):
    """Each cell against its best peer, the two phases apart."""
    print(f"\n### best peer : {OURS}\n")
    print(f"| model | dtype | batch x length | {OURS} prefill, step ms | prefill | by "
          "| decode step | by | tokens equal |")
    print("|---|---|---|---|---|---|---|---|---|")
    logs, low = {}, []
    for (model, dtype, batch, length), rounds in sorted(table.items()):
        text = []
        for field, name in FIELDS:
            found = {peer: ratios(rounds, peer, field) for peer in peers}
            found = {peer: values for peer, values in found.items() if values}
            if not found:
                break
            best = min(found, key=lambda peer: statistics.median(found[peer]))
            middle = statistics.median(found[best])
            logs.setdefault((dtype, name), []).append(math.log(middle))
            if middle < 1.1:
                low.append(f"{model} {dtype} {batch} x {length} {name}: {middle:.2f} ({best})")
            text += [spread(found[best]), best]
        if len(text) == 4:
            own = " / ".join(milliseconds(rounds, field) for field, _ in FIELDS)
            same = min(float(rows[OURS]["same_tokens"]) for rows in rounds.values() if OURS in rows)
            print(f"| {model} | {dtype} | {batch} x {length} | {own} | {' | '.join(text)} "
                  f"| {same:.0%} |")
    print()
    print_means(logs)
    for line in low:
        print(f"below 1.10: {line}")


def summary(path, most_others):
    table, disturbed = read_rows(path, most_others)
    names = sorted({peer for rounds in table.values() for rows in rounds.values()
                    for peer in rows} - {OURS})
    for name in names:
        print_peer(table, name)
    print_best(table, [name for name in names if not name.startswith(OURS)])
    print(f"\n{disturbed} rows are left out: others used more than {most_others:g} CPUs meanwhile")
