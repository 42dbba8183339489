"""Keeps the leases of running tasks, from a thread of its own, so that code that blocks the loop does not cost them.

It also fences itself: when the server has not confirmed a lease for as long as it lasts, by the monotonic clock, the
task counts as lost, for by then another worker may run it.
"""

from __future__ import annotations

import asyncio
import logging
import random
import threading
import time
from collections.abc import Callable

from jobbers.settings import Settings
from jobbers.store.renewal import Renewal, RenewalFailed
from jobbers.worker.execution import Ending, Execution, Running, without_task

log = logging.getLogger("jobbers.worker")

CANCEL_SECONDS = 1.2
"""A renewal's answer tells of cancelled tasks: so often at least, whatever the lease."""
BLOCKED_SECONDS = 1.0
FENCE_SECONDS = 0.25
"""How long an execution may outlive its lease."""


class Keeper:
    """Renews every third of a lease what has run for longer than that."""

    def __init__(
        self, renewal: Renewal, settings: Settings, running: Running, lost: Callable[[str, str, str], None]
    ) -> None:
        self._renewal = renewal
        self._settings = settings
        self._running = running
        self._lost = lost
        self._period = min(settings.lease / 3, CANCEL_SECONDS)
        self._stop = threading.Event()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="jobbers-keeper", daemon=True)
        self._answered = time.monotonic()
        self._blocked_since: float | None = None
        self._given_up = False

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, after a renewal in flight."""
        self._stop.set()
        self._thread.join(timeout=self._period + 1)
        self._renewal.close()

    def _run(self) -> None:
        while not self._stop.wait(self._period * random.uniform(0.8, 1.0)):
            try:
                self._tick()
            except Exception:
                log.exception("renewing leases failed; trying again")

    def _tick(self) -> None:
        begun = time.monotonic()
        if self._loop_is_gone(begun):
            return
        held = [
            execution
            for execution in self._running.copy()
            if begun - execution.started >= self._period / 2 and execution.ending is not Ending.LOST
        ]
        if not held:
            return
        try:
            pairs = [(execution.claimed.id, execution.claimed.owner) for execution in held]
            lost = self._renewal.renew(pairs, self._settings.lease_ms)
        except RenewalFailed as error:
            log.warning("the leases of %d tasks could not be renewed: %s", len(held), error)
            return
        for execution in held:
            if execution.claimed.id not in lost:
                execution.confirmed = begun
        for execution in without_task(held, lost):
            self._tell(execution, lost[execution.claimed.id] or "gone")

    async def fence(self) -> None:
        """End executions whose leases have run out unconfirmed, until cancelled. On the event loop, because a renewal that
        hangs must not hold it up; a loop that is blocked could not end them either."""
        while True:
            await asyncio.sleep(FENCE_SECONDS)
            now = time.monotonic()
            for execution in list(self._running):
                if now - execution.confirmed > self._settings.lease and execution.ending is not Ending.LOST:
                    claimed = execution.claimed
                    self._lost(claimed.id, claimed.owner, "its lease ran out while the server was away")

    def _tell(self, execution: Execution, why: str) -> None:
        claimed = execution.claimed
        self._loop.call_soon_threadsafe(self._lost, claimed.id, claimed.owner, why)

    def _loop_is_gone(self, now: float) -> bool:
        """Whether the event loop has been blocked for so long that its tasks must be given up."""
        if self._answered >= now - self._period - BLOCKED_SECONDS:
            self._loop.call_soon_threadsafe(self._answer)
            self._blocked_since = None
            self._given_up = False
            return False
        if self._blocked_since is None:
            self._blocked_since = self._answered
        blocked = now - self._blocked_since
        if blocked <= self._settings.max_block:
            return False
        if not self._given_up:
            self._given_up = True
            log.error("the event loop has been blocked for %.0f seconds: its leases are given up", blocked)
        return True

    def _answer(self) -> None:
        self._answered = time.monotonic()
