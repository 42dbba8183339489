"""Everything that a namespace holds, read at once: small, for tests and audits of a quiet namespace."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Mapping
from typing import Any, NamedTuple

from jobbers.store.connect import Connector
from jobbers.store.keys import namespace_pattern
from jobbers.store.store import Store

SCANNED = 1_000
_GONE = -2  # what PTTL says of a key that is not there

_run = secrets.token_hex(4)
_number = itertools.count(1)


class Held(NamedTuple):
    """What lies under one key: a hash as a dict, a zset as a dict of scores, a set as a set, a list as a list, a stream as
    a dict of entries by their id, a string as text. All text is UTF-8 with ``surrogateescape``, so no byte is lost.

    ``ttl_ms`` is ``None`` for what stays for ever.
    """

    type: str
    value: Any
    ttl_ms: int | None


Keyspace = Mapping[str, Held]


def fresh_namespace() -> str:
    """A namespace that no other test uses, in this process or another."""
    return f"{namespaces_of_this_process()}{next(_number)}"


def namespaces_of_this_process() -> str:
    """What all of :func:`fresh_namespace` begin with."""
    return f"test-{_run}-"


async def scan(store: Store, namespace: str | None = None) -> list[str]:
    """Every key of a namespace, by default the store's own. Cost: one SCAN of the server's whole keyspace."""
    pattern = namespace_pattern(namespace or namespace_of(store))
    names: set[str] = set()
    cursor = 0
    while True:
        after, keys = await store.gateway.command("SCAN", cursor, "MATCH", pattern, "COUNT", SCANNED)
        names.update(_text(key) for key in keys)
        cursor = int(after)
        if cursor == 0:
            return sorted(names)


def namespace_of(store: Store) -> str:
    """The namespace that a store works on."""
    return store.keys.prefix.strip("{}")


async def read_keyspace(store: Store) -> Keyspace:
    """Everything that the store's namespace holds."""
    keys = [_bytes(key) for key in await scan(store)]
    types = [_word(reply) for reply in await store.gateway.commands(("TYPE", key) for key in keys)]
    reads = [
        _READS[kind](key) if kind in _READS else ("EXISTS", key)
        for key, kind in zip(keys, types, strict=True)
    ]
    values = await store.gateway.commands(reads)
    lives = await store.gateway.commands(("PTTL", key) for key in keys)
    return {
        _text(key): Held(kind, _shaped(kind, value), life if life >= 0 else None)
        for key, kind, value, life in zip(keys, types, values, lives, strict=True)
        if life != _GONE
    }


async def erase(store: Store) -> int:
    """Delete everything that the store's namespace holds; returns how many keys that were."""
    keys = await scan(store)
    await store.gateway.commands(("DEL", _bytes(key)) for key in keys)
    return len(keys)


def erase_namespace(connector: Connector, namespace: str) -> None:
    """Delete everything that a namespace holds, from plain code."""
    client = connector.sync_client()
    try:
        for key in list(client.scan_iter(match=namespace_pattern(namespace), count=SCANNED)):
            client.delete(key)
    finally:
        client.close()


_READS: dict[str, Any] = {
    "string": lambda key: ("GET", key),
    "hash": lambda key: ("HGETALL", key),
    "list": lambda key: ("LRANGE", key, 0, -1),
    "set": lambda key: ("SMEMBERS", key),
    "zset": lambda key: ("ZRANGE", key, 0, -1, "WITHSCORES"),
    "stream": lambda key: ("XRANGE", key, "-", "+"),
}


def _shaped(kind: str, reply: Any) -> Any:
    match kind:
        case "hash":
            return dict(_pairs(reply))
        case "zset":
            return {member: float(score) for member, score in _pairs(reply)}
        case "set":
            return {_text(item) for item in reply}
        case "list":
            return [_text(item) for item in reply]
        case "stream":
            return {_text(entry): _pairs(fields) for entry, fields in reply}
        case "string" if reply is not None:
            return _text(reply)
        case _:
            return None


def _pairs(reply: list[bytes]) -> list[tuple[str, str]]:
    words = [_text(item) for item in reply]
    return list(zip(words[::2], words[1::2], strict=True))


def _text(data: bytes | str) -> str:
    return data if isinstance(data, str) else data.decode(errors="surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")


def _word(reply: Any) -> str:
    return reply.decode() if isinstance(reply, bytes) else str(reply)
