"""Looks whether operators have changed how much telemetry is made."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Collection

from jobbers.core.granularity import Overrides, idle, written
from jobbers.errors import StoreError
from jobbers.store.granularity import FRESH_SECONDS, GranularityStore

log = logging.getLogger("jobbers.worker")


async def watch_granularity(store: GranularityStore, types: Collection[str]) -> None:
    """One short call an interval, until cancelled. A server that is away is told of by whoever claims."""
    told: Overrides = ()
    while True:
        with contextlib.suppress(StoreError):
            await store.refresh()
        if store.known != told:
            told = store.known
            log.info("telemetry of task types, as it was set live: %s", written(told) or "nothing")
            for pattern in idle(told, types):
                log.warning(
                    "the live setting of telemetry names %r, which fits no task type of this app", pattern
                )
        await asyncio.sleep(FRESH_SECONDS * random.uniform(1.0, 1.3))
