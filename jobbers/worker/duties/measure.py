"""Tells how the queues stand, for all workers of the cluster: whoever guards the first shard does it."""

from __future__ import annotations

from jobbers.core.events import Dispatcher, QueueMeasured
from jobbers.store.store import Store


class Measure:
    """See :class:`jobbers.worker.duties.Duty`. Asks the server nothing while nobody listens."""

    interval = 10.0

    def __init__(self, store: Store, events: Dispatcher) -> None:
        self._store = store
        self._events = events

    async def tick(self, shard: int) -> float:
        """Measure all queues once."""
        tell = self._events.tell
        if tell is not None and shard == 0:
            for queue in await self._store.inspect.queues():
                tell(QueueMeasured(queue.name, queue.depth, queue.oldest_seconds, queue.paused))
        return self.interval
