"""Takes tasks back from workers whose leases have ended."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence

from jobbers.core.events import Dispatcher, TaskReclaimed
from jobbers.core.status import Status
from jobbers.core.task import TaskRecord
from jobbers.errors import StoreError
from jobbers.settings import Settings
from jobbers.store.maps import MAP_TYPE
from jobbers.store.rows import MAX_BATCH
from jobbers.store.store import Store
from jobbers.store.tasks import chunked
from jobbers.store.upkeep import Reclaimed

AT_ONCE = 20
"""So many records are read together for those who listen: each has its arguments."""

log = logging.getLogger("jobbers.worker")


class Reclaim:
    """See :class:`jobbers.worker.duties.Duty`."""

    def __init__(self, store: Store, settings: Settings, events: Dispatcher) -> None:
        self._events = events
        self._store = store
        self._settings = settings
        self.interval = min(1.0, settings.lease / 4)

    async def tick(self, shard: int) -> float:
        """Reclaim a batch; at once again if it was full."""
        settings = self._settings
        taken = await self._store.upkeep.reclaim(shard, settings.crash_budget, settings.failed_retention_ms)
        for task_id, owner, status in taken:
            worker = owner.rpartition("/")[0]
            if status is Status.FAILED:
                log.error("task %s lost its worker %s and is poison: a dead letter now", task_id, worker)
            else:
                log.warning("task %s was taken back: the lease of worker %s has ended", task_id, worker)
        await tell_reclaimed(self._store, self._events, taken)
        return 0.0 if len(taken) >= MAX_BATCH else self.interval


async def tell_reclaimed(store: Store, events: Dispatcher, taken: Sequence[Reclaimed]) -> None:
    """Tell who listens of tasks that were taken back, with what their records say of the executions that are lost."""
    for chunk in chunked(taken, AT_ONCE):
        if (tell := events.tell) is None:
            return
        records: Sequence[TaskRecord | None] = [None] * len(chunk)
        with contextlib.suppress(StoreError):
            records = await store.inspect.records([task_id for task_id, *_ in chunk])
        for (task_id, owner, status), record in zip(chunk, records, strict=True):
            event = TaskReclaimed(task_id, owner.rpartition("/")[0], status is Status.FAILED)
            tell(event if record is None else _with_record(event, record))


def _with_record(event: TaskReclaimed, record: TaskRecord) -> TaskReclaimed:
    again = record.status is Status.RUNNING  # somebody else has begun it since
    return event._replace(
        type=record.type.removeprefix(MAP_TYPE),
        queue=record.queue,
        attempt=record.attempt - again,
        snoozes=record.snoozes,
        started_ms=0 if again or not record.started else round(record.started.timestamp() * 1000),
        headers=record.headers,
    )
