"""The verbs of maps: nodes that become one task for each item of a list that is known only at run time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import NamedTuple

from jobbers.core.ids import shard_of
from jobbers.core.payload import Gathered, pack
from jobbers.store.gateway import Gateway
from jobbers.store.keys import ShardKeys
from jobbers.store.rows import MAX_BATCH_BYTES
from jobbers.store.wire import Argument

MAP_TYPE = "map."
"""What the type of a map's own record begins with; the type of its tasks follows."""
MAX_EXPANSION = 200
"""Most items that become tasks in one script: some milliseconds of the server."""
CHUNK = 1000
"""How many results are read at a time."""


class ItemTask(NamedTuple):
    """The task of one item."""

    id: str
    lane: str
    envelope: bytes
    gates: str = ""


class MapProgress(NamedTuple):
    """How far a map is: of ``total`` items (``None``: not known yet) so many are ``done``, and so many are ``open``."""

    total: int | None
    done: int
    open: int


class MapStore:
    """The verbs, for all shards of a namespace."""

    def __init__(self, gateway: Gateway, shards: Sequence[ShardKeys]) -> None:
        self._gateway = gateway
        self._shards = shards

    def _keys(self, task_id: str) -> ShardKeys:
        return self._shards[shard_of(task_id, len(self._shards))]

    async def begun(self, map_id: str) -> tuple[int, int, int]:
        """How many of its items have become tasks, how many are under way, and how many may be."""
        keys = self._keys(map_id)
        fields, under_way = await self._gateway.commands(
            [("HMGET", keys.task(map_id), "expanded", "window"), ("SCARD", keys.open(map_id))]
        )
        expanded, window = map(_count, fields if isinstance(fields, list) else (0, 0))
        return expanded, _count(under_way), window

    async def expand(self, map_id: str, owner: str, kind: str, first: int, tasks: Sequence[ItemTask]) -> bool:
        """Make the tasks of the items from ``first`` on; sending them again changes nothing. Returns whether the map is
        the caller's still."""
        prefix = self._keys(map_id).prefix
        for start, chunk in _chunks(tasks):
            args: list[Argument] = [map_id, owner, kind, first + start]
            for task in chunk:
                args += task
            if await self._gateway.run("expand", prefix, args) < 0:
                return False
        return True

    async def suspend(
        self, map_id: str, owner: str, results: Gathered, retention_ms: int, patience: float | None = None
    ) -> bool:
        """End an execution of the map: it goes on, or ends, as its tasks do. Returns whether it was the caller's still."""
        args: list[Argument] = [map_id, owner, results.total, pack(results), retention_ms, "", ""]
        return bool(await self._gateway.run("suspend", self._keys(map_id).prefix, args, patience))

    async def hand_over(
        self,
        task_id: str,
        owner: str,
        run_id: str,
        envelope: bytes,
        retention_ms: int,
        patience: float | None = None,
    ) -> bool:
        """End an execution that has launched a run in its task's place: the task runs again, with ``envelope``, when the
        run has succeeded, and fails with it. Returns whether it was the caller's still."""
        args: list[Argument] = [task_id, owner, 1, "", retention_ms, run_id, envelope]
        return bool(await self._gateway.run("suspend", self._keys(task_id).prefix, args, patience))

    async def progress(self, ids: Sequence[str]) -> list[MapProgress]:
        """How far maps are."""
        commands: list[tuple[Argument, ...]] = []
        for map_id in ids:
            keys = self._keys(map_id)
            commands += [
                ("HGET", keys.task(map_id), "total"), ("HLEN", keys.items(map_id)), ("SCARD", keys.open(map_id)),
            ]  # fmt: skip
        replies = await self._gateway.commands(commands)
        return [
            MapProgress(None if total is None else _count(total), _count(done), _count(under_way))
            for total, done, under_way in zip(replies[::3], replies[1::3], replies[2::3], strict=True)
        ]

    async def results(self, map_id: str, total: int) -> AsyncIterator[list[bytes | None]]:
        """What the tasks returned, in the order of the items, chunk by chunk: ``result``, a blank and the encoded value, or
        ``blob``, a blank and a name; ``None`` for one that did not succeed."""
        key = self._keys(map_id).items(map_id)
        for start in range(0, total, CHUNK):
            yield await self._gateway.command("HMGET", key, *range(start, min(start + CHUNK, total)))


def _count(reply: object) -> int:
    """A count that the server tells, as a number or in a field; garbage counts as 0."""
    if isinstance(reply, bytes) and reply.isdigit() and len(reply) < 16:
        return int(reply)
    return reply if isinstance(reply, int) else 0


def _chunks(tasks: Sequence[ItemTask]) -> Iterator[tuple[int, list[ItemTask]]]:
    """Tasks in chunks bounded by count and bytes, each with the place of its first."""
    chunk: list[ItemTask] = []
    size = 0
    for place, task in enumerate(tasks):
        if chunk and (len(chunk) == MAX_EXPANSION or size + len(task.envelope) > MAX_BATCH_BYTES):
            yield place - len(chunk), chunk
            chunk, size = [], 0
        chunk.append(task)
        size += len(task.envelope)
    if chunk:
        yield len(tasks) - len(chunk), chunk
