"""Real processes, a real server, and a proxy between them that can be told to lose things.

Every scenario gets one :class:`Scene`. What tasks do to the outside world they note in a file that only grows, one line
an effect, with the machine-wide monotonic clock: so two runs of one task can be told from two accepted completions.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import redis

from jobbers import Jobbers, Status, TaskHandle
from jobbers.inspector import Inspector
from jobbers.store import embedded, scripts
from jobbers.store.control import WorkerInfo
from jobbers.testing.audit import audit_store
from tests.scenarios import apps
from tests.scenarios.proxy import Proxy

ROOT = Path(__file__).parents[2]
NAMESPACE = "scene"
POLL = 0.02
PATIENCE = 40.0
"""How long one waits for what must happen, in seconds: less than a test may take. It costs nothing when all is well, and a
machine that others use stands still for seconds."""
STALL = 6.0
"""What such a machine may add to a time that is promised. A test that measures one is set up so that whatever breaks the
promise takes much longer than both together."""
RECOVERY_SECONDS = 3.0 + 1.2 + 1.0 + 0.5 + STALL
"""From a worker's death to the next start, when its lease is short: the dead worker may have been the one that sweeps, and
its guard of three seconds must end, another must look for it, and sweep."""


async def until(holds: Callable[[], Any], what: str, seconds: float = PATIENCE) -> float:
    """Wait until ``holds()`` (or what it awaits) is true; returns for how many seconds. Fails with ``what``."""
    begun = time.monotonic()
    while True:
        found = holds()
        if inspect.isawaitable(found):
            found = await found
        waited = time.monotonic() - begun
        if found:
            return waited
        if waited > seconds:
            raise AssertionError(f"after {seconds:g} seconds still not: {what}")
        await asyncio.sleep(POLL)


def lives(pid: int) -> bool:
    """Whether there is such a process, and it has not ended."""
    try:
        return _stat(pid)[0] not in ("Z", "X")
    except (FileNotFoundError, ProcessLookupError):
        return False


def born(pid: int) -> str:
    """When a process was started, in ticks since the machine was."""
    return _stat(pid)[19]


def pending(pid: int) -> set[int]:
    """The signals that were sent to a process and have not reached it yet."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return set()
    waiting = int(status.partition("\nShdPnd:")[2].split()[0], 16)
    return {number for number in range(1, 65) if waiting >> (number - 1) & 1}


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


@dataclass(frozen=True, slots=True)
class Effect:
    """One line of the effects file. ``at`` is of the clock that all processes of a machine share."""

    kind: str
    task: str
    attempt: int
    pid: int
    at: float
    note: Any = None


