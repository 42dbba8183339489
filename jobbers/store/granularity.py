"""How much telemetry task types make, as operators have changed it: one string, which workers and clients look at."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from jobbers.core.granularity import Overrides, parse_overrides, written
from jobbers.errors import InvalidInput, StoreError
from jobbers.store.gateway import Gateway
from jobbers.store.keys import GlobalKeys
from jobbers.store.wire import ReplyError

log = logging.getLogger("jobbers.telemetry")

FRESH_SECONDS = 0.6
"""For so long what is known counts as new."""


class GranularityStore:
    """Reads and writes it. ``follow`` is called with what has become of it; without telemetry nobody asks for it."""

    def __init__(self, gateway: Gateway, keys: GlobalKeys) -> None:
        self._gateway = gateway
        self._key = keys.granularity
        self._prefix = keys.prefix
        self._text: object = None
        self._looked = -FRESH_SECONDS
        self.known: Overrides = ()
        self.follow: Callable[[Overrides], None] | None = None

    async def get(self) -> Overrides:
        """What was changed. What cannot be read counts as nothing. Raises :class:`StoreError`."""
        return _read(await self._gateway.command("GET", self._key))

    async def put(self, rules: Overrides) -> None:
        """Change it, also on a server at its memory limit. Raises :class:`StoreError`."""
        await self._change(("SET", self._key, written(rules)))

    async def reset(self) -> None:
        """Let settings and code say it again. Raises :class:`StoreError`."""
        await self._change(("DEL", self._key))

    async def refresh(self) -> None:
        """Look, unless nobody follows or that was done a moment ago. Raises :class:`StoreError`."""
        if self.follow is None or time.monotonic() - self._looked < FRESH_SECONDS:
            return
        self._looked = time.monotonic()
        text = await self._gateway.command("GET", self._key, patience=0)
        if text != self._text:
            self._text, self.known = text, _read(text)
            self.follow(self.known)

    async def _change(self, command: tuple[str, ...]) -> None:
        (reply,) = await self._gateway.essential(self._prefix, [command])
        if isinstance(reply, ReplyError):
            raise StoreError(f"the granularity in {self._key} cannot be changed: {reply}")
        self._looked = -FRESH_SECONDS  # what changed here is known here at once


def _read(text: object) -> Overrides:
    if not isinstance(text, bytes):
        return ()
    try:
        return parse_overrides(text.decode(errors="replace"))
    except InvalidInput as error:
        log.warning("what the server holds as live granularity of telemetry cannot be read: %s", error)
        return ()
