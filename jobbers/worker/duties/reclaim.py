"""Takes tasks back from workers whose leases have ended."""

from __future__ import annotations

import logging

from jobbers.core.events import Dispatcher, TaskReclaimed
from jobbers.core.status import Status
from jobbers.settings import Settings
from jobbers.store.rows import MAX_BATCH
from jobbers.store.store import Store

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
            if (tell := self._events.tell) is not None:
                tell(TaskReclaimed(task_id, worker, status is Status.FAILED))
            if status is Status.FAILED:
                log.error("task %s lost its worker %s and is poison: a dead letter now", task_id, worker)
            else:
                log.warning("task %s was taken back: the lease of worker %s has ended", task_id, worker)
        return 0.0 if len(taken) >= MAX_BATCH else self.interval
