"""Starts what schedules have come to."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from jobbers.core.events import Dispatcher, ScheduleFired
from jobbers.core.schedule import Kind, Schedule, decide
from jobbers.core.status import FINAL
from jobbers.errors import StoreError
from jobbers.schedules import Schedules
from jobbers.settings import Settings
from jobbers.store.runs import launch_words
from jobbers.store.schedules import Due, Firing
from jobbers.store.store import Store
from jobbers.store.wire import Argument

log = logging.getLogger("jobbers.worker")

MAX_DUE = 100
"""Most schedules in one call: a cron line takes some 50 µs to be read, and the loop has tasks to run."""
MAX_ROUNDS = 10
PUT_OFF_MS = 5_000
"""After how long a schedule that this worker cannot start is looked at again, maybe by another."""


class Fire:
    """See :class:`jobbers.worker.duties.Duty`. A bell wakes its guard when a schedule is due earlier than it knew.

    Who reads a schedule and who starts it may be two by then: the store takes a start only in the turn in which its
    schedule was seen, and moves it on in the same script. So a slot is started once, whoever else does this.
    """

    interval = 1.0

    def __init__(self, store: Store, settings: Settings, schedules: Schedules, events: Dispatcher) -> None:
        self._store = store
        self._settings = settings
        self._schedules = schedules
        self._events = events
        self.started = 0
        """How many starts it has sent."""

    async def tick(self, shard: int) -> float:
        """Fire some batches; at once again if that was not all."""
        firings: list[Firing] = []
        for _ in range(MAX_ROUNDS):
            fired = await self._store.schedules.fire(shard, firings, MAX_DUE)
            if not fired.due:
                return self.interval if fired.next_ms is None else min(self.interval, fired.next_ms / 1000)
            firings = [await self._firing(due, fired.now) for due in fired.due]
        await self._store.schedules.fire(shard, firings, 0)
        return 0.0

    async def _firing(self, due: Due, now: int) -> Firing:
        later = Firing(due.name, due.turn, due.slot, now + PUT_OFF_MS, due.waiting)
        schedule = due.schedule
        if schedule is None:
            log.error("schedule %s cannot be read: delete it and write it anew", due.name)
            return later
        running = due.status is not None and due.status not in FINAL
        try:
            turn = decide(schedule, due.slot, due.waiting, running, now)
            starts = [self._words(schedule, slot, due.envelope) for slot in turn.starts]
            if turn.cancel:
                await self._store.tasks.cancel(
                    [due.last],
                    self._settings.retention_ms,
                    f"overtaken by the next slot of schedule {due.name}",
                )
        except (StoreError, OSError):
            raise
        except (
            Exception
        ) as error:  # whatever is wrong with one schedule, the others and the worker must go on
            log.error("schedule %s cannot be started by this worker: %s", due.name, error)
            return later
        if turn.passed:
            log.info("schedule %s: %d slots passed over, %s goes on", due.name, turn.passed, due.last)
        self.started += len(starts)
        if (tell := self._events.tell) is not None:
            for slot in turn.starts:
                tell(ScheduleFired(due.name, max(0.0, (now - slot) / 1000)))
        last = turn.starts[-1] if turn.starts else None
        return Firing(
            due.name,
            due.turn,
            turn.slot,
            turn.when,
            turn.waiting,
            last,
            "" if last is None else schedule.id_of(last),
            turn.passed,
            starts,
        )

    def _words(self, schedule: Schedule, slot: int, envelope: bytes) -> Sequence[Argument]:
        task_id = schedule.id_of(slot)
        if schedule.kind is Kind.DAG:
            return launch_words(*self._schedules.prepare_run(schedule, envelope, task_id))
        queue = self._schedules.queue_of(schedule, envelope)
        gates = self._schedules.gates_of(schedule, envelope, queue)
        priority, deadline_ms = self._schedules.urgency_of(schedule)
        return (task_id, schedule.target, f"{queue}:{priority}", deadline_ms, gates)
