"""The verbs of access: API keys, logins of the page, the rate of callers, and the audit log."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from jobbers.core.access import KeyFacts, pack_key, unpack_key
from jobbers.errors import Conflict, NotFound, StoreError
from jobbers.store.gateway import Gateway
from jobbers.store.keys import GlobalKeys
from jobbers.store.wire import Argument, ReplyError

MARK = "-"
"""A field beside the keys, which is no name of one. It stays when the last key is revoked: a namespace that has had keys
must not become open to all because somebody tidied up."""
_CURSOR = re.compile(r"[1-9][0-9]{0,14}-[0-9]{1,15}")  # nothing is before 0-0: the server refuses to look


class Known(NamedTuple):
    """A key as it is stored: its facts, the digest of its secret, and the server's time in ms."""

    facts: KeyFacts
    digest: str
    now: int


class AuditEntry(NamedTuple):
    """What somebody did. ``id`` is that of the stream: ms of the server's clock, and a number."""

    id: str
    fields: Mapping[str, str]

    @property
    def at_ms(self) -> int:
        """When, in ms of the server's clock."""
        return int(self.id.partition("-")[0])


class AccessStore:
    """The verbs, for a whole namespace."""

    def __init__(self, gateway: Gateway, keys: GlobalKeys) -> None:
        self._gateway = gateway
        self._keys = keys

    async def guarded(self) -> bool:
        """Whether the namespace has or has had keys. What is in their place but no table of keys counts, too."""
        return bool(await self._gateway.command("EXISTS", self._keys.keys))

    async def now_ms(self) -> int:
        """The server's clock."""
        seconds, micros = await self._gateway.command("TIME")
        return int(seconds) * 1000 + int(micros) // 1000

    async def create_key(self, facts: KeyFacts, digest: str) -> None:
        """Write a key. Raises :class:`Conflict` when there is one of this name."""
        packed = pack_key(facts, digest)
        await self._gateway.command("HSETNX", self._keys.keys, MARK, "")
        made = await self._gateway.command("HSETNX", self._keys.keys, facts.name, packed)
        if not made and await self._gateway.command("HGET", self._keys.keys, facts.name) != packed:
            raise Conflict(f"there is a key {facts.name!r} already: revoke it first, or choose another name")

    async def key(self, name: str) -> Known | None:
        """A key, also one that has expired, or ``None``. Raises :class:`StoreError`."""
        packed, time = await self._gateway.commands([("HGET", self._keys.keys, name), ("TIME",)])
        for reply in (packed, time):
            if isinstance(reply, ReplyError):
                raise StoreError(f"the keys of {self._keys.prefix} cannot be read: {reply}")
        found = unpack_key(name, packed)
        return None if found is None else Known(*found, int(time[0]) * 1000 + int(time[1]) // 1000)

    async def list_keys(self) -> list[KeyFacts]:
        """All keys by name, also those that have expired. Cost: all are read."""
        flat = await self._gateway.command("HGETALL", self._keys.keys)
        found = [
            unpack_key(name.decode(errors="replace"), packed)
            for name, packed in zip(flat[::2], flat[1::2], strict=True)
        ]
        return sorted((it[0] for it in found if it is not None), key=lambda facts: facts.name)

    async def revoke_key(self, name: str) -> None:
        """Delete a key: it opens nothing from now on. Raises :class:`NotFound`."""
        if name == MARK or not await self._gateway.command("HDEL", self._keys.keys, name):
            raise NotFound(f"there is no key {name[:100]!r}")

    async def open_session(self, digest: str, facts: str, ttl_ms: int) -> None:
        """Remember a login by the digest of its secret."""
        await self._gateway.command("SET", self._keys.session(digest), facts, "PX", ttl_ms)

    async def session(self, digest: str) -> bytes | None:
        """What was remembered, or ``None``."""
        found: bytes | None = await self._gateway.command("GET", self._keys.session(digest))
        return found

    async def close_session(self, digest: str) -> None:
        """Forget a login."""
        await self._gateway.command("DEL", self._keys.session(digest))

    async def meter(self, caller: str, rate: float, burst: int) -> float:
        """Count a call against ``rate`` calls a second with up to ``burst`` at once. Returns 0 if it may be made, else the
        seconds until one may."""
        reply = await self._gateway.run("meter", self._keys.prefix, [caller, 1_000_000 / rate, burst])
        return int(reply) / 1_000_000

    async def note(self, fields: Mapping[str, str], most: int, patience: float | None = None) -> None:
        """Append to the audit log, which keeps about the last ``most`` entries."""
        words = [word for field in fields.items() for word in field]
        # Essential: also what is done to a server at its memory limit, above all then, is to be known.
        command: tuple[Argument, ...] = ("XADD", self._keys.audit, "MAXLEN", "~", most, "*", *words)
        (reply,) = await self._gateway.essential(self._keys.prefix, [command], patience)
        if isinstance(reply, ReplyError):
            raise StoreError(f"the audit log cannot be written: {reply}")

    async def audit(self, cursor: str | None, limit: int) -> tuple[list[AuditEntry], str | None]:
        """A page of the audit log, the newest first, and the cursor of the next page or ``None``. Raises
        :class:`ValueError` for a cursor that no page gave."""
        if cursor is not None and not _CURSOR.fullmatch(cursor):
            raise ValueError("the cursor is not one of this list")
        before = "+" if cursor is None else f"({cursor}"
        rows = await self._gateway.command("XREVRANGE", self._keys.audit, before, "-", "COUNT", limit)
        entries = []
        for entry_id, flat in rows:
            words = [word.decode(errors="replace") for word in flat]
            entries.append(AuditEntry(entry_id.decode(), dict(zip(words[::2], words[1::2], strict=True))))
        return entries, entries[-1].id if len(entries) == limit else None
