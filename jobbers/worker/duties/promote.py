"""Moves what has become due into its lane."""

from __future__ import annotations

from jobbers.settings import Settings
from jobbers.store.rows import MAX_BATCH
from jobbers.store.store import Store


class Promote:
    """See :class:`jobbers.worker.duties.Duty`. A bell wakes its guard when something is due earlier than it knew."""

    interval = 1.0

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._settings = settings

    async def tick(self, shard: int) -> float:
        """Promote a batch; at once again if it was full."""
        moved, next_ms = await self._store.upkeep.promote(shard, self._settings.failed_retention_ms)
        if moved >= MAX_BATCH:
            return 0.0
        return self.interval if next_ms is None else min(self.interval, next_ms / 1000)
