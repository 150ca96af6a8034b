# SPDX-License-Identifier: Apache-2.0
"""Makes a page of tables and plots of what mount_bench and model_bench have measured, and compares it with the goals.

report.py tidy MODEL-JSON RESULTS   Google Benchmark's figures into RESULTS/model.json: what was measured, not who did
report.py write RESULTS             RESULTS/README.md and the plots, of the JSON files there
report.py check RESULTS             says of each goal of goals.toml whether it holds; ends with 1 where one does not
"""
import json
import sys
import tomllib
from pathlib import Path

DURATIONS = {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}


# --- figures

def summary(values):
    ordered = sorted(values)
    last = len(ordered) - 1
    at = lambda q: ordered[int(q * last + 0.5)]
    return {"median": at(0.5), "spread": (at(0.75) - at(0.25)) / 2}


def tidy(source, results):
    """A line for each repetition, so that a change can be read in a diff."""
    measured = json.loads(Path(source).read_text())
    context = {key: measured["context"][key] for key in ("date", "num_cpus", "mhz_per_cpu", "caches")}
    kept = ("name", "repetition_index", "iterations", "real_time", "cpu_time", "time_unit", "per_entry", "bytes")
    lines = [json.dumps({key: float(f"{run[key]:.4g}") if isinstance(run[key], float) else run[key]
                         for key in kept if key in run})
             for run in sorted(measured["benchmarks"], key=lambda run: (run["family_index"],
                                                                        run["per_family_instance_index"]))
             if run["run_type"] == "iteration"]
    head = json.dumps({"SPDX-License-Identifier": "Apache-2.0", "context": context}, indent=1)
    Path(results, "model.json").write_text(head[:-2] + ',\n "benchmarks": [\n  ' + ",\n  ".join(lines) + "\n ]\n}\n")


def model_rows(measured):
    """As mount_bench's rows, each beside the same with 100 devices."""
    times = {}
    for run in measured["benchmarks"]:
        name, live = run["name"].removesuffix("/iterations:1").rsplit("/live:", 1)
        figure = run.get("bytes") or run.get("per_entry", 0) * 1e9 or run["cpu_time"] * DURATIONS[run["time_unit"]]
        times.setdefault((f"model/{name}", int(live)), []).append(figure)
    for (name, live), figures in times.items():
        system = summary(figures)
        if live > 100 and (few := times.get((name, 100))):
            system["ratio_to"] = {"at 100 live": summary([a / b for a, b in zip(figures, few)])}
        unit = "bytes" if "heap" in name else "ns"
        yield {"id": name, "name": name, "unit": unit, "count": live, "part": "model", "systems": {"mdevfs": system}}


class Results:
    def __init__(self, directory):
        def read(name):
            path = Path(directory, name)
            return json.loads(path.read_text()) if path.exists() else {}
        mount, model = read("mount.json"), read("model.json")
        self.machine, self.rounds = mount.get("machine"), mount.get("rounds")
        self.rows = mount.get("rows", []) + (list(model_rows(model)) if model else [])

    def part(self, name):
        return [row for row in self.rows if row["part"] == name]

    def series(self, row_id, system):
        """Of a row with several counts: these, and what was measured on a system."""
        rows = [row for row in self.rows if row["id"] == row_id and "count" in row and system in row["systems"]]
        return [int(row["count"]) for row in rows], [row["systems"][system] for row in rows]

    def figure(self, row_id, count, system, figure):
        """None: it was not measured."""
        for row in self.rows:
            if row["id"] != row_id or row.get("count") != count or system not in row["systems"]:
                continue
            measured = row["systems"][system]
            what, _, peer = figure.partition(" ")
            if what == "per_second":
                return 1e9 / (measured["median"] * DURATIONS[row["unit"]])
            if peer:
                ratio = measured.get("ratio_to", {}).get(peer, {}).get("median")
                return 1 / ratio if ratio and what == "times_as_fast_as" else ratio
            return measured.get(what)
        return None


# --- the goals

def verdicts(results):
    goals = tomllib.loads(Path(__file__).with_name("goals.toml").read_text())["goal"]
    for goal in goals:
        figure = results.figure(goal["row"], goal.get("count"), goal["system"], goal["figure"])
        unit = f" {goal['unit']}" if "unit" in goal else "x" if " " in goal["figure"] else ""
        most = "at_most" in goal
        bound = goal["at_most" if most else "at_least"]
        verdict = "not measured"
        if figure is not None:
            verdict = "PASS" if (figure <= bound if most else figure >= bound) else "FAIL"
        yield (verdict, goal["name"], "-" if figure is None else number(figure) + unit,
               f"at {'most' if most else 'least'} {bound:,}{unit}")


def check(results):
    found = list(verdicts(results))
    for verdict, name, figure, bound in found:
        print(f"{verdict:12}  {name}: {figure} ({bound})")
    return any(verdict == "FAIL" for verdict, *_ in found)


# --- tables

def number(value):
    return f"{value:,.0f}" if value >= 1000 else f"{float(f'{value:.3g}'):g}"


