"""The strikes of a namespace: written by operators, and known to workers and clients within a second.

All lie in one hash, beside a number that grows with every change: whoever asks for that alone learns that nothing changed.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from jobbers.core.strike import MAX_STRIKES, Strike, check, comparable, load
from jobbers.errors import InvalidInput, NotFound, StoreError
from jobbers.store.gateway import Gateway
from jobbers.store.keys import STRIKES_VERSION, GlobalKeys

FRESH_SECONDS = 0.6
"""For so long what is known of strikes counts as new."""


class StrikeStore:
    """Adds, lists and lifts strikes; ``known`` has those of the last look, by task type."""

    def __init__(self, gateway: Gateway, keys: GlobalKeys) -> None:
        self._gateway = gateway
        self._keys = keys
        self._version: bytes | None = b""
        self._looked = -FRESH_SECONDS
        self.known: dict[str, list[Strike]] = {}

    async def add(self, strike: Strike) -> Strike:
        """Write a strike; it counts from now on. Raises :class:`InvalidInput`."""
        key = self._keys.strikes
        count = await self._gateway.command("HLEN", key)
        if count > MAX_STRIKES:  # one field is the number of changes
            raise InvalidInput(f"there are {MAX_STRIKES:,} strikes already: lift some, or strike whole types")
        seconds, micros = await self._gateway.command("TIME")
        written = replace(check(strike), at=int(seconds) * 1000 + int(micros) // 1000)
        await self._change(("HSET", key, written.id, written.dump()))
        return written

    async def lift(self, strike_id: str) -> Strike:
        """Delete a strike and return it. Raises :class:`NotFound`."""
        found = await self._gateway.command("HGET", self._keys.strikes, strike_id)
        strike = None if found is None or strike_id == STRIKES_VERSION else load(found)
        if strike is None:
            raise NotFound(f"there is no strike {strike_id[:60]!r}: it never was, or it has been lifted")
        await self._change(("HDEL", self._keys.strikes, strike_id))
        return strike

    async def every(self) -> list[Strike]:
        """All strikes, the oldest first."""
        self._sort(await self._gateway.command("HGETALL", self._keys.strikes))
        return sorted((it for group in self.known.values() for it in group), key=lambda it: (it.at, it.id))

    async def _change(self, command: tuple[Any, ...]) -> None:
        """In one script with the number of changes, and also on a server that is at its memory limit."""
        counted = ("HINCRBY", self._keys.strikes, STRIKES_VERSION, 1)
        for reply in await self._gateway.essential(self._keys.prefix, [command, counted]):
            if isinstance(reply, Exception):
                raise StoreError(f"the strikes cannot be changed: {reply}")
        self._looked = -FRESH_SECONDS  # what changed here is known here at once

    @property
    def stale(self) -> bool:
        """Whether it is time to look again."""
        return time.monotonic() - self._looked >= FRESH_SECONDS

    async def refresh(self) -> bool:
        """Look for changes, unless that was done a moment ago. Returns whether there are any.

        Raises :class:`StoreError`.
        """
        if not self.stale:
            return False
        self._looked = time.monotonic()
        key = self._keys.strikes
        version = await self._gateway.command("HGET", key, STRIKES_VERSION, patience=0)
        if version == self._version:
            return False
        self._sort(await self._gateway.command("HGETALL", key, patience=0))
        self._version = version
        return True

    def _sort(self, pairs: list[bytes]) -> None:
        known: dict[str, list[Strike]] = defaultdict(list)
        for name, text in zip(pairs[::2], pairs[1::2], strict=True):
            strike = None if name == STRIKES_VERSION.encode() else load(text)
            if strike is not None:
                known[strike.type].append(strike)
        self.known = dict(known)

    def find(self, task_type: str, arguments: Callable[[], Mapping[str, Any]]) -> Strike | None:
        """The first known strike that a task meets; ``arguments``, by parameter, are asked for only when they count."""
        strikes = self.known.get(task_type)
        if strikes is None:
            return None
        names = {name for strike in strikes for name in strike.where}
        named = comparable(arguments(), names) if names else {}
        return next((strike for strike in strikes if strike.matches(named)), None)
