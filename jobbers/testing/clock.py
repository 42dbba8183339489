"""A clock that tests move forward, and the connector that lets a store live by it.

The scripts are sent in a rendering that adds to the server's time what a key of the shard says; here the same is added
to the answers of TIME. Nothing above the connection knows.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, cast

from jobbers.store import scripts
from jobbers.store.connect import AsyncClient, Connector, SyncClient
from jobbers.store.keys import namespace_pattern
from jobbers.store.store import Store
from jobbers.store.wire import Argument, Wire

SCANNED = 1_000

Heard = Callable[[str, Sequence[Argument], Any], None]
"""Told of each script that ran: its name, its arguments and its reply."""


class ManualClock:
    """How far a namespace's clock is ahead of its server's."""

    def __init__(self) -> None:
        self.offset_ms = 0

    async def advance(self, store: Store, milliseconds: int) -> None:
        """Move the clock of ``store`` forward, and everything that expires towards its end."""
        self.offset_ms += milliseconds
        await store.gateway.commands(("INCRBY", keys.clock, milliseconds) for keys in store.shards)
        cursor = 0
        pattern = namespace_pattern(store.keys.prefix.strip("{}"))
        while True:
            found = await store.gateway.command("SCAN", cursor, "MATCH", pattern, "COUNT", SCANNED)
            cursor, keys = int(found[0]), found[1]
            lives = await store.gateway.commands(("PTTL", key) for key in keys)
            await store.gateway.commands(
                ("PEXPIRE", key, max(0, life - milliseconds))
                for key, life in zip(keys, lives, strict=True)
                if life >= 0
            )
            if cursor == 0:
                return


class Twin(NamedTuple):
    """A script as stores call it, and as it is sent instead."""

    name: str
    manual: scripts.Script


@functools.cache
def _twins() -> dict[bytes, Twin]:
    return {
        scripts.load(name).sha: Twin(name, scripts.load(name, manual_clock=True)) for name in scripts.NAMES
    }


@functools.cache
def _texts() -> dict[str, str]:
    return {scripts.load(name).text: scripts.load(name, manual_clock=True).text for name in scripts.NAMES}


class ManualClockConnector:
    """A connector around another one, for a store that lives by ``clock``."""

    flags = False

    def __init__(self, inner: Connector, clock: ManualClock, heard: Heard) -> None:
        self._inner = inner
        self._clock = clock
        self._heard = heard

    @property
    def display(self) -> str:
        """See :class:`jobbers.store.connect.Connector`."""
        return self._inner.display

    async def wire(self, name: str) -> Wire:
        """See :class:`jobbers.store.connect.Connector`."""
        return _ManualClockWire(await self._inner.wire(name), self._clock, self._heard)

    def async_client(self) -> AsyncClient:
        """See :class:`jobbers.store.connect.Connector`; for subscriptions only, to which time means nothing."""
        return self._inner.async_client()

    def sync_client(self) -> SyncClient:
        """See :class:`jobbers.store.connect.Connector`; for scripts only."""
        return cast(SyncClient, _ManualClockClient(self._inner.sync_client()))


class _ManualClockWire:
    """Calls the twins of scripts, and adds to the answers of TIME."""

    def __init__(self, inner: Wire, clock: ManualClock, heard: Heard) -> None:
        self._inner = inner
        self._clock = clock
        self._heard = heard

    @property
    def alive(self) -> bool:
        return self._inner.alive

    async def call(self, *command: Argument, block: float = 0.0) -> Any:
        match command:
            case ["EVALSHA", bytes(sha), _, *arguments] if sha in _twins():
                name, manual = _twins()[sha]
                reply = await self._inner.call("EVALSHA", manual.sha, 1, *arguments, block=block)
                self._heard(name, arguments[1:], reply)
                return reply
            case ["SCRIPT", "LOAD", str(text)]:
                return await self._inner.call("SCRIPT", "LOAD", _texts().get(text, text), block=block)
            case _:
                return self._later(command, await self._inner.call(*command, block=block))

    async def call_many(self, commands: Iterable[tuple[Argument, ...]]) -> list[Any]:
        sent = list(commands)
        replies = await self._inner.call_many(sent)
        return [self._later(command, reply) for command, reply in zip(sent, replies, strict=True)]

    def _later(self, command: Sequence[Argument], reply: Any) -> Any:
        if command[0] != "TIME":
            return reply
        seconds, micros = reply
        milliseconds = int(seconds) * 1000 + int(micros) // 1000 + self._clock.offset_ms
        return [b"%d" % (milliseconds // 1000), b"%d" % (milliseconds % 1000 * 1000)]

    async def close(self) -> None:
        await self._inner.close()


class _ManualClockClient:
    """Calls the twins of scripts for a thread."""

    def __init__(self, inner: SyncClient) -> None:
        self._inner = inner

    def evalsha(self, sha: str, *arguments: Any) -> Any:
        return self._inner.evalsha(_twins()[sha.encode()].manual.sha.decode(), *arguments)

    def eval(self, text: str, *arguments: Any) -> Any:
        return self._inner.eval(_texts()[text], *arguments)

    def close(self) -> None:
        self._inner.close()
