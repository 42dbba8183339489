"""Resizes the places of a worker whose concurrency is ``auto``: measures, asks the controller, and does what it says."""

from __future__ import annotations

import asyncio
import logging
import time

from jobbers.core.adaptive import Adaptive, Controller, Pace, Sample
from jobbers.core.events import AttemptEnded, Dispatcher, Outcome
from jobbers.worker.slots import Slots

log = logging.getLogger("jobbers.worker")

LOOK_SECONDS = 0.05
LOOKS = 10
"""So many looks make a sample: one a half second, or later where the loop is late."""
_TELLING = (Outcome.SUCCEEDED, Outcome.RETRIED, Outcome.FAILED)


class Adaptation:
    """One loop on the event loop that it watches."""

    def __init__(self, bounds: Adaptive, slots: Slots, events: Dispatcher) -> None:
        self._controller = Controller(bounds)
        self._slots = slots
        self._events = events
        self._pace = Pace()
        slots.resize(self._controller.places)

    async def run(self) -> None:
        """Adapt until cancelled."""
        unsubscribe = self._events.subscribe(self._ended, AttemptEnded)
        try:
            while True:
                before = self._slots.total
                self._slots.resize(self._controller.see(await self._sample()))
                if self._slots.total != before:
                    log.debug("concurrency %d, was %d", self._slots.total, before)
        finally:
            unsubscribe()

    async def _sample(self) -> Sample:
        begun, computed = time.monotonic(), time.thread_time()
        busy = 0
        for _ in range(LOOKS):
            busy = max(busy, self._slots.total - self._slots.free)
            await asyncio.sleep(LOOK_SECONDS)
        wall = time.monotonic() - begun
        lag = max(0.0, wall / LOOKS - LOOK_SECONDS)
        return Sample(busy, lag, (time.thread_time() - computed) / wall, self._pace.since())

    def _ended(self, event: AttemptEnded) -> None:
        if event.outcome in _TELLING:
            self._pace.took(event.type, event.seconds)
