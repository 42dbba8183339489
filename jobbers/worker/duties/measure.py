"""Tells how the queues stand, for all workers of the cluster: whoever guards the first shard does it."""

from __future__ import annotations

import contextlib

from jobbers.core.events import Dispatcher, QueueMeasured
from jobbers.errors import StoreError
from jobbers.store.store import Store


class Measure:
    """See :class:`jobbers.worker.duties.Duty`. Once a minute it writes down how many tasks are ready, for the advice on
    workers; more often it looks only while somebody listens."""

    interval = 10.0

    def __init__(self, store: Store, events: Dispatcher) -> None:
        self._store = store
        self._events = events
        self._sampled = 0

    async def tick(self, shard: int) -> float:
        """Measure all queues once."""
        if shard != 0:
            return self.interval
        minute = await self._store.inspect.now_ms() // 60_000
        tell = self._events.tell
        if tell is None and minute == self._sampled:
            return self.interval
        queues = await self._store.inspect.queues()
        if minute != self._sampled:
            with contextlib.suppress(StoreError):  # a full server takes no sample, and that does no harm
                await self._store.statistics.sample(minute, {queue.name: queue.depth for queue in queues})
            self._sampled = minute
        if tell is not None:
            for queue in queues:
                tell(QueueMeasured(queue.name, queue.depth, queue.oldest_seconds, queue.paused))
        return self.interval
