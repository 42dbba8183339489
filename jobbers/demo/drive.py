"""Directs one run of the demo: hires workers, submits the files, kills a worker and shows what becomes of its tasks."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from jobbers.core.status import Status
from jobbers.core.task import TaskRecord
from jobbers.demo.app import app, index_file, summarise
from jobbers.demo.crew import Crew, Member
from jobbers.demo.index import FileIndex, Totals
from jobbers.demo.view import Snapshot, View, WorkerLine
from jobbers.errors import InvalidInput, JobbersError
from jobbers.handle import TaskHandle
from jobbers.inspector import MAX_PAGE, Inspector

APP = "jobbers.demo.app:app"
HOST = "127.0.0.1"
LOOK_SECONDS = 0.1
ARRIVAL_SECONDS = 30.0
SETTLE_SECONDS = 0.05


Handles = Sequence[TaskHandle[FileIndex]]


@dataclass(frozen=True, slots=True)
class Plan:
    """What was asked for; see :func:`jobbers.demo.main`."""

    files: int | None
    workers: int
    kill: bool
    check: bool
    port: int | None
    keep: bool

    def __post_init__(self) -> None:
        if self.workers < 1 or (self.files is not None and self.files < 1):
            raise InvalidInput("the demo needs one worker and one file at least")

    @property
    def places(self) -> int:
        """How many files a worker parses at a time: together they keep the whole machine busy."""
        return max(1, (os.cpu_count() or 1) // self.workers)


class Drive:
    """One run, on a server that is up. The processes of ``crew`` outlive it: who made the crew ends them."""

    def __init__(self, plan: Plan, files: Sequence[str], url: str, crew: Crew, view: View) -> None:
        self._plan = plan
        self._files = files
        self._url = url
        self._crew = crew
        self._view = view
        self._workers: dict[str, Member] = {}
        self._began = 0.0
        self._done = 0

    async def run(self) -> tuple[Totals, float]:
        """Index the files. Returns the totals, and how many seconds that took. Raises :class:`JobbersError` when a
        process ends that was not meant to."""
        app.settings = app.settings.model_copy(update={"redis_url": self._url})
        async with app:
            inspector = await app.inspector()
            work = asyncio.create_task(self._work(inspector))
            try:
                while not work.done():
                    self._crew.check()
                    if self._began:
                        self._view.show(await self._look(inspector))
                    await asyncio.wait([work], timeout=LOOK_SECONDS)
                return await work, time.monotonic() - self._began
            finally:
                work.cancel()
                await asyncio.gather(work, return_exceptions=True)

    async def _work(self, inspector: Inspector) -> Totals:
        port = self._start_api()
        for number in range(1, self._plan.workers + 1):
            self._hire(f"worker-{number}")
        await self._arrivals(inspector, port)
        self._began = time.monotonic()
        handles = await index_file.map(self._files)
        self._view.say(f"submitted {len(handles):,} files in {time.monotonic() - self._began:.2f} s")
        accident = self._accident("worker-1", handles, inspector) if self._plan.kill else asyncio.sleep(0)
        await asyncio.gather(accident, _all_ended(handles))
        summary = await summarise.submit([handle.id for handle in handles])
        return await summary.result()

    def _hire(self, name: str) -> None:
        options = {"name": name, "cpu-processes": self._plan.places, "redis-url": self._url}
        member = self._crew.start(
            name, "worker", APP, *(f"--{option}={value}" for option, value in options.items())
        )
        self._workers[name] = member
        self._view.say(f"{name}: pid {member.pid}, {self._plan.places} files at a time")

    def _start_api(self) -> int:
        """Serve the API; returns the port."""
        port = self._plan.port or _free_port()
        self._crew.start("api", "api", APP, f"--host={HOST}", f"--port={port}", f"--redis-url={self._url}")
        return port

    async def _arrivals(self, inspector: Inspector, port: int) -> None:
        """Wait until all workers are on the roll and the API answers."""
        hired = {member.pid for member in self._workers.values()}
        deadline = time.monotonic() + ARRIVAL_SECONDS
        while not (hired <= {*(await _pids(inspector)).values()} and await _answers(port)):
            if time.monotonic() > deadline:
                raise JobbersError(f"the workers and the API were not up after {ARRIVAL_SECONDS:g} seconds")
            await asyncio.sleep(LOOK_SECONDS)
        self._view.say(f"API: http://{HOST}:{port}")

    async def _accident(self, name: str, handles: Handles, inspector: Inspector) -> None:
        """When a third is done, kill a worker that has tasks in hand; hire another in its place; see who does its tasks
        again."""
        await handles[len(handles) // 3].wait()
        member = self._workers[name]
        held = await self._freeze_busy(member, inspector)
        if not held:
            self._view.say(f"{name} had nothing left to do, so killing it would show nothing")
            return
        member.kill()
        killed = time.monotonic()
        files = ", ".join(_file(record) for record in held)
        self._view.say(f"KILLED {name} (pid {member.pid}) with SIGKILL while it parsed {files}")
        self._hire(name)
        await _taken_back(held, inspector)
        self._view.say(f"TAKEN BACK after {time.monotonic() - killed:.1f} s: {files} in the queue again")
        for record in held:
            await index_file.handle(record.id).wait()
        again = [await inspector.task(record.id) for record in held]
        by = " and ".join(sorted({str(record.worker).rpartition("-")[0] for record in again}))
        attempts = max(record.attempt for record in again)
        self._view.say(f"DONE AGAIN: {files} by {by}, in attempt {attempts}")

    async def _freeze_busy(self, member: Member, inspector: Inspector) -> list[TaskRecord]:
        """Stop a worker at a moment when it has tasks in hand, and return them; nothing when none are left.

        Tasks take milliseconds here: without stopping it first one could not tell what the kill interrupted.
        """
        while True:
            member.freeze()
            await asyncio.sleep(SETTLE_SECONDS)  # what it had sent before arrives
            pids = await _pids(inspector)
            running = await _running(inspector)
            held = [record for record in running if pids.get(record.worker or "") == member.pid]
            if held:
                return held
            member.thaw()
            if not running and not await _depth(inspector):
                return []
            await asyncio.sleep(SETTLE_SECONDS)

    async def _look(self, inspector: Inspector) -> Snapshot:
        queued = await _depth(inspector)
        running = await _running(inspector)
        pids = await _pids(inspector)
        files: dict[int, list[str]] = defaultdict(list)
        for record in running:
            files[pids.get(record.worker or "", 0)].append(_file(record))
        # Not one moment, for tasks move between the questions: so never count backwards.
        self._done = max(self._done, len(self._files) - queued - len(running))
        workers = [
            WorkerLine(name, member.pid, member.alive, files[member.pid], self._plan.places)
            for name, member in self._workers.items()
        ]
        return Snapshot(self._done, len(self._files), queued, time.monotonic() - self._began, workers)


async def _all_ended(handles: Handles) -> None:
    for handle in handles:
        await handle.wait()


async def _taken_back(held: Sequence[TaskRecord], inspector: Inspector) -> None:
    """Wait until a dead worker has none of these tasks any more."""
    theirs = {(record.id, record.worker) for record in held}
    while True:
        running = await _running(inspector)
        if theirs.isdisjoint((record.id, record.worker) for record in running):
            return
        await asyncio.sleep(LOOK_SECONDS)


async def _running(inspector: Inspector) -> Sequence[TaskRecord]:
    return (await inspector.tasks(Status.RUNNING, type=index_file.name, limit=MAX_PAGE)).tasks


async def _depth(inspector: Inspector) -> int:
    return sum(queue.depth for queue in await inspector.queues() if queue.name == index_file.policy.queue)


async def _pids(inspector: Inspector) -> dict[str, int]:
    """The process ids of the workers on the roll, by worker id."""
    return {info.id: int(info.facts.get("pid", 0)) for info in await inspector.workers()}


def _file(record: TaskRecord) -> str:
    return str(record.arguments[0])


async def _answers(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return False
    writer.close()
    return True


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as listener:
        return int(listener.getsockname()[1])
