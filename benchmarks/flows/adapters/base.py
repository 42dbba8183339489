"""What an adapter fills in, and the three commands it is run with.

``describe`` prints one line of JSON. ``worker --url`` works until its process group is killed. ``client --url --width
--length`` runs each of the system's flows, first to warm up and then once more, and prints a line of JSON for each:
``{"flow": "fan", "variant": "map", "tasks": 1002, "seconds": 0.4}``.

``fan`` is a root, ``width`` tasks that return their number, and a join that gets all of them and adds them up.
``chain`` is ``length`` tasks, each of which returns one more than the one before.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from importlib import metadata
from typing import Any, ClassVar

CONCURRENCY = 100
PATIENCE = 120
"""Seconds to wait for a result."""


@dataclass(frozen=True, slots=True)
class Flow:
    """A flow that is built, ready to be submitted: how many tasks it has, what its last one returns, and how to run it."""

    tasks: int
    expected: int
    run: Callable[[], Awaitable[Any]]
    """Submits it and waits for what its last task returns; this is what is timed."""


def fan_of(width: int, run: Callable[[], Awaitable[Any]], *, ends: int = 2) -> Flow:
    """A fan-out of ``width`` with its root and its join (``ends``)."""
    return Flow(width + ends, width * (width - 1) // 2, run)


class Adapter(ABC):
    """One system."""

    packages: ClassVar[tuple[str, ...]]
    settings: ClassVar[str]
    """One line: how it was set up and what differs from the others."""
    flows: ClassVar[tuple[str, ...]] = ("fan", "chain")
    """What it can run; ``fan:map`` is a fan of which there are several kinds."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def open(self) -> None:  # noqa: B027 - optional
        """Connect the submitting side."""

    async def close(self) -> None:  # noqa: B027 - optional
        """Disconnect it."""

    @abstractmethod
    def build(self, flow: str, width: int, length: int) -> Flow:
        """Make ready whatever may be made before a flow is submitted."""

    @abstractmethod
    def work(self) -> None:
        """Run one worker in the foreground until killed."""


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine on uvloop if it is installed."""
    try:
        import uvloop
    except ImportError:
        asyncio.run(main)
    else:
        uvloop.run(main)


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "missing"


async def _measure(adapter: Adapter, width: int, length: int) -> None:
    await adapter.open()
    try:
        for name in adapter.flows:
            for warm in (False, True):
                flow = adapter.build(name, width, length)
                start = time.perf_counter()
                result = await flow.run()
                seconds = time.perf_counter() - start
                if result != flow.expected:
                    raise SystemExit(f"{name} returned {result!r}, not {flow.expected}")
                kind, _, variant = name.partition(":")
                line = {"flow": kind, "variant": variant, "tasks": flow.tasks, "seconds": seconds}
                if warm:
                    print(json.dumps(line), flush=True)
    finally:
        await adapter.close()


def main(kind: type[Adapter]) -> None:
    """Obey one command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=["describe", "worker", "client"])
    parser.add_argument("--url", default="redis://127.0.0.1:6379/0")
    parser.add_argument("--width", type=int, default=1000)
    parser.add_argument("--length", type=int, default=100)
    options = parser.parse_args()
    sys.argv = sys.argv[:1]
    if options.command == "describe":
        runtime = f"{platform.python_implementation()} {platform.python_version()}"
        versions = {package: _version(package) for package in kind.packages}
        print(json.dumps({"versions": versions, "runtime": runtime, "settings": kind.settings}))
    elif options.command == "worker":
        os.setsid()
        kind(options.url).work()
    else:
        run(_measure(kind(options.url), options.width, options.length))
