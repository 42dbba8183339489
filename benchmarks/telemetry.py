"""What telemetry costs: the same no-ops without it and at each granularity, with a receiver, in one run.

``python -m benchmarks.telemetry`` submits tasks from one process and drains them with one worker process, both of which
send to a receiver in a process of its own. Rounds are interleaved, and begin with another way each. It prints medians of
the wall time and of the worker's processor time a task, both over those of telemetry off in the same round; what the
server ran a task; and how many spans arrived.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.child import Child
from benchmarks.server import Server, find_binary
from jobbers import Jobbers, TaskType
from jobbers.worker import Worker
from jobbers.worker.loop import run

WAYS = {"off": "", "auto": "auto", "batch": "batch", "ratio 1 %": "0.01", "always": "always"}
"""The value of ``telemetry=``; empty for none at all."""
CHUNK = 50
"""Tasks that are submitted together, and so are children of one span, or of none."""
START_SECONDS = 20.0
RECEIVED_SECONDS = 8.0
"""How long the receiver is given for what is still on its way."""
MODULE = [sys.executable, "-m", "benchmarks.telemetry"]


class Sample(NamedTuple):
    """One drain: µs of wall and of the worker's processor time a task, commands a task, and spans that arrived."""

    wall: float
    cpu: float
    commands: float
    spans: int


class Cost(NamedTuple):
    """Medians of a way; ``rate`` is that of the drain, ``ratio`` of it to the rate without, both by the wall or the
    processor clock, and ``over`` the µs a task beyond it."""

    rate: float
    ratio: float
    over: float
    cpu_ratio: float
    cpu_over: float
    commands: float
    spans: int


def make_app(url: str, way: str) -> tuple[Jobbers, TaskType[[int], None]]:
    """The app that both sides use."""
    app = Jobbers(url, namespace="telemetry")
    wanted = WAYS[way]
    granularity: str | float = float(wanted) if wanted[:1].isdigit() else wanted or "off"

    @app.task(name="nothing", telemetry=granularity)
    async def nothing(number: int) -> None:
        pass

    return app, nothing


def receive() -> None:
    """Be the receiver: say where it listens, then, for each line that comes, how many spans have."""
    from jobbers.testing import Receiver

    with Receiver() as receiver:
        print(receiver.endpoint, flush=True)
        for _ in sys.stdin:
            print(len(receiver.spans), flush=True)


def work(url: str, way: str) -> None:
    """Be the worker, until it is ended."""
    run(Worker(make_app(url, way)[0], concurrency=100).run(signals=True))


async def submit(url: str, way: str, count: int) -> None:
    """Be the submitter: all tasks, in chunks."""
    app, nothing = make_app(url, way)
    async with app:
        for first in range(0, count, CHUNK):
            await nothing.map(range(first, min(count, first + CHUNK)))


class Listening:
    """A receiver in a process of its own."""

    def __init__(self) -> None:
        self._child = Child([*MODULE, "--receive"], name="receiver")
        self.endpoint = self._line()

    def spans(self) -> int:
        """How many have arrived."""
        self._child.send_line("")
        return int(self._line())

    def settled(self) -> int:
        """How many have arrived once no more come."""
        end, before = time.monotonic() + RECEIVED_SECONDS, -1
        while (now := self.spans()) != before and time.monotonic() < end:
            before = now
            time.sleep(0.5)
        return now

    def close(self) -> None:
        """End it."""
        self._child.stop()

    def _line(self) -> str:
        assert self._child.process.stdout is not None
        return self._child.process.stdout.readline().decode().strip()


def environment(way: str, endpoint: str) -> Mapping[str, str]:
    """What tells both sides where to send; nothing for ``off``."""
    if not WAYS[way]:
        return {"JOBBERS_TELEMETRY": "off"}
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_METRIC_EXPORT_INTERVAL": "1000"}


