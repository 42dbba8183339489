"""Repairs and tidies slowly: compares records with indexes, prunes dead letters, workers and blobs."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from jobbers.settings import Settings
from jobbers.store.blobs import BlobStore
from jobbers.store.store import Store

log = logging.getLogger("jobbers.worker")

SCANNED = 300
BLOB_SECONDS = 600.0


class Janitor:
    """See :class:`jobbers.worker.duties.Duty`. Each tick looks at some hundred records."""

    interval = 2.0

    def __init__(
        self, store: Store, settings: Settings, blobs: BlobStore, blob_seconds: Callable[[], float]
    ) -> None:
        self._store = store
        self._settings = settings
        self._blobs = blobs
        self._blob_seconds = blob_seconds
        self._cursors: dict[int, int] = {}
        self._blobs_at = time.monotonic()

    async def tick(self, shard: int) -> float:
        """One step of each."""
        settings = self._settings
        for key in await self._store.upkeep.put_garbage_aside(shard, settings.failed_retention_ms):
            log.error("key %s held something else: it is kept under a garbage key", key)
        cursor, ids = await self._store.upkeep.scan(shard, self._cursors.get(shard, 0), SCANNED)
        self._cursors[shard] = cursor
        findings = await self._store.upkeep.repair(
            shard, ids, settings.lease_ms, settings.failed_retention_ms, mend=True
        )
        for task_id, what in findings:
            log.error("task %s was %s: repaired", task_id, what)
        for gate, what in await self._store.limits.mend(shard):
            log.error("limit %s: %s: repaired", gate, what)
        if cursor == 0:
            await self._store.upkeep.forget_gone(shard)
        if shard == 0:
            await self._store.control.prune_workers(max(60.0, 6 * settings.lease))
            if time.monotonic() - self._blobs_at > BLOB_SECONDS:
                self._blobs_at = time.monotonic()
                await self._blobs.expire(self._blob_seconds())
        return self.interval
