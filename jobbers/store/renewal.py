"""Renews leases from a thread: a connection of its own, blocking, independent of any event loop."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from redis.exceptions import NoScriptError, RedisError

from jobbers.core.ids import shard_of
from jobbers.store import scripts
from jobbers.store.connect import Connector
from jobbers.store.keys import ShardKeys
from jobbers.store.rows import MAX_BATCH
from jobbers.store.tasks import chunked


class RenewalFailed(Exception):
    """The server could not be reached or refused; nothing is known about the leases."""


class Renewal:
    """The blocking twin of the gateway, for the one script that a thread calls."""

    def __init__(self, connector: Connector, shards: Sequence[ShardKeys]) -> None:
        self._connector = connector
        self._client = connector.sync_client()
        self._shards = shards

    def renew(self, held: Iterable[tuple[str, str]], lease_ms: int) -> dict[str, str]:
        """Extend the leases of ``(id, owner)`` pairs.

        Returns the status of those that are no longer held, ``""`` where the record is gone. Raises
        :class:`RenewalFailed`.
        """
        groups: dict[int, list[tuple[str, str]]] = defaultdict(list)
        for pair in held:
            groups[shard_of(pair[0], len(self._shards))].append(pair)
        lost: dict[str, str] = {}
        for shard, pairs in groups.items():
            for chunk in chunked(pairs, MAX_BATCH):
                reply = self._call(shard, [lease_ms, *(value for pair in chunk for value in pair)])
                words = [item.decode(errors="replace") for item in reply]
                lost.update(zip(words[::2], words[1::2], strict=True))
        return lost

    def _call(self, shard: int, args: list[str | int]) -> list[bytes]:
        prefix = self._shards[shard].prefix
        script = scripts.load("renew", flags=self._connector.flags)
        try:
            try:
                return list(self._client.evalsha(script.sha.decode(), 1, prefix, *args))
            except NoScriptError:
                return list(self._client.eval(script.text, 1, prefix, *args))
        except (RedisError, OSError) as error:
            raise RenewalFailed(str(error)) from error

    def close(self) -> None:
        """Close the connection."""
        self._client.close()
