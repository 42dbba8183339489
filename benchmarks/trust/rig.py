"""One system under one fault: a server of its own, workers, a client that submits and watches, and the effects.

Everything runs in one event loop, so that several systems can be tried at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.child import ROOT, ChildError, _die_with_parent
from benchmarks.server import Server
from benchmarks.trust import effects
from benchmarks.trust.proxy import Proxy

TASKS = 8
SETTLED = 1.5
"""Seconds from a worker's word that it starts until it surely waits for tasks."""
WATCH = 0.1


def session(leader: int) -> list[int]:
    """The processes of a session: a worker with its children, whatever groups they made."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(fields[3]) == leader and fields[0] not in "ZX":
                    found.append(int(entry.name))
    return found


class Process:
    """An adapter's command, in a session of its own."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self._process = process
        self._log = log
        self.pid = process.pid

    @classmethod
    async def start(cls, argv: list[str], log: Path) -> Self:
        """Start it; what it says on standard error goes to ``log``."""
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        with log.open("wb") as errors:
            process = await asyncio.create_subprocess_exec(
                *argv,
                cwd=ROOT,
                env=environment,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,
            )
        return cls(process, log)

    @property
    def ended(self) -> bool:
        """Whether it ended by itself or was killed."""
        return self._process.returncode is not None

    async def line(self, seconds: float = 30.0) -> str:
        """The next line of its output; ``ChildError`` with the end of its log if there is none."""
        assert self._process.stdout is not None
        try:
            found = await asyncio.wait_for(self._process.stdout.readline(), seconds)
        except TimeoutError:
            found = b""
        if not found:
            tail = self._log.read_text(errors="replace").splitlines()[-6:]
            raise ChildError("\n    ".join(["no answer", *tail]))
        return found.decode().strip()

    async def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        """Send a line of JSON, return the answer."""
        assert self._process.stdin is not None
        self._process.stdin.write((json.dumps(question) + "\n").encode())
        answer: dict[str, Any] = json.loads(await self.line())
        return answer

    def signal(self, number: int) -> float:
        """Send a signal to all its processes; returns when, by the monotonic clock."""
        for _ in range(2):  # once more for what was forked meanwhile
            for pid in session(self.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
        return time.monotonic()

    async def end(self) -> None:
        """Leave nothing of it behind."""
        self.signal(signal.SIGKILL)
        await self._process.wait()


class Rig:
    """An async context manager; ``outcomes`` holds, per task, what its result was seen to be and since when."""

    def __init__(self, argv: list[str], facts: dict[str, Any], binary: str, patience: float) -> None:
        self._argv = argv
        self._binary = binary
        self.facts = facts
        self.patience = patience
        self.outcomes: list[list[tuple[float, str]]] = [[] for _ in range(TASKS)]
        self.changed = time.monotonic()
        self._ids: list[str] = []
        self._asking = asyncio.Lock()
        self._stack = contextlib.AsyncExitStack()
        self._background: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self.folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="jobbers-trust-")))
        self._effects = self.folder / "effects"
        self._effects.touch()
        self.server = self._stack.enter_context(Server(self._binary))
        self.proxy = await self._stack.enter_async_context(Proxy(self.server.port))
        self._client = await self._start("client", self.server.url)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        await self._stack.aclose()

    async def _start(self, command: str, url: str) -> Process:
        log = self.folder / f"{command}-{time.monotonic_ns()}.log"
        argv = [*self._argv, command, "--url", url, "--effects", str(self._effects)]
        process = await Process.start(argv, log)
        self._stack.push_async_callback(process.end)
        return process

    async def worker(self, *, proxied: bool = False) -> Process:
        """Start a worker and wait until it waits for tasks."""
        process = await self._start("worker", self.proxy.url if proxied else self.server.url)
        await process.line()
        await asyncio.sleep(SETTLED)
        return process

    async def submit(self, seconds: float) -> None:
        """Submit the tasks, and watch their results from now on."""
        self._ids = (await self._ask({"submit": list(range(TASKS)), "seconds": seconds}))["ids"]
        self._background.append(asyncio.create_task(self._watch()))

    def pulse(self) -> None:
        """Submit one no-op a second from now on: a queue in use, without which some systems do not look after it."""
        self._background.append(asyncio.create_task(self._pulse()))

    async def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        async with self._asking:
            return await self._client.ask(question)

    async def _pulse(self) -> None:
        while True:
            await self._ask({"submit": [effects.PULSE], "seconds": 0})
            await asyncio.sleep(1.0)

    async def _watch(self) -> None:
        noted = 0
        while True:
            now = (await self._ask({"outcomes": self._ids}))["outcomes"]
            for seen, outcome in zip(self.outcomes, now, strict=True):
                if outcome is not None and (not seen or seen[-1][1] != outcome):
                    seen.append((time.monotonic(), outcome))
                    self.changed = time.monotonic()
            if noted != (noted := len(self.effects())):
                self.changed = time.monotonic()
            await asyncio.sleep(WATCH)

    def effects(self, kind: str | None = None, *, by: Process | None = None, after: float = 0.0) -> list[Any]:
        """The effects so far, those of one kind, of one worker, after some moment."""
        found = effects.read(str(self._effects))
        pid = by.pid if by else None
        return [
            e for e in found if kind in (None, e["kind"]) and pid in (None, e["worker"]) and e["at"] > after
        ]

    def tasks(self, *args: Any, **chosen: Any) -> set[int]:
        """The tasks that had such effects."""
        return {effect["task"] for effect in self.effects(*args, **chosen)}

    async def until(self, holds: Callable[[], bool], seconds: float) -> bool:
        """Wait until something holds; whether it came to hold in time."""
        deadline = time.monotonic() + seconds
        while not holds():
            for task in self._background:
                if task.done():
                    task.result()
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(0.05)
        return True

    async def quiet(self) -> None:
        """Wait until all tasks have results, or patience ends; then until nothing has happened for longer than a lease."""
        await self.until(lambda: all(self.outcomes), self.patience)
        self.changed = time.monotonic()
        calm = self.facts["lease"] + 6
        await self.until(lambda: time.monotonic() - self.changed > calm, self.patience)
