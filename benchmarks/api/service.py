"""The processes of a measurement: the API as users start it over its embedded server, workers, load generators."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.api.load import Found, Load
from benchmarks.child import Child
from benchmarks.server import free_port
from jobbers.app import Jobbers
from jobbers.keyring import Access

APP = "benchmarks.api.served:app"
NAMESPACE = "bench"
START_SECONDS = 60.0
STOP_SECONDS = 30.0
CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
SERVICE_CORES = set(CORES[:2])
OTHER_CORES = set(CORES[2:4])
PINNED = len(CORES) >= 4
"""Whether the API and its server have two cores, and load and workers two others; with fewer cores nothing is pinned."""


@contextlib.contextmanager
def on(cores: set[int]) -> Iterator[None]:
    """What is started in the block runs on these cores only."""
    if not PINNED:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Service:
    """``jobbers api`` with a key, in a folder of its own; ``async with`` starts and ends it."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="jobbers-bench-", ignore_cleanup_errors=True)
        self.url = f"embedded://{self._folder.name}"
        self.port = free_port()
        self.key = ""
        self.app: Jobbers

    async def __aenter__(self) -> Self:
        words = ["api", APP, "--port", str(self.port), *self._server()]
        with on(SERVICE_CORES):
            self.child = Child([sys.executable, "-m", "jobbers", *words], name="the API")
        await self._listens()
        self.app = make_app(self.url)
        client = await self.app.client()
        self.key = (await Access(client.store).create("bench", "admin")).text
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.app.close()
        self.child.process.terminate()  # killed, it would leave its server to write into the folder for a while
        with contextlib.suppress(subprocess.TimeoutExpired):
            await asyncio.to_thread(self.child.process.wait, STOP_SECONDS)
        self.child.stop()
        self._folder.cleanup()

    async def _listens(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            self.child.check_alive()
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except OSError:
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return

    @property
    def socket(self) -> str:
        """The URL of the embedded server, for clients that know nothing of Jobbers."""
        return f"unix://{self._folder.name}/redis/server.sock"

    @contextlib.contextmanager
    def working(self, count: int) -> Iterator[None]:
        """That many worker processes of 100 slots each."""
        words = ["worker", APP, "--concurrency", "100", *self._server()]
        with contextlib.ExitStack() as stack, on(OTHER_CORES):
            for number in range(count):
                argv = [sys.executable, "-m", "jobbers", *words]
                stack.enter_context(Child(argv, name=f"worker {number}"))
            yield

    async def workers(self, count: int) -> None:
        """Wait until that many workers are there."""
        inspector = await self.app.inspector()
        while len(await inspector.workers()) < count:  # noqa: ASYNC110 - in other processes
            await asyncio.sleep(0.05)

    async def drained(self, *queues: str) -> None:
        """Wait until nothing of these queues is left to do, of all without one, and nothing runs."""
        inspector = await self.app.inspector()
        while (  # noqa: ASYNC110 - in other processes
            any(it.depth for it in await inspector.queues() if not queues or it.name in queues)
            or (await inspector.counts())["running"]
        ):
            await asyncio.sleep(0.02)

    def memory(self) -> int:
        """Bytes of the API process that are in memory."""
        return memory_of(self.child)

    def _server(self) -> list[str]:
        return ["--redis-url", self.url, "--namespace", NAMESPACE]


def make_app(url: str) -> Jobbers:
    """The app that is served, for this process."""
    from benchmarks.api.served import register

    app = Jobbers(url, namespace=NAMESPACE)
    register(app)
    return app


@contextlib.contextmanager
def bare(service: Service, *words: str) -> Iterator[tuple[Child, int]]:
    """What the API is compared with, over the same server and on the same cores; yields it and its port."""
    port = free_port()
    argv = [sys.executable, "-m", "benchmarks.api.bare", service.socket, "--port", str(port), *words]
    with on(SERVICE_CORES):
        child = Child(argv, name="the bare service")
    try:
        child.wait_for_line(f"serving {port}", START_SECONDS)
        yield child, port
    finally:
        child.stop()


class Generator:
    """A load generator, connected and waiting for the word."""

    def __init__(self, load: Load) -> None:
        with on(OTHER_CORES):
            self._child = Child([sys.executable, "-m", "benchmarks.api.load"], name="the load generator")
        self._seconds = load.warm_up + load.seconds
        self._child.send_line(json.dumps(asdict(load)))
        self._child.wait_for_line("ready", START_SECONDS)

    def begin(self) -> None:
        """Let it send."""
        self._child.send_line("go")

    def found(self) -> Found:
        """Wait for what it found. Raises :class:`ChildError`."""
        try:
            answer: dict[str, Any] = self._child.answer(self._seconds + 30)
            return Found(**answer)
        finally:
            self._child.stop()


def send(load: Load) -> Found:
    """Send a load, and return what came of it."""
    generator = Generator(load)
    generator.begin()
    return generator.found()


def memory_of(child: Child) -> int:
    """Bytes of a process that are in memory."""
    fields = Path(f"/proc/{child.process.pid}/statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")
