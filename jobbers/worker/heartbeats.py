"""Sends the heartbeats of all running tasks together, and ends tasks that fell silent."""

from __future__ import annotations

import asyncio
import logging
import random
import time

from jobbers.context import MAX_STEP
from jobbers.errors import StoreError
from jobbers.settings import Settings
from jobbers.store.store import Store
from jobbers.store.tasks import Beat
from jobbers.worker.execution import Ending, Execution, Running, without_task
from jobbers.worker.report import bounded

log = logging.getLogger("jobbers.worker")


class Heartbeats:
    """One call a shard and interval, whatever the number of tasks and of their heartbeats."""

    def __init__(self, store: Store, settings: Settings, running: Running) -> None:
        self._store = store
        self._interval = settings.heartbeat_interval
        self._running = running

    def heard(self, task_id: str, step: str, progress: float | None) -> None:
        """A heartbeat came from a process."""
        for execution in list(self._running):
            if execution.claimed.id == task_id and not execution.context.over:
                execution.context.heartbeat(step, progress)

    async def run(self) -> None:
        """Send until cancelled; the interval is jittered so that workers do not beat as one."""
        while True:
            await asyncio.sleep(self._interval * random.uniform(0.7, 1.0))
            self._end_silent(time.monotonic())
            try:
                await self.send()
            except StoreError as error:
                log.warning("heartbeats could not be sent: %s", error)

    async def send(self) -> None:
        """Send what is new since the last call. Raises :class:`StoreError`."""
        executions = [
            execution
            for execution in self._running
            if execution.ending is not Ending.LOST and (execution.context.changed or _is_first(execution))
        ]
        if not executions:
            return
        beats = [_beat(execution) for execution in executions]
        for execution in executions:
            execution.context.changed = False
            execution.shown = True
        for execution in without_task(executions, set(await self._store.tasks.beat(beats))):
            log.warning("task %s is not this worker's any more: ending its execution", execution.claimed.id)
            execution.end(Ending.LOST)

    def _end_silent(self, now: float) -> None:
        for execution in list(self._running):
            allowed = execution.type.policy.heartbeat_ms
            if allowed is not None and now - execution.context.beaten_at > allowed / 1000:
                execution.end(Ending.HEARTBEAT)


def _is_first(execution: Execution) -> bool:
    """Types that promise heartbeats or say what is slow are shown once without being asked, so that readers can tell a
    task that stalls before its first heartbeat."""
    policy = execution.type.policy
    return not execution.shown and (policy.heartbeat_ms is not None or policy.slow_ms is not None)


def _beat(execution: Execution) -> Beat:
    claimed, context, policy = execution.claimed, execution.context, execution.type.policy
    return Beat(
        claimed.id,
        claimed.owner,
        bounded(context.step, MAX_STEP),
        "" if context.progress is None else context.progress,
        policy.heartbeat_ms or "",
        policy.slow_ms or "",
    )
