"""What an adapter fills in, and the three commands it is run with.

``describe`` prints one line of JSON. ``worker`` prints ``ready`` and works until it is killed. ``client`` answers each
line of JSON on standard input with one on standard output: ``{"submit": [0, 1], "seconds": 6}`` with ``{"ids": [...]}``,
``{"outcomes": [ids]}`` with ``{"outcomes": [...]}``, each ``null``, ``"ok:TOKEN"`` or ``"error:WHY"``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import sys
from abc import ABC, abstractmethod
from importlib import metadata
from typing import Any, ClassVar

from benchmarks.trust import effects

SLOTS = 8
"""Tasks that a worker runs at once: as many as a scenario has, so that all of them are running when the fault comes."""
LIMIT = 8
"""Seconds: the lease, visibility timeout, heartbeat timeout or time limit, whatever the system has. Tasks take 6."""
TASK = "trust_body"


class Adapter(ABC):
    """One system with the settings that lose least. The docstring of each adapter names and justifies them."""

    packages: ClassVar[tuple[str, ...]]
    settings: ClassVar[str]
    """One line for the report."""
    lease: ClassVar[float] = LIMIT
    """Seconds after which a dead worker's task should be taken back with these settings, what is hard-coded included."""
    claims: ClassVar[tuple[list[str], ...]]
    """How the replies that hand out tasks are known: alternatives of a command, then texts that the command (with its
    transaction) or, after ``<-``, the reply must contain."""
    finishes: ClassVar[tuple[list[str], ...]]
    """How the calls that complete a task are known."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def open(self) -> None:  # noqa: B027 - optional
        """Connect the submitting side."""

    async def close(self) -> None:  # noqa: B027 - optional
        """Disconnect it."""

    @abstractmethod
    async def submit(self, task: int, seconds: float) -> str:
        """Submit one task; returns its id."""

    @abstractmethod
    async def outcome(self, task_id: str) -> str | None:
        """What the system's own API says of a task now: ``ok:TOKEN``, ``error:WHY``, or ``None`` while it has no result."""

    @abstractmethod
    def work(self) -> None:
        """Run a worker with ``SLOTS`` slots until killed."""


def run(main: Any) -> None:
    """Run a coroutine on uvloop if it is installed."""
    try:
        import uvloop
    except ImportError:
        asyncio.run(main)
    else:
        uvloop.run(main)


def _versions(packages: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for package in packages:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "missing"
    return found


async def _serve(adapter: Adapter) -> None:
    await adapter.open()
    try:
        while line := await asyncio.to_thread(sys.stdin.readline):
            asked = json.loads(line)
            if "submit" in asked:
                answer = {"ids": [await adapter.submit(task, asked["seconds"]) for task in asked["submit"]]}
            else:
                answer = {"outcomes": [await adapter.outcome(task_id) for task_id in asked["outcomes"]]}
            print(json.dumps(answer), flush=True)
    finally:
        await adapter.close()


def main(kind: type[Adapter]) -> None:
    """Obey one command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=["describe", "worker", "client"])
    parser.add_argument("--url", default="redis://127.0.0.1:6379/0")
    parser.add_argument("--effects", default="")
    options = parser.parse_args()
    sys.argv = sys.argv[:1]
    if options.command == "describe":
        facts = {
            "versions": _versions(kind.packages),
            "runtime": f"{platform.python_implementation()} {platform.python_version()}",
            "settings": kind.settings,
            "lease": kind.lease,
            "claims": kind.claims,
            "finishes": kind.finishes,
        }
        print(json.dumps(facts))
        return
    adapter = kind(options.url)
    if options.command == "client":
        run(_serve(adapter))
        return
    effects.bind(options.effects)
    print("ready", flush=True)
    adapter.work()