def duration(value, unit="ns"):
    if unit not in DURATIONS:
        return f"{number(value)} {unit}"
    value *= DURATIONS[unit]
    name = next((name for name in ("s", "ms", "us") if value >= DURATIONS[name]), "ns")
    return f"{number(value / DURATIONS[name])} {name}"


def median(system, unit="ns"):
    if system is None:
        return "-"
    middle = system["median"]
    return duration(middle, unit) + (f" ±{system['spread'] / middle:.0%}" if middle else "")


def ratio(system, peer, inverse=False):
    found = system.get("ratio_to", {}).get(peer)
    if not found:
        return "-"
    middle = found["median"]
    return f"{1 / middle if inverse else middle:.3g} ±{found['spread'] / middle:.0%}"


def table(heading, lines, words=1):
    """The first `words` columns are words, the others figures."""
    yield "| " + " | ".join(heading) + " |"
    yield "|" + " --- |" * words + " ---: |" * (len(heading) - words)
    for line in lines:
        yield "| " + " | ".join(line) + " |"
    yield ""


PEERS = ("null_fs", "sysfs", "tmpfs")


def cost(system):
    """What a daemon has to do for it: requests, and its processor's time for each."""
    requests = system.get("requests")
    if requests is None:
        return "-", "-"
    return f"{requests:.2f}", duration(system["processor_ns"] / requests) if requests >= 0.5 else "-"


def table_of_operations(rows):
    heading = ["operation", "on", "takes", *(f"/ {peer}" for peer in PEERS), "requests", "daemon's time for each"]
    def line(row, name, system):
        return [row["name"], name, median(system), *(ratio(system, peer) for peer in PEERS), *cost(system)]
    return table(heading, (line(row, *found) for row in rows for found in row["systems"].items()), words=2)


def table_of_clients(rows):
    heading = ["operation", "clients", "on", "operations a second", *(f"/ {peer}" for peer in PEERS), "one takes",
               "requests", "daemon's time for each"]
    def line(row, name, system):
        one = {key: system[key] * row["count"] for key in ("median", "spread")}
        return [row["name"], f"{row['count']:g}", name, number(1e9 / system["median"]),
                *(ratio(system, peer, inverse=True) for peer in PEERS), median(one), *cost(system)]
    return table(heading, (line(row, *found) for row in rows for found in row["systems"].items()), words=3)


def table_of_counts(rows):
    """What depends on the number of devices; also the model's."""
    peers = list(dict.fromkeys(peer for row in rows for peer in row["systems"]["mdevfs"].get("ratio_to", {})))
    heading = ["", "devices", "mdevfs", *(f"/ {peer}" for peer in peers)]
    def line(row):
        ours = row["systems"]["mdevfs"]
        return [row["name"].removeprefix("model/"), f"{row['count']:,.0f}", median(ours, row["unit"]),
                *(ratio(ours, peer) for peer in peers)]
    return table(heading, map(line, sorted(rows, key=lambda row: row["id"])))


def table_of_others(rows):
    heading = ["", "mdevfs", "peer", "the peer's", "ratio"]
    def line(row):
        systems = dict(row["systems"])
        ours = systems.pop("mdevfs")
        peer = next(iter(systems), "-")
        return [row["name"], median(ours, row["unit"]), peer, median(systems.get(peer), row["unit"]), ratio(ours, peer)]
    return table(heading, map(line, rows))


def page(results):
    machine = results.machine
    yield "<!-- SPDX-License-Identifier: Apache-2.0 -->"
    yield "# Results\n"
    yield (f"Written by `scripts/bench` on {machine['date']}: {machine['processor']}, {machine['processors']} processors, "
           f"{machine['memory_gib']} GiB, {machine['kernel']}. Medians of {results.rounds} rounds (at most 7 of "
           "listings of many devices) in which the systems take turns, ± half the interquartile range; a ratio is the median of the rounds' "
           "ratios. `doc/performance.md` says what the systems are and what they do.\n")
    yield "## Goals\n"
    yield from table(["", "goal", "figure", "bound"], verdicts(results), words=2)
    yield "## Operations, by one client\n\n![Latency by operation](latency.svg)\n"
    yield from table_of_operations(results.part("latency"))
    yield "## Several clients\n\n![Throughput against clients](clients.svg)\n"
    yield from table_of_clients(results.part("clients"))
    yield "## Many devices\n\n![Cost against the number of devices](devices.svg)\n"
    yield from table_of_counts(results.part("devices"))
    yield "## The rest\n"
    yield from table_of_others([row for row in results.rows
                                if row["part"] not in ("latency", "clients", "devices", "model")])
    yield "## The model, without FUSE\n"
    yield from table_of_counts(results.part("model"))


def write(results, directory):
    import plots
    Path(directory, "README.md").write_text("\n".join(page(results)).rstrip() + "\n")
    plots.draw(results, Path(directory))


def main(arguments):
    match arguments:
        case ["tidy", source, directory]:
            return tidy(source, directory)
        case ["write", directory]:
            return write(Results(directory), directory)
        case ["check", directory]:
            return check(Results(directory))
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