async def drain(server: Server, way: str, count: int) -> Sample:
    """Submit with the queue paused, begin to measure when it resumes, and end when nothing is left."""
    server.flush()
    receiver = Listening()
    more = environment(way, receiver.endpoint)
    named = ["--way", way, "--count", str(count), "--url", server.url]
    worker = Child([*MODULE, "--work", *named], name="worker", more=more)
    app, _ = make_app(server.url, "off")
    try:
        async with app:
            inspector = await app.inspector()
            await inspector.pause("default")
            with Child([*MODULE, "--submit", *named], name="submitter", more=more) as submitter:
                submitter.answer(120)
            while not await inspector.workers():  # noqa: ASYNC110 - in another process
                await asyncio.sleep(0.05)
            await asyncio.sleep(1.0)
            spans, calls = receiver.spans(), server.calls()
            cpu, begun = worker.cpu_seconds() or 0.0, time.perf_counter()
            await inspector.resume("default")
            while True:
                counts = await inspector.counts()
                if not counts["queued"] and not counts["running"]:
                    break
                await asyncio.sleep(0.04)
            wall, calls = time.perf_counter() - begun, server.calls() - calls
            arrived = receiver.settled() - spans
            cpu = (worker.cpu_seconds() or 0.0) - cpu
            return Sample(wall / count * 1e6, cpu / count * 1e6, calls / count, arrived)
    finally:
        worker.stop()
        receiver.close()


def costs(found: Mapping[str, Sequence[Sample]]) -> dict[str, Cost]:
    """Medians; ratios and differences are taken within a round, beside ``off``."""
    result = {}
    for way, samples in found.items():
        beside = list(zip(samples, found["off"], strict=True))
        result[way] = Cost(
            1e6 / statistics.median(it.wall for it in samples),
            statistics.median(off.wall / it.wall for it, off in beside),
            statistics.median(it.wall - off.wall for it, off in beside),
            statistics.median(off.cpu / it.cpu if it.cpu else 1.0 for it, off in beside),
            statistics.median(it.cpu - off.cpu for it, off in beside),
            statistics.median(it.commands for it in samples),
            round(statistics.median(it.spans for it in samples)),
        )
    return result


def report(found: Mapping[str, Sequence[Sample]], count: int) -> str:
    """A table of medians."""
    lines = [
        f"{count:,} tasks, one worker; median of {len(found['off'])} interleaved rounds",
        "",
        "| telemetry | a second | of the rate without | µs a task over it | processor: of the rate | µs a task over it "
        "| commands a task | spans |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {way} | {it.rate:,.0f} | {it.ratio:.2f} | {it.over:+.0f} | {it.cpu_ratio:.2f} | {it.cpu_over:+.0f} "
        f"| {it.commands:.2f} | {it.spans:,} |"
        for way, it in costs(found).items()
    ]
    return "\n".join(lines)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line; the hidden options are those of the processes that it starts."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.telemetry", description=__doc__)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="*", default=list(WAYS), help="some of the ways; always with off")
    parser.add_argument("--server", help="the server's binary")
    parser.add_argument("--output", type=Path, help="where to write the table")
    parser.add_argument("--json", type=Path, help="where to write all samples")
    for role in ("receive", "work", "submit"):
        parser.add_argument(f"--{role}", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--way", choices=list(WAYS), default="off", help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """See the module."""
    given = parse(arguments)
    if given.receive:
        receive()
    elif given.work:
        work(given.url, given.way)
    elif given.submit:
        asyncio.run(submit(given.url, given.way, given.count))
        print(json.dumps({"pid": os.getpid()}))
    else:
        compare(given)


def compare(given: argparse.Namespace) -> None:
    """Measure every way in every round, and print the table."""
    ways = ["off", *(way for way in given.only if way != "off")]
    found: dict[str, list[Sample]] = {way: [] for way in ways}
    with Server(find_binary(given.server)) as server:
        for number in range(given.rounds):
            shift = number % len(ways)
            for way in ways[shift:] + ways[:shift]:
                found[way].append(asyncio.run(drain(server, way, given.count)))
                print(f"round {number + 1}: {way}: {found[way][-1]}", flush=True)
    table = report(found, given.count)
    print(f"\n{table}")
    if given.output:
        given.output.write_text(table + "\n")
    if given.json:
        given.json.write_text(
            json.dumps({way: [it._asdict() for it in samples] for way, samples in found.items()})
        )


if __name__ == "__main__":
    main()
