"""Runs what is ready, in this process, through the parts that a worker is made of, until nothing is left."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import time
from collections.abc import AsyncIterator
from typing import Any

from jobbers.app import Jobbers
from jobbers.context import CurrentBatch, CurrentTask
from jobbers.errors import WaitTimeout
from jobbers.middleware import Call
from jobbers.store.inbox import Inbox
from jobbers.store.store import Store
from jobbers.task_type import TaskType
from jobbers.worker.duties.schedule import Fire
from jobbers.worker.execution import Ending
from jobbers.worker.executors import Executors
from jobbers.worker.finisher import Finisher
from jobbers.worker.heartbeats import Heartbeats
from jobbers.worker.runner import Runner
from jobbers.worker.shutdown import wind_down
from jobbers.worker.slots import Slots

LOOK_AGAIN_SECONDS = 0.01
"""How often to look for what running tasks have submitted."""


class Errors:
    """A middleware that keeps the last error of each task as it was raised."""

    def __init__(self) -> None:
        self.by_task: dict[str, Exception] = {}

    def wrap(self, task_type: TaskType[Any, Any], call: Call) -> Call:  # noqa: ARG002 - the protocol asks for it
        """See :class:`jobbers.middleware.Middleware`."""

        async def watched(task: CurrentTask, args: list[Any], kwargs: dict[str, Any]) -> Any:
            try:
                return await call(task, args, kwargs)
            except Exception as error:
                for one in task.tasks if isinstance(task, CurrentBatch) else [task]:
                    self.by_task[one.id] = error
                raise

        return watched


class Drain:
    """One pass over everything that is ready: a worker without blocking reads, threads and timers of its own."""

    def __init__(self, app: Jobbers, store: Store, concurrency: int) -> None:
        self._settings = app.settings
        self._store = store
        self._worker = f"drain-{secrets.token_hex(3)}"
        self._slots = Slots(concurrency)
        self._executors = Executors(concurrency, min(concurrency, os.cpu_count() or 1))
        self._finisher = Finisher(store, app.settings.lease_ms, app.events)
        self.errors = Errors()
        app.middleware.insert(0, self.errors)
        try:
            self._runner = Runner(app, self._worker, self._finisher, self._executors, store)
        finally:
            app.middleware.remove(self.errors)
        self._app = app
        self._fire = Fire(store, app.settings, app.schedules, app.events)
        self._heartbeats = Heartbeats(store, app.settings, self._runner.running)
        self._executors.on_beat = self._heartbeats.heard
        self._loops: list[asyncio.Task[None]] = []

    async def run(self, limit: int, timeout: float) -> int:
        """Run until nothing is ready and nothing runs; returns how many executions that were.

        Raises :class:`AssertionError` beyond ``limit`` executions and :class:`WaitTimeout` after ``timeout`` seconds.
        """
        executions = 0
        await self._app.write_definitions(self._store)  # types may have come since it was opened
        await self._app.schedules.write_defined(self._store)
        end = time.monotonic() + timeout
        async with self._parts():
            while (started := await self._claim_all()) or not await self._at_rest():
                executions += started
                if executions > limit:
                    raise AssertionError(f"no end after {limit:,} executions: do tasks submit each other?")
                # Looked at between two steps, so that no claim is cut off in its middle.
                if time.monotonic() > end:
                    running = sorted(f"{one.type.name} {one.claimed.id}" for one in self._runner.running)
                    raise WaitTimeout(
                        f"not done after {timeout:g} seconds, still running: {', '.join(running) or 'nothing'}"
                    )
        return executions

    @contextlib.asynccontextmanager
    async def _parts(self) -> AsyncIterator[None]:
        """What works beside the tasks; at the end nothing of it runs, and what still ran has been put back."""
        channel = self._store.keys.control(self._worker)
        inbox = Inbox(self._store.connector, [channel], lambda _, task_id: self._lose(task_id))
        hurry = asyncio.Event()
        hurry.set()
        self._loops = [asyncio.create_task(part.run()) for part in (self._finisher, self._heartbeats)]
        inbox.start()
        try:
            await inbox.ready.wait()  # else it would miss what is cancelled right now
            yield
        finally:
            await wind_down(self._runner.running, 0, hurry)
            await self._written()
            for loop in self._loops:
                loop.cancel()
            await asyncio.gather(*self._loops, return_exceptions=True)
            await inbox.stop()
            self._executors.close()

    async def _written(self) -> None:
        """Wait until all completions are written; a part that died ends the drain with its error."""
        written = asyncio.create_task(self._finisher.drained())
        await asyncio.wait([written, *self._loops], return_when=asyncio.FIRST_COMPLETED)
        if not written.done():
            written.cancel()
            for loop in self._loops:
                if loop.done():
                    loop.result()

    async def _claim_all(self) -> int:
        """Start what is ready, as far as there is room, then let something happen."""
        lanes = sorted(await self._store.inspect.lanes(), key=lambda lane: (-lane.priority, lane.queue))
        started = 0
        for shard in range(len(self._store.shards)):
            wanted = self._slots.free
            if wanted <= 0 or not lanes:
                break
            owner = f"{self._worker}/{secrets.token_hex(4)}"
            claimed = await self._store.tasks.claim(
                shard, owner, lanes, wanted, self._settings.lease_ms, self._settings.failed_retention_ms
            )
            self._slots.take(len(claimed))
            for execution in claimed:
                self._runner.start(execution, self._slots, shard)
            started += len(claimed)
        running = [execution.task for execution in self._runner.running if execution.task is not None]
        if running:
            await asyncio.wait(running, timeout=LOOK_AGAIN_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        await self._written()
        return started

    async def _at_rest(self) -> bool:
        """Whether nothing runs, nothing is due and no lease has ended; moves the latter two on, and fires schedules."""
        if self._runner.running:
            return False
        moved = 0
        for shard in range(len(self._store.shards)):
            await self._fire.tick(shard)
            moved += (await self._store.upkeep.promote(shard, self._settings.failed_retention_ms)).moved
            taken = await self._store.upkeep.reclaim(
                shard, self._settings.crash_budget, self._settings.failed_retention_ms
            )
            moved += len(taken)
        moved += self._fire.started
        self._fire.started = 0
        return moved == 0

    def _lose(self, task_id: str) -> None:
        """An execution must not go on: the task was cancelled, or is somebody else's."""
        for execution in list(self._runner.running):
            if execution.claimed.id == task_id:
                execution.end(Ending.LOST)
