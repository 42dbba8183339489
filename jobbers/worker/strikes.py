"""Looks for strikes, so that the runner knows of them, and ends what runs where a strike says so."""

from __future__ import annotations

import asyncio
import functools
import logging
import random
from collections.abc import Mapping
from typing import Any

from jobbers.core.payload import unpack_envelope
from jobbers.errors import StoreError
from jobbers.store.store import Store
from jobbers.store.strikes import FRESH_SECONDS
from jobbers.worker.execution import Ending, Execution, Running
from jobbers.worker.finisher import Finisher

log = logging.getLogger("jobbers.worker")


class Strikes:
    """One short call an interval, as long as nothing has changed."""

    def __init__(self, store: Store, finisher: Finisher, running: Running) -> None:
        self._store = store
        self._finisher = finisher
        self._running = running
        self._seen: set[str] = set()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                if await self._store.strikes.refresh():
                    self._act()
            except StoreError as error:
                log.warning("cannot look for strikes, going by those that are known: %s", error)
            await asyncio.sleep(FRESH_SECONDS * random.uniform(1.0, 1.3))

    def _act(self) -> None:
        """End what runs and meets a new strike that is for this, too."""
        strikes = self._store.strikes
        every = [strike for group in strikes.known.values() for strike in group]
        new = {strike.id for strike in every if strike.running} - self._seen
        self._seen = {strike.id for strike in every}
        for execution in list(self._running) if new else ():
            strike = strikes.find(execution.type.name, functools.partial(_arguments, execution))
            if strike is not None and strike.id in new and execution.ending is None:
                log.warning("ending task %s (%s): %s", execution.claimed.id, strike.type, strike.why)
                self._finisher.cancel(execution, strike.why)
                execution.end(Ending.LOST)


def _arguments(execution: Execution) -> Mapping[str, Any]:
    """What an execution was called with, but for what came from other tasks of its run."""
    envelope = unpack_envelope(execution.claimed.envelope)
    try:
        return execution.type.signature.named(envelope.args, envelope.kwargs)
    except TypeError:  # of a map, whose items come later
        return envelope.kwargs
