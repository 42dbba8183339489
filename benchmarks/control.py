"""What limits, rates, turns and batches cost, next to the same tasks without them, in one run.

``python -m benchmarks.control`` drains the same number of tasks in several ways, with worker processes of their own, in
interleaved rounds, and prints medians, the commands that the server ran a task, and the ratio to the plain drain beside it.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.child import Child
from benchmarks.server import Server, find_binary
from jobbers import Batch, Jobbers, Limit, TaskType
from jobbers.worker import Worker
from jobbers.worker.loop import run

SLOTS = 50
NAP = 0.02
"""Seconds that a task takes that is limited in the cluster."""


class Way(NamedTuple):
    """One way to run many tasks: which type, with which arguments, by how many processes of so many slots."""

    type: str
    arguments: str
    workers: int
    concurrency: int
    beside: str = ""


WAYS = {
    "plain": Way("plain", "none", 4, 100),
    "a limit that is never full": Way("wide", "none", 4, 100, "plain"),
    "1,000 keys, each limited to 1": Way("keyed", "keys", 4, 100, "plain"),
    "turns over 10,000 keys": Way("fair", "many keys", 4, 100, "plain"),
    "turns over 10 keys": Way("fair", "few keys", 4, 100, "plain"),
    "a limit of 50 in the cluster, tasks of 20 ms": Way("napping", "none", 4, 100),
    "one process": Way("single", "numbers", 1, 1000),
    "one process, batches of 100": Way("batched", "numbers", 1, 1000, "one process"),
}


def make_app(url: str) -> tuple[Jobbers, dict[str, TaskType[Any, Any]]]:
    """The app that both sides use."""
    app = Jobbers(url, namespace="control")

    async def plain() -> None:
        pass

    async def of_key(key: int) -> None:
        pass

    async def napping() -> None:
        await asyncio.sleep(NAP)

    async def single(number: int) -> None:
        await asyncio.sleep(0)

    @app.task(batch=Batch(size=100, linger=0.01))
    async def batched(numbers: list[int]) -> None:
        await asyncio.sleep(0)

    types: dict[str, TaskType[Any, Any]] = {
        "plain": app.task(name="plain")(plain),
        "wide": app.task(name="wide", limits=[Limit(10_000)])(plain),
        "keyed": app.task(name="keyed", limits=[Limit(1, key="key")])(of_key),
        "fair": app.task(name="fair", fair_by="key")(of_key),
        "napping": app.task(name="napping", limits=[Limit(SLOTS)])(napping),
        "single": app.task(name="single")(single),
        "batched": batched,
    }
    return app, types


def work(url: str, concurrency: int) -> None:
    """One worker, until it is terminated."""
    run(Worker(make_app(url)[0], concurrency=concurrency).run(signals=True))


def rows(arguments: str, count: int) -> list[tuple[int, ...]]:
    """The arguments of that many tasks."""
    of = {"keys": 1_000, "many keys": 10_000, "few keys": 10, "numbers": count}.get(arguments)
    return [() if of is None else (number % of,) for number in range(count)]


async def drain(server: Server, way: Way, count: int) -> tuple[float, float]:
    """Tasks a second, and commands of the server a task; workers are started before, and wait for the queue to resume."""
    server.flush()
    app, types = make_app(server.url)
    argv = [
        sys.executable,
        "-m",
        "benchmarks.control",
        "--work",
        server.url,
        "--concurrency",
        str(way.concurrency),
    ]
    workers = [Child(argv, name=f"worker {number}") for number in range(way.workers)]
    try:
        async with app:
            inspector = await app.inspector()
            while len(await inspector.workers()) < way.workers:  # noqa: ASYNC110 - in other processes
                await asyncio.sleep(0.05)
            await inspector.pause("default")
            await types[way.type].starmap(rows(way.arguments, count))
            await asyncio.sleep(0.5)
            calls, begun = server.calls(), time.perf_counter()
            await inspector.resume("default")
            while await left(inspector):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            seconds = time.perf_counter() - begun
            return count / seconds, (server.calls() - calls) / count
    finally:
        for worker in workers:
            worker.stop()


async def left(inspector: Any) -> bool:
    """Whether anything has still to end."""
    counts = await inspector.counts()
    if counts["queued"] or counts["running"]:
        return True
    lines = await inspector.store.limits.lines()
    return bool(lines)


def report(found: dict[str, list[tuple[float, float]]], count: int) -> str:
    """A table of medians."""
    lines = [
        f"{count:,} tasks; median of {len(next(iter(found.values())))} interleaved rounds",
        "",
        "| tasks | a second | spread | commands a task | of the rate without |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    rates = {name: statistics.median(rate for rate, _ in samples) for name, samples in found.items()}
    for name, samples in found.items():
        spread = (max(samples)[0] - min(samples)[0]) / rates[name]
        commands = statistics.median(calls for _, calls in samples)
        beside = WAYS[name].beside
        ratio = f"{rates[name] / rates[beside]:.2f}" if beside in rates else ""
        if name.startswith("a limit of 50 in"):
            ratio = f"{rates[name] / (SLOTS / NAP):.2f} of what {SLOTS} slots allow"
        lines.append(f"| {name} | {rates[name]:,.0f} | {spread:.0%} | {commands:.1f} | {ratio} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=list(WAYS), help="some of the ways")
    parser.add_argument("--server", help="the server's binary")
    parser.add_argument("--work", help=argparse.SUPPRESS)
    parser.add_argument("--concurrency", type=int, default=100, help=argparse.SUPPRESS)
    parser.add_argument("--output", type=Path, help="where to write the table")
    given = parser.parse_args(arguments)
    if given.work:
        work(given.work, given.concurrency)
        return
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in given.only}
    with Server(find_binary(given.server)) as server:
        for number in range(given.rounds):
            for name, samples in found.items():
                samples.append(asyncio.run(drain(server, WAYS[name], given.count)))
                print(f"round {number + 1}: {name}: {samples[-1][0]:,.0f} a second", flush=True)
    table = report(found, given.count)
    print(f"\n{table}")
    if given.output:
        given.output.write_text(table + "\n")


if __name__ == "__main__":
    main()