class Effects:
    """Reads what task functions noted."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()

    def all(self, kind: str | None = None, task: TaskHandle[Any] | str | None = None) -> list[Effect]:
        """The effects so far, in the order in which they were written."""
        wanted = task if task is None or isinstance(task, str) else task.id
        lines = self.path.read_text().rpartition("\n")[0].splitlines()  # the last one may be half written
        effects = [Effect(**json.loads(line)) for line in lines]
        return [effect for effect in effects if kind in (None, effect.kind) and wanted in (None, effect.task)]

    def count(self, kind: str, task: TaskHandle[Any] | str | None = None) -> int:
        """How many effects of a kind there are."""
        return len(self.all(kind, task))


class Server:
    """A real server on data of its own, which outlives it."""

    def __init__(self, folder: Path, options: Sequence[str] = ()) -> None:
        self._folder = folder
        self._options = options
        self._running: embedded.EmbeddedServer | None = None
        self.start()

    def start(self, *, scripts_loaded: bool = True) -> None:
        """Start, or start again on the same data."""
        self._running = embedded.start(self._folder, extra_args=self._options)
        self.url = self._running.url
        self.pid = self._running.pid
        if scripts_loaded:
            with self.client() as client:
                for name in scripts.NAMES:
                    with contextlib.suppress(redis.ResponseError):  # a server before Redis 7 knows no flags
                        client.script_load(scripts.load(name, flags=True).text)
                    client.script_load(scripts.load(name).text)

    def write_out(self) -> None:
        """Wait until the append-only file has what was accepted so far: on a busy disk the server puts that off for up to
        two seconds, and who kills it then loses as much."""
        with (
            self.client() as client,
            contextlib.suppress(redis.ResponseError),
        ):  # Redis 7.2 is the first that knows it
            client.execute_command("WAITAOF", 1, 0, 10_000)

    def kill(self) -> None:
        """SIGKILL."""
        assert self._running is not None
        self._running.kill()
        self._running = None

    def stop(self) -> None:
        """End it if it runs."""
        if self._running is not None:
            self._running.stop(timeout=3)
            self._running = None

    @property
    def socket(self) -> str:
        """The path of its unix socket."""
        return self.url.removeprefix("unix://").partition("?")[0]

    def client(self) -> redis.Redis:
        """A connection for looking in, and for doing harm."""
        return redis.Redis.from_url(self.url, protocol=2)


class WorkerProcess:
    """One ``jobbers worker`` in a process group of its own."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self.log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _END_WITH_PARENT, str(os.getpid()), *command],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self.pid = self._process.pid

    def said(self) -> str:
        """What it wrote to its log."""
        return self.log.read_text(errors="replace")

    @property
    def code(self) -> int | None:
        """The exit code, or ``None`` while it lives."""
        return self._process.poll()

    def stop(self) -> None:
        """SIGSTOP: it stands still, its connections stay open."""
        self._process.send_signal(signal.SIGSTOP)

    def cont(self) -> None:
        """SIGCONT: it goes on as if nothing had been."""
        self._process.send_signal(signal.SIGCONT)

    async def says(self, text: str) -> None:
        """Wait until it has written this to its log."""
        await until(lambda: text in self.said(), f"worker {self.pid} says {text!r}")

    async def told_to_end(self) -> None:
        """SIGTERM, and wait until it has come: of two that wait for a busy process the system makes one."""
        self.terminate()
        await until(lambda: signal.SIGTERM not in pending(self.pid), f"process {self.pid} gets its signal")

    def kill(self) -> float:
        """SIGKILL; returns when, by the monotonic clock."""
        self._process.send_signal(signal.SIGKILL)
        killed = time.monotonic()
        self._process.wait(10)
        return killed

    def terminate(self) -> None:
        """SIGTERM."""
        self._process.send_signal(signal.SIGTERM)

    async def ended(self, seconds: float = PATIENCE) -> int:
        """Wait for its end; returns the exit code."""
        await until(lambda: self.code is not None, f"worker {self.pid} has ended", seconds)
        assert self.code is not None
        return self.code

    async def ready(self, seconds: float = PATIENCE) -> Self:
        """Wait until it serves."""

        def serves() -> bool:
            assert self.code is None, f"the worker ended with {self.code}:\n{self.said()}"
            return " serves " in self.said()

        await until(serves, "the worker is ready", seconds)
        return self

    def end(self) -> None:
        """Leave nothing behind: neither it nor processes that it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait(10)


# Asks the kernel to end the worker with the test that started it, should that be killed.
_END_WITH_PARENT = """
import ctypes, os, signal, sys
parent, command = int(sys.argv[1]), sys.argv[2:]
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, ctypes.c_ulong(signal.SIGKILL))
if os.getppid() != parent:
    sys.exit("the parent is gone already")
