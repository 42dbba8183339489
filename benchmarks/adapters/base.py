"""The command line that every adapter speaks; README.md describes it for adapters in other languages.

An adapter subclasses :class:`Adapter`, fills in how its system submits and works, and ends with
``main(ItsAdapter)``. It is run as ``python -m benchmarks.adapters.<system> <command> …`` with the top of the
repository as working directory. Commands print one line of JSON, except ``worker``, which prints ``ready``,
waits for a line on standard input, and then works until it is killed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine
from importlib import metadata
from typing import Any, ClassVar

from benchmarks import bodies, counter

WARM_UP = {"submit-one": 100, "submit-bulk": 10}


class Adapter(ABC):
    """One system: how to submit to it and how to run its worker.

    ``kind`` is ``noop``, ``nap`` or ``stamp``: the bodies of :mod:`benchmarks.bodies`. ``arguments`` are the
    keyword arguments of the body.
    """

    packages: ClassVar[tuple[str, ...]]
    """Distributions whose versions belong in the results, the system itself first."""
    settings: ClassVar[str]
    """One line: what was changed from the defaults, so that the comparison is fair."""
    threads: ClassVar[bool] = False
    """Whether bodies run in several threads (and so count in several lanes)."""

    def __init__(self, url: str, kind: str, concurrency: int) -> None:
        self.url = url
        self.kind = kind
        self.concurrency = concurrency

    async def open(self) -> None:  # noqa: B027 - optional
        """Connect the submitting side."""

    async def close(self) -> None:  # noqa: B027 - optional
        """Disconnect the submitting side."""

    @abstractmethod
    async def submit(self, kind: str, arguments: dict[str, Any]) -> None:
        """Submit one task and wait until the server has it."""

    @abstractmethod
    async def submit_many(self, kind: str, count: int, arguments: dict[str, Any]) -> None:
        """Submit ``count`` tasks by the fastest public way."""

    @abstractmethod
    def work(self) -> None:
        """Run one worker process in the foreground until the process is killed."""


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine on uvloop if it is installed, else on asyncio's own loop."""
    try:
        import uvloop
    except ImportError:
        asyncio.run(main)
    else:
        uvloop.run(main)


async def gather_many(submit: Callable[[], Awaitable[Any]], count: int, width: int) -> None:
    """Call ``submit`` ``count`` times, up to ``width`` at once: bulk for systems without a bulk API."""
    remaining = iter(range(count))

    async def lane() -> None:
        for _ in remaining:
            await submit()

    await asyncio.gather(*(lane() for _ in range(min(width, count))))


def describe(adapter: type[Adapter]) -> dict[str, Any]:
    """Versions and settings for the results file."""
    versions = {}
    for package in adapter.packages:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "missing"
    runtime = f"{platform.python_implementation()} {platform.python_version()}"
    return {"versions": versions, "runtime": runtime, "settings": adapter.settings}


async def submit_timed(adapter: Adapter, command: str, count: int, payload: int) -> dict[str, Any]:
    """Warm up, then time ``count`` submissions; ``submitted`` tells how many tasks the queue now holds."""
    arguments = {"payload": "x" * payload} if payload else {}
    kind = adapter.kind
    warm_up = min(WARM_UP[command], count)
    await adapter.open()
    try:
        if command == "submit-one":
            for _ in range(warm_up):
                await adapter.submit(kind, arguments)
            start = time.perf_counter()
            for _ in range(count):
                await adapter.submit(kind, arguments)
        else:
            await adapter.submit_many(kind, warm_up, arguments)
            start = time.perf_counter()
            await adapter.submit_many(kind, count, arguments)
        seconds = time.perf_counter() - start
    finally:
        await adapter.close()
    return {"count": count, "seconds": seconds, "submitted": count + warm_up}


async def submit_spaced(adapter: Adapter, stamps: str, count: int, gap: float) -> dict[str, Any]:
    """Submit ``count`` stamping tasks with gaps, and stamp the moment just before each submission."""
    mark = counter.marker(counter.open_words(stamps), 0)
    await adapter.open()
    try:
        for index in range(count):
            mark(index)
            await adapter.submit("stamp", {"index": index})
            await asyncio.sleep(gap)
    finally:
        await adapter.close()
    return {"count": count, "submitted": count}


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line that README.md documents."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=["describe", "submit-one", "submit-bulk", "latency", "worker"])
    parser.add_argument("--url", default="redis://127.0.0.1:6379/0")
    parser.add_argument("--kind", choices=["noop", "nap", "stamp"], default="noop")
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--payload", type=int, default=0, help="bytes of payload per task")
    parser.add_argument("--gap-ms", type=float, default=5.0)
    parser.add_argument("--concurrency", type=int, default=100)
    parser.add_argument("--tally", help="tally file; see benchmarks/counter.py")
    parser.add_argument("--slot", type=int, default=0, help="this worker's slot in the tally")
    parser.add_argument("--stamps", help="stamps file; see benchmarks/counter.py")
    return parser.parse_args(arguments)


def main(adapter_class: type[Adapter]) -> None:
    """Obey one command."""
    options = parse()
    if options.command == "describe":
        print(json.dumps(describe(adapter_class)), flush=True)
        return
    adapter = adapter_class(options.url, options.kind, options.concurrency)
    if options.command == "worker":
        bodies.bind(options.tally, options.stamps, options.slot, threads=adapter_class.threads)
        print("ready", flush=True)
        sys.stdin.readline()
        adapter.work()
        return

    async def command() -> None:
        if options.command == "latency":
            outcome = await submit_spaced(adapter, options.stamps, options.count, options.gap_ms / 1000)
        else:
            outcome = await submit_timed(adapter, options.command, options.count, options.payload)
        print(json.dumps(outcome), flush=True)

    run(command())
