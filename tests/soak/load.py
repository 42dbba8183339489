"""Clients of the soak: they submit, wait, and write down what they were told."""

from __future__ import annotations

import asyncio
import random
import time

from jobbers import Jobbers, Status, new_id
from jobbers.errors import ServerUnavailable, UnknownOutcome
from jobbers.testing.history import History
from tests.soak import app as soak_app

TICK = 0.02


class Load:
    """Submits ``rate`` tasks a second, one by one, while fewer than ``window`` are open."""

    def __init__(self, app: Jobbers, history: History, chance: random.Random, *, seconds: float) -> None:
        self._app = app
        self._history = history
        self._chance = chance
        self._mean = seconds
        self._open: set[asyncio.Task[None]] = set()
        self.submitted = 0

    async def run(self, rate: float, window: int, until: float, at_most: int | None) -> None:
        """Submit until this instant of the monotonic clock, or until there were so many."""
        owed, last = 0.0, time.monotonic()
        while (now := time.monotonic()) < until and (at_most is None or self.submitted < at_most):
            owed, last = min(owed + (now - last) * rate, rate), now
            while owed >= 1 and len(self._open) < window and (at_most is None or self.submitted < at_most):
                owed -= 1
                self.submitted += 1
                one = asyncio.create_task(self._one())
                self._open.add(one)
                one.add_done_callback(self._open.discard)
            await asyncio.sleep(TICK)

    async def done(self, patience: float) -> int:
        """Wait until all have ended; returns how many have not, in that time."""
        if self._open:
            await asyncio.wait(self._open, timeout=patience)
        left = len(self._open)
        for one in list(self._open):
            one.cancel()
        return left

    async def _one(self) -> None:
        task_id = new_id()
        kind = self._chance.choices(("nap", "thread", "flaky"), (8, 1, 1))[0]
        attempts = soak_app.ATTEMPTS if kind == "flaky" else 1
        task = self._app.task_types[kind].options(id=task_id)
        self._history.add("submitting", task=task_id, attempts=attempts)
        while True:
            try:
                handle = await task.submit(self._chance.uniform(0, 2 * self._mean))
                break
            except UnknownOutcome:
                self._history.add("unknown", task=task_id)
            except ServerUnavailable:
                self._history.add("refused", task=task_id)
        self._history.add("accepted", task=task_id, holder=handle.id)
        while True:
            try:
                status: Status = await handle.wait()
                break
            except (ServerUnavailable, UnknownOutcome):
                self._history.add("not_told", task=task_id)
        self._history.add("told", task=task_id, what=str(status))