os.execv(command[0], command)
"""


class Scene:
    """A server, workers, the app as its users have it, and the effects of its tasks.

    At the end of a scenario :meth:`check` holds it against the promises.
    """

    def __init__(self, *, settings: Mapping[str, Any] | None = None, options: Sequence[str] = ()) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="scene-"))
        self.effects = Effects(self.folder / "effects")
        self.server = Server(self.folder, options)
        self.settings: dict[str, Any] = {
            "namespace": NAMESPACE,
            "lease": 10.0,
            "blob_dir": str(self.folder / "blobs"),
            **(settings or {}),
        }
        self.app: Jobbers = apps.make_app(redis_url=self.server.url, **self.settings)
        self.workers: list[WorkerProcess] = []
        self.proxies: list[Proxy] = []
        self.ids: list[str] = []
        self.lives: Counter[str] = Counter()
        self.ended: list[Callable[[], None]] = []
        """What else to call at the end, when all has been checked."""
        self.harmed = False
        """Garbage was written over what the store holds: what only that knew cannot be checked any more."""

    @property
    def prefix(self) -> str:
        """What the keys of the first shard begin with."""
        return f"{{{NAMESPACE}:0}}"

    def app_by(self, url: str, **settings: Any) -> Jobbers:
        """Another app, as in another program, that reaches the server by this URL."""
        return apps.make_app(**{**self.settings, "redis_url": url, **settings})

    def start_worker(
        self, *arguments: str, url: str | None = None, env: Mapping[str, str] | None = None, **settings: Any
    ) -> WorkerProcess:
        """Start ``jobbers worker``; ``settings`` differ from those of the scene."""
        chosen = {**self.settings, **settings, "redis_url": url or self.server.url}
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("JOBBERS_")},
            **{f"JOBBERS_{name.upper()}": str(value) for name, value in chosen.items()},
            "SCENE_EFFECTS": str(self.effects.path),
            "TMPDIR": str(self.folder),
            "PYTHONFAULTHANDLER": "1",
            **(env or {}),
        }
        command = [sys.executable, "-m", "jobbers", "worker", "tests.scenarios.apps:app", *arguments]
        log = self.folder / f"worker-{len(self.workers)}.log"
        worker = WorkerProcess(command, environment, log)
        self.workers.append(worker)
        return worker

    async def worker(self, *arguments: str, **options: Any) -> WorkerProcess:
        """Start a worker and wait until it serves."""
        return await self.start_worker(*arguments, **options).ready()

    def proxy(self) -> Proxy:
        """A proxy in front of the server."""
        proxy = Proxy(lambda: self.server.socket)
        self.proxies.append(proxy)
        return proxy

    async def submit(self, task: str, *args: Any, **options: Any) -> TaskHandle[Any]:
        """Submit a task of the app; ``options`` are those of ``TaskType.options``."""
        handle: TaskHandle[Any] = await self.app.task_types[task].options(**options).submit(*args)
        self.note(handle)
        return handle

    async def map(self, task: str, items: Iterable[Any], **options: Any) -> list[TaskHandle[Any]]:
        """Submit a task for each item."""
        handles = await self.app.task_types[task].options(**options).starmap([(item,) for item in items])
        self.note(*handles)
        return handles

    def note(self, *handles: TaskHandle[Any]) -> None:
        """Hold these tasks to the promises at the end."""
        for handle in handles:
            if handle.id not in self.lives:
                self.ids.append(handle.id)
            self.lives[handle.id] += 1

    def forget(self, handle: TaskHandle[Any]) -> None:
        """Do not hold this one to the promises: garbage was written over it."""
        self.ids = [task_id for task_id in self.ids if task_id != handle.id]
        self.lives.pop(handle.id, None)

    async def started(self, *handles: TaskHandle[Any], times: int = 1) -> None:
        """Wait until the functions of tasks have been called."""
        await self.noted("start", *handles, times=times)

    async def noted(self, kind: str, *handles: TaskHandle[Any], times: int = 1) -> None:
        """Wait until each of these tasks has had an effect so often."""
        ids = [handle.id for handle in handles]

        def all_noted() -> bool:
            counts = Counter(effect.task for effect in self.effects.all(kind))
            return all(counts[task_id] >= times for task_id in ids)

        await until(all_noted, f"each of {len(ids)} tasks has had the effect {kind!r} {times} times")

    async def final(self, handles: Sequence[TaskHandle[Any]], seconds: float = PATIENCE) -> Counter[str]:
        """Wait until all of these have ended; returns how, counted."""
        async with asyncio.timeout(seconds):
            ended = await asyncio.gather(*[handle.wait() for handle in handles])
        for handle, status in zip(handles, ended, strict=True):
            if status is FAILED:
                sys.stderr.write(f"task {handle.id} failed: {str((await handle.record()).reason)[:200]}\n")
        return Counter(ended)

    async def roll(self, number: int) -> list[WorkerInfo]:
        """Wait until so many workers are on the roll; returns it."""
        inspector = await self.inspector()

        async def there() -> bool:
            return len(await inspector.workers()) == number

        await until(there, f"{number} workers are on the roll")
        return await inspector.workers()

    async def stands(self, handle: TaskHandle[Any], *statuses: str) -> bool:
        """Whether a task is in one of these statuses."""
        return str(await handle.status()) in statuses

    async def quiet(self) -> bool:
        """Whether nothing is queued, scheduled or running."""
        counts = await (await self.inspector()).counts()
        return not (counts["queued"] or counts["scheduled"] or counts["running"])

    async def inspector(self) -> Inspector:
        """Reads and repairs."""
        return await self.app.inspector()

    async def check(self) -> None:
        """The promises: nothing lost, one accepted completion a task, every index in line with the records."""
        inspector = await self.inspector()
        store = inspector.store
        records = await store.inspect.records(self.ids)
        lost = [task_id for task_id, record in zip(self.ids, records, strict=True) if record is None]
        assert lost == [], "tasks were lost"
        open_ = [
            f"{record.id} is {record.status}" for record in records if record and not record.status.final
        ]
        assert open_ == [], "tasks have not ended"
        await self.check_indexes()
        if not self.harmed:
            accepted = await self.completions()
            assert {task_id: accepted[task_id] for task_id in self.ids} == self.lives, (
                "not one completion each"
            )
            assert await audit_store(store) == []
        assert (await store.inspect.counts())["scheduled"] == 0
        assert (await store.inspect.counts())["running"] == 0

    async def completions(self) -> Counter[str]:
        """How often the end of each task was accepted, from the list of ended tasks; or, where that has been cut,
        what the counters allow to say: if all of them add up, none was accepted twice."""
        store = (await self.inspector()).store
        accepted: Counter[str] = Counter()
        complete = True
        for keys in store.shards:
            entries = await store.gateway.command("XRANGE", keys.recent, "-", "+")
            complete = complete and len(entries) < 1000
            for _, fields in entries:
                accepted.update(item.decode() for item in fields[::2])
        if complete:
            return accepted
        ends = {SUCCEEDED, FAILED, CANCELLED}
        minutes = (await store.inspect.stats(10)).values()
        total = sum(number for counts in minutes for (_, _, what), number in counts.items() if what in ends)
        return self.lives if total == self.lives.total() else Counter({"all of them": total})

    async def check_indexes(self) -> None:
        """Every task in exactly the place that its status demands."""
        inspector = await self.inspector()
        assert await inspector.check() == []
        for shard in range(len(inspector.store.shards)):
            assert not await inspector.store.upkeep.misplaced(shard)

    async def __aenter__(self) -> Self:
        await self.app.client()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self.app.close()
        finally:
            self.end()

    def end(self) -> None:
        """End every process and leave no file; what workers said is shown if the test failed."""
        for worker in self.workers:
            worker.end()
        for proxy in self.proxies:
            proxy.close()
        self.server.stop()
        for end in self.ended:
            end()
        for worker in self.workers:
            sys.stderr.write(f"--- {worker.log.name} (pid {worker.pid}, exit code {worker.code})\n")
            sys.stderr.write(worker.said()[-8000:])
        shutil.rmtree(self.folder, ignore_errors=True)


SUCCEEDED, FAILED, CANCELLED = Status.SUCCEEDED, Status.FAILED, Status.CANCELLED
