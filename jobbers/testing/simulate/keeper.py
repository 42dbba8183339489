"""The keeper of leases without a thread: its ticks are callbacks that a blocked loop does not hold up."""

from __future__ import annotations

import asyncio
import contextvars
import random
from collections.abc import Callable
from typing import Any, cast

from jobbers.testing.simulate.loop import here
from jobbers.worker.keeper import Keeper
from jobbers.worker.loop_guard import LoopGuard


class SimulatedKeeper(Keeper):
    """See :class:`jobbers.worker.keeper.Keeper`."""

    def start(self) -> None:
        """Begin."""
        process = here()
        loop = self._loop
        self._loop = cast(asyncio.AbstractEventLoop, _MainThread(loop, process.context()))
        self._ticking = process.context(aside=True).run(loop.create_task, self._tick_for_ever())

    def stop(self) -> None:
        """End."""
        self._ticking.cancel()

    async def _tick_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._period * random.uniform(0.8, 1.0))
            self._tick()


class NoGuard(LoopGuard):
    """Looks at nothing: in a simulation all loops are one, and no time passes while it is blocked."""

    def start(self) -> None:
        """Nothing begins."""

    def stop(self) -> None:
        """Nothing ends."""


class _MainThread:
    """Where the keeper's thread hands over to the event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, context: contextvars.Context) -> None:
        self._loop = loop
        self._context = context

    def call_soon_threadsafe(self, callback: Callable[..., Any], *args: Any) -> None:
        self._loop.call_soon(callback, *args, context=self._context)
