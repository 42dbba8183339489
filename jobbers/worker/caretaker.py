"""Does the background duties of the shards that this worker guards."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Sequence

from jobbers.errors import ServerUnavailable, StoreError, UnknownOutcome
from jobbers.store.store import Store
from jobbers.worker.duties import Duty

log = logging.getLogger("jobbers.worker")

GUARD = "upkeep"
LONGEST_GUARD_SECONDS = 3.0
"""How long at most a shard is without care when its guard dies; at most half a lease, so that this does not add to the
time in which a dead worker's tasks are taken back."""

RUNG = 2
"""How many duties, the first ones, the bell calls: what moves due tasks, and what fires schedules."""


class Caretaker:
    """One loop a shard: keep or seek the guard, do what is due, sleep until the next is or the bell rings."""

    def __init__(self, store: Store, worker: str, duties: Sequence[Duty], lease: float) -> None:
        self._store = store
        self._worker = worker
        self._duties = duties
        self._leaving = False
        guard = min(LONGEST_GUARD_SECONDS, lease / 2)
        self._guard_ms = int(guard * 1000)
        self._check = guard / 3
        self._bells = [asyncio.Event() for _ in store.shards]

    def ring(self, shard: int) -> None:
        """Something became due earlier than this worker may think."""
        self._bells[shard].set()

    async def run(self, shard: int) -> None:
        """Care for a shard until cancelled."""
        due: dict[Duty, float] = dict.fromkeys(self._duties, 0.0)
        guard_until = 0.0
        while not self._leaving:
            pause = self._check * random.uniform(0.8, 1.2)
            try:
                now = time.monotonic()
                if now >= guard_until:
                    held = await self._store.upkeep.hold_duty(shard, GUARD, self._worker, self._guard_ms)
                    guard_until = now + self._check if held else 0.0
                if guard_until:
                    pause = await self._work(shard, due)
            except StoreError as error:
                guard_until = 0.0
                log.warning("upkeep of shard %d failed: %s", shard, error)
            bell = self._bells[shard]
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await bell.wait()
                    due.update(dict.fromkeys(self._duties[:RUNG], 0.0))
            bell.clear()

    async def _work(self, shard: int, due: dict[Duty, float]) -> float:
        for duty in self._duties:
            if time.monotonic() >= due[duty]:
                due[duty] = time.monotonic() + await self._do(duty, shard)
        return min(self._check, max(0.0, min(due.values()) - time.monotonic()))

    async def _do(self, duty: Duty, shard: int) -> float:
        """One tick. A duty that fails must not keep the others from being done."""
        try:
            return await duty.tick(shard)
        except (ServerUnavailable, UnknownOutcome):
            raise
        except StoreError as error:
            log.error("%s of shard %d failed: %s", type(duty).__name__.lower(), shard, error)
            return self._check

    async def leave(self) -> None:
        """Do nothing more and let others take over at once."""
        self._leaving = True
        for shard in range(len(self._store.shards)):
            with contextlib.suppress(StoreError):
                await self._store.upkeep.drop_duty(shard, GUARD, self._worker)
